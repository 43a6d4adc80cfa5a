//===- GroupProducts.cpp - products of warp groups --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GroupProducts.h"

#include "Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::DistributedLayout;

/// Whether the side is loaded for this product alone. tile-stage-operands asks for more.
static bool isLoadedFor(DotOp dot, Value side) {
  auto load = side.getDefiningOp<LoadOp>();
  return load && load->getBlock() == dot->getBlock() && side.hasOneUse() &&
         load.getIndices().empty();
}

/// transpose(load(map)) is load(map after the permutation).
static void foldTranspose(OpOperand &side) {
  auto transpose = side.get().getDefiningOp<TransposeOp>();
  auto load = transpose ? transpose.getSource().getDefiningOp<LoadOp>() : LoadOp();
  if (!load || load.getTileRank() != 2 || !transpose->hasOneUse() || !load->hasOneUse() ||
      !load.getIndices().empty() || load->getBlock() != transpose->getBlock() ||
      transpose.getPerm() != ArrayRef<int64_t>{1, 0})
    return;
  OpBuilder builder(load);
  AffineExpr d0 = builder.getAffineDimExpr(0), d1 = builder.getAffineDimExpr(1);
  AffineMap map = load.getMap();
  SmallVector<AffineExpr> symbols;
  for (unsigned i = 0; i < map.getNumSymbols(); ++i)
    symbols.push_back(builder.getAffineSymbolExpr(i));
  map = map.replaceDimsAndSymbols({d1, d0}, symbols, 2, map.getNumSymbols());
  IntegerSetAttr where;
  if (std::optional<IntegerSet> set = load.getWhere()) {
    symbols.clear();
    for (unsigned i = 0; i < set->getNumSymbols(); ++i)
      symbols.push_back(builder.getAffineSymbolExpr(i));
    where =
        IntegerSetAttr::get(set->replaceDimsAndSymbols({d1, d0}, symbols, 2, set->getNumSymbols()));
  }
  Value loaded = LoadOp::create(builder, load.getLoc(), transpose.getType(), load.getView(),
                                load.getMapOperands(), load.getSetOperands(), ValueRange(),
                                AffineMapAttr::get(map), where, load.getFillAttr());
  side.set(loaded);
  transpose.erase();
  load.erase();
}

void tile::foldTransposes(KernelOp kernel, const target::GpuTarget &target) {
  std::optional<target::GroupShape> shape = target::getGroupShape(target.name);
  if (!shape)
    return;
  kernel.walk([&](DotOp dot) {
    if (cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(0) % shape->rows != 0)
      return;
    foldTranspose(dot.getLhsMutable());
    foldTranspose(dot.getRhsMutable());
  });
}

layout::OrReason<target::GroupTiling> tile::chooseGroupTiling(DotOp dot,
                                                              const target::GpuTarget &target,
                                                              const target::ProductTypes &types,
                                                              int64_t warps) {
  if (!target.hasAsyncCopies || !target::getGroupShape(target.name))
    return layout::Reason{};
  if (!isLoadedFor(dot, dot.getLhs()) || !isLoadedFor(dot, dot.getRhs()))
    return layout::Reason{"a side is no tile that is loaded for it alone"};
  auto lhs = cast<RankedTensorType>(dot.getLhs().getType());
  auto rhs = cast<RankedTensorType>(dot.getRhs().getType());
  auto tiling = target::chooseGroupInstruction(target.name, types, lhs.getDimSize(0),
                                               rhs.getDimSize(1), lhs.getDimSize(1), warps);
  if (!tiling)
    return layout::Reason{"its types, or " + std::to_string(lhs.getDimSize(0)) + " x " +
                          std::to_string(rhs.getDimSize(1)) + " x " +
                          std::to_string(lhs.getDimSize(1)) + " by " + std::to_string(warps) +
                          " warps, are none of whole instructions"};
  return *tiling;
}

const target::MatrixInstruction *tile::getInstruction(DotOp dot) {
  auto name = dot->getAttrOfType<StringAttr>(kInstructionAttr);
  return name ? target::findMatrixInstruction(name.getValue()) : nullptr;
}

bool tile::isGroupProduct(DotOp dot) {
  const target::MatrixInstruction *instruction = getInstruction(dot);
  return instruction && instruction->takesMemory;
}

const target::MatrixInstruction *tile::useRegisters(DotOp dot, const target::GpuTarget &target) {
  const target::MatrixInstruction *other =
      target::findWarpInstruction(target.name, *getInstruction(dot));
  DistributedLayout accumulator = LayoutAttr::of(dot.getType()).getLayout();
  int64_t k = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1);
  if (other) {
    auto a = target::getSideLayout(*other, target::Operand::A, accumulator, k);
    auto b = target::getSideLayout(*other, target::Operand::B, accumulator, k);
    if (a && b) {
      OpBuilder builder(dot);
      for (auto [operand, layout] :
           {std::pair(&dot.getLhsMutable(), &*a), std::pair(&dot.getRhsMutable(), &*b)}) {
        auto type = cast<RankedTensorType>(operand->get().getType());
        auto wanted = RankedTensorType::get(type.getShape(), type.getElementType(),
                                            LayoutAttr::get(type.getContext(), *layout));
        if (wanted != type)
          operand->set(ConvertLayoutOp::create(builder, dot.getLoc(), wanted, operand->get()));
      }
      dot->setAttr(kInstructionAttr, StringAttr::get(dot.getContext(), StringRef(other->name)));
      return other;
    }
  }
  dot->removeAttr(kInstructionAttr);
  return nullptr;
}
