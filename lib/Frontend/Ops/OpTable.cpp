//===- OpTable.cpp - the operators this version knows -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One row for each operator: the oldest and the newest opset whose definition its
// import was checked against, and its number of inputs.
//
//===----------------------------------------------------------------------===//

#include "OwnOperators.h"

using namespace sectile::frontend;

static constexpr int64_t kNow = kNewestOpset;
static constexpr unsigned kAny = kAnyNumber;

static const Operator kOperators[] = {
    // name, oldest, newest, inputs from, to, import
    {"Abs", 6, kNow, 1, 1, importUnary},
    {"Acos", 7, kNow, 1, 1, importUnary},
    {"Acosh", 9, kNow, 1, 1, importUnary},
    {"Add", 6, kNow, 2, 2, importArithmetic},
    {"And", 6, kNow, 2, 2, importLogical},
    {"ArgMax", 1, kNow, 1, 1, importArgExtreme},
    {"ArgMin", 1, kNow, 1, 1, importArgExtreme},
    {"Asin", 7, kNow, 1, 1, importUnary},
    {"Asinh", 9, kNow, 1, 1, importUnary},
    {"Atan", 7, kNow, 1, 1, importUnary},
    {"Atanh", 9, kNow, 1, 1, importUnary},
    {"Attention", 23, kNow, 3, 7, importAttention},
    {"AveragePool", 1, kNow, 1, 1, importPool},
    {"BatchNormalization", 6, kNow, 5, 5, importBatchNorm},
    {"BitCast", 26, kNow, 1, 1, importBitCast},
    {"BitShift", 11, kNow, 2, 2, importBitShift},
    {"BitwiseAnd", 18, kNow, 2, 2, importArithmetic},
    {"BitwiseNot", 18, kNow, 1, 1, importUnary},
    {"BitwiseOr", 18, kNow, 2, 2, importArithmetic},
    {"BitwiseXor", 18, kNow, 2, 2, importArithmetic},
    {"BlackmanWindow", 17, kNow, 1, 1, importWindow},
    {"Cast", 6, kNow, 1, 1, importCast},
    {"CastLike", 15, kNow, 2, 2, importCast},
    {"CausalConvWithState", 27, kNow, 2, 4, importCausalConv},
    {"Ceil", 6, kNow, 1, 1, importUnary},
    {"Celu", 12, kNow, 1, 1, importActivation},
    {"CenterCropPad", 18, kNow, 2, 2, importCenterCropPad},
    {"Clip", 6, kNow, 1, 3, importClip},
    {"Compress", 9, kNow, 2, 2, importCompress},
    {"Concat", 4, kNow, 1, kAny, importConcat},
    {"Constant", 1, kNow, 0, 0, importConstant},
    {"ConstantOfShape", 9, kNow, 1, 1, importConstantOfShape},
    {"Conv", 1, kNow, 2, 3, importConv},
    {"ConvInteger", 10, kNow, 2, 4, importConvInteger},
    {"ConvTranspose", 1, kNow, 2, 3, importConvTranspose},
    {"Cos", 7, kNow, 1, 1, importUnary},
    {"Cosh", 9, kNow, 1, 1, importUnary},
    {"CumProd", 26, kNow, 2, 2, importCumulative},
    {"CumSum", 11, kNow, 2, 2, importCumulative},
    {"DepthToSpace", 1, kNow, 1, 1, importDepthToSpace},
    {"DequantizeLinear", 10, kNow, 2, 3, importDequantizeLinear},
    {"DFT", 17, kNow, 1, 3, importDFT},
    {"Div", 6, kNow, 2, 2, importArithmetic},
    {"Dropout", 6, kNow, 1, 3, importDropout},
    {"DynamicQuantizeLinear", 11, kNow, 1, 1, importDynamicQuantizeLinear},
    {"Einsum", 12, kNow, 1, kAny, importEinsum},
    {"Elu", 6, kNow, 1, 1, importActivation},
    {"Equal", 6, kNow, 2, 2, importComparison},
    {"Erf", 9, kNow, 1, 1, importUnary},
    {"Exp", 6, kNow, 1, 1, importUnary},
    {"Expand", 8, kNow, 2, 2, importExpand},
    {"EyeLike", 9, kNow, 1, 1, importEyeLike},
    {"Flatten", 1, kNow, 1, 1, importFlatten},
    {"Floor", 6, kNow, 1, 1, importUnary},
    {"Gather", 1, kNow, 2, 2, importGather},
    {"GatherElements", 11, kNow, 2, 2, importGatherElements},
    {"GatherND", 11, kNow, 2, 2, importGatherND},
    {"Gelu", 20, kNow, 1, 1, importActivation},
    {"Gemm", 6, kNow, 2, 3, importGemm},
    {"GlobalAveragePool", 1, kNow, 1, 1, importGlobalPool},
    {"GlobalLpPool", 2, kNow, 1, 1, importGlobalPool},
    {"GlobalMaxPool", 1, kNow, 1, 1, importGlobalPool},
    {"Greater", 6, kNow, 2, 2, importComparison},
    {"GreaterOrEqual", 12, kNow, 2, 2, importComparison},
    {"GridSample", 16, kNow, 2, 2, importGridSample},
    {"GroupNormalization", 18, kNow, 3, 3, importGroupNorm},
    {"HammingWindow", 17, kNow, 1, 1, importWindow},
    {"HannWindow", 17, kNow, 1, 1, importWindow},
    {"HardSigmoid", 6, kNow, 1, 1, importActivation},
    {"HardSwish", 14, kNow, 1, 1, importActivation},
    {"Hardmax", 1, kNow, 1, 1, importHardmax},
    {"Identity", 1, kNow, 1, 1, importIdentity},
    {"InstanceNormalization", 6, kNow, 3, 3, importInstanceNorm},
    {"IsInf", 10, kNow, 1, 1, importIsInf},
    {"IsNaN", 9, kNow, 1, 1, importIsInf},
    {"LpNormalization", 1, kNow, 1, 1, importLpNorm},
    {"LpPool", 2, kNow, 1, 1, importPool},
    {"LRN", 1, kNow, 1, 1, importLocalResponseNorm},
    {"LayerNormalization", 17, kNow, 2, 3, importLayerNorm},
    {"LeakyRelu", 6, kNow, 1, 1, importActivation},
    {"Less", 6, kNow, 2, 2, importComparison},
    {"LessOrEqual", 12, kNow, 2, 2, importComparison},
    {"Log", 6, kNow, 1, 1, importUnary},
    {"LogSoftmax", 1, kNow, 1, 1, importSoftmax},
    {"MatMul", 1, kNow, 2, 2, importMatMul},
    {"MatMulInteger", 10, kNow, 2, 4, importMatMulInteger},
    {"Max", 6, kNow, 1, kAny, importVariadic},
    {"MaxPool", 1, kNow, 1, 1, importPool},
    {"Mean", 6, kNow, 1, kAny, importVariadic},
    {"MeanVarianceNormalization", 9, kNow, 1, 1, importMeanVarianceNorm},
    {"Min", 6, kNow, 1, kAny, importVariadic},
    {"Mish", 18, kNow, 1, 1, importActivation},
    {"Mod", 10, kNow, 2, 2, importMod},
    {"Mul", 6, kNow, 2, 2, importArithmetic},
    {"Neg", 6, kNow, 1, 1, importUnary},
    {"NegativeLogLikelihoodLoss", 12, kNow, 2, 3, importNegativeLogLikelihood},
    {"NonZero", 9, kNow, 1, 1, importNonZero},
    {"Not", 1, kNow, 1, 1, importUnary},
    {"OneHot", 9, kNow, 3, 3, importOneHot},
    {"Or", 6, kNow, 2, 2, importLogical},
    {"PRelu", 6, kNow, 2, 2, importPRelu},
    {"Pad", 2, kNow, 1, 4, importPad},
    {"Pow", 6, kNow, 2, 2, importPow},
    {"QLinearConv", 10, kNow, 8, 9, importQLinearConv},
    {"QLinearMatMul", 10, kNow, 8, 8, importQLinearMatMul},
    {"QuantizeLinear", 10, kNow, 2, 3, importQuantizeLinear},
    {"RMSNormalization", 23, kNow, 2, 2, importRmsNorm},
    {"Range", 11, kNow, 3, 3, importRange},
    {"Reciprocal", 6, kNow, 1, 1, importUnary},
    {"ReduceL1", 1, kNow, 1, 2, importReduce},
    {"ReduceL2", 1, kNow, 1, 2, importReduce},
    {"ReduceLogSum", 1, kNow, 1, 2, importReduce},
    {"ReduceLogSumExp", 1, kNow, 1, 2, importReduce},
    {"ReduceMax", 1, kNow, 1, 2, importReduce},
    {"ReduceMean", 1, kNow, 1, 2, importReduce},
    {"ReduceMin", 1, kNow, 1, 2, importReduce},
    {"ReduceProd", 1, kNow, 1, 2, importReduce},
    {"ReduceSum", 1, kNow, 1, 2, importReduce},
    {"ReduceSumSquare", 1, kNow, 1, 2, importReduce},
    {"Relu", 6, kNow, 1, 1, importActivation},
    {"Reshape", 5, kNow, 2, 2, importReshape},
    {"Resize", 10, kNow, 1, 4, importResize},
    {"ReverseSequence", 10, kNow, 2, 2, importReverseSequence},
    {"RotaryEmbedding", 23, kNow, 3, 4, importRotaryEmbedding},
    {"Round", 11, kNow, 1, 1, importUnary},
    {"Scatter", 9, 10, 3, 3, importScatterElements},
    {"ScatterElements", 11, kNow, 3, 3, importScatterElements},
    {"ScatterND", 11, kNow, 3, 3, importScatterND},
    {"Selu", 6, kNow, 1, 1, importActivation},
    {"Shape", 1, kNow, 1, 1, importShape},
    {"Shrink", 9, kNow, 1, 1, importActivation},
    {"Sigmoid", 6, kNow, 1, 1, importActivation},
    {"Sign", 9, kNow, 1, 1, importUnary},
    // ONNX Runtime has this in the standard's domain, where the standard has it not.
    {"SimplifiedLayerNormalization", 1, kNow, 2, 2, importRmsNorm},
    {"Sin", 7, kNow, 1, 1, importUnary},
    {"Sinh", 9, kNow, 1, 1, importUnary},
    {"Size", 1, kNow, 1, 1, importSize},
    {"Slice", 1, kNow, 1, 5, importSlice},
    {"Softmax", 1, kNow, 1, 1, importSoftmax},
    {"SoftmaxCrossEntropyLoss", 12, kNow, 2, 3, importSoftmaxCrossEntropy},
    {"Softplus", 1, kNow, 1, 1, importActivation},
    {"Softsign", 1, kNow, 1, 1, importActivation},
    {"SpaceToDepth", 1, kNow, 1, 1, importSpaceToDepth},
    {"Split", 2, kNow, 1, 2, importSplit},
    {"Sqrt", 6, kNow, 1, 1, importUnary},
    {"Squeeze", 1, kNow, 1, 2, importSqueeze},
    {"STFT", 17, kNow, 2, 4, importSTFT},
    {"Sub", 6, kNow, 2, 2, importArithmetic},
    {"Sum", 6, kNow, 1, kAny, importVariadic},
    {"SwiGLU", 28, kNow, 2, 2, importSwiGLU},
    {"Swish", 24, kNow, 1, 1, importActivation},
    {"Tan", 7, kNow, 1, 1, importUnary},
    {"Tanh", 6, kNow, 1, 1, importUnary},
    {"TensorScatter", 24, kNow, 2, 3, importTensorScatter},
    {"ThresholdedRelu", 10, kNow, 1, 1, importActivation},
    {"Tile", 6, kNow, 2, 2, importTile},
    {"TopK", 1, kNow, 1, 2, importTopK},
    {"Transpose", 1, kNow, 1, 1, importTranspose},
    {"Trilu", 14, kNow, 1, 2, importTrilu},
    {"Unique", 11, kNow, 1, 1, importUnique},
    {"Unsqueeze", 1, kNow, 1, 2, importUnsqueeze},
    {"Upsample", 7, 9, 1, 2, importResize},
    {"Where", 9, kNow, 3, 3, importWhere},
    {"Xor", 6, kNow, 2, 2, importLogical},
};

