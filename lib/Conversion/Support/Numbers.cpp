//===- Numbers.cpp - codes of any format in registers -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a format's codes and numbers are is asked of Formats alone. Where it is
// neither an integer nor a float, decoding chooses among the numbers of all codes,
// one bit of the code after the other, and encoding counts the places passed where
// the code changes:
//
//     x:     -inf ...... t0 ...... t1 ...... t2 ...... inf
//     code:        c0        c1        c2         c3
//
// The places are found by asking Formats, so ties and special values are right by
// construction. They are compared as integers in the order of the floats, in which
// the zeros and the NaNs of both signs have places of their own.
//
//===----------------------------------------------------------------------===//

#include "Numbers.h"

#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <bit>
#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::lowering;
using formats::Format;
using formats::IntegerLayout;
using formats::Overflow;
using formats::Rounding;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

namespace {
/// Numbers that are equally far apart: (code * factor + offset) * step, where codes of signed
/// integers are sign-extended.
struct Progression {
  bool isSigned = false;
  int64_t factor = 1, offset = 0;
  double step = 1;
};
} // namespace

static std::optional<Progression> getProgression(const Format &format) {
  Progression result;
  if (const IntegerLayout *integer = format.getInteger()) {
    result.isSigned = integer->isSigned;
    result.offset = -integer->bias;
    result.step = std::ldexp(1.0, -static_cast<int>(integer->fractionBits));
    return result;
  }
  // Bipolar integers, ternary, and codebooks that happen to be one.
  auto isSmallInteger = [](double value) {
    return std::trunc(value) == value && std::fabs(value) < 65536;
  };
  double first = format.decode(0);
  double factor = format.getCodeCount() > 1 ? format.decode(1) - first : 1;
  if (!isSmallInteger(first) || !isSmallInteger(factor))
    return std::nullopt;
  for (uint32_t code = 0; code < format.getCodeCount(); ++code) {
    double number = format.decode(code);
    bool isNegativeZero = number == 0 && std::signbit(number);
    if (!isSmallInteger(number) || isNegativeZero || number != first + code * factor)
      return std::nullopt;
  }
  result.factor = static_cast<int64_t>(factor);
  result.offset = static_cast<int64_t>(first);
  return result;
}

Num lowering::readCodes(Lanes &l, Value held, const Format &format) {
  assert(!l.wide && "codes are numbers of 32 bits");
  unsigned width = getElementTypeOrSelf(held.getType()).getIntOrFloatBitWidth();
  unsigned bits = format.getBits();
  bool isSigned = numbers::holdsSigned(format);
  Value code = held;
  if (width > 32)
    code = arith::TruncIOp::create(l.builder, l.loc, l.intType(), held);
  else if (width < 32 && isSigned)
    code = arith::ExtSIOp::create(l.builder, l.loc, l.intType(), held);
  else if (width < 32)
    code = arith::ExtUIOp::create(l.builder, l.loc, l.intType(), held);
  Num result = l.wrap(code);
  if (width > bits)
    result = isSigned ? l.shiftRight(l.shiftLeft(result, 32 - bits), 32 - bits)
                      : l.both(result, l.integer((int64_t(1) << bits) - 1));
  auto last = static_cast<int64_t>(format.getCodeCount()) - 1;
  if (last + 1 != int64_t(1) << bits)
    result = l.wrap(arith::MinUIOp::create(l.builder, l.loc, result.value, l.integer(last).value));
  return result;
}

std::optional<Num> lowering::decodeInteger(Num codes, const Format &format) {
  std::optional<Progression> progression = getProgression(format);
  if (!progression)
    return std::nullopt;
  Lanes &l = *codes.lanes;
  if (progression->factor != 1)
    codes = codes * l.integer(progression->factor);
  return progression->offset == 0 ? codes : codes + l.integer(progression->offset);
}

Num lowering::toNumber(Num integers, const Format &format) {
  Num result = integers.lanes->toNum(integers);
  double step = getProgression(format)->step;
  return step == 1 ? result : result * step;
}

