//===- CheckInPlace.cpp - hold tile programs to launches in place -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// graph-place-tensors decides by the graph what a kernel may overwrite. How the
// tile program goes about it is graph-to-tile's business, and this is the proof
// that it may. A load is followed, in the same turn of all loops, by a store of
// the same elements:
//
//   %x = tile.load %input at #map[%i, %j]
//   ...
//   tile.store %y, %result at #map[%i, %j]
//
// A tile.scatter changes what the memory holds and needs no load.
//
// Since a kernel stores each element of a result once, nobody else has written
// what the load reads.
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace sectile {
#define GEN_PASS_DEF_TILECHECKINPLACEPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

namespace {
/// Affine expressions of different ops over one numbering of their operands, in a canonical form.
class Unifier {
public:
  explicit Unifier(MLIRContext *context) : context(context) {}

  SmallVector<AffineExpr> unify(ArrayRef<AffineExpr> exprs, unsigned numDims, ValueRange operands) {
    SmallVector<AffineExpr> dims, symbols, result;
    for (unsigned dim = 0; dim < numDims; ++dim)
      dims.push_back(getAffineDimExpr(dim, context));
    for (Value operand : operands)
      symbols.push_back(
          getAffineSymbolExpr(numbers.try_emplace(operand, numbers.size()).first->second, context));
    for (AffineExpr expr : exprs)
      result.push_back(
          simplifyAffineExpr(expr.replaceDimsAndSymbols(dims, symbols), numDims, numbers.size()));
    return result;
  }

private:
  MLIRContext *context;
  llvm::DenseMap<Value, unsigned> numbers;
};
} // namespace

/// Whether `store` writes what `load` has read, in each turn of the loops around both.
static bool isFollowedBy(tile::LoadOp load, tile::StoreOp store) {
  Operation *place = load->getBlock()->findAncestorOpInBlock(*store);
  if (!place || !load->isBeforeInBlock(place) || !load.getIndices().empty() ||
      !store.getIndices().empty())
    return false;
  Unifier unifier(load.getContext());
  auto getMap = [&](auto op) {
    return unifier.unify(op.getMap().getResults(), op.getMap().getNumDims(), op.getMapOperands());
  };
  auto getMask = [&](auto op) {
    SmallVector<std::pair<AffineExpr, bool>> constraints;
    if (std::optional<IntegerSet> set = op.getWhere())
      for (auto [expr, isEquality] : llvm::zip_equal(
               unifier.unify(set->getConstraints(), set->getNumDims(), op.getSetOperands()),
               set->getEqFlags()))
        constraints.push_back({expr, isEquality});
    return constraints;
  };
  // What the store leaves out may be somebody else's: the load must leave it out too.
  auto loaded = getMask(load);
  return getMap(load) == getMap(store) && llvm::all_of(getMask(store), [&](const auto &constraint) {
           return llvm::is_contained(loaded, constraint);
         });
}

/// The first op through which `kernel` may read elements of `input` that it has overwritten as
/// `result`, both numbers of arguments; null if there is none.
static Operation *findUnsafeRead(tile::KernelOp kernel, unsigned input, unsigned result) {
  SmallVector<tile::StoreOp> stores;
  tile::ScatterOp scatter;
  for (Operation *user : kernel.getArgument(result).getUsers())
    if (auto store = dyn_cast<tile::StoreOp>(user))
      stores.push_back(store);
    else if (auto change = dyn_cast<tile::ScatterOp>(user))
      scatter = change;
    else if (!isa<tile::DimOp>(user))
      return user;
  for (Operation *user : kernel.getArgument(input).getUsers()) {
    if (isa<tile::DimOp>(user))
      continue;
    auto load = dyn_cast<tile::LoadOp>(user);
    // Nobody knows what a scatter changes: the input is not read at all.
    if (!load || scatter ||
        llvm::none_of(stores, [&](tile::StoreOp store) { return isFollowedBy(load, store); }))
      return user;
  }
  return nullptr;
}

namespace {
struct TileCheckInPlacePass : sectile::impl::TileCheckInPlacePassBase<TileCheckInPlacePass> {
  void runOnOperation() override {
    /// Kernel, input, result.
    llvm::SetVector<std::tuple<StringRef, unsigned, unsigned>> pairs;
    getOperation().walk([&](graph::LaunchOp launch) {
      if (auto inputs = launch->getAttrOfType<DenseI64ArrayAttr>(graph::kInPlaceAttr))
        for (auto [result, input] : llvm::enumerate(inputs.asArrayRef()))
          if (input >= 0)
            pairs.insert({launch.getKernel(), input, launch.getInputs().size() + result});
    });
    for (auto nested : getOperation().getOps<ModuleOp>())
      for (auto [name, input, result] : pairs) {
        auto kernel = nested.lookupSymbol<tile::KernelOp>(name);
        Operation *read = kernel ? findUnsafeRead(kernel, input, result) : nullptr;
        if (!read)
          continue;
        read->emitError("tile program of '")
            << name << "' is launched in place, but may read elements of argument " << input
            << " after it has overwritten them as argument " << result;
        return signalPassFailure();
      }
  }
};
} // namespace
