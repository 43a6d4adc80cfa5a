//===- Places.cpp - coordinates of registers, and conditions on them -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IntegerSet.h"

#include <numeric>

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::Digit;

static constexpr unsigned kRegister = static_cast<unsigned>(Axis::Register);

SmallVector<int64_t> sectile::simt::getPlacesAlong(const DistributedLayout &layout, unsigned dim) {
  SmallVector<int64_t> places;
  for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg) {
    int64_t place = 0, stride = 1;
    for (const Digit &digit : layout.map().digits())
      if (digit.from.axis == kRegister && digit.to && digit.to->axis == dim) {
        place += reg / digit.from.stride % digit.extent * stride;
        stride *= digit.extent;
      }
    places.push_back(place);
  }
  return places;
}

Poly ThreadEmitter::digitOf(unsigned axis, int64_t stride, int64_t extent) {
  bool isLane = axis == static_cast<unsigned>(Axis::Lane);
  int64_t count = isLane ? target.threadsPerWarp : warps;
  Poly number = algebra.value(isLane ? lane : warp, {0, count - 1});
  return algebra.mod(algebra.floorDiv(number, Poly(stride)), Poly(extent));
}

SmallVector<Poly> ThreadEmitter::coordinatesOf(const DistributedLayout &layout, int64_t reg) {
  SmallVector<Poly> coordinates(layout.shape().size());
  for (const Digit &digit : layout.map().digits()) {
    if (!digit.to)
      continue;
    Poly number = digit.from.axis == kRegister
                      ? Poly(reg / digit.from.stride % digit.extent)
                      : digitOf(digit.from.axis, digit.from.stride, digit.extent);
    coordinates[digit.to->axis] += number * Poly(digit.to->stride);
  }
  return coordinates;
}

void ThreadEmitter::require(Condition &condition, const Poly &poly, bool isZero) {
  IntRange range = algebra.getRange(poly);
  if (isZero ? poly == Poly(0) : range.lo && *range.lo >= 0)
    return;
  if ((range.hi && *range.hi < 0) || (isZero && range.lo && *range.lo > 0)) {
    condition.isNever = true;
    return;
  }
  condition.terms.emplace(poly, isZero);
}

/// A polynomial that is not negative where `poly` is not: its constant rounded down to what the
/// others' common divisor allows, so that neighbours which take part together have one condition.
static Poly tighten(Poly poly) {
  int64_t divisor = 0;
  for (const auto &term : poly.terms)
    divisor = std::gcd(divisor, term.second);
  if (divisor > 1)
    poly.constant = llvm::divideFloorSigned(poly.constant, divisor) * divisor;
  return poly;
}

Condition ThreadEmitter::isValid(const DistributedLayout &layout, int64_t reg,
                                 std::optional<ArrayRef<int64_t>> dims) {
  Condition condition;
  SmallVector<Poly> coordinates = coordinatesOf(layout, reg);
  for (auto [dim, coordinate] : llvm::enumerate(coordinates))
    if (!dims || llvm::is_contained(*dims, static_cast<int64_t>(dim)))
      require(condition, tighten(Poly(layout.shape()[dim] - 1) - coordinate));
  return condition;
}

void ThreadEmitter::requireFirstCopy(Condition &condition, const DistributedLayout &layout,
                                     int64_t reg) {
  for (const Digit &digit : layout.map().digits()) {
    if (digit.to)
      continue;
    if (digit.from.axis != kRegister)
      require(condition, digitOf(digit.from.axis, digit.from.stride, digit.extent),
              /*isZero=*/true);
    else if (reg / digit.from.stride % digit.extent != 0)
      condition.isNever = true;
  }
}

void ThreadEmitter::requireSet(Condition &condition, IntegerSet set, ArrayRef<Poly> dims,
                               ArrayRef<Poly> symbols) {
  for (auto [expr, isEq] : llvm::zip_equal(set.getConstraints(), set.getEqFlags()))
    require(condition, algebra.evaluate(expr, dims, symbols), isEq);
}

Value ThreadEmitter::makeBool(bool value) {
  return arith::ConstantIntOp::create(builder, loc, value ? 1 : 0, 1);
}

Value ThreadEmitter::emitCondition(const Condition &condition) {
  assert(!condition.isNever && "a condition that never holds has no code");
  Value all;
  for (const auto &[poly, isZero] : condition.terms) {
    auto predicate = isZero ? arith::CmpIPredicate::eq : arith::CmpIPredicate::sge;
    Value holds = builder.emitOnce(poly, isZero ? "is zero" : "is not negative", 0, [&] {
      Value value = builder.emit(loc, poly);
      return arith::CmpIOp::create(builder, loc, predicate, value, builder.constant(loc, 0))
          .getResult();
    });
    all = all ? arith::AndIOp::create(builder, loc, all, holds).getResult() : holds;
  }
  return all;
}
