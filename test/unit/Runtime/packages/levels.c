/*===- levels.c - one kernel at several instruction-set levels -----*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Output level: i32[], the index of the level whose code ran. Level "future"
 * needs a feature that no CPU has.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

static void info(void *const *bufs, const int64_t *sizes, sectile_abi_launch_info *out) {
  (void)bufs;
  (void)sizes;
  out->blocks = 1;
}

#define RUN(LEVEL)                                                                                 \
  static int32_t run##LEVEL(void *const *bufs, const int64_t *sizes, int64_t begin, int64_t end,   \
                            void *scratch, int64_t *values) {                                      \
    (void)sizes, (void)begin, (void)end, (void)scratch, (void)values;                              \
    *(int32_t *)bufs[0] = LEVEL;                                                                   \
    return 0;                                                                                      \
  }                                                                                                \
  static const sectile_abi_kernel_code code##LEVEL[] = {{.info = info, .run = run##LEVEL}};
RUN(0)
RUN(1)
RUN(2)

static int32_t prepare(sectile_abi_call *call) {
  (void)call;
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  return call->launch(call, 0, call->output_data, NULL);
}

#if defined(__x86_64__)
#define BASE SECTILE_ABI_X86_V2
#else
#define BASE SECTILE_ABI_AARCH64_NEON
#endif

static const sectile_abi_tensor outputs[] = {{"level", SECTILE_ABI_I32, 0, NULL, NULL}};
static const sectile_abi_kernel kernels[] = {{"level", "", "", ""}};
static const sectile_abi_level levels[] = {
    {"any", 0, code0}, {"base", BASE, code1}, {"future", BASE | (uint64_t)1 << 60, code2}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", KERNELS(kernels), LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {PACKAGE_HEADER, .model_name = "levels",
                                                             OUTPUTS(outputs), TARGETS(targets)};
