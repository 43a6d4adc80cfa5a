/*===- cache.c - rows appended to a buffer in place ----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Input past: f32[heads, past, 2], input row: f32[heads, 1, 2]; output present:
 * f32[heads, past + 1, 2], which lives in the buffer of past, laid out for 4 rows
 * per head.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

enum { CAPACITY = 4, WIDTH = 2 };

static int32_t prepare(sectile_abi_call *call) {
  int64_t heads = call->input_dims[0][0];
  int64_t past = call->input_dims[0][1];
  int64_t values[] = {heads, call->input_dims[1][0]};
  if (values[0] != values[1])
    return call->fail(call, SECTILE_ABI_INVALID_INPUT,
                      "expects 'past' and 'row' to have equal 'heads', but got %0 and %1", values,
                      2);
  call->symbols[0] = heads;
  call->symbols[1] = past;
  call->output_dims[0][0] = heads;
  call->output_dims[0][1] = past + 1;
  call->output_dims[0][2] = WIDTH;
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  const float *row = call->input_data[1];
  float *present = call->output_data[0];
  for (int64_t head = 0; head < call->symbols[0]; ++head)
    for (int64_t i = 0; i < WIDTH; ++i)
      present[(head * CAPACITY + call->symbols[1]) * WIDTH + i] = row[head * WIDTH + i];
  return SECTILE_ABI_OK;
}

static const int64_t pastDims[] = {-1, -1, WIDTH}, rowDims[] = {-1, 1, WIDTH};
static const char *const pastExprs[] = {"heads", "past", "2"};
static const char *const rowExprs[] = {"heads", "1", "2"};
static const char *const presentExprs[] = {"heads", "past + 1", "2"};
static const char *const symbols[] = {"heads", "past"};
static const sectile_abi_tensor inputs[] = {TENSOR("past", SECTILE_ABI_F32, pastDims, pastExprs),
                                            TENSOR("row", SECTILE_ABI_F32, rowDims, rowExprs)};
static const sectile_abi_tensor outputs[] = {
    TENSOR("present", SECTILE_ABI_F32, pastDims, presentExprs)};
static const sectile_abi_alias aliases[] = {
    {.input = 0, .output = 0, .dim = 1, .capacity = CAPACITY}};
static const sectile_abi_level levels[] = {{"base", 0, NULL}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,   .model_name = "cache", INPUTS(inputs),   OUTPUTS(outputs),
    SYMBOLS(symbols), TARGETS(targets),      ALIASES(aliases),
};
