//===- FakeGpu.h - what tests ask of the fake libraries ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_RUNTIME_GPU_FAKEGPU_H
#define SECTILE_TEST_UNIT_RUNTIME_GPU_FAKEGPU_H

/// Exported by both fake libraries as `sectile_fake_gpu`.
struct FakeGpu {
  /// Begins anew: one device of this version or processor, no calls counted, no rule broken.
  void (*reset)(int major, int minor, const char *processor);
  /// Lets the n-th call (from 1) of `function`, or of any function where it is null, fail.
  void (*failCall)(const char *function, int n, int error);
  /// Calls so far of a function, of all where it is null.
  int (*countCalls)(const char *function);
  /// The first broken rule, or "".
  const char *(*violation)();
  /// What is not given back: "" or a list.
  const char *(*leaks)();
  /// What the next module's image begins with is refused with this error.
  void (*refuseImage)(const char *start, int error);
};

#endif // SECTILE_TEST_UNIT_RUNTIME_GPU_FAKEGPU_H