/// Rounds to the nearest integers, adds `shift`, and clamps.
static Num encodeInteger(Num values, std::optional<Num> shift, const Format &format) {
  Lanes &l = *values.lanes;
  Progression progression = *getProgression(format);
  if (progression.step != 1)
    values = values * (1 / progression.step);
  values = l.round(values);
  if (shift)
    values = values + *shift;
  // NaN becomes 0, before the limits: a format may not have it.
  Num isNumber = l.compare(arith::CmpFPredicate::ORD, values, values);
  values = l.select(isNumber, values, l.num(0));
  auto count = static_cast<int64_t>(format.getCodeCount());
  int64_t lowest = progression.isSigned ? -count / 2 : 0;
  values = l.atLeast(values, static_cast<double>(lowest + progression.offset));
  values = l.atMost(values, static_cast<double>(lowest + count - 1 + progression.offset));
  Num integers = l.toInt(values);
  return progression.offset == 0 ? integers : integers - l.integer(progression.offset);
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static Num decodeByBits(Num codes, const Format &format) {
  Lanes &l = *codes.lanes;
  SmallVector<Value> numbers;
  for (uint32_t code = 0; code < 1u << format.getBits(); ++code)
    numbers.push_back(
        l.num(static_cast<float>(format.decode(numbers::getCode(format, code)))).value);
  for (unsigned bit = 0; bit < format.getBits(); ++bit) {
    Num isSet = l.compare(arith::CmpIPredicate::ne, l.both(codes, l.integer(int64_t(1) << bit)),
                          l.integer(0));
    SmallVector<Value> chosen;
    for (size_t i = 0; i < numbers.size(); i += 2)
      chosen.push_back(l.select(isSet, l.wrap(numbers[i + 1]), l.wrap(numbers[i])).value);
    numbers = std::move(chosen);
  }
  return l.wrap(numbers.front());
}

/// Instructions of `decode` and `readCodes` on a part, about.
static int64_t countDecodeSteps(const Format &format) {
  constexpr int64_t kFloatSteps = 8; // fields are moved, small numbers normalized
  if (std::optional<Progression> progression = getProgression(format))
    return (progression->isSigned ? 2 : 1) + 1 + (progression->offset != 0) +
           (progression->factor != 1) + (progression->step != 1);
  const formats::FloatLayout *layout = format.getFloat();
  if (layout && isWithinF32(*layout))
    return kFloatSteps;
  return (int64_t(1) << format.getBits()) - 1 + 2 * format.getBits();
}

std::optional<Num> sectile::lowering::decodeByTable(Lanes &l, Value held, const Format &format) {
  int64_t entries = l.target.tableEntries, codes = int64_t(1) << format.getBits();
  if (entries == 0 || l.wide || l.count == 1 || l.count > entries)
    return std::nullopt;
  // A lookup for each vector of the table, then a bit of the code after the other chooses.
  int64_t tables = llvm::divideCeil(codes, entries);
  if (2 * tables - 1 + 2 * llvm::Log2_64_Ceil(tables) >= countDecodeSteps(format))
    return std::nullopt;
  unsigned width = getElementTypeOrSelf(held.getType()).getIntOrFloatBitWidth();
  Value code = held;
  if (width > 32)
    code = arith::TruncIOp::create(l.builder, l.loc, l.intType(), held);
  else if (width < 32)
    code = arith::ExtUIOp::create(l.builder, l.loc, l.intType(), held);
  // The instruction has all lanes; what a shorter part lacks looks up anything.
  Value index = code;
  if (l.count < entries) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane < entries; ++lane)
      places.push_back(lane % l.count);
    index = vector::ShuffleOp::create(l.builder, l.loc, code, code, places);
  }
  auto type = VectorType::get({entries}, l.builder.getF32Type());
  SmallVector<Value> found;
  for (int64_t first = 0; first < codes; first += entries) {
    SmallVector<float> numbers;
    for (int64_t i = 0; i < entries; ++i)
      numbers.push_back(
          static_cast<float>(format.decode(numbers::getCode(format, (first + i) % codes))));
    Value table = arith::ConstantOp::create(l.builder, l.loc,
                                            DenseElementsAttr::get(type, ArrayRef<float>(numbers)));
    Value value = LLVM::CallIntrinsicOp::create(l.builder, l.loc, type,
                                                l.builder.getStringAttr(l.target.tableIntrinsic),
                                                ValueRange{table, index})
                      .getResult(0);
    if (l.count < entries)
      value = vector::ShuffleOp::create(l.builder, l.loc, value, value,
                                        llvm::to_vector(llvm::seq<int64_t>(0, l.count)));
    found.push_back(value);
  }
  for (int64_t bit = entries; found.size() > 1; bit *= 2) {
    Num isSet =
        l.compare(arith::CmpIPredicate::ne, l.both(l.wrap(code), l.integer(bit)), l.integer(0));
    SmallVector<Value> chosen;
    for (size_t i = 0; i < found.size(); i += 2)
      chosen.push_back(l.select(isSet, l.wrap(found[i + 1]), l.wrap(found[i])).value);
    found = std::move(chosen);
  }
  return l.wrap(found.front());
}

namespace {
/// Floats by the integers that are in their order: NaNs of negative sign, -inf, ... -0, 0, ...
/// NaNs.
template <typename Float, typename Int>
struct Ordered {
  static constexpr Int kMagnitude = std::numeric_limits<Int>::max();

