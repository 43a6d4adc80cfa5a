//===- UnrollCodes.cpp - loops over packed codes, a word's worth at a time ----===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Transforms/Passes.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

#include <numeric>

namespace sectile::tile {
#define GEN_PASS_DEF_TILEUNROLLCODESPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

/// Iterations of `loop` after which the codes of `load` begin at the same bit of a word again; 1
/// where they always do, or never in a way that a number says.
static int64_t getPeriod(LoadOp load, scf::ForOp loop, int64_t step) {
  ViewType view = load.getView().getType();
  OperandRange operands = load.getMapOperands();
  // The counter, or something that it is added to.
  auto place = llvm::find_if(operands, [&](Value operand) {
    auto sum = operand.getDefiningOp<arith::AddIOp>();
    return operand == loop.getInductionVar() ||
           (sum && llvm::is_contained(sum->getOperands(), loop.getInductionVar()));
  });
  if (view.getPackedBits() == 0 || place == operands.end())
    return 1;
  AffineMap map = view.getPhysicalMap().compose(load.getMap());
  AffineExpr expr = map.getResult(view.getPackedDim());
  AffineExpr counter =
      getAffineSymbolExpr(std::distance(operands.begin(), place), loop.getContext());
  auto moved = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(
      expr.replace(counter, counter + step) - expr, map.getNumDims(), map.getNumSymbols()));
  if (!moved)
    return 1;
  int64_t period = getPackedPeriod(view.getPackedBits());
  return period / std::gcd(period, moved.getValue());
}

/// Iterations of `loop` to write one after the other.
static int64_t chooseFactor(scf::ForOp loop) {
  std::optional<APInt> step = loop.getConstantStep();
  if (!step || !loop.getStaticTripCount() || step->getSExtValue() <= 0)
    return 1;
  // Powers of two: the largest is a multiple of all.
  int64_t factor = llvm::any_of(loop.getBody()->getOps<DotOp>(), isProductOfHalves) ? 2 : 1;
  for (LoadOp load : loop.getBody()->getOps<LoadOp>())
    factor = std::max(factor, getPeriod(load, loop, step->getSExtValue()));
  return factor;
}

/// Removes reshapes that lead back to the shape they began with, so that products follow one
/// another.
static void foldReshapes(KernelOp kernel) {
  SmallVector<ReshapeOp> folded;
  kernel.walk([&](ReshapeOp reshape) {
    auto first = reshape.getSource().getDefiningOp<ReshapeOp>();
    if (first && first.getSource().getType() == reshape.getType())
      folded.push_back(reshape);
  });
  for (ReshapeOp reshape : folded) {
    auto first = reshape.getSource().getDefiningOp<ReshapeOp>();
    reshape.getResult().replaceAllUsesWith(first.getSource());
    reshape.erase();
    if (first->use_empty() && !llvm::is_contained(folded, first))
      first.erase();
  }
}

static LogicalResult unroll(scf::ForOp loop, int64_t factor) {
  if (loop.getStaticTripCount()->getSExtValue() <= factor)
    return loopUnrollFull(loop);
  FailureOr<UnrolledLoopInfo> unrolled = loopUnrollByFactor(loop, factor);
  if (failed(unrolled))
    return failure();
  return unrolled->epilogueLoopOp ? loopUnrollFull(*unrolled->epilogueLoopOp) : success();
}

namespace {
struct TileUnrollCodesPass : tile::impl::TileUnrollCodesPassBase<TileUnrollCodesPass> {
  using TileUnrollCodesPassBase::TileUnrollCodesPassBase;

  void runOnOperation() override {
    SmallVector<std::pair<scf::ForOp, int64_t>> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (int64_t factor = chooseFactor(loop); factor > 1)
        loops.push_back({loop, factor});
    });
    for (auto [loop, factor] : loops)
      if (failed(unroll(loop, factor))) {
        loop.emitError("over packed codes cannot be unrolled by ") << factor;
        return signalPassFailure();
      }
    foldReshapes(getOperation());
  }
};
} // namespace
