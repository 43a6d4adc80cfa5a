//===- Masks.cpp - integer sets as conditions and lane masks ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IntegerSet.h"

using namespace mlir;
using namespace sectile::cpu;

/// Splits poly = uniform + step * lane; nothing if it is not of that form.
static std::optional<std::pair<Poly, int64_t>> splitLane(const IndexAlgebra &algebra,
                                                         const Poly &poly) {
  Poly uniform(poly.constant);
  int64_t step = 0;
  for (const auto &[monomial, coefficient] : poly.terms) {
    if (!algebra.isPerLane(monomial)) {
      uniform.terms.emplace(monomial, coefficient);
      continue;
    }
    if (monomial.size() != 1 || algebra.get(monomial[0]).kind != Atom::Kind::Lane)
      return std::nullopt;
    step += coefficient;
  }
  return std::make_pair(uniform, step);
}

PartMask KernelEmitter::emitMask(IntegerSet set, ArrayRef<Poly> symbols, ArrayRef<int64_t> outer,
                                 int64_t first, int64_t width) {
  PartMask mask;
  SmallVector<Poly> dims;
  for (int64_t coord : outer)
    dims.push_back(Poly(coord));
  if (dims.size() < set.getNumDims())
    dims.push_back(Poly(first) + algebra.lane(width));
  auto conjoin = [&](Value &target, Value value) {
    target = target ? arith::AndIOp::create(builder, loc, target, value).getResult() : value;
  };
  for (auto [expr, isEq] : llvm::zip_equal(set.getConstraints(), set.getEqFlags())) {
    Poly poly = algebra.evaluate(expr, dims, symbols);
    IntRange range = algebra.getRange(poly);
    if (isEq ? poly == Poly(0) : range.lo && *range.lo >= 0)
      continue;
    if ((range.hi && *range.hi < 0) || (isEq && range.lo && *range.lo > 0)) {
      mask.isEmpty = true;
      return mask;
    }
    auto predicate = isEq ? arith::CmpIPredicate::eq : arith::CmpIPredicate::sge;
    if (!algebra.isPerLane(poly)) {
      conjoin(mask.all, builder.emitOnce(poly, isEq ? "is zero" : "is not negative", 0, [&] {
        Value value = builder.emit(loc, poly);
        return arith::CmpIOp::create(builder, loc, predicate, value, builder.constant(loc, 0))
            .getResult();
      }));
      continue;
    }
    auto split = splitLane(algebra, poly);
    // The step decides which bits of the key are taken; widths are below 2^16.
    if (!split || std::abs(split->second) >= (1 << 15)) {
      conjoin(mask.lanes, builder.emitOnce(poly, isEq ? "lanes zero" : "lanes", width, [&] {
        Value value = builder.emitLanes(loc, poly, width);
        Value zero = makeConstant(builder, loc, value.getType(), builder.getI64IntegerAttr(0));
        return arith::CmpIOp::create(builder, loc, predicate, value, zero).getResult();
      }));
      continue;
    }
    // uniform + step * lane >= 0 in 32 bits: the uniform part saturates where the comparison
    // no longer depends on it.
    auto [uniform, step] = *split;
    int64_t reach = std::abs(step) * width + 1;
    conjoin(mask.lanes,
            builder.emitOnce(uniform, isEq ? "linear zero" : "linear", (step << 32) | width, [&] {
              Value value = builder.emit(loc, uniform);
              value = arith::MaxSIOp::create(builder, loc, value, builder.constant(loc, -reach));
              value = arith::MinSIOp::create(builder, loc, value, builder.constant(loc, reach));
              value = arith::TruncIOp::create(builder, loc, builder.getI32Type(), value);
              SmallVector<int64_t> limits;
              for (int64_t lane = 0; lane < width; ++lane)
                limits.push_back(-step * lane);
              Value limit = makeLaneConstants(builder, loc, builder.getI32Type(), limits);
              return arith::CmpIOp::create(builder, loc, predicate,
                                           splat(builder, loc, value, width), limit)
                  .getResult();
            }));
  }
  return mask;
}

Value KernelEmitter::combineMask(const PartMask &mask, int64_t width) {
  if (!mask.lanes)
    return mask.all;
  if (!mask.all)
    return mask.lanes;
  return arith::AndIOp::create(builder, loc, splat(builder, loc, mask.all, width), mask.lanes);
}

LogicalResult KernelEmitter::emitMaskOp(tile::MaskOp op) {
  Tile tile = makeTile(op.getType());
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  for (int64_t row = 0; row < tile.getNumRows(); ++row)
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      PartMask mask = emitMask(op.getSet(), symbols, rowCoords(tile, row), part * tile.lanes,
                               tile.getWidth(part));
      Value value = mask.isEmpty ? Value() : combineMask(mask, tile.getWidth(part));
      if (!value)
        value = arith::ConstantIntOp::create(builder, loc, mask.isEmpty ? 0 : 1, 1);
      tile.parts.push_back(value);
    }
  setTile(op.getResult(), std::move(tile));
  return success();
}
