/*===- posix.c - the board that is a process ----------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/
#include "board.h"

#include <stdio.h>
#include <stdlib.h>

void board_write(const char *text, size_t size) { fwrite(text, 1, size, stdout); }

void board_exit(int status) { exit(status); }
