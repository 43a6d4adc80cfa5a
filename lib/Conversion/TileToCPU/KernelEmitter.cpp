//===- KernelEmitter.cpp - one tile kernel as code for one core -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

KernelEmitter::KernelEmitter(KernelOp kernel, const CpuLevel &level, FloatMode floatMode)
    : kernel(kernel), level(level), floatMode(floatMode),
      builder(kernel.getContext(), algebra,
              static_cast<unsigned>(8 * level.getHost().pointerBytes)),
      loc(kernel.getLoc()) {}

LogicalResult KernelEmitter::emit() {
  if (failed(checkTiles()))
    return failure();
  chooseLanes();
  if (failed(emitRun()))
    return failure();
  // The second function is emitted from a clean slate: nothing of the first is visible in it.
  KernelEmitter info(kernel, level, floatMode);
  info.chooseLanes();
  return info.emitInfo();
}

LogicalResult KernelEmitter::emitInfoOnly() {
  chooseLanes();
  return emitInfo(/*hasScratch=*/false);
}

LogicalResult KernelEmitter::checkTiles() {
  auto check = [&](Operation *op, Type type) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return success();
    if (!tensor.getElementType().isIntOrIndexOrFloat() ||
        (tensor.getElementType().isInteger() && tensor.getElementTypeBitWidth() != 1 &&
         tensor.getElementTypeBitWidth() % 8 != 0) ||
        (isa<FloatType>(tensor.getElementType()) && tensor.getElementTypeBitWidth() < 32 &&
         !isNarrowFloat(tensor.getElementType())))
      return op->emitOpError("expects element types i1, i8, i16, i32, i64, index, f16, bf16, f32, "
                             "f64, f8E4M3FN, f8E4M3FNUZ, f8E5M2 or f8E5M2FNUZ on ")
             << level.name << ", but got " << tensor.getElementType();
    if (tensor.getNumElements() > level.maxTileElements)
      return op->emitOpError("expects tiles of at most ")
             << level.maxTileElements << " elements on " << level.name << ", but got "
             << tensor.getNumElements() << " in " << tensor
             << "; a schedule with smaller register tiles avoids this";
    return success();
  };
  // Neighbours of a packed code share its word. A window's type does not tell what it lies on.
  auto checkWrites = [](Operation *op) -> LogicalResult {
    if (!isa<StoreOp, ScatterOp, TopKOp, SortOp>(op))
      return success();
    for (Value view : op->getOperands()) {
      while (auto window = view.getDefiningOp<ViewOp>())
        view = window.getSource();
      if (auto type = dyn_cast<ViewType>(view.getType()); type && type.getPackedBits() != 0)
        return op->emitOpError("expects to write whole elements, but got packed codes: ") << type;
    }
    return success();
  };
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    if (failed(checkWrites(op)))
      return WalkResult::interrupt();
    for (Type type : op->getResultTypes())
      if (failed(check(op, type)))
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Type type : region.getArgumentTypes())
        if (failed(check(op, type)))
          return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void KernelEmitter::chooseLanes() {
  // One number of lanes for all tiles of a kernel, so that the parts of tiles of different
  // element types correspond; LLVM splits what is wider than a register. 32-bit elements decide
  // where there are any: most work is on them, and 16-bit floats are computed in f32.
  bool has[9] = {};
  kernel.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (auto tensor = dyn_cast<RankedTensorType>(type)) {
        Type element = tensor.getElementType();
        if (!element.isIndex() && !element.isInteger(1))
          has[getRegisterType(element).getIntOrFloatBitWidth() / 8] = true;
      }
  });
  for (int64_t bytes : {4, 8, 2, 1})
    if (has[bytes]) {
      lanes = level.getLanes(bytes);
      return;
    }
  lanes = level.getLanes(4);
}

//===----------------------------------------------------------------------===//
// Functions and grid
//===----------------------------------------------------------------------===//

