//===- TileNumbers.cpp - verifiers of ops on numbers of any width -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Numbers/Codes.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

static LogicalResult verifySide(Operation *op, Type type, std::optional<StringRef> format,
                                StringRef what) {
  Type element = getElementTypeOrSelf(type);
  if (!format)
    return numbers::verifyFloat(op, element, what);
  if (failed(numbers::verifyFormat(op, *format)))
    return failure();
  return numbers::verifyCodes(op, element, *format);
}

LogicalResult ConvertOp::verify() {
  if (!getFrom() && !getTo())
    return emitOpError("expects a format to convert from or to");
  if (failed(verifySide(*this, getSource().getType(), getFrom(), "the source")) ||
      failed(verifySide(*this, getType(), getTo(), "results")))
    return failure();
  if (numbers::getShape(getSource().getType()) != numbers::getShape(getType()))
    return emitOpError("expects source and result of one shape, but got ")
           << getSource().getType() << " and " << getType();
  return success();
}

OpFoldResult ConvertOp::fold(FoldAdaptor) {
  // Codes of a format are their own nearest, but for infinities that become the largest number, and
  // where integers hold more bits than the codes have.
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(getType()));
  if (!getFrom() || !getTo() || getSource().getType() != getType() || !element ||
      (!getSpecial() && APFloat::semanticsHasInf(element.getFloatSemantics())))
    return {};
  return getSource();
}

/// Checks that scales or zero points are scalars, or repeat along dimensions of extent 1.
static LogicalResult verifyRepeats(Operation *op, Type type, Type codes, StringRef what) {
  if (!isa<RankedTensorType>(type))
    return success();
  ArrayRef<int64_t> shape = numbers::getShape(type), whole = numbers::getShape(codes);
  bool repeats = shape.size() == whole.size();
  for (unsigned dim = 0; repeats && dim < shape.size(); ++dim)
    repeats = shape[dim] == 1 || shape[dim] == whole[dim];
  if (repeats)
    return success();
  return op->emitOpError("expects ")
         << what << " with the extents of " << codes << " or 1, but got " << type;
}

template <typename Op>
static LogicalResult verifyQuantization(Op op, Type codes, Type values) {
  Type scale = op.getScale().getType(), zero = op.getZero() ? op.getZero().getType() : Type();
  if (failed(numbers::verifyElements(op, op.getFormat(), codes, values, scale, zero)))
    return failure();
  if (isa<RankedTensorType>(codes) != isa<RankedTensorType>(values) ||
      numbers::getShape(codes) != numbers::getShape(values))
    return op.emitOpError("expects codes and values of one shape, but got ")
           << codes << " and " << values;
  if (failed(verifyRepeats(op, scale, codes, "scales")) ||
      (zero && failed(verifyRepeats(op, zero, codes, "zero points"))))
    return failure();
  return success();
}

LogicalResult DequantizeOp::verify() {
  return verifyQuantization(*this, getCodes().getType(), getType());
}

LogicalResult QuantizeOp::verify() {
  if (std::optional<Type> precision = getPrecision(); precision && !isa<FloatType>(*precision))
    return emitOpError("expects precision to be a float type, but got ") << *precision;
  return verifyQuantization(*this, getCodes().getType(), getValues().getType());
}
