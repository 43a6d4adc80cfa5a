//===- Product.cpp - products of tiles by multiply-adds ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread that holds elements (i, j) of the accumulator needs the rows i of the
// left side and the columns j of the right one. Both sides go to shared memory,
// and the thread reads them a few k at a time, so that few registers hold them:
//
//     for k:  a[rows of the thread] = shared;  b[columns of the thread] = shared
//             acc[i, j] += a[i] * b[j]
//
// A side that the thread has in its own registers already, or in its warp's, is
// taken from there.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Layout/FactorLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;
using layout::Movement;

/// Values of k whose elements are in registers at once: 16 bytes of f32.
static constexpr int64_t kStep = 4;

namespace {
/// What a thread needs of one side: its places along `kept` for every k.
struct Side {
  DistributedLayout layout;
  /// Registers for each k, and how far apart successive k and successive places are.
  int64_t places, kStride, placeStride;
};
} // namespace

static Side getSide(const DistributedLayout &accumulator, unsigned kept, unsigned kDim, int64_t k) {
  DistributedLayout layout = layout::getFactorLayout(accumulator, kept, kDim, k);
  int64_t places = layout.extent(Axis::Register) / k;
  bool isFirst = kDim == 1;
  return {layout, places, isFirst ? 1 : places, isFirst ? k : 1};
}

LogicalResult ThreadEmitter::emitDot(DotOp op) {
  if (auto name = op->getAttrOfType<StringAttr>(tile::kInstructionAttr)) {
    const auto *instruction = target::findMatrixInstruction(name.getValue());
    if (!instruction)
      return op.emitOpError("expects '")
             << tile::kInstructionAttr << "' to name a matrix instruction, but got " << name;
    return instruction->takesMemory ? emitGroupDot(op, *instruction)
                                    : emitMatrixDot(op, *instruction);
  }
  DistributedLayout layout = layoutOf(op.getResult());
  const Registers accumulator = convert(getTile(op.getAcc()), layout);
  int64_t k = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  Type type = getRegisterType(accumulator.element);
  struct Operand {
    Side side;
    SmallVector<int64_t> places;
    std::optional<Registers> registers;
    std::optional<SharedTile> shared;
    bool isUnsigned;
  };
  auto prepare = [&](Value value, unsigned kept, bool isUnsigned) {
    Side side = getSide(layout, kept, 1 - kept, k);
    Operand operand{side, getPlacesAlong(layout, kept), {}, {}, isUnsigned};
    const Registers &tile = getTile(value);
    auto conversion = layout::convert(tile.layout, side.layout);
    if (conversion && conversion->movement <= Movement::Registers)
      operand.registers = convertInWarp(tile, *conversion, side.layout);
    if (!operand.registers)
      operand.shared = writeShared(tile, chooseMemory(tile.layout, side.layout, tile.element));
    return operand;
  };
  Operand lhs = prepare(op.getLhs(), 0, op.getUnsignedLhs());
  Operand rhs = prepare(op.getRhs(), 1, op.getUnsignedRhs());

  auto widen = [&](Value value, bool isUnsigned) -> Value {
    Type wanted = withLanesOf(value, type);
    if (value.getType() == wanted)
      return value;
    if (isa<FloatType>(type))
      return arith::ExtFOp::create(builder, loc, wanted, value);
    return isUnsigned ? arith::ExtUIOp::create(builder, loc, wanted, value).getResult()
                      : arith::ExtSIOp::create(builder, loc, wanted, value).getResult();
  };
  Value sum = accumulator.value;
  int64_t count = accumulator.count();
  for (int64_t first = 0; first < k; first += kStep) {
    int64_t steps = std::min(kStep, k - first);
    // The elements of these k: vectors, and where in them place `p` of step `s` is.
    auto take = [&](const Operand &operand) {
      SmallVector<int64_t> regs;
      bool isKFirst = operand.side.kStride == 1;
      auto add = [&](int64_t place, int64_t step) {
        regs.push_back(place * operand.side.placeStride + (first + step) * operand.side.kStride);
      };
      if (isKFirst)
        for (int64_t place = 0; place < operand.side.places; ++place)
          for (int64_t step = 0; step < steps; ++step)
            add(place, step);
      else
        for (int64_t step = 0; step < steps; ++step)
          for (int64_t place = 0; place < operand.side.places; ++place)
            add(place, step);
      Value value;
      if (operand.shared) {
        value = readShared(*operand.shared, operand.side.layout, regs);
      } else {
        SmallVector<Element> elements;
        Value all = operand.registers->value;
        for (int64_t reg : regs)
          elements.push_back({all, isa<VectorType>(all.getType()) ? reg : 0});
        value = buildPart(builder, loc, elements);
      }
      return widen(splat(builder, loc, value, regs.size()), operand.isUnsigned);
    };
    Value left = take(lhs), right = take(rhs);
    for (int64_t step = 0; step < steps; ++step) {
      // One factor for each register of the accumulator.
      auto spread = [&](const Operand &operand, Value value) {
        SmallVector<Element> elements;
        for (int64_t place : operand.places) {
          int64_t at =
              operand.side.kStride == 1 ? place * steps + step : step * operand.side.places + place;
          elements.push_back({value, isa<VectorType>(value.getType()) ? at : 0});
        }
        return splat(builder, loc, buildPart(builder, loc, elements), count);
      };
      Value a = spread(lhs, left), b = spread(rhs, right);
      if (isa<FloatType>(type) && !options.isStrict) {
        sum = math::FmaOp::create(builder, loc, a, b, sum);
      } else if (isa<FloatType>(type)) {
        Value product = roundTo(arith::MulFOp::create(builder, loc, a, b), accumulator.element);
        sum = roundTo(arith::AddFOp::create(builder, loc, sum, product), accumulator.element);
      } else {
        sum = arith::AddIOp::create(builder, loc, sum, arith::MulIOp::create(builder, loc, a, b));
      }
    }
  }
  setTile(op.getResult(), sum);
  return success();
}
