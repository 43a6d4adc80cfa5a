//===- Transfers.cpp - tiles from and to memory -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each register's address is a polynomial. Neighbouring registers become one
// access where their addresses are neighbours for every thread, where the first
// one is a multiple of the access's size for every thread, and where all take
// part under one condition.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

LogicalResult ThreadEmitter::emitAlloc(AllocOp op) {
  ViewType type = op.getType();
  if (type.getNumDynamicDims() != 0)
    return refuse(op) << "expects memory of known size, but got " << type;
  if (auto placement = op->getAttrOfType<StringAttr>(kPlacementAttr))
    return placeAlloc(op, placement.getValue());
  if (type.getPackedBits() != 0) {
    views.define(op.getResult(), {}, SmallVector<Poly>(type.getShape()), {});
    lowering::Memory &memory = views.resolve(op.getResult());
    memory.base = makeAlloc(op, memory.words.constant * type.getElementBytes());
    packedMemories.push_back(op.getResult());
    return success();
  }
  SmallVector<Poly> extents(type.getShape());
  views.define(op.getResult(), {}, extents, {});
  lowering::Memory &memory = views.resolve(op.getResult());
  // The span of the box; strides beyond row-major ones leave gaps.
  int64_t elements = 1;
  SmallVector<int64_t> box = getPhysicalShape(type.getShape(), type.getPhysicalMap());
  for (auto [extent, stride] : llvm::zip_equal(box, memory.strides))
    elements += (extent - 1) * stride.constant;
  memory.base = makeAlloc(op, elements * type.getElementBytes());
  return success();
}

int64_t ThreadEmitter::getAlignment(Value root) {
  auto argument = dyn_cast<BlockArgument>(root);
  if (!argument)
    return 16;
  if (auto given = kernel.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), kAlignmentAttr))
    return given.getInt();
  return options.argumentAlignment;
}

/// What a window is one on.
static Value getRoot(Value view) {
  while (auto window = view.getDefiningOp<ViewOp>())
    view = window.getSource();
  return view;
}

template <typename TransferOp>
ThreadEmitter::Transfer ThreadEmitter::describe(TransferOp op, const DistributedLayout *layout) {
  Transfer transfer;
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  int64_t count = layout ? layout->extent(Axis::Register) : 1;
  for (int64_t reg = 0; reg < count; ++reg) {
    SmallVector<Poly> dims;
    Condition condition;
    if (layout) {
      dims = coordinatesOf(*layout, reg);
      condition = isValid(*layout, reg);
    }
    if (std::optional<IntegerSet> set = op.getWhere())
      requireSet(condition, *set, dims, setSymbols);
    for (Value index : op.getIndices()) {
      Value value = extractLane(builder, loc, convert(getTile(index), *layout).value, reg);
      if (!value.getType().isInteger(64))
        value = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), value);
      builder.bind(value, value);
      dims.push_back(algebra.value(value, {}));
    }
    SmallVector<Poly> coordinates;
    for (AffineExpr expr : op.getMap().getResults())
      coordinates.push_back(algebra.evaluate(expr, dims, symbols));
    transfer.addresses.push_back(views.linearise(op.getView(), coordinates, transfer.root));
    transfer.conditions.push_back(std::move(condition));
  }
  return transfer;
}

template ThreadEmitter::Transfer ThreadEmitter::describe(ScatterOp op,
                                                         const DistributedLayout *layout);

int64_t ThreadEmitter::getWidth(const Transfer &transfer, int64_t first, int64_t bytes,
                                int64_t alignment) {
  int64_t count = transfer.addresses.size();
  for (int64_t width = target.getVectorBytes() / bytes; width > 1; width /= 2) {
    if (first + width > count || width * bytes > alignment)
      continue;
    const Poly &address = transfer.addresses[first];
    bool isAligned = address.constant % width == 0;
    for (const auto &term : address.terms)
      isAligned &= term.second % width == 0;
    auto follows = [&](int64_t i) {
      return transfer.addresses[first + i] == address + Poly(i) &&
             transfer.conditions[first + i] == transfer.conditions[first];
    };
    if (isAligned && llvm::all_of(llvm::seq<int64_t>(1, width), follows))
      return width;
  }
  return 1;
}