void KernelEmitter::bindArguments(Value bufs, Value sizes) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  int32_t viewIndex = 0, sizeIndex = 0;
  auto nextSize = [&] {
    Value address = LLVM::GEPOp::create(builder, loc, pointer, builder.getI64Type(), sizes,
                                        ArrayRef<LLVM::GEPArg>{sizeIndex++});
    Value size = LLVM::LoadOp::create(builder, loc, builder.getI64Type(), address, /*alignment=*/8);
    return limitToAddresses(size);
  };
  auto nextPoly = [&] {
    Value size = nextSize();
    builder.bind(size, size);
    return algebra.value(size, {0, std::nullopt});
  };
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    auto type = dyn_cast<ViewType>(argument.getType());
    if (!type) {
      Tile tile = makeTile(argument.getType());
      tile.parts = {nextSize()};
      setTile(argument, std::move(tile));
      continue;
    }
    Value address = LLVM::GEPOp::create(builder, loc, pointer, pointer, bufs,
                                        ArrayRef<LLVM::GEPArg>{viewIndex++});
    Value base = LLVM::LoadOp::create(builder, loc, pointer, address,
                                      /*alignment=*/level.getHost().pointerBytes);
    SmallVector<Poly> extents, dynamicStrides;
    for (int64_t extent : type.getShape())
      extents.push_back(ShapedType::isDynamic(extent) ? nextPoly() : Poly(extent));
    for (int64_t i = 0; i < type.getNumDynamicStrides(); ++i)
      dynamicStrides.push_back(nextPoly());
    views.define(argument, base, extents, dynamicStrides);
  }
}

LogicalResult KernelEmitter::emitUniformSlice(Operation *user, ValueRange values) {
  for (Value value : values) {
    Operation *op = value.getDefiningOp();
    if (!op) {
      if (cast<BlockArgument>(value).getOwner() == &kernel.getBody().front())
        continue;
      return user->emitOpError("expects a size that depends on the kernel's arguments only, but "
                               "it depends on a loop");
    }
    if (emitted.contains(op))
      continue;
    if (isa<BlockIdOp>(op) || !isPure(op) || op->getNumRegions() != 0)
      return user->emitOpError("expects a size that depends on the kernel's arguments only, but "
                               "it depends on '")
             << op->getName() << "'";
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      if (!isa<ViewType>(operand.getType()))
        operands.push_back(operand);
    if (failed(emitUniformSlice(user, operands)) || failed(emitOp(op)))
      return failure();
    emitted.insert(op);
  }
  return success();
}

