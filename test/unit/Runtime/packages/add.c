/*===- add.c - c = a + b over a symbol n ---------------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Inputs a, b: f32[n]; output c: f32[n]. Blocks of 64 elements. The arena holds
 * a copy of a, so that its pages are used. As DEVICE, for a device that the library lacks.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

#include <string.h>

enum { BLOCK = 64 };

static void addInfo(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs;
  out->blocks = (sizes[0] + BLOCK - 1) / BLOCK;
  out->scratch_bytes = BLOCK * sizeof(float);
  out->bytes = 12 * sizes[0];
  out->operations = sizes[0];
}

#ifndef DEVICE
static int32_t addRun(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end,
                      void *scratch, int64_t *values) {
  (void)values;
  const float *a = bufs[0], *b = bufs[1];
  float *c = bufs[2], *sums = scratch;
  for (int64_t block = begin; block < end; ++block) {
    int64_t first = block * BLOCK;
    int64_t count = sizes[0] - first < BLOCK ? sizes[0] - first : BLOCK;
    for (int64_t i = 0; i < count; ++i)
      sums[i] = a[first + i] + b[first + i];
    memcpy(c + first, sums, (size_t)count * sizeof(float));
  }
  return 0;
}
#endif

static int32_t prepare(sectile_abi_call *call) {
  int64_t n = call->input_dims[0][0];
  int64_t other = call->input_dims[1][0];
  if (n != other) {
    int64_t values[] = {n, other};
    return call->fail(call, SECTILE_ABI_INVALID_INPUT,
                      "expects 'a' and 'b' to have equal sizes 'n', but got %0 and %1", values, 2);
  }
  call->symbols[0] = n;
  call->output_dims[0][0] = n;
  call->arena_bytes = (uint64_t)n * sizeof(float);
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  int64_t n = call->symbols[0];
  if (n > 0)
    memcpy(call->arena, call->input_data[0], (size_t)n * sizeof(float));
  void *bufs[] = {call->arena, call->input_data[1], call->output_data[0]};
  return call->launch(call, 0, bufs, &n);
}

static const int64_t dims[] = {-1};
static const char *const exprs[] = {"n"};
static const char *const symbols[] = {"n"};
static const sectile_abi_tensor inputs[] = {TENSOR("a", SECTILE_ABI_F32, dims, exprs),
                                            TENSOR("b", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_tensor outputs[] = {TENSOR("c", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_kernel kernels[] = {
    {"add", "/layer/Add", "f32[?] + f32[?]", "block = [64]"}};
#ifdef DEVICE
#define TARGET "sm_90a"
static const char *const failures[] = {"expects no %0"};
static const sectile_abi_kernel_code code[] = {
    {.info = addInfo, .failures = failures, .num_failures = 1}};
static const sectile_abi_image images[] = {
    {.kind = SECTILE_ABI_IMAGE_PTX, .data = "ptx", .bytes = 3}};
static const sectile_abi_device_kernel deviceKernels[] = {
    {.threads = 64, .registers = 20, .shared_bytes = 256, .spill_bytes = -1}};
#ifndef LAUNCH_SHARED
#define LAUNCH_SHARED 128
#endif
static const int64_t launchShared[] = {LAUNCH_SHARED};
static const int64_t *const launchSharedOf[] = {launchShared};
static const sectile_abi_device devices[] = {
    {.num_images = 1, .images = images, .kernels = deviceKernels}};
#else
#define TARGET "cpu"
static const sectile_abi_kernel_code code[] = {
    {.info = addInfo, .run = addRun, .vector_ops = 3, .scalar_ops = 1}};
#endif
static const sectile_abi_loop loops[] = {{3, 0}, {0, 1}};
static const uint32_t loopEnds[] = {2};
static const sectile_abi_level levels[] = {{"base", 0, code}};
static const sectile_abi_target targets[] = {
    {.name = TARGET, KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,     .model_name = "add",
    INPUTS(inputs),     OUTPUTS(outputs),
    SYMBOLS(symbols),   TARGETS(targets),
    .loops = loops,     .loop_ends = loopEnds,
#ifdef DEVICE
    .devices = devices, .launch_shared = launchSharedOf,
#endif
};