Value ThreadEmitter::loadIf(const Condition &condition, Type type, Value pointer, int64_t alignment,
                            Attribute fill) {
  auto makeFill = [&] {
    Type element = getElementTypeOrSelf(type);
    Attribute value = fill ? fill : builder.getZeroAttr(element);
    // Booleans are bytes in memory.
    if (auto integer = dyn_cast<IntegerAttr>(value); integer && integer.getType() != element)
      value = element.isInteger(8) && integer.getType().isInteger(1)
                  ? builder.getIntegerAttr(element, integer.getValue().getZExtValue())
                  : builder.getIntegerAttr(element, integer.getInt());
    return makeConstant(builder, loc, type, value);
  };
  if (condition.isNever)
    return makeFill();
  auto load = [&] {
    return LLVM::LoadOp::create(builder, loc, type, pointer, static_cast<unsigned>(alignment));
  };
  Value holds = emitCondition(condition);
  if (!holds)
    return load();
  auto branch = scf::IfOp::create(builder, loc, type, holds, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, loc, load().getResult());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, loc, makeFill());
  return branch.getResult(0);
}

void ThreadEmitter::storeIf(const Condition &condition, Value value, Value pointer,
                            int64_t alignment) {
  if (condition.isNever)
    return;
  OpBuilder::InsertionGuard guard(builder);
  if (Value holds = emitCondition(condition)) {
    auto branch = scf::IfOp::create(builder, loc, holds);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  LLVM::StoreOp::create(builder, loc, value, pointer, static_cast<unsigned>(alignment));
}

/// What `hazards` is told: equal descriptions are equal places, where no thread reads another
/// one's.
template <typename TransferOp>
static MemoryAccess getAccess(TransferOp op, Value root, bool isWrite,
                              const DistributedLayout *layout) {
  MemoryAccess access{.root = root, .isWrite = isWrite};
  if (!layout || layout->copies() != 1 || !op.getIndices().empty() ||
      op.getView().template getDefiningOp<ViewOp>())
    return access;
  // With windows or broadcasts several threads may access one place.
  AffineMap map = op.getMap();
  SmallVector<bool> isUsed(layout->shape().size(), false);
  for (AffineExpr expr : map.getResults())
    for (unsigned dim = 0; dim < isUsed.size(); ++dim)
      if (expr == getAffineDimExpr(dim, map.getContext()) ||
          (isa<AffineBinaryOpExpr>(expr) && expr.getKind() == AffineExprKind::Add &&
           cast<AffineBinaryOpExpr>(expr).getLHS() == getAffineDimExpr(dim, map.getContext()) &&
           cast<AffineBinaryOpExpr>(expr).getRHS().isSymbolicOrConstant()))
        isUsed[dim] = true;
  if (!llvm::all_of(llvm::enumerate(isUsed),
                    [&](auto item) { return item.value() || layout->shape()[item.index()] == 1; }))
    return access;
  access.layout = layout->str();
  access.map = map;
  access.operands.assign(op.getMapOperands().begin(), op.getMapOperands().end());
  return access;
}

LogicalResult ThreadEmitter::emitLoad(LoadOp op) {
  if (Value root = getRoot(op.getView()); cast<ViewType>(root.getType()).getPackedBits() != 0)
    return emitPackedLoad(op);
  if (isPlaced(op.getView()))
    return emitStagedLoad(op);
  // The store reads what it copies itself.
  if (op->hasOneUse() && op->user_begin()->hasAttr(kAsyncAttr))
    return success();
  Type element = op.getView().getType().getElementType(), memory = getMemoryElement(element);
  int64_t bytes = op.getView().getType().getElementBytes();
  bool isTile = isa<RankedTensorType>(op.getType());
  std::optional<DistributedLayout> layout;
  if (isTile)
    layout = layoutOf(op.getResult());
  Transfer transfer = describe(op, layout ? &*layout : nullptr);
  if (hazards.needsBarrier(
          getAccess(op, transfer.root, /*isWrite=*/false, layout ? &*layout : nullptr)))
    emitBarrier();
  Value base = views.resolve(transfer.root).base;
  int64_t alignment = getAlignment(transfer.root);
  SmallVector<Element> elements;
  // What several registers have is loaded once: a scale for a group of elements.
  std::map<Poly, size_t> first;
  for (int64_t reg = 0, count = transfer.addresses.size(); reg < count;) {
    int64_t width = getWidth(transfer, reg, bytes, alignment);
    auto [known, isNew] = first.try_emplace(transfer.addresses[reg], elements.size());
    auto isSame = [&](int64_t i) {
      return transfer.addresses[known->second + i] == transfer.addresses[reg + i] &&
             transfer.conditions[known->second + i] == transfer.conditions[reg + i];
    };
    if (!isNew && llvm::all_of(llvm::seq<int64_t>(0, width), isSame)) {
      for (int64_t i = 0; i < width; ++i, ++reg)
        elements.push_back(elements[known->second + i]);
      continue;
    }
    Value pointer = builder.emitPointer(loc, base, memory, transfer.addresses[reg]);
    Value value = loadIf(transfer.conditions[reg], getPartType(memory, width), pointer,
                         std::min(width * bytes, alignment), op.getFillAttr());
    value = fromMemoryFormat(value, element);
    for (int64_t i = 0; i < width; ++i)
      elements.push_back({value, width == 1 ? 0 : i});
    reg += width;
  }
  Value value = buildPart(builder, loc, elements);
  if (isTile)
    setTile(op.getResult(), value);
  else
    setScalar(op.getResult(), value);
  return success();
}

LogicalResult ThreadEmitter::emitStore(StoreOp op) {
  forgetWords();
  if (op.getView().getType().getPackedBits() != 0)
    return emitPackedStore(op);
  if (isPlaced(op.getView()))
    return emitStagedStore(op);
  Type element = op.getView().getType().getElementType(), memory = getMemoryElement(element);
  int64_t bytes = op.getView().getType().getElementBytes();
  std::optional<DistributedLayout> layout;
  if (isa<RankedTensorType>(op.getValue().getType()))
    layout = layoutOf(op.getValue());
  Transfer transfer = describe(op, layout ? &*layout : nullptr);
  if (layout) {
    for (auto [reg, condition] : llvm::enumerate(transfer.conditions))
      requireFirstCopy(condition, *layout, reg);
  } else {
    // One thread stores a scalar.
    Condition &condition = transfer.conditions[0];
    require(condition, digitOf(static_cast<unsigned>(Axis::Lane), 1, target.threadsPerWarp), true);
    require(condition, digitOf(static_cast<unsigned>(Axis::Warp), 1, warps), true);
  }
  if (hazards.needsBarrier(
          getAccess(op, transfer.root, /*isWrite=*/true, layout ? &*layout : nullptr)))
    emitBarrier();
  Value base = views.resolve(transfer.root).base;
  int64_t alignment = getAlignment(transfer.root);
  Value value = toMemoryFormat(valueOf(op.getValue()), element);
  for (int64_t reg = 0, count = transfer.addresses.size(); reg < count;) {
    int64_t width = getWidth(transfer, reg, bytes, alignment);
    Value pointer = builder.emitPointer(loc, base, memory, transfer.addresses[reg]);
    Value part =
        isa<VectorType>(value.getType()) ? extractSlice(builder, loc, value, reg, width) : value;
    storeIf(transfer.conditions[reg], part, pointer, std::min(width * bytes, alignment));
    reg += width;
  }
  return success();
}
