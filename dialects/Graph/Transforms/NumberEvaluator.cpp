//===- NumberEvaluator.cpp - numbers of any width as constants -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NumberEvaluator.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Numbers/Codes.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;
using formats::Format;
using formats::Overflow;
using formats::Rounding;

/// The number of a code, which MLIR's own float types hold as a number.
static double decode(const Format &format, Type held, Word code) {
  if (isa<FloatType>(held))
    return code.real;
  return static_cast<float>(format.decode(numbers::getCode(format, code.integer)));
}

static Word dequantize(DequantizeOp op, const Format &format, ArrayRef<Word> operands) {
  Type codes = op.getCodes().getType();
  Type compute = numbers::getComputeType({op.getType(), op.getScale().getType()});
  double value = decode(format, codes, operands[0]);
  if (op.getZero()) {
    Type type = op.getZero().getType();
    double zero = numbers::isCode(type, codes) ? decode(format, codes, operands[2])
                                               : roundTo(compute, operands[2].real);
    value = roundTo(compute, value - zero);
  }
  value = roundTo(compute, value * roundTo(compute, operands[1].real));
  Word result;
  result.real = roundTo(op.getType(), value);
  return result;
}

static Word quantize(QuantizeOp op, const Format &format, ArrayRef<Word> operands) {
  Type codes = op.getCodes().getType();
  Type compute = numbers::getComputeType({op.getValues().getType(), op.getScale().getType()});
  Type precision = op.getPrecision().value_or(compute);
  double value = roundTo(precision, roundTo(precision, operands[0].real) /
                                        roundTo(precision, operands[1].real));
  if (op.getZero()) {
    bool isCode = numbers::isCode(op.getZero().getType(), codes);
    double zero = isCode ? decode(format, codes, operands[2]) : roundTo(compute, operands[2].real);
    bool isBehind = isCode && format.isInteger();
    if (!isBehind)
      value = roundTo(compute, value + zero);
    else if (!std::isnan(value)) // which no zero point moves
      value = std::nearbyint(value) + zero;
  }
  Overflow overflow = op.getSpecial() ? Overflow::Special : Overflow::Saturate;
  std::optional<uint32_t> code = format.encode(value, Rounding::NearestEven, overflow);
  if (!code)
    code = format.encode(0, Rounding::NearestEven, overflow);
  Word result;
  if (isa<FloatType>(codes))
    result.real = format.decode(*code);
  else
    result.integer = numbers::holdsSigned(format) ? llvm::SignExtend64(*code, format.getBits())
                                                  : static_cast<int64_t>(*code);
  return result;
}

bool graph::canEvaluateNumbers(Operation *op) {
  // What an 8-bit float makes of values beyond its largest is for the lowering to say.
  if (auto inverse = dyn_cast<DequantizeOp>(op))
    return inverse.getType().getIntOrFloatBitWidth() > 8;
  return isa<QuantizeOp>(op);
}

Words graph::evaluateNumbers(Operation *op, ArrayRef<const Words *> operands) {
  Format format = numbers::getFormat(op->getAttrOfType<StringAttr>("format").getValue());
  Words results(operands[0]->size());
  for (size_t i = 0; i < results.size(); ++i) {
    SmallVector<Word, 3> words;
    for (const Words *operand : operands)
      words.push_back((*operand)[i]);
    if (auto inverse = dyn_cast<DequantizeOp>(op))
      results[i] = dequantize(inverse, format, words);
    else
      results[i] = quantize(cast<QuantizeOp>(op), format, words);
  }
  return results;
}
