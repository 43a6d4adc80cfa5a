/*===- gather.c - a kernel that checks indices ---------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Input indices: i64[n]; output values: f32[n], values[i] = table[indices[i]],
 * the table being the package's 5 constants. One element per block; the work is
 * declared large, so that it is shared among threads.
 *===----------------------------------------------------------------------===*/

/* As compilers wrote it that knew no loops; what follows is not the descriptor's. */
#define PACKAGE_SIZE offsetof(sectile_package_descriptor, loops)

#include "Package.h"

enum { ROWS = 5 };

static const float table[ROWS] __attribute__((aligned(4096))) = {0, 10, 20, 30, 40};

static void gatherInfo(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs;
  out->blocks = sizes[0];
  out->bytes = (int64_t)1 << 32;
}

static int32_t gatherRun(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end,
                         void *scratch, int64_t *values) {
  (void)sizes;
  (void)scratch;
  const int64_t *indices = bufs[0];
  const float *rows = bufs[1];
  float *out = bufs[2];
  for (int64_t i = begin; i < end; ++i) {
    if (indices[i] < 0 || indices[i] >= ROWS) {
      values[0] = indices[i];
      values[1] = i;
      values[2] = ROWS;
      return 1;
    }
    out[i] = rows[indices[i]];
  }
  return 0;
}

static int32_t prepare(sectile_abi_call *call) {
  call->symbols[0] = call->output_dims[0][0] = call->input_dims[0][0];
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  void *bufs[] = {call->input_data[0], (void *)call->constants, call->output_data[0]};
  return call->launch(call, 0, bufs, call->symbols);
}

static const int64_t dims[] = {-1};
static const char *const exprs[] = {"n"};
static const char *const symbols[] = {"n"};
static const char *const failures[] = {"index %0 at position %1 is not below %2"};
static const sectile_abi_tensor inputs[] = {TENSOR("indices", SECTILE_ABI_I64, dims, exprs)};
static const sectile_abi_tensor outputs[] = {TENSOR("values", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_kernel kernels[] = {{"gather", "/embed/Gather", "f32[5]", ""}};
static const sectile_abi_kernel_code code[] = {
    {.info = gatherInfo, .run = gatherRun, .failures = failures, .num_failures = 1}};
static const sectile_abi_level levels[] = {{"base", 0, code}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,
    .model_name = "gather",
    INPUTS(inputs),
    OUTPUTS(outputs),
    SYMBOLS(symbols),
    TARGETS(targets),
    .constants = table,
    .constants_bytes = sizeof table,
    .constants_hash = CONSTANTS_HASH,
    .loops = (const sectile_abi_loop *)16,
    .loop_ends = (const uint32_t *)16,
};
