/*===- Package.h - shorthand for hand-made packages ----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Packages for the tests of the runtime are written in C against the package
 * ABI, so that the runtime is tested without the compiler.
 *===----------------------------------------------------------------------===*/

#ifndef SECTILE_TEST_PACKAGE_H
#define SECTILE_TEST_PACKAGE_H

#include "sectile/Package/Abi.h"

#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TENSOR(NAME, DTYPE, DIMS, EXPRS) {NAME, DTYPE, COUNT(DIMS), DIMS, EXPRS}

#define EXPORTED __attribute__((visibility("default")))

/* How much of the descriptor the package knows. */
#ifndef PACKAGE_SIZE
#define PACKAGE_SIZE sizeof(sectile_package_descriptor)
#endif

/* The fields that all test packages share. */
#define PACKAGE_HEADER                                                                             \
  .magic = SECTILE_PACKAGE_MAGIC, .abi = SECTILE_PACKAGE_ABI, .size = PACKAGE_SIZE,                \
  .compiler_version = "test", .options = "--test"

#define INPUTS(ARRAY) .inputs = ARRAY, .num_inputs = COUNT(ARRAY)
#define OUTPUTS(ARRAY) .outputs = ARRAY, .num_outputs = COUNT(ARRAY)
#define SYMBOLS(ARRAY) .symbols = ARRAY, .num_symbols = COUNT(ARRAY)
#define TARGETS(ARRAY) .targets = ARRAY, .num_targets = COUNT(ARRAY)
#define ALIASES(ARRAY) .aliases = ARRAY, .num_aliases = COUNT(ARRAY)
#define KERNELS(ARRAY) .kernels = ARRAY, .num_kernels = COUNT(ARRAY)
#define LEVELS(ARRAY) .levels = ARRAY, .num_levels = COUNT(ARRAY)

#endif /* SECTILE_TEST_PACKAGE_H */
