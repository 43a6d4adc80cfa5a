/*===- decode.c - greedy decoding with a K/V cache updated in place -*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 *   decode PACKAGE [PLAIN]
 *
 * Decodes until the cache is full, with two sessions of different batch sizes
 * that take turns on one loaded package. PACKAGE is a decoder compiled with
 * one alias for each cache, so that a step writes the new rows and nothing
 * else:
 *
 *   sectile compile gpt_decode.onnx -o gpt_decode.stpk \
 *     --alias=past_k.0:present_k.0,past=24 --alias=past_v.0:present_v.0,past=24 ...
 *
 * PLAIN is the same model compiled without: each step then copies the cache.
 * If it is given, the logits of both must agree.
 *===----------------------------------------------------------------------===*/

#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUM_SESSIONS = 2, MAX_BATCH = 2, LONGEST = 4096 };
static const int64_t batches[NUM_SESSIONS] = {2, 1};

static sectile_package *load(const char *path) {
  char message[256];
  sectile_package *package;
  if (sectile_package_load(path, NULL, &package, message, sizeof message))
    fprintf(stderr, "decode: %s\n", message);
  return package;
}

/** The largest capacity that all caches have; -1 if one has none. */
static int64_t find_capacity(const session *s) {
  int64_t capacity = s->caches[0].capacity;
  uint32_t i;
  for (i = 1; i < s->num_caches; ++i)
    if (s->caches[i].capacity < capacity)
      capacity = s->caches[i].capacity;
  return capacity;
}

/** Whether the logits of both agree but for the order of sums. */
static int agree(const session *s, const session *other) {
  int64_t i;
  for (i = 0; i < s->batch * s->vocabulary; ++i)
    if (!(fabsf(s->logits[i] - other->logits[i]) <= 1e-5f * (1 + fabsf(other->logits[i])))) {
      fprintf(stderr, "decode: token %lld: expects logit %g, but got %g\n", (long long)s->length,
              other->logits[i], s->logits[i]);
      return 0;
    }
  return 1;
}

/** Decodes one token; 0 if that fails. */
static int step(session *s, session *other, int64_t *tokens) {
  int64_t row;
  if (session_step(s, tokens)) {
    fprintf(stderr, "decode: %s\n", sectile_context_message(s->context));
    return 0;
  }
  if (other->context) {
    if (session_step(other, tokens)) {
      fprintf(stderr, "decode: %s\n", sectile_context_message(other->context));
      return 0;
    }
    if (!agree(s, other))
      return 0;
  }
  for (row = 0; row < s->batch; ++row)
    tokens[row] = session_best(s, row);
  return 1;
}

static int decode(sectile_package *package, sectile_package *plain) {
  session sessions[NUM_SESSIONS] = {{0}}, others[NUM_SESSIONS] = {{0}};
  int64_t tokens[NUM_SESSIONS][MAX_BATCH], capacity, position;
  int good = 1, i, row;
  for (i = 0; i < NUM_SESSIONS; ++i) {
    good = good && session_open(&sessions[i], package, batches[i], 0);
    good = good && (!plain || session_open(&others[i], plain, batches[i], LONGEST));
    for (row = 0; row < batches[i]; ++row)
      tokens[i][row] = 1 + 7 * i + 3 * row; /* some prompt */
  }
  capacity = good ? find_capacity(&sessions[0]) : 0;
  if (good && (capacity < 0 || capacity > LONGEST)) {
    fprintf(stderr,
            "decode: expects a package whose caches have aliases with capacities up to %d\n",
            LONGEST);
    good = 0;
  }
  for (position = 0; good && position < capacity; ++position)
    for (i = 0; good && i < NUM_SESSIONS; ++i)
      good = step(&sessions[i], &others[i], tokens[i]);
  for (i = 0; good && i < NUM_SESSIONS; ++i) {
    sectile_context_memory memory = {.size = sizeof memory};
    sectile_context_get_memory(sessions[i].context, &memory);
    printf("session %d: %lld sequences of %lld tokens, arena %llu bytes, outputs %llu bytes\n", i,
           (long long)sessions[i].batch, (long long)sessions[i].length,
           (unsigned long long)memory.arena_bytes, (unsigned long long)memory.output_bytes);
    /* A full cache is a status, and the session stays usable. */
    if (session_step(&sessions[i], tokens[i]) != SECTILE_CAPACITY) {
      fprintf(stderr, "decode: expects a full cache to be refused\n");
      good = 0;
    }
    printf("session %d: then: %s\n", i, sectile_context_message(sessions[i].context));
  }
  if (good && plain)
    printf("all logits agree with those of the package without aliases\n");
  for (i = 0; i < NUM_SESSIONS; ++i) {
    session_close(&sessions[i]);
    session_close(&others[i]);
  }
  return good;
}

int main(int argc, char **argv) {
  sectile_package *package, *plain = NULL;
  int good;
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: decode PACKAGE [PLAIN]\n");
    return 2;
  }
  package = load(argv[1]);
  if (argc == 3)
    plain = load(argv[2]);
  good = package && (argc < 3 || plain) && decode(package, plain);
  sectile_package_release(plain);
  sectile_package_release(package);
  return good ? 0 : 1;
}
