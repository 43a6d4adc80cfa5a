//===- Operators.h - imports of the operators, by family --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every function imports the operators that the table in OpTable.cpp gives it.
// To add an operator, write its function in the file of its family, declare it
// here and add its row.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_OPS_OPERATORS_H
#define SECTILE_LIB_FRONTEND_OPS_OPERATORS_H

#include "../Node.h"

namespace sectile::frontend {

// Elementwise.cpp
mlir::LogicalResult importUnary(Node &n);
mlir::LogicalResult importCast(Node &n);
mlir::LogicalResult importClip(Node &n);
mlir::LogicalResult importDropout(Node &n);
mlir::LogicalResult importIdentity(Node &n);
mlir::LogicalResult importIsInf(Node &n);
mlir::LogicalResult importWhere(Node &n);
// Activation.cpp
mlir::LogicalResult importActivation(Node &n);
mlir::LogicalResult importPRelu(Node &n);
mlir::LogicalResult importSwiGLU(Node &n);
mlir::LogicalResult importBiasGelu(Node &n);
// Attention.cpp
mlir::LogicalResult importAttention(Node &n);
// Binary.cpp
mlir::LogicalResult importArithmetic(Node &n);
mlir::LogicalResult importComparison(Node &n);
mlir::LogicalResult importLogical(Node &n);
mlir::LogicalResult importMod(Node &n);
mlir::LogicalResult importPow(Node &n);
mlir::LogicalResult importVariadic(Node &n);
// Bits.cpp
mlir::LogicalResult importBitShift(Node &n);
mlir::LogicalResult importBitCast(Node &n);
// Reduction.cpp
mlir::LogicalResult importReduce(Node &n);
mlir::LogicalResult importArgExtreme(Node &n);
mlir::LogicalResult importCumulative(Node &n);
mlir::LogicalResult importTopK(Node &n);
// GridSample.cpp
mlir::LogicalResult importAffineGrid(Node &n);
mlir::LogicalResult importGridSample(Node &n);
// Regions.cpp
mlir::LogicalResult importCol2Im(Node &n);
mlir::LogicalResult importMaxUnpool(Node &n);
mlir::LogicalResult importRoiAlign(Node &n);
// Determinant.cpp
mlir::LogicalResult importDet(Node &n);
// TfIdf.cpp
mlir::LogicalResult importTfIdf(Node &n);
// Indicator.cpp
mlir::LogicalResult importEyeLike(Node &n);
mlir::LogicalResult importHardmax(Node &n);
mlir::LogicalResult importOneHot(Node &n);
// Loss.cpp
mlir::LogicalResult importNegativeLogLikelihood(Node &n);
mlir::LogicalResult importSoftmaxCrossEntropy(Node &n);
// Contraction.cpp
mlir::LogicalResult importMatMul(Node &n);
mlir::LogicalResult importFusedMatMul(Node &n);
mlir::LogicalResult importMatMulInteger(Node &n);
mlir::LogicalResult importMatMulNBits(Node &n);
mlir::LogicalResult importGemm(Node &n);
// Einsum.cpp
mlir::LogicalResult importEinsum(Node &n);
// Convolution.cpp
mlir::LogicalResult importConv(Node &n);
mlir::LogicalResult importConvInteger(Node &n);
mlir::LogicalResult importConvTranspose(Node &n);
// Pooling.cpp
mlir::LogicalResult importPool(Node &n);
mlir::LogicalResult importGlobalPool(Node &n);
// Normalization.cpp
mlir::LogicalResult importSoftmax(Node &n);
mlir::LogicalResult importLayerNorm(Node &n);
mlir::LogicalResult importRmsNorm(Node &n);
mlir::LogicalResult importSkipNorm(Node &n);
mlir::LogicalResult importInstanceNorm(Node &n);
mlir::LogicalResult importGroupNorm(Node &n);
mlir::LogicalResult importBatchNorm(Node &n);
mlir::LogicalResult importLocalResponseNorm(Node &n);
mlir::LogicalResult importLpNorm(Node &n);
mlir::LogicalResult importMeanVarianceNorm(Node &n);
// Shape.cpp
mlir::LogicalResult importConstant(Node &n);
mlir::LogicalResult importConstantOfShape(Node &n);
mlir::LogicalResult importShape(Node &n);
mlir::LogicalResult importSize(Node &n);
mlir::LogicalResult importReshape(Node &n);
mlir::LogicalResult importFlatten(Node &n);
mlir::LogicalResult importSqueeze(Node &n);
mlir::LogicalResult importUnsqueeze(Node &n);
mlir::LogicalResult importExpand(Node &n);
mlir::LogicalResult importRange(Node &n);
// Movement.cpp
mlir::LogicalResult importTranspose(Node &n);
mlir::LogicalResult importConcat(Node &n);
mlir::LogicalResult importTile(Node &n);
mlir::LogicalResult importTrilu(Node &n);
mlir::LogicalResult importDepthToSpace(Node &n);
mlir::LogicalResult importSpaceToDepth(Node &n);
// Slice.cpp
mlir::LogicalResult importSlice(Node &n);
mlir::LogicalResult importSplit(Node &n);
// Pad.cpp
mlir::LogicalResult importPad(Node &n);
mlir::LogicalResult importCenterCropPad(Node &n);
// Gather.cpp
mlir::LogicalResult importGather(Node &n);
mlir::LogicalResult importGatherElements(Node &n);
mlir::LogicalResult importGatherND(Node &n);
mlir::LogicalResult importReverseSequence(Node &n);
// Scatter.cpp
mlir::LogicalResult importScatterElements(Node &n);
mlir::LogicalResult importScatterND(Node &n);
mlir::LogicalResult importTensorScatter(Node &n);
// DataSizes.cpp
mlir::LogicalResult importCompress(Node &n);
mlir::LogicalResult importNonZero(Node &n);
mlir::LogicalResult importUnique(Node &n);
// Suppression.cpp
mlir::LogicalResult importNonMaxSuppression(Node &n);
// Recurrent.cpp
mlir::LogicalResult importRecurrent(Node &n);
// Resize.cpp
mlir::LogicalResult importResize(Node &n);
// Fourier.cpp
mlir::LogicalResult importDFT(Node &n);
mlir::LogicalResult importMelWeightMatrix(Node &n);
mlir::LogicalResult importSTFT(Node &n);
mlir::LogicalResult importWindow(Node &n);
// QuantizedProducts.cpp
mlir::LogicalResult importDynamicQuantizeLinear(Node &n);
mlir::LogicalResult importQLinearConv(Node &n);
mlir::LogicalResult importQLinearMatMul(Node &n);
// Rotary.cpp
mlir::LogicalResult importRotaryEmbedding(Node &n);
mlir::LogicalResult importMicrosoftRotaryEmbedding(Node &n);
// GroupQueryAttention.cpp
mlir::LogicalResult importGroupQueryAttention(Node &n);
// CausalConv.cpp
mlir::LogicalResult importCausalConv(Node &n);
// Quantization.cpp
mlir::LogicalResult importQuantizeLinear(Node &n);
mlir::LogicalResult importDequantizeLinear(Node &n);

//===----------------------------------------------------------------------===//
// Shared between families
//===----------------------------------------------------------------------===//

/// Inputs 0 and 1 as numpy would see them: before opset 7 the second one stood at `axis`, and
/// only where the attribute `broadcast` said so.
mlir::FailureOr<std::pair<Tensor *, Tensor *>> binaryInputs(Node &n);

/// If the elements of all inputs are expressions and `dtype` is an integer or bool type, the
/// elements of the elementwise result, numpy broadcast; nothing where `evaluate` gives nothing or
/// the result does not fit `dtype`.
std::optional<Tensor *>
evaluateElements(Node &n, llvm::ArrayRef<Tensor *> inputs, llvm::ArrayRef<SymExpr> shape,
                 DType dtype,
                 llvm::function_ref<std::optional<SymExpr>(llvm::ArrayRef<SymExpr>)> evaluate);

/// A result whose elements are elements of `input`, where those are expressions and the shape is
/// constant: `position` gives the row-major position for the coordinates of a result.
std::optional<Tensor *>
rearrangeElements(Node &n, Tensor *input, llvm::ArrayRef<SymExpr> shape,
                  llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> position);

/// Row-major position of coordinates in a constant shape.
int64_t linearize(llvm::ArrayRef<SymExpr> shape, llvm::ArrayRef<int64_t> at);

/// One coordinate of an access: an element of `indices`, integers that broadcast to the result, or
/// coordinate `dim` of the result.
struct Coordinate {
  Tensor *indices = nullptr;
  int64_t dim = 0;
};
/// Slices of `x` chosen by `indices`, which stand in the place of dimension `axis`.
Tensor *gatherAlong(Emitter &e, Tensor *x, Tensor *indices, int64_t axis);
/// result[p.., rest..] = source[at(p).., rest..], where p lies in `shape` and `at` has a coordinate
/// for each of the first dimensions of `source`. An index outside its extent ends the run; negative
/// ones count from the end if `fromEnd`. Extents must be checked before.
Tensor *gatherAt(Node &n, Tensor *source, llvm::ArrayRef<SymExpr> shape,
                 llvm::ArrayRef<Coordinate> at, bool fromEnd);
/// What a result takes along one dimension of a tensor that is sampled. Each broadcasts to the
/// result with the dimensions of its taps behind it.
struct Taps {
  Tensor *index;              ///< int64, inside the tensor
  Tensor *weight = nullptr;   ///< null where it is 1
  Tensor *isInside = nullptr; ///< where the element counts; null where it always does
};
/// `x` at coordinates `at` over `shape`, weighted by `taps` and reduced along the last `numDims`
/// dimensions of it, in computeType. What does not count is 0.
Tensor *reduceTaps(Node &n, Tensor *x, llvm::ArrayRef<SymExpr> shape, llvm::ArrayRef<Coordinate> at,
                   llvm::ArrayRef<Taps> taps, int64_t numDims, ReduceKind kind);
/// `cache` with the rows of `update` along `axis` written from `starts` on, int64, one for each
/// element of dimension 0, or from 0 on where it is null. A row outside of it ends the run, or
/// is one from the front again if `isCircular`.
Tensor *writeRows(Node &n, Tensor *cache, Tensor *update, Tensor *starts, int64_t axis,
                  bool isCircular);
/// How `cumulate` runs along its axis.
struct Cumulation {
  bool isSum = true; ///< or product
  bool isExclusive = false, isReverse = false;
};
/// Sums or products of all elements up to each one along `axis`, in the type of `x`.
Tensor *cumulate(Emitter &e, Tensor *x, int64_t axis, Cumulation kind);
/// How `select` orders elements; equal ones keep their order.
struct Order {
  bool largestFirst = false;
  bool nanLast = false; ///< or first
};
/// The first `count` elements along `axis` in that order, and where they were, as int64. `count` is
/// constant, or the extent.
std::pair<Tensor *, Tensor *> select(Emitter &e, Tensor *x, int64_t axis, const SymExpr &count,
                                     Order order);
/// `data` with element place(i..) replaced by update i.., or joined with it where `combine` is
/// given; the map's last dimensions are elements of `indices`, each read where `reads` says.
/// Updates are made in order; an index outside of the data ends the run.
using Combine = mlir::Value (Scalar::*)(mlir::Value, mlir::Value) const;
Tensor *scatterInto(Node &n, Tensor *data, Tensor *updates, llvm::ArrayRef<Tensor *> indices,
                    llvm::ArrayRef<mlir::AffineMap> reads, llvm::ArrayRef<mlir::AffineExpr> place,
                    Combine combine);
/// Where along `axis` the extreme element stands, as int64; that extent becomes 1. NaN counts as
/// the most extreme. The extent must be known to be positive.
Tensor *argExtreme(Emitter &e, Tensor *x, int64_t axis, bool isMax, bool takesLast);
/// The places `0 .. n` that have a number, in the order of their numbers: `numbers`, int64 [n],
/// says which of the results a place is, or is n; `count`, one int64, how many have one, which are
/// `most` at most. The size of the result is called after result `named` of the node.
mlir::FailureOr<Tensor *> placesByNumber(Node &n, Tensor *numbers, Tensor *count,
                                         const SymExpr &most, unsigned named);
/// What `places` in a row-major `shape` are: int64 [places] for each dimension.
llvm::SmallVector<Tensor *> coordinatesOf(Emitter &e, Tensor *places,
                                          llvm::ArrayRef<SymExpr> shape);
/// x - log(sum(exp(x))) over `axes`, in the type of `x`, with the maximum subtracted first.
Tensor *logSoftmax(Emitter &e, Tensor *x, llvm::ArrayRef<int64_t> axes);

/// The product of matrices, or of batches of them, of one type, which the result has too; of int16
/// it is int32.
mlir::FailureOr<Tensor *> multiply(Node &n, Tensor *a, Tensor *b);

/// `x`, integers of 8 bits, as int16 without the zero point that input `input` is, if it is given:
/// one number, or one for each element of the dimension that has `behind` others behind it, or
/// anything that broadcasts.
mlir::FailureOr<Tensor *> withoutZeroPoint(Node &n, Tensor *x, unsigned input, int64_t behind);

/// What Conv makes of `x` and `w` with the node's attributes; without a bias.
mlir::FailureOr<Tensor *> convolveInputs(Node &n, Tensor *x, Tensor *w);

/// `x`, a float, rounded to even, with `zeroPoint` added unless it is null, as the nearest value of
/// the integer type `dtype`; 0 for NaN.
mlir::Value roundToInteger(const Scalar &s, mlir::Value x, mlir::Value zeroPoint, DType dtype);

/// Sliding windows of convolutions and poolings.
struct Window {
  llvm::SmallVector<SymExpr> kernel;
  llvm::SmallVector<int64_t> strides, dilations;
  llvm::SmallVector<SymExpr> low, high; ///< padding
  Shape output;                         ///< spatial extents of the result
  llvm::SmallVector<SymExpr> extra;     ///< beyond `high`, for windows that start inside only
};

/// Reads the attributes of a window over the spatial extents `input`; `kernel` are its extents.
mlir::FailureOr<Window> readWindow(Node &n, llvm::ArrayRef<SymExpr> input,
                                   llvm::ArrayRef<SymExpr> kernel, bool ceilMode);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_OPS_OPERATORS_H
