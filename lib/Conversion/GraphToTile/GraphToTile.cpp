//===- GraphToTile.cpp - fused regions to tile programs -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/GraphToTile.h"

#include "Analysis.h"
#include "Materializer.h"
#include "Roots.h"
#include "Schedule.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sectile {
#define GEN_PASS_DEF_GRAPHTOTILEPASS
#include "sectile/Conversion/GraphToTilePasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

/// The view through which a kernel sees a tensor argument or result.
static tile::ViewType getViewType(RankedTensorType type, Attribute layout,
                                  tile::MemoryAttr memory = {}) {
  if (auto strided = dyn_cast_if_present<StridedLayoutAttr>(layout))
    memory = tile::MemoryAttr::get(
        type.getContext(), AffineMap::getMultiDimIdentityMap(type.getRank(), type.getContext()),
        strided.getStrides());
  return tile::ViewType::get(type.getShape(), type.getElementType(), memory);
}

static LogicalResult writeTileKernel(graph::KernelOp source, OpBuilder &builder,
                                     const RegisterFile &file) {
  FailureOr<RegionAnalysis> analysis = analyseRegion(source);
  if (failed(analysis))
    return failure();
  SmallVector<Type> types;
  for (auto [i, type] : llvm::enumerate(source.getArgumentTypes())) {
    auto memory = source.getArgAttrOfType<tile::MemoryAttr>(i, graph::kMemoryAttr);
    auto tensor = dyn_cast<RankedTensorType>(type);
    Attribute layout = source.getArgAttr(i, graph::kLayoutAttr);
    types.push_back(tensor ? Type(getViewType(tensor, layout, memory)) : type);
  }
  for (auto [i, type] : llvm::enumerate(source.getResultTypes()))
    types.push_back(
        getViewType(cast<RankedTensorType>(type), source.getResultAttr(i, graph::kLayoutAttr)));

  auto schedule = source->getAttrOfType<tile::ScheduleAttr>(graph::kScheduleAttr);
  if (!schedule)
    schedule = chooseSchedule(source, *analysis, file);
  auto target = tile::KernelOp::create(builder, source.getLoc(), source.getSymName(),
                                       builder.getFunctionType(types, {}), schedule);
  target.setNodesAttr(source.getNodesAttr());
  Materializer materializer(source, target, {});
  for (auto [value, lastDim] : analysis->resident)
    materializer.setResident(value, lastDim);
  ValueRange results =
      ValueRange(target.getBody().getArguments()).drop_front(source.getNumArguments());
  if (failed(emitRoots(materializer, source, target, schedule, results)))
    return failure();
  OpBuilder end = OpBuilder::atBlockEnd(&target.getBody().front());
  tile::ReturnOp::create(end, source.getLoc());
  return success();
}

namespace {
struct GraphToTilePass : sectile::impl::GraphToTilePassBase<GraphToTilePass> {
  using GraphToTilePassBase::GraphToTilePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto nested = ModuleOp::create(builder, module.getLoc(), StringRef(level));
    builder.setInsertionPointToStart(nested.getBody());
    for (auto kernel : module.getOps<graph::KernelOp>())
      if (failed(writeTileKernel(kernel, builder, {lanes, registers})))
        return signalPassFailure();
  }
};
} // namespace
