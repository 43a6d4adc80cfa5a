//===- EmitNumbers.cpp - dequantize, quantize, convert ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuMath.h"
#include "KernelEmitter.h"

#include "lib/Conversion/Support/NumberOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

Value KernelEmitter::getRepeatedPart(const Tile &tile, const Tile &whole, int64_t row,
                                     int64_t part) {
  if (tile.shape.empty())
    return tile.parts[0];
  int64_t source = 0;
  for (auto [dim, coord] : llvm::enumerate(rowCoords(whole, row)))
    source = source * tile.shape[dim] + (tile.shape[dim] == 1 ? 0 : coord);
  if (tile.getRowLength() == whole.getRowLength())
    return tile.at(source, part);
  return tile.at(source, 0); // of one element
}

LogicalResult KernelEmitter::emitNumbers(Operation *op) {
  Value result = op->getResult(0);
  Tile tile = makeTile(result.getType());
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<RankedTensorType>(operand.getType())
                           ? repartition(getTile(operand), tile.lanes)
                           : getTile(operand));
  for (int64_t row = 0; row < tile.getNumRows(); ++row)
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      SmallVector<Value> values;
      int64_t width = 1;
      for (const Tile &operand : operands) {
        values.push_back(getRepeatedPart(operand, tile, row, part));
        width = std::max(width, getNumLanes(values.back()));
      }
      for (Value &value : values)
        value = splat(builder, loc, value, width);
      FailureOr<Value> numbers =
          NumberOps(builder, loc, getMathTarget(level), *this).emit(op, values, level.name);
      if (failed(numbers))
        return failure();
      tile.parts.push_back(*numbers);
    }
  setTile(result, std::move(tile));
  return success();
}
