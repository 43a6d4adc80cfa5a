//===- OwnDequantize.cpp - numbers of a format that ONNX lacks --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ai.sectile's Dequantize: (number of code - number of zero) * scale, in a format
// that an attribute names. Zeros are codes too, or floats of the scale's type. Codes are a stream
// of bits (Formats' `pack`) in bytes, in row-major order of `shape`; `block` says how many elements
// along each dimension share a scale, 0 meaning all, as graph.dequantize has it.
//
//===----------------------------------------------------------------------===//

#include "OwnOperators.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Formats/Format.h"
#include "sectile/Formats/Packing.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Codes of a constant as a byte each.
static FailureOr<Tensor *> unpack(Node &n, const Tensor *packed, const Shape &shape, int64_t count,
                                  const formats::Format &format) {
  if (!packed->constant || packed->dtype != DType::U8)
    return n.fail(Twine("expects constant codes of type uint8, but got ") +
                  (packed->constant ? "" : "an input of type ") + nameOf(packed->dtype));
  ArrayRef<char> bytes = packed->constant->bytes;
  unsigned bits = format.getBits();
  auto wanted = static_cast<int64_t>(llvm::divideCeil(count * bits, 8));
  if (static_cast<int64_t>(bytes.size()) != wanted)
    return n.fail("expects " + Twine(wanted) + " bytes for " + Twine(count) + " codes of " +
                  Twine(bits) + " bits, but got " + Twine(bytes.size()));
  auto codes = formats::unpack(std::vector<uint8_t>(bytes.begin(), bytes.end()), bits,
                               static_cast<size_t>(count));
  auto held = std::make_shared<std::string>(codes->begin(), codes->end());
  for (char code : *held)
    if (static_cast<uint8_t>(code) >= format.getCodeCount())
      return n.fail("expects codes below " + Twine(format.getCodeCount()) + ", but got " +
                    Twine(static_cast<unsigned>(static_cast<uint8_t>(code))));
  Constant constant{ArrayRef<char>(held->data(), held->size()), held};
  return n.emit.constant(DType::U8, shape, constant, packed->name);
}

LogicalResult sectile::frontend::importOwnDequantize(Node &n) {
  Emitter &e = n.emit;
  std::string text = n.stringAttr("format", "");
  auto format = formats::Format::parse(text);
  if (!format)
    return n.fail("expects a number format: " + format.getMessage());
  if (format->getBits() > 8 || format->getDimension() != 1)
    return n.fail("expects a format of at most 8 bits and of one number per code, but got '" +
                  text + "'");
  auto extents = n.intsAttr("shape").value_or(SmallVector<int64_t>()),
       block = n.intsAttr("block").value_or(SmallVector<int64_t>());
  if (extents.empty() || extents.size() != block.size() || extents.size() > 8)
    return n.fail("expects shape and block to have one number for each of 1 to 8 dimensions");
  Shape shape, perBlock;
  int64_t count = 1;
  for (auto [extent, size] : llvm::zip_equal(extents, block)) {
    if (extent < 1 || size < 0 || extent > (int64_t(1) << 40) / count)
      return n.fail("expects extents from 1, at most 2^40 elements and blocks from 0 elements on, "
                    "but got an extent of " +
                    Twine(extent) + " and blocks of " + Twine(size));
    count *= extent;
    shape.push_back(SymExpr(extent));
    perBlock.push_back(
        SymExpr(size == 0 ? 1 : static_cast<int64_t>(llvm::divideCeil(extent, size))));
  }
  Tensor *scales = n.in(1);
  if (failed(n.expectFloat(scales)) || failed(n.expectRank(scales, extents.size(), extents.size())))
    return failure();
  for (auto [dim, extent] : llvm::enumerate(perBlock))
    if (failed(n.expectEqual(scales->shape[dim], extent, "the scale's extent and the blocks")))
      return failure();
  FailureOr<Tensor *> codes = unpack(n, n.in(0), shape, count, *format);
  if (failed(codes))
    return failure();
  Value zero;
  if (n.has(2)) {
    if (n.in(2)->dtype != DType::U8 && n.in(2)->dtype != scales->dtype)
      return n.fail("expects zero points of type uint8 or the scale's, but got " +
                    nameOf(n.in(2)->dtype));
    if (failed(n.expectRank(n.in(2), extents.size(), extents.size())))
      return failure();
    for (auto [dim, extent] : llvm::enumerate(perBlock))
      if (failed(
              n.expectEqual(n.in(2)->shape[dim], extent, "the zero point's extent and the blocks")))
        return failure();
    zero = e.value(n.in(2));
  }
  Value numbers = graph::DequantizeOp::create(
      e.b, e.loc, e.type(scales->dtype, shape), e.value(*codes), e.value(scales), zero,
      e.b.getStringAttr(format->print()), e.b.getI64ArrayAttr(block));
  n.result(0, e.make(scales->dtype, shape, numbers));
  return success();
}
