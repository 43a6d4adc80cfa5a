//===- Variants.cpp - programs for particular sizes of a kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Variants.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace sectile;

static constexpr StringLiteral kVariants = "variants", kArgument = "argument", kValue = "value",
                               kSchedule = "schedule";

SmallVector<Variant> sectile::getVariants(tile::ScheduleAttr schedule) {
  SmallVector<Variant> variants;
  if (auto list = schedule.getChoices().getAs<ArrayAttr>(kVariants))
    for (Attribute entry : list) {
      auto fields = dyn_cast<DictionaryAttr>(entry);
      if (!fields)
        continue;
      auto argument = fields.getAs<IntegerAttr>(kArgument),
           value = fields.getAs<IntegerAttr>(kValue);
      auto own = fields.getAs<tile::ScheduleAttr>(kSchedule);
      if (argument && value && own && argument.getInt() >= 0)
        variants.push_back({static_cast<unsigned>(argument.getInt()), value.getInt(), own});
    }
  return variants;
}

tile::ScheduleAttr sectile::addVariant(tile::ScheduleAttr schedule, const Variant &variant) {
  Builder builder(schedule.getContext());
  SmallVector<Attribute> list;
  if (auto known = schedule.getChoices().getAs<ArrayAttr>(kVariants))
    llvm::append_range(list, known);
  list.push_back(builder.getDictionaryAttr(
      {builder.getNamedAttr(kArgument, builder.getI64IntegerAttr(variant.argument)),
       builder.getNamedAttr(kSchedule, variant.schedule),
       builder.getNamedAttr(kValue, builder.getI64IntegerAttr(variant.value))}));
  NamedAttrList choices(schedule.getChoices());
  choices.set(kVariants, builder.getArrayAttr(list));
  return tile::ScheduleAttr::get(schedule.getContext(), schedule.getVersion(), schedule.getDims(),
                                 choices.getDictionary(schedule.getContext()));
}

FrozenRewritePatternSet sectile::getSpecialisingPatterns(MLIRContext *context) {
  RewritePatternSet patterns(context);
  for (Dialect *dialect : context->getLoadedDialects())
    dialect->getCanonicalizationPatterns(patterns);
  for (RegisteredOperationName op : context->getRegisteredOperations())
    op.getCanonicalizationPatterns(patterns, context);
  return patterns;
}

OwningOpRef<graph::KernelOp> sectile::specialise(graph::KernelOp kernel, unsigned argument,
                                                 int64_t value,
                                                 const FrozenRewritePatternSet &patterns) {
  if (argument >= kernel.getNumArguments() || !kernel.getArgument(argument).getType().isIndex())
    return {};
  OwningOpRef<graph::KernelOp> clone = kernel.clone();
  Block &body = clone->getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  Value known = arith::ConstantIndexOp::create(builder, kernel.getLoc(), value);
  body.getArgument(argument).replaceAllUsesWith(known);
  // Extents of equal name are one index argument; see graph-outline.
  auto name = kernel.getArgAttrOfType<StringAttr>(argument, graph::kNameAttr);
  for (BlockArgument tensor : body.getArguments()) {
    auto dims = kernel.getArgAttrOfType<ArrayAttr>(tensor.getArgNumber(), graph::kDimsAttr);
    auto type = dyn_cast<RankedTensorType>(tensor.getType());
    if (!dims || !type || !name)
      continue;
    SmallVector<int64_t> shape(type.getShape());
    for (auto [extent, dim] : llvm::zip_equal(shape, dims))
      if (ShapedType::isDynamic(extent) && dim == name)
        extent = value;
    if (ArrayRef(shape) == type.getShape())
      continue;
    auto cast = tensor::CastOp::create(builder, kernel.getLoc(), type.clone(shape), tensor);
    auto back = tensor::CastOp::create(builder, kernel.getLoc(), type, cast);
    tensor.replaceAllUsesExcept(back, cast);
  }
  // Whether it converges does not matter: each step leaves a valid kernel.
  (void)applyPatternsGreedily(clone->getOperation(), patterns);
  Operation *terminator = body.getTerminator();
  for (OpOperand &root : terminator->getOpOperands())
    while (auto cast = root.get().getDefiningOp<tensor::CastOp>())
      root.set(cast.getSource());
  clone->setFunctionType(
      builder.getFunctionType(clone->getFunctionType().getInputs(), terminator->getOperandTypes()));
  return clone;
}

/// Moves what the extents of the grid come from to the end of `entry`, and returns the extents.
static SmallVector<Value> hoistGrid(tile::KernelOp kernel, Block &entry, IRMapping &mapping,
                                    OpBuilder &builder) {
  SmallVector<Value> extents;
  tile::BlockIdOp ids = kernel.getBlockId();
  if (!ids)
    return extents;
  llvm::SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  for (Value extent : ids.getGrid())
    if (extent.getDefiningOp())
      (void)getBackwardSlice(extent, &slice, options);
  for (Operation &op : kernel.getBody().front())
    if (slice.contains(&op))
      builder.clone(op, mapping);
  for (Value extent : ids.getGrid())
    extents.push_back(mapping.lookupOrDefault(extent));
  return extents;
}

void sectile::mergeVariant(tile::KernelOp general, tile::KernelOp variant, unsigned argument,
                           int64_t value) {
  Location loc = general.getLoc();
  // The general program moves aside; the kernel's arguments stay in place.
  auto old = cast<tile::KernelOp>(general->clone());
  Block &entry = general.getBody().front();
  entry.dropAllDefinedValueUses();
  entry.dropAllReferences();
  entry.getOperations().clear();
  OpBuilder builder = OpBuilder::atBlockBegin(&entry);
  IRMapping maps[2];
  tile::KernelOp programs[2] = {variant, old};
  SmallVector<Value> extents[2];
  for (auto [program, map, grid] : llvm::zip_equal(programs, maps, extents)) {
    map.map(program.getBody().getArguments(), entry.getArguments());
    grid = hoistGrid(program, entry, map, builder);
  }
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value known = arith::ConstantIndexOp::create(builder, loc, value);
  Value isKnown = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        entry.getArgument(argument), known);
  size_t rank = std::max(extents[0].size(), extents[1].size());
  SmallVector<Value> grid;
  for (size_t dim = 0; dim < rank; ++dim) {
    Value ofVariant = dim < extents[0].size() ? extents[0][dim] : one;
    Value ofGeneral = dim < extents[1].size() ? extents[1][dim] : one;
    grid.push_back(arith::SelectOp::create(builder, loc, isKnown, ofVariant, ofGeneral));
  }
  ValueRange ids;
  if (rank != 0)
    ids =
        tile::BlockIdOp::create(builder, loc, SmallVector<Type>(rank, builder.getIndexType()), grid)
            .getIds();
  auto branch = scf::IfOp::create(builder, loc, isKnown, /*withElseRegion=*/true);
  for (auto [program, map, region] : llvm::zip_equal(programs, maps, branch->getRegions())) {
    OpBuilder inner = OpBuilder::atBlockBegin(&region.front());
    tile::BlockIdOp own = program.getBlockId();
    if (own)
      map.map(own.getIds(), ids.take_front(own.getIds().size()));
    for (Operation &op : program.getBody().front().without_terminator())
      if (&op != own &&
          llvm::none_of(op.getResults(), [&](Value result) { return map.contains(result); }))
        inner.clone(op, map);
  }
  tile::ReturnOp::create(builder, loc);
  variant.erase();
  old.erase();
}
