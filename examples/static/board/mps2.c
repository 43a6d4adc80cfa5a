/*===- mps2.c - start-up of a Cortex-M4 or M7 on an MPS2 board ----*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Everything between the reset and main, and output by semihosting: a debugger,
 * or QEMU with -semihosting, carries out what a BKPT 0xAB asks for. There is no C
 * library here; the three functions on memory are what compilers expect of any.
 *
 * References: Armv7-M Architecture Reference Manual (DDI 0403), B1.5 for the vector
 * table and B3.2.20 for CPACR; Semihosting for AArch32 and AArch64 (Arm, IHI 0089).
 *===----------------------------------------------------------------------===*/
#include "board.h"

#include <stdint.h>

int main(void);

/* Of the linker script. */
extern uint32_t stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];

/* Without it a compiler would make calls of these functions out of their own loops. */
#define NO_CALLS __attribute__((no_builtin))

NO_CALLS void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  char *out = to;
  const char *in = from;
  while (size-- > 0)
    *out++ = *in++;
  return to;
}

NO_CALLS void *memmove(void *to, const void *from, size_t size) {
  char *out = to;
  const char *in = from;
  if (out <= in)
    return memcpy(to, from, size);
  while (size-- > 0)
    out[size] = in[size];
  return to;
}

NO_CALLS void *memset(void *to, int value, size_t size) {
  char *out = to;
  while (size-- > 0)
    *out++ = (char)value;
  return to;
}

enum {
  kSysWrite0 = 0x04,
  kSysExitExtended = 0x20,
  kApplicationExit = 0x20026,
  kRunTimeError = 0x20023
};

static int semihost(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_write(const char *text, size_t size) {
  char piece[65];
  while (size > 0) {
    size_t length = size < sizeof piece - 1 ? size : sizeof piece - 1;
    memcpy(piece, text, length);
    piece[length] = '\0';
    semihost(kSysWrite0, piece);
    text += length;
    size -= length;
  }
}

void board_exit(int status) {
  uint32_t block[2] = {status == 0 ? kApplicationExit : kRunTimeError, (uint32_t)status};
  semihost(kSysExitExtended, block);
  for (;;) {
  }
}

void reset(void);
void reset(void) {
#if defined(__ARM_FP)
  /* Coprocessors 10 and 11, which are the floating-point unit, are off after a reset. */
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
  __asm__ volatile("dsb\n\tisb");
#endif
  memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
  memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
  board_exit(main());
}

static void fault(void) {
  static const char text[] = "fault\n";
  board_write(text, sizeof text - 1);
  board_exit(70);
}

/** Initial stack pointer, reset, NMI and the four faults; nothing else happens here. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top,     (void *)reset, (void *)fault, (void *)fault,
    (void *)fault, (void *)fault, (void *)fault,
};
