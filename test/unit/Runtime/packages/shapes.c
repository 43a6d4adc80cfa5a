/*===- shapes.c - an input whose values are a shape ----------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Input shape: i64[2]; output zeros: f32 of that shape. Misbehaves on request:
 * -1 in shape[0] makes prepare fail without a message, any other negative value
 * makes it compute a negative size.
 *===----------------------------------------------------------------------===*/

#include "Package.h"

#include <string.h>

static int32_t prepare(sectile_abi_call *call) {
  const int64_t *shape = call->input_data[0];
  if (!shape)
    return call->fail(call, SECTILE_ABI_INVALID_INPUT,
                      "expects the values of input 'shape' to compute shapes", NULL, 0);
  if (shape[0] == -1)
    return 12345;
  call->output_dims[0][0] = shape[0];
  call->output_dims[0][1] = shape[1];
  return SECTILE_ABI_OK;
}

static int32_t run(sectile_abi_call *call) {
  const int64_t *dims = call->output_dims[0];
  if (dims[0] * dims[1] > 0)
    memset(call->output_data[0], 0, (size_t)(dims[0] * dims[1]) * sizeof(float));
  return SECTILE_ABI_OK;
}

static const int64_t shapeDims[] = {2}, dims[] = {-1, -1};
static const char *const shapeExprs[] = {"2"}, *const exprs[] = {"d0", "d1"};
static const sectile_abi_tensor inputs[] = {
    TENSOR("shape", SECTILE_ABI_I64, shapeDims, shapeExprs)};
static const sectile_abi_tensor outputs[] = {TENSOR("zeros", SECTILE_ABI_F32, dims, exprs)};
static const sectile_abi_level levels[] = {{"base", 0, NULL}};
static const sectile_abi_target targets[] = {
    {.name = "cpu", LEVELS(levels), .prepare = prepare, .run = run}};

EXPORTED const sectile_package_descriptor sectile_package = {
    PACKAGE_HEADER, .model_name = "shapes", INPUTS(inputs), OUTPUTS(outputs), TARGETS(targets)};
