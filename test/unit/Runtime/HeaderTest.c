/*===- HeaderTest.c - sectile.h as C99 -----------------------------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The shortest complete use of the library, compiled as C99 and linked with
 * libsectile.so.
 *===----------------------------------------------------------------------===*/

#include "sectile/sectile.h"

#include <stdio.h>

static int report(const char *message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

int main(void) {
  char message[256];
  sectile_package *package;
  sectile_context *context;
  if (sectile_package_load(SECTILE_TEST_PACKAGES "/add.stpk", NULL, &package, message,
                           sizeof message))
    return report(message);
  if (sectile_context_create(package, NULL, &context, message, sizeof message))
    return report(message);

  float a[3] = {1, 2, 3}, b[3] = {10, 20, 30};
  int64_t dims[1] = {3};
  sectile_tensor inputs[2] = {
      {.data = a, .bytes = sizeof a, .dtype = SECTILE_F32, .rank = 1, .dims = dims},
      {.data = b, .bytes = sizeof b, .dtype = SECTILE_F32, .rank = 1, .dims = dims},
  };
  sectile_tensor output = {0};
  if (sectile_context_run(context, inputs, 2, &output, 1))
    return report(sectile_context_message(context));
  if (output.dims[0] != 3 || ((const float *)output.data)[2] != 33)
    return report("wrong result");

  sectile_context_destroy(context);
  sectile_package_release(package);
  if (sectile_api_version() != SECTILE_API_VERSION)
    return report("header and library differ");
  return 0;
}
