//===- CopyRuns.h - copies of tensors with strides --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_COPYRUNS_H
#define SECTILE_LIB_RUNTIME_COPYRUNS_H

#include <cstdint>

namespace sectile::runtime {

/// Two tensors of the same sizes. Strides count elements, the last dimension is the innermost.
struct StridedCopy {
  char *to;
  const int64_t *toStrides;
  const char *from;
  const int64_t *fromStrides;
  const int64_t *sizes;
  int32_t rank;
  int64_t elementBytes;
};

/// Calls copyRun(to, from, bytes) for each run of bytes that is contiguous on both sides, of the
/// longest possible length; returns the first result that is not 0.
template <typename CopyRun>
int32_t forEachRun(const StridedCopy &copy, CopyRun copyRun) {
  int64_t run = 1; // elements side by side
  int32_t outer = copy.rank;
  for (; outer > 0; --outer) {
    int64_t size = copy.sizes[outer - 1];
    if (size == 0)
      return 0;
    if (size != 1 && (copy.toStrides[outer - 1] != run || copy.fromStrides[outer - 1] != run))
      break;
    run *= size;
  }
  auto visit = [&](auto &self, char *to, const char *from, int32_t dim) -> int32_t {
    if (dim == outer)
      return copyRun(to, from, static_cast<uint64_t>(run * copy.elementBytes));
    for (int64_t i = 0; i < copy.sizes[dim]; ++i) {
      if (int32_t status = self(self, to, from, dim + 1))
        return status;
      to += copy.toStrides[dim] * copy.elementBytes;
      from += copy.fromStrides[dim] * copy.elementBytes;
    }
    return 0;
  };
  return visit(visit, copy.to, copy.from, 0);
}

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_COPYRUNS_H