LogicalResult KernelEmitter::emitRun() {
  MLIRContext *context = builder.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  builder.setInsertionPoint(kernel);
  auto func = func::FuncOp::create(
      builder, loc, (kernel.getSymName() + kRunSuffix).str(),
      builder.getFunctionType({pointer, pointer, i64, i64, pointer, pointer}, {i32}));
  Block *entry = func.addEntryBlock();
  builder.pushScope(entry);
  scratch = entry->getArgument(4);
  failureValues = entry->getArgument(5);
  bindArguments(entry->getArgument(0), entry->getArgument(1));
  BlockIdOp ids = kernel.getBlockId();
  if (ids && failed(emitUniformSlice(ids, ids.getGrid())))
    return failure();
  if (failed(layOutScratch()))
    return failure();
  bool hasAsserts = kernel.walk([](AssertOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (hasAsserts) {
    status = LLVM::AllocaOp::create(builder, loc, pointer, i32, builder.constant(loc, 1));
    Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
    LLVM::StoreOp::create(builder, loc, zero, status);
  }

  scf::ForOp loop =
      makeLoop(entry->getArgument(2), entry->getArgument(3), builder.constant(loc, 1), {});
  loop.getBody()->clear();
  builder.pushScope(loop.getBody());
  Value rest = limitToAddresses(getCounter(loop));
  if (ids)
    for (int64_t i = ids.getGrid().size(); i-- > 0;) {
      Value extent = getScalar(ids.getGrid()[i]), id = rest;
      Poly extentPoly = polyOf(ids.getGrid()[i]);
      if (i != 0 && !(extentPoly == Poly(1))) {
        id = builder.divide<arith::RemUIOp>(loc, rest, extent);
        rest = builder.divide<arith::DivUIOp>(loc, rest, extent);
      } else if (i != 0) {
        id = builder.constant(loc, 0);
      }
      Tile tile = makeTile(ids.getIds()[i].getType());
      tile.parts = {id};
      setTile(ids.getIds()[i], std::move(tile));
    }
  if (failed(emitBlock(kernel.getBody().front())))
    return failure();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  Value result = status ? LLVM::LoadOp::create(builder, loc, i32, status).getResult()
                        : arith::ConstantIntOp::create(builder, loc, 0, 32).getResult();
  func::ReturnOp::create(builder, loc, result);
  builder.popScope();
  func->setAttr(kFailuresAttr, builder.getArrayAttr(failures));
  return success();
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emitBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (!emitted.contains(&op) && !isReadByProduct(&op) && !isFirstOfPair(&op) &&
        failed(emitOp(&op)))
      return failure();
  return success();
}

LogicalResult KernelEmitter::emitOp(Operation *op) {
  Location outer = loc;
  loc = op->getLoc();
  auto bindPoly = [&](Value value) {
    Tile tile = makeTile(value.getType());
    tile.parts = {builder.emit(loc, polyOf(value))};
    setTile(value, std::move(tile));
    return success();
  };
  LogicalResult result =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case<BlockIdOp, ViewOp>([](Operation *) { return success(); })
          .Case<DimOp>([&](DimOp dim) { return bindPoly(dim); })
          .Case<affine::AffineApplyOp>([&](auto apply) { return bindPoly(apply.getResult()); })
          .Case<affine::AffineMinOp>([&](auto min) {
            emitExtremum(min, min.getMap(), true);
            return success();
          })
          .Case<affine::AffineMaxOp>([&](auto max) {
            emitExtremum(max, max.getMap(), false);
            return success();
          })
          .Case<AllocOp>([&](AllocOp alloc) { return emitAlloc(alloc); })
          .Case<LoadOp>([&](LoadOp load) { return emitLoad(load); })
          .Case<StoreOp>([&](StoreOp store) { return emitStore(store); })
          .Case<PrefetchOp>([&](PrefetchOp prefetch) { return emitPrefetch(prefetch); })
          .Case<ScatterOp>([&](ScatterOp scatter) { return emitScatter(scatter); })
          .Case<SortOp>([&](SortOp sort) { return emitSort(sort); })
          .Case<TopKOp>([&](TopKOp topk) { return emitTopK(topk); })
          .Case<ConvertOp, DequantizeOp, QuantizeOp>([&](Operation *) { return emitNumbers(op); })
          .Case<DotOp>([&](DotOp dot) { return emitDot(dot); })
          .Case<ReduceOp>([&](ReduceOp reduce) { return emitReduce(reduce); })
          .Case<ScanOp>([&](ScanOp scan) { return emitScan(scan); })
          .Case<BroadcastOp>([&](BroadcastOp broadcast) { return emitBroadcast(broadcast); })
          .Case<TransposeOp>([&](TransposeOp transpose) { return emitTranspose(transpose); })
          .Case<ReshapeOp>([&](ReshapeOp reshape) { return emitReshape(reshape); })
          .Case<CoordOp>([&](CoordOp coord) { return emitCoord(coord); })
          .Case<MaskOp>([&](MaskOp mask) { return emitMaskOp(mask); })
          .Case<AssertOp>([&](AssertOp check) { return emitAssert(check); })
          .Case<scf::ForOp>([&](scf::ForOp) { return emitFor(op); })
          .Case<scf::IfOp>([&](scf::IfOp) { return emitIf(op); })
          .Case<scf::WhileOp>([&](scf::WhileOp) { return emitWhile(op); })
          .Case<arith::ConstantOp>([&](arith::ConstantOp) { return emitConstant(op); })
          .Case<tensor::SplatOp>([&](tensor::SplatOp splatOp) {
            Tile tile = makeTile(splatOp.getType());
            tile.parts.assign(tile.getNumParts(), getScalar(splatOp.getInput()));
            setTile(splatOp.getResult(), std::move(tile));
            return success();
          })
          .Default([&](Operation *) -> LogicalResult {
            if (OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1)
              return emitElementwise(op);
            return op->emitOpError("is not supported by tile-to-cpu on ") << level.name;
          });
  loc = outer;
  return result;
}

void KernelEmitter::emitExtremum(Operation *op, AffineMap map, bool isMin) {
  SmallVector<Poly> operands = polysOf(op->getOperands());
  ArrayRef<Poly> dims(operands), symbols = dims.drop_front(map.getNumDims());
  dims = dims.take_front(map.getNumDims());
  Value best;
  for (AffineExpr expr : map.getResults()) {
    Value value = builder.emit(loc, algebra.evaluate(expr, dims, symbols));
    if (!best)
      best = value;
    else if (isMin)
      best = arith::MinSIOp::create(builder, loc, best, value);
    else
      best = arith::MaxSIOp::create(builder, loc, best, value);
  }
  Tile tile = makeTile(op->getResult(0).getType());
  tile.parts = {best};
  setTile(op->getResult(0), std::move(tile));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Tile KernelEmitter::makeTile(Type type, bool asScalars) const {
  Tile tile;
  tile.element = getElementTypeOrSelf(type);
  tile.lanes = asScalars ? 1 : lanes;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    tile.shape.assign(tensor.getShape().begin(), tensor.getShape().end());
  return tile;
}

void KernelEmitter::setTile(Value value, Tile tile) {
  if (!isa<RankedTensorType>(value.getType()) && tile.parts[0].getType().isInteger(64))
    builder.bind(value, tile.parts[0]);
  tiles[value] = std::make_unique<Tile>(std::move(tile));
}

bool KernelEmitter::wantsScalars(Value value) {
  auto [it, inserted] = scalarWishes.try_emplace(value, false);
  if (!inserted)
    return it->second;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  bool wish = type && type.getRank() == 2 && !value.use_empty() &&
              llvm::all_of(value.getUses(), [&](OpOperand &use) {
                if (auto dot = dyn_cast<DotOp>(use.getOwner()))
                  return use.getOperandNumber() == 0;
                // One conversion per element is as cheap as one per vector and a shuffle.
                return isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(use.getOwner()) &&
                       wantsScalars(use.getOwner()->getResult(0));
              });
  scalarWishes[value] = wish;
  return wish;
}

Element KernelEmitter::getElement(const Tile &tile, int64_t linear) const {
  int64_t row = linear / tile.getRowLength(), column = linear % tile.getRowLength();
  Value part = tile.at(row, column / tile.lanes);
  return {part, isa<VectorType>(part.getType()) ? column % tile.lanes : 0};
}

Tile KernelEmitter::repartition(const Tile &tile, int64_t newLanes) {
  if (tile.lanes == newLanes)
    return tile;
  Tile result(tile);
  result.lanes = newLanes;
  result.parts.clear();
  for (int64_t row = 0; row < result.getNumRows(); ++row)
    for (int64_t part = 0; part < result.getPartsPerRow(); ++part) {
      SmallVector<Element> elements;
      for (int64_t lane = 0; lane < result.getWidth(part); ++lane)
        elements.push_back(getElement(tile, row * tile.getRowLength() + part * newLanes + lane));
      result.parts.push_back(buildPart(builder, loc, elements));
    }
  return result;
}

SmallVector<int64_t> KernelEmitter::rowCoords(const Tile &tile, int64_t row) const {
  SmallVector<int64_t> coords;
  for (int64_t dim = tile.getRank() - 1; dim-- > 0;) {
    coords.insert(coords.begin(), row % tile.shape[dim]);
    row /= tile.shape[dim];
  }
  return coords;
}
