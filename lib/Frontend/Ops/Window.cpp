//===- Window.cpp - sliding windows of convolution and pooling --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// A list of `count` positive numbers, or ones.
static FailureOr<SmallVector<int64_t>> positives(Node &n, StringRef name, size_t count) {
  std::optional<SmallVector<int64_t>> values = n.intsAttr(name);
  if (!values)
    return SmallVector<int64_t>(count, 1);
  if (values->size() != count)
    return n.fail("expects " + Twine(count) + " values in " + name + ", but got " +
                  Twine(values->size()));
  for (int64_t value : *values)
    if (value < 1 || value > INT32_MAX)
      return n.fail("expects " + name + " from 1 to " + Twine(INT32_MAX) + ", but got " +
                    Twine(value));
  return *values;
}

FailureOr<Window> sectile::frontend::readWindow(Node &n, ArrayRef<SymExpr> input,
                                                ArrayRef<SymExpr> kernel, bool ceilMode) {
  SymContext &syms = n.syms;
  size_t rank = input.size();
  Window window;
  window.kernel.assign(kernel.begin(), kernel.end());
  FailureOr<SmallVector<int64_t>> strides = positives(n, "strides", rank);
  FailureOr<SmallVector<int64_t>> dilations = positives(n, "dilations", rank);
  if (failed(strides) || failed(dilations))
    return failure();
  window.strides = *strides;
  window.dilations = *dilations;
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  SmallVector<int64_t> pads = n.intsAttr("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  if (pads.size() != 2 * rank)
    return n.fail("expects " + Twine(2 * rank) + " values in pads, but got " + Twine(pads.size()));
  for (int64_t pad : pads)
    if (pad < 0 || pad > INT32_MAX)
      return n.fail("expects pads from 0 to " + Twine(INT32_MAX) + ", but got " + Twine(pad));
  bool isSame = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!isSame && mode != "NOTSET" && mode != "VALID")
    return n.fail("expects auto_pad to be NOTSET, VALID, SAME_UPPER or SAME_LOWER, but got '" +
                  mode + "'");
  for (size_t dim = 0; dim < rank; ++dim) {
    SymExpr stride = window.strides[dim];
    SymExpr reach = (kernel[dim] - 1) * SymExpr(window.dilations[dim]) + 1;
    SymExpr low = mode == "VALID" ? 0 : pads[dim], high = mode == "VALID" ? 0 : pads[rank + dim];
    SymExpr count, extra;
    if (isSame) {
      // As many windows as strides fit, the padding split evenly.
      count = syms.ceilDiv(input[dim], stride);
      SymExpr total = syms.max((count - 1) * stride + reach - input[dim], 0);
      SymExpr half = syms.floorDiv(total, 2);
      low = mode == "SAME_UPPER" ? half : total - half;
      high = total - low;
    } else {
      SymExpr room = input[dim] + low + high - reach;
      if (failed(n.require(SymExpr(1) - syms.less(room, 0),
                           "expects an extent of at least %1 with its padding, but got %0",
                           {input[dim] + low + high, reach})))
        return failure();
      count = syms.floorDiv(room, stride) + 1;
      if (ceilMode) {
        SymExpr more = syms.ceilDiv(room, stride) + 1;
        // A window that would start in the padding at the end does not count.
        SymExpr starts = syms.less((more - 1) * stride, input[dim] + low);
        count = syms.select(starts, more, more - 1);
        extra = syms.max((count - 1) * stride + reach - (input[dim] + low + high), 0);
      }
    }
    window.low.push_back(low);
    window.high.push_back(high);
    window.extra.push_back(extra);
    window.output.push_back(syms.simplify(count));
  }
  return window;
}
