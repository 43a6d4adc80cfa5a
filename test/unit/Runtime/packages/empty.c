/*===- empty.c - a model without tensors or kernels ----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What remains is the cost of calling the runtime.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

static int32_t succeed(sectile_abi_call *call) {
  (void)call;
  return SECTILE_ABI_OK;
}

static const sectile_abi_level levels[] = {{"base", 0, NULL}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", LEVELS(levels), .prepare = succeed, .run = succeed}};

EXPORTED const sectile_package_descriptor sectile_package = {PACKAGE_HEADER, .model_name = "empty",
                                                             TARGETS(targets)};
