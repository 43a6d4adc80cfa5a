/*===- weights.c - constants in a file beside the package ----------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Output sum: i32[], the sum of the 8 bytes of the file WEIGHTS_FILE or, with PIECES, of the first
 * 4 bytes of two files in that folder.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

#ifdef PIECES
/* Files of 4 bytes; the second one's name and place come from the build. */
static const sectile_abi_piece pieces[] = {{0, 4, 1, "00000000000000000000000000000001"},
                                           {PIECE_OFFSET, 4, 2, PIECE_NAME}};
enum { BYTES = 65536 + 4, SECOND = 65536 };
#else
enum { BYTES = 8, SECOND = 4 };
#endif

static int32_t prepare(sectile_abi_call *call) {
  (void)call;
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  const unsigned char *weights = call->constants;
  int32_t sum = 0;
  for (int i = 0; i < 4; ++i)
    sum += weights[i] + weights[SECOND + i];
  *(int32_t *)call->output_data[0] = sum;
  return SECTILE_ABI_OK;
}

static const sectile_abi_tensor outputs[] = {{"sum", SECTILE_ABI_I32, 0, NULL, NULL}};
static const sectile_abi_level levels[] = {{"base", 0, NULL}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,
    .model_name = "weights",
    OUTPUTS(outputs),
    TARGETS(targets),
    .weights_file = WEIGHTS_FILE,
    .constants_bytes = BYTES,
    .constants_hash = CONSTANTS_HASH,
#ifdef PIECES
    .pieces = pieces,
    .num_pieces = COUNT(pieces),
#endif
};
