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
    SmallVector<std::function<void()>> places;
    getOperation().walk([&](Operation *op) {
      if (std::function<void()> change = getChange(op))
        places.push_back(change);
    });
    auto count = static_cast<int64_t>(places.size());
    int64_t place = number < 0 ? count + number : number;
    if (place >= 0 && place < count)
      places[place]();
  }

  /// How to corrupt `op`, or nothing if it has no such thing.
  std::function<void()> getChange(Operation *op) {
    if (what == "constant")
      return getConstantChange(op);
    if (what == "map")
      return getMapChange(op);
    return getMaskChange(op);
  }

  static std::function<void()> getConstantChange(Operation *op) {
    auto constant = dyn_cast<arith::ConstantOp>(op);
    auto real = constant ? dyn_cast<FloatAttr>(constant.getValue()) : FloatAttr();
    // An infinity changed stays one.
    if (!real || !real.getValue().isFinite())
      return nullptr;
    return [=]() mutable {
      double value = real.getValueAsDouble();
      constant.setValueAttr(FloatAttr::get(real.getType(), value * 1.25 + 0.5));
    };
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
};

} // namespace

int main(int argc, char **argv) {
  PassRegistration<TestCorruptPass>();
  return tools::verifyMain(std::span(argv + 1, argv + argc));
}
