/*===- bad.c - packages with one thing wrong -----------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * An empty model, valid unless one of the BAD_... macros is defined.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

static int32_t succeed(sectile_abi_call *call) {
  (void)call;
  return SECTILE_ABI_OK;
}

static const int64_t dims[] = {-1};
static const char *const exprs[] = {"n"};
#ifndef BAD_DTYPE
#define BAD_DTYPE SECTILE_ABI_F32
#endif
#ifndef BAD_RANK
#define BAD_RANK 1
#endif
static const sectile_abi_tensor tensors[] = {{"x", BAD_DTYPE, BAD_RANK, dims, exprs}};

#ifndef BAD_ALIAS
#define BAD_ALIAS 0
#endif
static const sectile_abi_alias aliases[] = {{.input = BAD_ALIAS, .capacity = 8}};

#if defined(BAD_LOOPS) || defined(BAD_DEVICE)
static void kernelInfo(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs, (void)sizes, (void)out;
}
#endif

#ifdef BAD_LOOPS
static int32_t runKernel(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end,
                         void *scratch, int64_t *values) {
  (void)bufs, (void)sizes, (void)begin, (void)end, (void)scratch, (void)values;
  return 0;
}
static const uint32_t loopEnds[] = {1};
#define BAD_KERNEL
#elif defined(BAD_DEVICE)
#define runKernel NULL
#define BAD_KERNEL
#else
#define kernelInfo NULL
#define runKernel NULL
#endif

#ifdef BAD_DEVICE
static const sectile_abi_image images[] = {{.kind = SECTILE_ABI_IMAGE_PTX, .data = "", .bytes = 0}};
static const sectile_abi_device_kernel deviceKernels[] = {{.threads = BAD_DEVICE}};
static const sectile_abi_device devices[] = {
    {.num_images = 1, .images = images, .kernels = deviceKernels, .constants_offset = 4096}};
#endif

#ifndef BAD_KERNEL
static const sectile_abi_level levels[] = {{"base", 0, NULL}};
#else
static const sectile_abi_kernel kernels[] = {{"k", "", "", ""}};
static const sectile_abi_kernel_code code[] = {{.info = kernelInfo, .run = runKernel}};
static const sectile_abi_level kernelLevels[] = {{"base", 0, code}};
#endif

#ifdef BAD_CONSTANTS
static const char unaligned[5000] __attribute__((aligned(4096))) = {1};
#endif

#ifndef BAD_TARGET
#define BAD_TARGET "cpu"
#endif

static const sectile_abi_target targets[] = {{
    .name = BAD_TARGET,
#ifdef BAD_KERNEL
    KERNELS(kernels),
    LEVELS(kernelLevels),
#else
    LEVELS(levels),
#endif
#ifndef BAD_PREPARE
    .prepare = succeed,
#endif
    .run = succeed,
}};

#ifdef BAD_SYMBOL
#define sectile_package something_else
#endif

EXPORTED const sectile_package_descriptor sectile_package = {
#ifdef BAD_MAGIC
    .magic = 0x12345678,
#else
    .magic = SECTILE_PACKAGE_MAGIC,
#endif
#ifdef BAD_ABI
    .abi = SECTILE_PACKAGE_ABI + 1,
#else
    .abi = SECTILE_PACKAGE_ABI,
#endif
#ifdef BAD_SIZE
    .size = 64,
#else
    .size = sizeof(sectile_package_descriptor),
#endif
    .compiler_version = "test",
    .model_name = "bad",
    .options = "",
#ifdef BAD_RESERVED
    .reserved = 1,
#endif
    INPUTS(tensors),
    OUTPUTS(tensors),
    TARGETS(targets),
    ALIASES(aliases),
#ifdef BAD_DEVICE
    .devices = devices,
#endif
#ifdef BAD_COUNT
    .num_symbols = 3,
#endif
#ifdef BAD_LOOPS
    .loop_ends = loopEnds,
#endif
#ifdef BAD_CONSTANTS
    .constants = unaligned + 8,
    .constants_bytes = 8,
#endif
};
