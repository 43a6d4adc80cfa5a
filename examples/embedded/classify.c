/*===- classify.c - a model compiled into a project's build --------*- C -*-===*
 *
 * Part of the Sectile project, under the Apache License v2.0 with LLVM
 * Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * classify [PACKAGE] < points: reads up to 1024 lines "x y" and prints the best of
 * the model's three classes, and its score, for each.
 *===----------------------------------------------------------------------===*/
#include "classifier.h" /* CLASSIFIER_PACKAGE, by sectile_compile */

#include <sectile/sectile.h>

#include <stdio.h>
#include <stdlib.h>

enum { kMostPoints = 1024, kClasses = 3 };

static int complain(const char *message) {
  fprintf(stderr, "classify: %s\n", message);
  return EXIT_FAILURE;
}

static int run(sectile_context *context) {
  static float points[kMostPoints][2];
  int64_t count = 0;
  while (count < kMostPoints && scanf("%f %f", &points[count][0], &points[count][1]) == 2)
    ++count;

  int64_t dims[2] = {count, 2};
  sectile_tensor in = {.data = points, .bytes = sizeof points, .dtype = SECTILE_F32};
  in.rank = 2;
  in.dims = dims;
  sectile_tensor out = {.data = NULL};
  if (sectile_context_run(context, &in, 1, &out, 1) != SECTILE_OK)
    return complain(sectile_context_message(context));

  const float *scores = out.data;
  for (int64_t i = 0; i < count; ++i, scores += kClasses) {
    int best = 0;
    for (int c = 1; c < kClasses; ++c)
      if (scores[c] > scores[best])
        best = c;
    printf("%d %g\n", best, scores[best]);
  }
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  char message[256];
  sectile_package *package;
  const char *path = argc > 1 ? argv[1] : CLASSIFIER_PACKAGE;
  if (sectile_package_load(path, NULL, &package, message, sizeof message) != SECTILE_OK)
    return complain(message);
  sectile_context *context;
  if (sectile_context_create(package, NULL, &context, message, sizeof message) != SECTILE_OK) {
    sectile_package_release(package);
    return complain(message);
  }
  int status = run(context);
  sectile_context_destroy(context);
  sectile_package_release(package);
  return status;
}
