//===- Element.cpp - one number and how far it may be off -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Interpreter/Element.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"

#include <array>
#include <map>
#include <mutex>

using namespace mlir;
using namespace sectile::interp;

static NumberFormat describeFloat(const llvm::fltSemantics &semantics) {
  NumberFormat format{};
  format.isFloat = true;
  format.bits = llvm::APFloat::semanticsSizeInBits(semantics);
  format.semantics = &semantics;
  int precision = llvm::APFloat::semanticsPrecision(semantics);
  format.unit = std::ldexp(1.0, -precision);
  format.tiny = llvm::APFloat::getSmallest(semantics).convertToDouble() / 2;
  format.largest = llvm::APFloat::getLargest(semantics).convertToDouble();
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
  if (!floating || floating.getWidth() > 64)
    return nullptr;
  static std::mutex mutex;
  static std::map<const llvm::fltSemantics *, NumberFormat> floats;
  std::lock_guard lock(mutex);
  const llvm::fltSemantics &semantics = floating.getFloatSemantics();
  return &floats.try_emplace(&semantics, describeFloat(semantics)).first->second;
}

double sectile::interp::roundTo(const NumberFormat &format, double value) {
  if (format.semantics == &llvm::APFloat::IEEEdouble() || !std::isfinite(value))
    return value;
  if (format.semantics == &llvm::APFloat::IEEEsingle())
    return static_cast<float>(value);
  llvm::APFloat number(value);
  bool losesInfo = false;
  number.convert(*format.semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return number.convertToDouble();
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
