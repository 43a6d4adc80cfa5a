/*===- monitor.c - two models in a program without a heap ---------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Watches a machine by its vibration: one model computes the energy of a signal
 * in four bands, a second one says what state the machine is in. Both are static
 * output, work in one arena one after the other, and need nothing else.
 *===----------------------------------------------------------------------===*/
#include "bands.h"
#include "board.h"
#include "states.h"

#include <stdint.h>

enum {
  kArenaBytes = BANDS_ARENA_BYTES > STATES_ARENA_BYTES ? BANDS_ARENA_BYTES : STATES_ARENA_BYTES
};

static uint8_t arena[kArenaBytes] __attribute__((aligned(BANDS_ARENA_ALIGNMENT)));

static const char *const state_names[STATES_PROBABILITY_ELEMENTS] = {"at rest", "slow", "fast"};

static void print(const char *text) {
  size_t length = 0;
  while (text[length] != '\0')
    ++length;
  board_write(text, length);
}

/** A probability in percent. */
static void print_percent(float share) {
  char text[4];
  int percent = (int)(share * 100 + 0.5f);
  text[0] = percent >= 100 ? '1' : ' ';
  text[1] = percent >= 10 ? (char)('0' + percent / 10 % 10) : ' ';
  text[2] = (char)('0' + percent % 10);
  text[3] = '%';
  board_write(text, sizeof text);
}

/** A triangular wave, and noise of a linear congruential generator, as a sensor might see them. */
static void measure(float *signal, int period, float amplitude) {
  uint32_t noise = 1;
  for (int i = 0; i < BANDS_SIGNAL_ELEMENTS; ++i) {
    int phase = i % period;
    float wave = (float)(phase < period / 2 ? 4 * phase : 4 * (period - phase)) / (float)period - 1;
    noise = noise * 1664525u + 1013904223u;
    signal[i] = amplitude * wave + (float)(noise >> 24) * (0.02f / 256);
  }
}

/** The most probable state, or -1 after an error. */
static int find_state(const float *signal) {
  float energy[BANDS_ENERGY_ELEMENTS], probability[STATES_PROBABILITY_ELEMENTS];
  if (bands_run(signal, energy, arena) != BANDS_OK ||
      states_run(energy, probability, arena) != STATES_OK)
    return -1;
  int best = 0;
  for (int i = 0; i < STATES_PROBABILITY_ELEMENTS; ++i) {
    if (probability[i] > probability[best])
      best = i;
    print(i == 0 ? "" : ", ");
    print_percent(probability[i]);
    print(" ");
    print(state_names[i]);
  }
  print("\n");
  return best;
}

int main(void) {
  static const struct {
    int period;
    float amplitude;
  } machines[STATES_PROBABILITY_ELEMENTS] = {{8, 0.0f}, {16, 1.0f}, {2, 1.0f}};
  static float signal[BANDS_SIGNAL_ELEMENTS];
  int wrong = 0;
  for (int state = 0; state < STATES_PROBABILITY_ELEMENTS; ++state) {
    measure(signal, machines[state].period, machines[state].amplitude);
    wrong += find_state(signal) != state;
  }
  /* What does not fit is refused, not written over. */
  wrong += bands_run(signal, NULL, arena) != BANDS_ERROR_NULL;
  print(wrong == 0 ? "all states found\n" : "wrong\n");
  return wrong;
}
