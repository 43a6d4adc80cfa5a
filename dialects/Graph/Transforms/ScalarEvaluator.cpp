//===- ScalarEvaluator.cpp - arith and math on elements of constants -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NumberEvaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringMap.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static unsigned getBits(Type type) { return type.isIndex() ? 64 : type.getIntOrFloatBitWidth(); }

bool graph::hasWords(Type type) {
  if (isa<FloatType>(type))
    return isa<Float64Type, Float32Type, Float16Type, BFloat16Type>(type) || getBits(type) == 8;
  return type.isIndex() || (type.isSignlessInteger() && type.getIntOrFloatBitWidth() <= 64);
}

int64_t graph::getWordBytes(Type type) { return (getBits(type) + 7) / 8; }

static int64_t signExtend(int64_t value, unsigned bits) {
  return bits >= 64
             ? value
             : static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - bits)) >> (64 - bits);
}

static uint64_t zeroExtend(int64_t value, unsigned bits) {
  return bits >= 64 ? static_cast<uint64_t>(value)
                    : static_cast<uint64_t>(value) & ((uint64_t(1) << bits) - 1);
}

static double toDouble(APFloat value) {
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

/// `value` in the format of `type`, rounded to nearest even.
static APFloat toFormat(Type type, double value) {
  APFloat result(value);
  bool losesInfo;
  result.convert(cast<FloatType>(type).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return result;
}

double graph::roundTo(Type type, double value) {
  if (type.isF64())
    return value;
  if (type.isF32())
    return static_cast<double>(static_cast<float>(value));
  return toDouble(toFormat(type, value));
}

Word graph::readWord(Type type, const char *bytes) {
  Word word;
  if (type.isF64()) {
    std::memcpy(&word.real, bytes, sizeof(double));
    return word;
  }
  if (type.isF32()) {
    float value;
    std::memcpy(&value, bytes, sizeof(float));
    word.real = value;
    return word;
  }
  uint64_t raw = 0;
  std::memcpy(&raw, bytes, getWordBytes(type));
  if (auto real = dyn_cast<FloatType>(type))
    word.real = toDouble(APFloat(real.getFloatSemantics(), APInt(64, raw).trunc(real.getWidth())));
  else
    word.integer = signExtend(static_cast<int64_t>(raw), getBits(type));
  return word;
}

void graph::writeWord(Type type, Word word, char *bytes) {
  uint64_t raw;
  if (type.isF64())
    raw = std::bit_cast<uint64_t>(word.real);
  else if (type.isF32())
    raw = std::bit_cast<uint32_t>(static_cast<float>(word.real));
  else if (isa<FloatType>(type))
    raw = toFormat(type, word.real).bitcastToAPInt().getZExtValue();
  else
    raw = zeroExtend(word.integer, getBits(type));
  std::memcpy(bytes, &raw, getWordBytes(type));
}

Word graph::getWord(TypedAttr value) {
  Word word;
  if (auto real = dyn_cast<FloatAttr>(value))
    word.real = toDouble(real.getValue());
  else
    word.integer = cast<IntegerAttr>(value).getValue().getSExtValue();
  return word;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  if (a == b)
    return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

static double minimum(double a, double b) { return -maximum(-a, -b); }

static double reciprocalRoot(double x) { return 1 / std::sqrt(x); }

using UnaryFunction = double (*)(double);
using BinaryFunction = double (*)(double, double);

/// Functions of one float.
static UnaryFunction lookupUnary(Operation *op) {
  static const llvm::StringMap<UnaryFunction> functions = {
      {"arith.negf", [](double x) { return -x; }},
      {"math.absf", [](double x) { return std::fabs(x); }},
      {"math.acos", std::acos},
      {"math.acosh", std::acosh},
      {"math.asin", std::asin},
      {"math.asinh", std::asinh},
      {"math.atan", std::atan},
      {"math.atanh", std::atanh},
      {"math.cbrt", std::cbrt},
      {"math.ceil", std::ceil},
      {"math.cos", std::cos},
      {"math.cosh", std::cosh},
      {"math.erf", std::erf},
      {"math.erfc", std::erfc},
      {"math.exp", std::exp},
      {"math.exp2", std::exp2},
      {"math.expm1", std::expm1},
      {"math.floor", std::floor},
      {"math.log", std::log},
      {"math.log10", std::log10},
      {"math.log1p", std::log1p},
      {"math.log2", std::log2},
      {"math.round", std::round},
      {"math.roundeven", [](double x) { return std::nearbyint(x); }},
      {"math.rsqrt", reciprocalRoot},
      {"math.sin", std::sin},
      {"math.sinh", std::sinh},
      {"math.sqrt", std::sqrt},
      {"math.tan", std::tan},
      {"math.tanh", std::tanh},
      {"math.trunc", std::trunc},
  };
  return functions.lookup(op->getName().getStringRef());
}

/// Functions of two floats.
static BinaryFunction lookupBinary(Operation *op) {
  static const llvm::StringMap<BinaryFunction> functions = {
      {"arith.addf", [](double a, double b) { return a + b; }},
      {"arith.subf", [](double a, double b) { return a - b; }},
      {"arith.mulf", [](double a, double b) { return a * b; }},
      {"arith.divf", [](double a, double b) { return a / b; }},
      {"arith.remf", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.maximumf", maximum},
      {"arith.minimumf", minimum},
      {"math.atan2", std::atan2},
      {"math.copysign", [](double a, double b) { return std::copysign(a, b); }},
      {"math.powf", std::pow},
  };
  return functions.lookup(op->getName().getStringRef());
}

/// Functions of two integers of `bits` bits; none where the result is not determined. The result
/// is cut to the width by the caller.
using IntegerFunction = std::optional<int64_t> (*)(int64_t, int64_t, unsigned bits);

/// Division is undetermined by zero and where its result overflows.
static bool canDivide(int64_t a, int64_t b, unsigned bits) {
  return b != 0 && !(b == -1 && a == signExtend(int64_t(1) << (bits - 1), bits));
}

static bool canShift(int64_t count, unsigned bits) { return zeroExtend(count, bits) < bits; }

// Sums and products wrap around: computed without signs.
static uint64_t wrap(int64_t value) { return static_cast<uint64_t>(value); }

static IntegerFunction lookupInteger(Operation *op) {
  using Result = std::optional<int64_t>;
  static const llvm::StringMap<IntegerFunction> functions = {
      {"arith.addi",
       [](int64_t a, int64_t b, unsigned) { return Result(int64_t(wrap(a) + wrap(b))); }},
      {"arith.subi",
       [](int64_t a, int64_t b, unsigned) { return Result(int64_t(wrap(a) - wrap(b))); }},
      {"arith.muli",
       [](int64_t a, int64_t b, unsigned) { return Result(int64_t(wrap(a) * wrap(b))); }},
      {"arith.divsi",
       [](int64_t a, int64_t b, unsigned bits) {
         return canDivide(a, b, bits) ? Result(a / b) : std::nullopt;
       }},
      {"arith.floordivsi",
       [](int64_t a, int64_t b, unsigned bits) {
         return canDivide(a, b, bits) ? Result(llvm::divideFloorSigned(a, b)) : std::nullopt;
       }},
      {"arith.ceildivsi",
       [](int64_t a, int64_t b, unsigned bits) {
         return canDivide(a, b, bits) ? Result(llvm::divideCeilSigned(a, b)) : std::nullopt;
       }},
      {"arith.remsi",
       [](int64_t a, int64_t b, unsigned bits) {
         return canDivide(a, b, bits) ? Result(a % b) : std::nullopt;
       }},
      {"arith.divui",
       [](int64_t a, int64_t b, unsigned bits) {
         return b != 0 ? Result(int64_t(zeroExtend(a, bits) / zeroExtend(b, bits))) : std::nullopt;
       }},
      {"arith.remui",
       [](int64_t a, int64_t b, unsigned bits) {
         return b != 0 ? Result(int64_t(zeroExtend(a, bits) % zeroExtend(b, bits))) : std::nullopt;
       }},
      {"arith.andi", [](int64_t a, int64_t b, unsigned) { return Result(a & b); }},
      {"arith.ori", [](int64_t a, int64_t b, unsigned) { return Result(a | b); }},
      {"arith.xori", [](int64_t a, int64_t b, unsigned) { return Result(a ^ b); }},
      {"arith.maxsi", [](int64_t a, int64_t b, unsigned) { return Result(std::max(a, b)); }},
      {"arith.minsi", [](int64_t a, int64_t b, unsigned) { return Result(std::min(a, b)); }},
      {"arith.maxui",
       [](int64_t a, int64_t b, unsigned bits) {
         return Result(zeroExtend(a, bits) > zeroExtend(b, bits) ? a : b);
       }},
      {"arith.minui",
       [](int64_t a, int64_t b, unsigned bits) {
         return Result(zeroExtend(a, bits) < zeroExtend(b, bits) ? a : b);
       }},
      {"arith.shli",
       [](int64_t a, int64_t b, unsigned bits) {
         return canShift(b, bits) ? Result(int64_t(wrap(a) << b)) : std::nullopt;
       }},
      {"arith.shrsi",
       [](int64_t a, int64_t b, unsigned bits) {
         return canShift(b, bits) ? Result(a >> b) : std::nullopt;
       }},
      {"arith.shrui",
       [](int64_t a, int64_t b, unsigned bits) {
         return canShift(b, bits) ? Result(int64_t(zeroExtend(a, bits) >> b)) : std::nullopt;
       }},
  };
  return functions.lookup(op->getName().getStringRef());
}

/// An integer as the nearest float of `type`.
static double convertInteger(Type type, int64_t value, bool isSigned) {
  if (type.isF64())
    return isSigned ? static_cast<double>(value) : static_cast<double>(wrap(value));
  if (type.isF32()) // in one rounding, unlike through double
    return isSigned ? static_cast<float>(value) : static_cast<float>(wrap(value));
  APFloat result(cast<FloatType>(type).getFloatSemantics());
  result.convertFromAPInt(APInt(64, wrap(value)), isSigned, APFloat::rmNearestTiesToEven);
  return toDouble(result);
}

/// A float cut to an integer of `bits` bits, if it has one.
static std::optional<int64_t> convertReal(double value, unsigned bits, bool isSigned) {
  double whole = std::trunc(value), half = std::ldexp(1.0, static_cast<int>(bits) - 1);
  double least = isSigned ? -half : 0, beyond = isSigned ? half : 2 * half;
  if (!(whole >= least && whole < beyond))
    return std::nullopt;
  return isSigned ? static_cast<int64_t>(whole)
                  : static_cast<int64_t>(static_cast<uint64_t>(whole));
}

/// Conversions of one element to the result's type; none where the result is not determined.
static std::optional<Word> convert(Operation *op, Word x) {
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  Word result;
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    result.real = roundTo(to, x.real);
    return result;
  }
  if (isa<arith::SIToFPOp, arith::UIToFPOp>(op)) {
    bool isSigned = isa<arith::SIToFPOp>(op);
    int64_t value =
        isSigned ? x.integer : static_cast<int64_t>(zeroExtend(x.integer, getBits(from)));
    result.real = convertInteger(to, value, isSigned);
    return result;
  }
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op)) {
    std::optional<int64_t> value = convertReal(x.real, getBits(to), isa<arith::FPToSIOp>(op));
    if (!value)
      return std::nullopt;
    result.integer = signExtend(*value, getBits(to));
    return result;
  }
  bool isUnsigned = isa<arith::ExtUIOp, arith::IndexCastUIOp>(op);
  int64_t value =
      isUnsigned ? static_cast<int64_t>(zeroExtend(x.integer, getBits(from))) : x.integer;
  result.integer = signExtend(value, getBits(to));
  return result;
}

static bool isConversion(Operation *op) {
  return isa<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp,
             arith::FPToUIOp, arith::ExtUIOp, arith::ExtSIOp, arith::TruncIOp, arith::IndexCastOp,
             arith::IndexCastUIOp>(op);
}

bool graph::canEvaluateScalar(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return false;
  if (canEvaluateNumbers(op))
    return llvm::all_of(op->getOperandTypes(), hasWords) && hasWords(op->getResult(0).getType());
  // What an 8-bit float makes of values beyond its largest is for the lowering to say.
  for (Type type : op->getResultTypes())
    if (!hasWords(type) || (isa<FloatType>(type) && getBits(type) == 8))
      return false;
  for (Type type : op->getOperandTypes())
    if (!hasWords(type))
      return false;
  // A rounding mode of its own is not nearest even.
  if (auto truncate = dyn_cast<arith::TruncFOp>(op); truncate && truncate.getRoundingmode())
    return false;
  return lookupUnary(op) || lookupBinary(op) || lookupInteger(op) || isConversion(op) ||
         isa<arith::CmpIOp, arith::CmpFOp, arith::SelectOp>(op);
}

FailureOr<Words> graph::evaluateScalar(Operation *op, ArrayRef<const Words *> operands) {
  Type type = op->getResult(0).getType();
  if (canEvaluateNumbers(op))
    return evaluateNumbers(op, operands);
  size_t count = operands[0]->size();
  Words results(count);
  const Words &a = *operands[0];
  if (UnaryFunction function = lookupUnary(op)) {
    for (size_t i = 0; i < count; ++i)
      results[i].real = roundTo(type, function(a[i].real));
    return results;
  }
  if (isConversion(op)) {
    for (size_t i = 0; i < count; ++i) {
      std::optional<Word> result = convert(op, a[i]);
      if (!result)
        return failure();
      results[i] = *result;
    }
    return results;
  }
  const Words &b = *operands[1];
  if (BinaryFunction function = lookupBinary(op)) {
    for (size_t i = 0; i < count; ++i)
      results[i].real = roundTo(type, function(a[i].real, b[i].real));
    return results;
  }
  if (isa<arith::SelectOp>(op)) {
    const Words &c = *operands[2];
    for (size_t i = 0; i < count; ++i)
      results[i] = a[i].integer != 0 ? b[i] : c[i];
    return results;
  }
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    for (size_t i = 0; i < count; ++i)
      results[i].integer = -static_cast<int64_t>(
          arith::applyCmpPredicate(compare.getPredicate(), APFloat(a[i].real), APFloat(b[i].real)));
    return results;
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    unsigned bits = getBits(compare.getLhs().getType());
    for (size_t i = 0; i < count; ++i)
      results[i].integer = -static_cast<int64_t>(arith::applyCmpPredicate(
          compare.getPredicate(), APInt(bits, zeroExtend(a[i].integer, bits)),
          APInt(bits, zeroExtend(b[i].integer, bits))));
    return results;
  }
  IntegerFunction function = lookupInteger(op);
  unsigned bits = getBits(type);
  for (size_t i = 0; i < count; ++i) {
    std::optional<int64_t> result = function(a[i].integer, b[i].integer, bits);
    if (!result)
      return failure();
    results[i].integer = signExtend(*result, bits);
  }
  return results;
}