  static Int flip(Int bits) { return bits < 0 ? bits ^ kMagnitude : bits; }
  static Int toKey(Float value) { return flip(std::bit_cast<Int>(value)); }
  static Float toFloat(Int key) { return std::bit_cast<Float>(flip(key)); }
};

/// From `key` on, up to the next step, floats have the code.
struct CodeStep {
  int64_t key;
  uint32_t code;
};
} // namespace

/// Where the code changes, by rising floats; the first step is the lowest key.
template <typename Float, typename Int>
static std::vector<CodeStep> findSteps(const Format &format, bool special) {
  using Keys = Ordered<Float, Int>;
  auto encodeAt = [&](Int key) {
    Overflow overflow = special ? Overflow::Special : Overflow::Saturate;
    double value = Keys::toFloat(key);
    std::optional<uint32_t> code = format.encode(value, Rounding::NearestEven, overflow);
    return code ? *code : *format.encode(0, Rounding::NearestEven, overflow);
  };
  // Between two of these floats codes only rise with their numbers, or change once.
  constexpr Float kInf = std::numeric_limits<Float>::infinity();
  std::vector<Int> knots = {
      std::numeric_limits<Int>::min(), Keys::toKey(-kInf), Keys::toKey(-Float(0)),
      Keys::toKey(Float(0)),           Keys::toKey(kInf),  std::numeric_limits<Int>::max()};
  for (Int key : {Keys::toKey(-kInf), Keys::toKey(kInf)})
    knots.insert(knots.end(), {key - 1, key + 1});
  for (uint32_t code = 0; code < format.getCodeCount(); ++code)
    if (double number = format.decode(code); !std::isnan(number))
      knots.push_back(Keys::toKey(static_cast<Float>(number)));
  llvm::sort(knots);
  knots.erase(std::unique(knots.begin(), knots.end()), knots.end());

  std::vector<CodeStep> steps = {{knots.front(), encodeAt(knots.front())}};
  // Steps above `low`, whose code is known, up to `high`.
  auto search = [&](auto &self, Int low, uint32_t lowCode, Int high, uint32_t highCode) -> void {
    if (lowCode == highCode)
      return;
    if (high - low == 1) {
      steps.push_back({high, highCode});
      return;
    }
    Int middle = low / 2 + high / 2 + (low % 2 + high % 2) / 2;
    if (middle <= low || middle >= high)
      middle = low + 1;
    uint32_t middleCode = encodeAt(middle);
    self(self, low, lowCode, middle, middleCode);
    self(self, middle, middleCode, high, highCode);
  };
  for (size_t i = 1; i < knots.size(); ++i)
    search(search, knots[i - 1], encodeAt(knots[i - 1]), knots[i], encodeAt(knots[i]));
  return steps;
}

static Num encodeBySteps(Num values, const Format &format, bool special) {
  Lanes &l = *values.lanes;
  std::vector<CodeStep> steps = l.wide ? findSteps<double, int64_t>(format, special)
                                       : findSteps<float, int32_t>(format, special);
  Num bits = l.asInt(values);
  Num sign = l.shiftRight(bits, l.wide ? 63 : 31); // all ones or none
  int64_t magnitude =
      l.wide ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int32_t>::max();
  Num keys = l.exclusive(bits, l.both(sign, l.integer(magnitude)));
  Num code = l.integer(steps.front().code);
  for (const CodeStep &step : llvm::drop_begin(steps))
    code = l.select(l.compare(arith::CmpIPredicate::sge, keys, l.integer(step.key)),
                    l.integer(step.code), code);
  return code;
}

//===----------------------------------------------------------------------===//
// All formats
//===----------------------------------------------------------------------===//

Num lowering::decode(Num codes, const Format &format) {
  if (std::optional<Num> integers = decodeInteger(codes, format))
    return toNumber(*integers, format);
  Lanes &l = *codes.lanes;
  const formats::FloatLayout *layout = format.getFloat();
  if (!layout || !isWithinF32(*layout))
    return decodeByBits(codes, format);
  Bits b(l.builder, l.loc, codes.value);
  return l.wrap(decodeFloat(b, codes.value, *layout));
}

Value lowering::encode(Num values, std::optional<Num> shift, const Format &format, bool special) {
  Lanes &l = *values.lanes;
  const formats::FloatLayout *layout = format.getFloat();
  if (layout && isWithinF32(*layout)) {
    Value narrow = l.wide ? truncateToOdd(l.builder, l.loc, values.value) : values.value;
    Bits b(l.builder, l.loc, narrow);
    return encodeFloat(b, narrow, *layout, special);
  }
  bool isRounding = format.getInteger() || format.isInteger();
  Value code = isRounding ? encodeInteger(values, shift, format).value
                          : encodeBySteps(values, format, special).value;
  if (!l.wide)
    return code;
  return arith::TruncIOp::create(l.builder, l.loc, withLanesOf(code, l.builder.getI32Type()), code);
}
