//===- Element.cpp - one number and how far it may be off -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Interpreter/Element.h"

#include "sectile/Formats/Format.h"

#include "mlir/IR/BuiltinTypes.h"

#include <array>
#include <bit>
#include <map>
#include <mutex>

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// MLIR's names of floats are names of `Format` too, except for f64's, which it does not have.
static std::optional<NumberFormat> describeFloat(FloatType type) {
  NumberFormat format{};
  format.isFloat = true;
  format.bits = type.getWidth();
  if (type.isF64()) {
    format.unit = std::numeric_limits<double>::epsilon() / 2;
    format.tiny = 0; // half of the smallest number is none
    format.largest = std::numeric_limits<double>::max();
    return format;
  }
  std::string name;
  llvm::raw_string_ostream(name) << type;
  formats::Result<formats::Format> known = formats::Format::parse(name);
  if (!known)
    return std::nullopt;
  format.layout = *known->getFloat();
  format.unit = std::ldexp(0.5, -static_cast<int>(format.layout->mantissaBits));
  // The smallest number above zero is that of code 1, or in a format without zero of code 0.
  format.tiny = format.layout->decode(format.layout->hasZero ? 1 : 0) / 2;
  format.largest = known->getLargest();
  return format;
}

const NumberFormat *sectile::interp::getNumberFormat(Type type) {
  static const std::array<NumberFormat, 65> integers = [] {
    std::array<NumberFormat, 65> table{};
    for (unsigned bits = 1; bits <= 64; ++bits)
      table[bits].bits = bits;
    return table;
  }();
  if (type.isIndex())
    return &integers[64];
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() >= 1 && integer.getWidth() <= 64 ? &integers[integer.getWidth()]
                                                               : nullptr;
  auto floating = dyn_cast<FloatType>(type);
  if (!floating)
    return nullptr;
  static std::mutex mutex;
  static std::map<const void *, std::optional<NumberFormat>> floats; // by kind of type
  std::lock_guard lock(mutex);
  const void *kind = type.getTypeID().getAsOpaquePointer();
  auto known = floats.find(kind);
  if (known == floats.end())
    known = floats.try_emplace(kind, describeFloat(floating)).first;
  return known->second ? &*known->second : nullptr;
}

uint64_t sectile::interp::encodeFloat(const NumberFormat &format, double value) {
  if (!format.layout)
    return std::bit_cast<uint64_t>(value);
  std::optional<uint32_t> code =
      format.layout->encode(value, formats::Rounding::NearestEven, formats::Overflow::Special);
  assert(code && "expects a NaN only where the format has one");
  return *code;
}

double sectile::interp::decodeFloat(const NumberFormat &format, uint64_t bits) {
  return format.layout ? format.layout->decode(static_cast<uint32_t>(bits))
                       : std::bit_cast<double>(bits);
}

double sectile::interp::roundTo(const NumberFormat &format, double value) {
  if (!std::isfinite(value))
    return value;
  if (format.bits == 32) // f32, most of all numbers: the machine's own rounding, 3 times as fast
    return static_cast<float>(value);
  return decodeFloat(format, encodeFloat(format, value));
}

double sectile::interp::getDistance(const NumberFormat &format, const Element &a,
                                    const Element &b) {
  if (!format.isFloat)
    return a.integer == b.integer
               ? 0
               : std::fabs(static_cast<double>(a.integer) - static_cast<double>(b.integer));
  if (a.real == b.real || (std::isnan(a.real) && std::isnan(b.real)))
    return 0;
  double distance = std::fabs(a.real - b.real);
  return std::isnan(distance) ? kUnbounded : distance;
}
