//===- TestCorrupt.cpp - sectile verify with a pass that does wrong -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `sectile verify` as it is, and one more pass, test-corrupt, that changes one
// constant, one index map or one mask. What verify must find.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/Pass.h"

#include <span>

using namespace mlir;
using namespace sectile;

namespace {

struct TestCorruptPass : PassWrapper<TestCorruptPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestCorruptPass)

  TestCorruptPass() = default;
  TestCorruptPass(const TestCorruptPass &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "test-corrupt"; }
  StringRef getDescription() const final { return "change one thing that it must not change"; }

  void runOnOperation() override {
    // Where there are tile kernels, the regions they were made from are not executed any more.
    bool hasTiles = getOperation()
                        ->walk([](tile::KernelOp) { return WalkResult::interrupt(); })
                        .wasInterrupted();
    SmallVector<std::function<void()>> places;
    getOperation().walk([&](Operation *op) {
      if ((hasTiles && !op->getParentOfType<tile::KernelOp>()) || !isOfNode(op))
        return;
      if (std::function<void()> change = getChange(op))
        places.push_back(change);
    });
    auto count = static_cast<int64_t>(places.size());
    int64_t place = number < 0 ? count + number : number;
    if (place >= 0 && place < count)
      places[place]();
  }

  /// Whether `op` came from the model's node that the fault is asked for in.
  bool isOfNode(Operation *op) {
    return node.empty() || op->getLoc()
                               ->walk([&](Location loc) {
                                 auto name = dyn_cast<NameLoc>(loc);
                                 return name && name.getName() == StringRef(node)
                                            ? WalkResult::interrupt()
                                            : WalkResult::advance();
                               })
                               .wasInterrupted();
  }

  /// How to corrupt `op`, or nothing if it has no such thing.
  std::function<void()> getChange(Operation *op) {
    if (what == "constant")
      return getConstantChange(op);
    if (what == "map")
      return getMapChange(op);
    return getMaskChange(op);
  }

  /// Gives `op` another value for the first constant it uses; other users keep theirs.
  static std::function<void()> getConstantChange(Operation *op) {
    for (OpOperand &operand : op->getOpOperands()) {
      FloatAttr value;
      // An infinity changed stays one.
      if (!matchPattern(operand.get(), m_Constant(&value)) || !value.getValue().isFinite())
        continue;
      return [op, value, use = &operand] {
        OpBuilder builder(op);
        use->set(arith::ConstantOp::create(
            builder, op->getLoc(),
            FloatAttr::get(value.getType(), value.getValueAsDouble() * 1.25 + 0.5)));
      };
    }
    return nullptr;
  }

  /// The map with its last dimension taken for zero in one result; null if it uses none.
  static AffineMap breakMap(AffineMap map) {
    SmallVector<AffineExpr> results(map.getResults());
    MLIRContext *context = map.getContext();
    for (unsigned dim = map.getNumDims(); dim-- > 0;)
      for (AffineExpr &result : results)
        if (result.isFunctionOfDim(dim)) {
          result =
              result.replace(getAffineDimExpr(dim, context), getAffineConstantExpr(0, context));
          return AffineMap::get(map.getNumDims(), map.getNumSymbols(), results, context);
        }
    return {};
  }

  static std::function<void()> getMapChange(Operation *op) {
    if (auto load = dyn_cast<tile::LoadOp>(op)) {
      AffineMap broken = breakMap(load.getMap());
      if (!broken)
        return nullptr;
      return [=]() mutable { load.setMapAttr(AffineMapAttr::get(broken)); };
    }
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || generic.getNumDpsInputs() < 2)
      return nullptr;
    SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
    maps[1] = breakMap(maps[1]);
    if (!maps[1])
      return nullptr;
    return [=]() mutable {
      generic.setIndexingMapsAttr(Builder(generic.getContext()).getAffineMapArrayAttr(maps));
    };
  }

  static std::function<void()> getMaskChange(Operation *op) {
    auto tighten = [](IntegerSet set) {
      SmallVector<AffineExpr> constraints(set.getConstraints());
      constraints.back() = constraints.back() - 1;
      return IntegerSetAttr::get(
          IntegerSet::get(set.getNumDims(), set.getNumSymbols(), constraints, set.getEqFlags()));
    };
    if (auto load = dyn_cast<tile::LoadOp>(op); load && load.getWhere())
      return [=]() mutable { load.setWhereAttr(tighten(*load.getWhere())); };
    if (auto store = dyn_cast<tile::StoreOp>(op); store && store.getWhere())
      return [=]() mutable { store.setWhereAttr(tighten(*store.getWhere())); };
    return nullptr;
  }

  Option<std::string> what{*this, "what", llvm::cl::desc("constant, map or mask"),
                           llvm::cl::init("constant")};
  Option<int64_t> number{*this, "number",
                         llvm::cl::desc("which one, from 0; from the last, -1, backwards"),
                         llvm::cl::init(0)};
  Option<std::string> node{*this, "node", llvm::cl::desc("only in ops of this node of the model")};
};

} // namespace

int main(int argc, char **argv) {
  PassRegistration<TestCorruptPass>();
  return tools::verifyMain(std::span(argv + 1, argv + argc));
}
