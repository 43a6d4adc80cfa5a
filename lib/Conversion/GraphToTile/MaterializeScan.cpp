//===- MaterializeScan.cpp - recurrences -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scan is not materialised where somebody asks for it but where its loop
// stands: the loops around the roots run along its axis and carry its state,
//
//     %state = scf.for ... iter_args(%s = inits) {
//       %tile, %last = tile.scan %inputs from %s ...
//       store(elementwise(%tile))
//       yield %last
//     }
//
// so it can be asked for one place per turn only: the one that the loop is at.
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

FailureOr<SmallVector<TileValue>> Materializer::applyBlock(Block &block,
                                                           ArrayRef<TileValue> arguments) {
  llvm::DenseMap<Value, TileValue> known;
  for (auto [argument, tile] : llvm::zip_equal(block.getArguments(), arguments))
    known[argument] = tile;
  auto get = [&](Operation *user, Value value) -> FailureOr<TileValue> {
    if (auto it = known.find(value); it != known.end())
      return it->second;
    Operation *def = value.getDefiningOp();
    if (!def || !def->hasTrait<OpTrait::ConstantLike>())
      return user->emitOpError("cannot become part of a tile program: expects the body of '")
             << block.getParentOp()->getName()
             << "' to use nothing but its arguments and constants from outside";
    return TileValue{builder.clone(*def)->getResult(0), {}};
  };
  for (Operation &op : block.without_terminator()) {
    SmallVector<TileValue> operands;
    for (Value operand : op.getOperands()) {
      FailureOr<TileValue> tile = get(&op, operand);
      if (failed(tile))
        return failure();
      operands.push_back(*tile);
    }
    FailureOr<TileValue> result = applyElementwise(&op, operands);
    if (failed(result))
      return failure();
    known[op.getResult(0)] = *result;
  }
  SmallVector<TileValue> results;
  for (Value value : block.getTerminator()->getOperands()) {
    FailureOr<TileValue> tile = get(block.getTerminator(), value);
    if (failed(tile))
      return failure();
    results.push_back(*tile);
  }
  return results;
}

LogicalResult Materializer::startScan(graph::ScanOp scan, const Coords &coords,
                                      const Constraints &valid) {
  Coords outer(coords);
  outer.erase(outer.begin() + scan.getAxis());
  ScanState state;
  SmallVector<unsigned> dims;
  for (AffineExpr expr : outer)
    space.collectTileDims(expr, dims);
  for (Value init : scan.getInits()) {
    FailureOr<TileValue> tile = materialise(init, outer, valid);
    if (failed(tile))
      return failure();
    setInsertionPoint();
    state.values.push_back({broadcastTo(scan.getLoc(), *tile, dims), dims});
  }
  scans[scan] = state;
  return success();
}

SmallVector<Value> Materializer::getScanStates() const {
  SmallVector<Value> states;
  for (const auto &[scan, state] : scans)
    for (const TileValue &tile : state.values)
      states.push_back(tile.value);
  return states;
}

void Materializer::setScanStates(ValueRange states) {
  for (auto &[scan, state] : scans) {
    state.hasStepped = false;
    for (TileValue &tile : state.values) {
      tile.value = states.front();
      states = states.drop_front();
    }
  }
}

void Materializer::setScanPlace(Coords coords) {
  for (AffineExpr &expr : coords)
    expr = space.simplify(expr);
  scanPlace = coords;
}

FailureOr<TileValue> Materializer::materialiseScan(graph::ScanOp op, unsigned result,
                                                   const Coords &coords, const Constraints &valid) {
  auto it = scans.find(op);
  if (it == scans.end())
    return op.emitOpError("cannot become part of a tile program: expects its results, or values "
                          "computed from them element by element, to be the kernel's");
  if (coords != scanPlace || (it->second.hasStepped && it->second.valid != valid))
    return op.emitOpError("cannot become part of a tile program: expects consumers that read each "
                          "of its elements for the result at the same place");
  if (it->second.hasStepped)
    return it->second.results[result];
  Location loc = op.getLoc();
  SmallVector<TileValue> inputs;
  SmallVector<unsigned> along, dims;
  space.collectTileDims(coords[op.getAxis()], along);
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, dims);
  for (Value input : op.getInputs()) {
    FailureOr<TileValue> tile = materialise(input, coords, valid);
    if (failed(tile))
      return failure();
    inputs.push_back(*tile);
  }
  setInsertionPoint();
  // The map may have grown meanwhile.
  SmallVector<TileValue> before = scans[op].values, after, results;
  if (along.empty()) {
    SmallVector<TileValue> arguments(before);
    llvm::append_range(arguments, inputs);
    FailureOr<SmallVector<TileValue>> next = applyBlock(op.getStep().front(), arguments);
    if (failed(next))
      return failure();
    for (auto [tile, old] : llvm::zip_equal(*next, before))
      after.push_back({broadcastTo(loc, tile, old.dims), old.dims});
    results = op.getExclusive() ? before : after;
  } else {
    assert(along.size() == 1 && "a loop has one tile dimension");
    SmallVector<Value> tiles, carries;
    SmallVector<Type> scannedTypes, lastTypes, scalars;
    for (const TileValue &tile : inputs)
      tiles.push_back(broadcastTo(loc, tile, dims));
    for (const TileValue &tile : before) {
      carries.push_back(tile.value);
      Type element = getElementTypeOrSelf(tile.value.getType());
      scannedTypes.push_back(getTileType(element, dims));
      lastTypes.push_back(tile.value.getType());
      scalars.push_back(element);
    }
    for (const TileValue &tile : inputs)
      scalars.push_back(getElementTypeOrSelf(tile.value.getType()));
    int64_t position = llvm::find(dims, along[0]) - dims.begin();
    auto scan =
        tile::ScanOp::create(builder, loc, scannedTypes, lastTypes, tiles, carries, position,
                             op.getExclusive(), op.getReverse(), op.getAssociative());
    Block *body = builder.createBlock(&scan.getStep(), {}, scalars,
                                      SmallVector<Location>(scalars.size(), loc));
    SmallVector<TileValue> arguments;
    for (Value argument : body->getArguments())
      arguments.push_back({argument, {}});
    FailureOr<SmallVector<TileValue>> next = applyBlock(op.getStep().front(), arguments);
    if (failed(next))
      return failure();
    tile::YieldOp::create(builder, loc,
                          llvm::map_to_vector(*next, [](TileValue tile) { return tile.value; }));
    setInsertionPoint();
    for (auto [scanned, last, old] : llvm::zip_equal(scan.getScanned(), scan.getLasts(), before)) {
      results.push_back({scanned, dims});
      after.push_back({last, old.dims});
    }
  }
  ScanState &state = scans[op];
  state = {after, /*hasStepped=*/true, valid, results};
  return results[result];
}
