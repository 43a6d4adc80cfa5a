//===- GraphNumbers.cpp - verifiers of ops on numbers of any width -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

static SmallVector<int64_t> readBlock(std::optional<ArrayAttr> block, Type codes) {
  if (!block)
    return SmallVector<int64_t>(numbers::getShape(codes).size(), 0);
  return llvm::map_to_vector(block->getAsValueRange<IntegerAttr>(),
                             [](const APInt &size) { return size.getSExtValue(); });
}

SmallVector<int64_t> DequantizeOp::getBlockSizes() {
  return readBlock(getBlock(), getCodes().getType());
}

SmallVector<int64_t> QuantizeOp::getBlockSizes() {
  return readBlock(getBlock(), getCodes().getType());
}

/// Checks that scales or zero points of type `type` have an element for each block.
static LogicalResult verifyBlocks(Operation *op, Type type, Type codes, ArrayRef<int64_t> block,
                                  StringRef what) {
  if (!isa<RankedTensorType>(codes)) {
    if (!isa<RankedTensorType>(type))
      return success();
    return op->emitOpError("expects ") << what << " that are scalars like codes, but got " << type;
  }
  SmallVector<int64_t> expected;
  for (auto [extent, size] : llvm::zip_equal(numbers::getShape(codes), block))
    expected.push_back(size == 0                       ? 1
                       : ShapedType::isDynamic(extent) ? ShapedType::kDynamic
                                                       : llvm::divideCeil(extent, size));
  if (!isa<RankedTensorType>(type) ||
      failed(verifyCompatibleShape(numbers::getShape(type), expected)))
    return op->emitOpError("expects ")
           << what << " compatible with "
           << RankedTensorType::get(expected, getElementTypeOrSelf(type))
           << ", one for each block, but got " << type;
  return success();
}

/// The constraints that both ops share: of the tensors of codes and of values, and of what they
/// share in blocks.
template <typename Op>
static LogicalResult verifyQuantization(Op op, Value codes, Value values) {
  Type codesType = codes.getType(), valuesType = values.getType();
  Type scale = op.getScale().getType(), zero = op.getZero() ? op.getZero().getType() : Type();
  if (failed(numbers::verifyElements(op, op.getFormat(), codesType, valuesType, scale, zero)))
    return failure();
  if (isa<RankedTensorType>(codesType) != isa<RankedTensorType>(valuesType) ||
      failed(verifyCompatibleShape(numbers::getShape(codesType), numbers::getShape(valuesType))))
    return op.emitOpError("expects codes and values of one shape, but got ")
           << codesType << " and " << valuesType;
  SmallVector<int64_t> block = op.getBlockSizes();
  if (block.size() != numbers::getShape(codesType).size())
    return op.emitOpError("expects a block size for each of ")
           << numbers::getShape(codesType).size() << " dimensions, but got " << block.size();
  for (int64_t size : block)
    if (size < 0)
      return op.emitOpError("expects block sizes of at least 0, but got ") << size;
  if (failed(verifyBlocks(op, scale, codesType, block, "scales")) ||
      (zero && failed(verifyBlocks(op, zero, codesType, block, "zero points"))))
    return failure();
  return success();
}

LogicalResult DequantizeOp::verify() { return verifyQuantization(*this, getCodes(), getResult()); }

LogicalResult QuantizeOp::verify() {
  if (std::optional<Type> precision = getPrecision(); precision && !isa<FloatType>(*precision))
    return emitOpError("expects precision to be a float type, but got ") << *precision;
  return verifyQuantization(*this, getCodes(), getValues());
}

LogicalResult DequantizeOp::reifyResultShapes(OpBuilder &builder,
                                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getCodes()));
  return success();
}

LogicalResult QuantizeOp::reifyResultShapes(OpBuilder &builder,
                                            ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getValues()));
  return success();
}
