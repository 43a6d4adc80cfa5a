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

#include "sectile/Report/Remarks.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

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
                                     const RegisterFile &file, const DeviceModel &device,
                                     StringRef level, bool strict) {
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
    schedule = chooseSchedule(source, *analysis, file, device);
  if (auto remark = remark::analysis(
          source.getLoc(), remark::RemarkOpts::name("schedule").category("graph-to-tile")))
    remark << remark::metric(kKernelRemarkKey, source.getSymName().str())
           << remark::metric(kLevelRemarkKey, level.str())
           << explainSchedule(source, *analysis, file, schedule);
  auto target = tile::KernelOp::create(builder, source.getLoc(), source.getSymName(),
                                       builder.getFunctionType(types, {}), schedule);
  target.setNodesAttr(source.getNodesAttr());
  Materializer materializer(source, target, file, strict);
  for (auto [value, residency] : analysis->resident)
    materializer.setResident(value, residency);
  ValueRange results =
      ValueRange(target.getBody().getArguments()).drop_front(source.getNumArguments());
  if (failed(emitRoots(materializer, source, target, schedule, results, *analysis)))
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
    FailureOr<DeviceModel> model = DeviceModel::parse(module, device);
    if (failed(model))
      return signalPassFailure();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto nested = ModuleOp::create(builder, module.getLoc(), StringRef(level));
    builder.setInsertionPointToStart(nested.getBody());
    for (auto kernel : module.getOps<graph::KernelOp>())
      if (failed(writeTileKernel(kernel, builder, {lanes, registers}, *model, level, strict)))
        return signalPassFailure();
  }
};
} // namespace
