/*===- gpu.c - c = a + b + k on a device ---------------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Inputs a, b: f32[n]; output c: f32[n]. The host program never touches them itself: it copies a
 * to the arena, and launches kernel "add" on that, b, a constant and c. With n = 7 it reads an
 * element of c, and with n = 1000 it launches 300 times. Code for several devices.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

static void addInfo(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs;
  out->blocks = (sizes[0] + 63) / 64;
  out->bytes = 12 * sizes[0];
  out->operations = 2 * sizes[0];
}

static int32_t prepare(sectile_abi_call *call) {
  int64_t n = call->input_dims[0][0];
  call->symbols[0] = n;
  call->output_dims[0][0] = n;
  call->arena_bytes = (uint64_t)n * sizeof(float);
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  int64_t n = call->symbols[0], one = 1;
  int32_t status =
      call->copy(call, call->arena, &one, call->input_data[0], &one, &n, 1, sizeof(float));
  void *bufs[] = {call->arena, call->input_data[1], (void *)call->constants, call->output_data[0]};
  for (int i = 0; !status && i < (n == 1000 ? 300 : 1); ++i)
    status = call->launch(call, 0, bufs, &n);
  float first = 0;
  if (!status && n == 7)
    status = call->read(call, &first, call->output_data[0], sizeof first);
  if (!status && first == 99) {
    int64_t value = 99;
    return call->fail(call, SECTILE_ABI_INVALID_INPUT, "c begins with %0", &value, 1);
  }
  return status;
}

static const int64_t dims[] = {-1};
static const char *const exprs[] = {"n"};
static const char *const symbols[] = {"n"};
static const sectile_abi_tensor inputs[] = {TENSOR("a", SECTILE_ABI_F32, dims, exprs),
                                            TENSOR("b", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_tensor outputs[] = {TENSOR("c", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_kernel kernels[] = {{"add", "/layer/Add", "f32[?] + f32[?]", "none"}};
static const char *const failures[] = {"a[%0] is 13"};
static const sectile_abi_kernel_code code[] = {
    {.info = addInfo, .failures = failures, .num_failures = 1}};
static const sectile_abi_level levels[] = {{"base", 0, code}};
static const sectile_abi_image both[] = {
    {.kind = SECTILE_ABI_IMAGE_PTX, .data = "ptx", .bytes = 3},
    {.kind = SECTILE_ABI_IMAGE_CUBIN, .data = "cubin", .bytes = 5}};
static const sectile_abi_image amd[] = {
    {.kind = SECTILE_ABI_IMAGE_HSACO, .data = "hsaco", .bytes = 5}};
static const sectile_abi_device_kernel deviceKernels[] = {
    {.threads = 64, .registers = 20, .shared_bytes = 65536, .spill_bytes = -1}};
static const int64_t launchShared[] = {65536};
static const int64_t *const launchSharedOf[] = {launchShared, launchShared, launchShared};
static const char *const arguments[] = {"bbbbi"};
static const char *const *const argumentsOf[] = {arguments, arguments, arguments};
#ifndef CALLS
#define CALLS 1
#endif
static const sectile_abi_device devices[] = {
    {.num_images = 2, .calls_for_memory = CALLS, .images = both, .kernels = deviceKernels},
    {.num_images = 2, .calls_for_memory = CALLS, .images = both, .kernels = deviceKernels},
    {.num_images = 1, .calls_for_memory = CALLS, .images = amd, .kernels = deviceKernels}};
static const sectile_abi_target targets[] = {
    {.name = "sm_80", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run},
    {.name = "sm_90a", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run},
    {.name = "gfx942", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run}};
static const float constants[4] __attribute__((aligned(4096))) = {0.5F};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER,
    .model_name = "gpu",
    INPUTS(inputs),
    OUTPUTS(outputs),
    SYMBOLS(symbols),
    TARGETS(targets),
    .devices = devices,
    .launch_shared = launchSharedOf,
    .device_arguments = argumentsOf,
    .constants = constants,
    .constants_bytes = sizeof constants,
};
