/*===- work.c - kernels that notice wrong scheduling ---------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Input launches: i64[k]: for each value v, one launch of v blocks. Output
 * visits: i64[k], the sum over the launch's blocks of block + 1, wherever they
 * ran. Each block fills its thread's scratch memory and checks that nobody else
 * wrote it, and adds to its own counter, so that a thread sanitizer sees two
 * threads that run the same block.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

enum { SCRATCH = 256, MOST_BLOCKS = 4096 };

static void workInfo(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs;
  out->blocks = sizes[0];
  out->scratch_bytes = SCRATCH;
  out->operations = (int64_t)1 << 40;
}

static int32_t workRun(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end,
                       void *scratch, int64_t *values) {
  int64_t *counters = bufs[0];
  volatile unsigned char *bytes = scratch;
  for (int64_t block = begin; block < end; ++block) {
    unsigned char mark = (unsigned char)(block * 7 + sizes[1]);
    for (int i = 0; i < SCRATCH; ++i)
      bytes[i] = mark;
    counters[block] += block + 1;
    for (int i = 0; i < SCRATCH; ++i)
      if (bytes[i] != mark) {
        values[0] = block;
        return 1;
      }
  }
  return 0;
}

static int32_t prepare(sectile_abi_call *call) {
  call->symbols[0] = call->output_dims[0][0] = call->input_dims[0][0];
  call->arena_bytes = MOST_BLOCKS * sizeof(int64_t);
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  const int64_t *launches = call->input_data[0];
  int64_t *visits = call->output_data[0];
  int64_t *counters = call->arena;
  for (int64_t k = 0; k < call->symbols[0]; ++k) {
    if (launches[k] < 0 || launches[k] > MOST_BLOCKS)
      return call->fail(call, SECTILE_ABI_INVALID_INPUT, "launch of %0 blocks", &launches[k], 1);
    for (int64_t i = 0; i < launches[k]; ++i)
      counters[i] = 0;
    int64_t sizes[] = {launches[k], k};
    int32_t status = call->launch(call, 0, &call->arena, sizes);
    if (status != 0)
      return status;
    visits[k] = 0;
    for (int64_t i = 0; i < launches[k]; ++i)
      visits[k] += counters[i];
  }
  return SECTILE_ABI_OK;
}

static const int64_t dims[] = {-1};
static const char *const exprs[] = {"k"};
static const char *const symbols[] = {"k"};
static const char *const failures[] = {"scratch memory of block %0 changed"};
static const sectile_abi_tensor inputs[] = {TENSOR("launches", SECTILE_ABI_I64, dims, exprs)};
static const sectile_abi_tensor outputs[] = {TENSOR("visits", SECTILE_ABI_I64, dims, exprs)};
static const sectile_abi_kernel kernels[] = {{"work", "/w", "", ""}};
static const sectile_abi_kernel_code code[] = {
    {.info = workInfo, .run = workRun, .failures = failures, .num_failures = 1}};
static const sectile_abi_level levels[] = {{"base", 0, code}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,   .model_name = "work", INPUTS(inputs),
    OUTPUTS(outputs), SYMBOLS(symbols),     TARGETS(targets),
};