/// Operators of ONNX Runtime's own domain.
static const Operator kMicrosoftOperators[] = {
    {"BiasGelu", 1, 1, 2, 2, importBiasGelu},
    {"FastGelu", 1, 1, 1, 2, importBiasGelu},
    {"FusedMatMul", 1, 1, 2, 2, importFusedMatMul},
    {"Gelu", 1, 1, 1, 1, importBiasGelu},
    {"GroupQueryAttention", 1, 1, 1, 12, importGroupQueryAttention},
    {"MatMulNBits", 1, 1, 3, 6, importMatMulNBits},
    {"QuickGelu", 1, 1, 1, 1, importBiasGelu},
    {"RotaryEmbedding", 1, 1, 4, 4, importMicrosoftRotaryEmbedding},
    {"SkipLayerNormalization", 1, 1, 3, 5, importSkipNorm},
    {"SkipSimplifiedLayerNormalization", 1, 1, 3, 4, importSkipNorm},
};

/// Operators of this project.
static const Operator kOwnOperators[] = {
    {"Dequantize", 1, 1, 2, 3, importOwnDequantize},
};

const Operator *sectile::frontend::findOperator(llvm::StringRef domain, llvm::StringRef name) {
  llvm::ArrayRef<Operator> operators;
  if (domain.empty())
    operators = kOperators;
  else if (domain == "com.microsoft")
    operators = kMicrosoftOperators;
  else if (domain == kOwnDomain)
    operators = kOwnOperators;
  const Operator *row =
      llvm::find_if(operators, [&](const Operator &row) { return row.name == name; });
  return row == operators.end() ? nullptr : row;
}
