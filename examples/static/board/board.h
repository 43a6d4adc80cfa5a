/*===- board.h - what the example needs of a board ----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>

/** Writes `size` characters to wherever the board's output goes. */
void board_write(const char *text, size_t size);

/** Ends the program; 0 is success. Does not return. */
void board_exit(int status);

#endif /* BOARD_H */
