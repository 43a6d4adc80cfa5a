//===- Transfers.cpp - tiles from and to memory -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The address of each part is a polynomial in its lane; the form of the access
// is read off it:
//
//   equal in all lanes      one scalar load, which stays a scalar
//   base + lane             vector load or store
//   anything else           gather or scatter
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

static unsigned bytesOf(Type memoryElement) { return memoryElement.getIntOrFloatBitWidth() / 8; }

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

FailureOr<Poly> KernelEmitter::layOutScratch() {
  Poly total;
  WalkResult result = kernel.walk([&](AllocOp alloc) -> WalkResult {
    if (failed(emitUniformSlice(alloc, alloc.getSizes())))
      return WalkResult::interrupt();
    ViewType type = alloc.getType();
    SmallVector<Poly> extents;
    auto sizes = alloc.getSizes().begin();
    for (int64_t extent : type.getShape())
      extents.push_back(ShapedType::isDynamic(extent) ? polyOf(*sizes++) : Poly(extent));
    Value base = scratch ? builder.emitPointer(loc, scratch, builder.getI8Type(), total) : scratch;
    views.define(alloc.getResult(), base, extents, {});
    const Memory &memory = views.resolve(alloc.getResult());
    // The span of the box; strides beyond row-major ones leave gaps.
    Poly elements(1);
    AffineMap physical = type.getPhysicalMap();
    for (auto [expr, stride] : llvm::zip_equal(physical.getResults(), memory.strides)) {
      SmallVector<Poly> last;
      for (const Poly &extent : extents)
        last.push_back(extent - Poly(1));
      Poly most =
          expr.getKind() == AffineExprKind::Mod
              ? Poly(cast<AffineConstantExpr>(cast<AffineBinaryOpExpr>(expr).getRHS()).getValue() -
                     1)
              : algebra.evaluate(expr, last, {});
      elements += most * stride;
    }
    total += algebra.ceilDiv(elements * Poly(type.getElementBytes()), Poly(64)) * Poly(64);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  return total;
}

LogicalResult KernelEmitter::emitAlloc(AllocOp op) { return success(); }

Place KernelEmitter::locate(Value view, AffineMap map, ValueRange mapOperands, ValueRange indices,
                            ArrayRef<int64_t> outer, int64_t row, int64_t part, const Tile &shape,
                            Value &root) {
  int64_t width = shape.getWidth(part);
  SmallVector<Poly> dims, symbols = polysOf(mapOperands), coords;
  for (int64_t coord : outer)
    dims.push_back(Poly(coord));
  if (!shape.shape.empty())
    dims.push_back(Poly(part * shape.lanes) + algebra.lane(width));
  for (Value index : indices) {
    Tile tile = repartition(getTile(index), shape.lanes);
    Value value = tile.at(row, part);
    Type wide = getPartType(builder.getI64Type(), getNumLanes(value));
    if (value.getType() != wide)
      value = arith::ExtSIOp::create(builder, loc, wide, value);
    if (isa<VectorType>(value.getType())) {
      dims.push_back(algebra.laneValue(value));
    } else {
      builder.bind(value, value);
      dims.push_back(algebra.value(value, {}));
    }
  }
  for (AffineExpr expr : map.getResults())
    coords.push_back(algebra.evaluate(expr, dims, symbols));
  return views.locate(view, coords, root);
}

//===----------------------------------------------------------------------===//
// Forms of access
//===----------------------------------------------------------------------===//

namespace {
/// How the lanes of a part lie in memory.
struct Access {
  enum class Form { Uniform, Contiguous, Constant, General } form;
  /// Address of lane 0, unless the form is general.
  Poly base;
  /// Offset of each lane from lane 0, if the form is Constant.
  SmallVector<int64_t> offsets;
};
} // namespace

static Access classify(IndexAlgebra &algebra, const Poly &address, int64_t width) {
  if (!algebra.isPerLane(address))
    return {Access::Form::Uniform, address, {}};
  Access access{Access::Form::Contiguous, algebra.atLane(address, 0), {0}};
  if (algebra.isPerLane(access.base))
    return {Access::Form::General, {}, {}};
  for (int64_t lane = 1; lane < width; ++lane) {
    Poly difference = algebra.atLane(address, lane) - access.base;
    if (!difference.isConstant())
      return {Access::Form::General, {}, {}};
    access.offsets.push_back(difference.constant);
    if (difference.constant != lane)
      access.form = Access::Form::Constant;
  }
  if (llvm::all_of(access.offsets, [](int64_t offset) { return offset == 0; }))
    access.form = Access::Form::Uniform;
  return access;
}

Value KernelEmitter::lanePointers(Value base, Type memoryElement, const Poly &address,
                                  int64_t width) {
  auto pointers = VectorType::get({width}, LLVM::LLVMPointerType::get(builder.getContext()));
  Access access = classify(algebra, address, width);
  Value offsets;
  if (access.form == Access::Form::General) {
    offsets = builder.emitLanes(loc, address, width);
  } else {
    base = builder.emitPointer(loc, base, memoryElement, access.base);
    bool isSmall = llvm::all_of(access.offsets, [](int64_t o) { return llvm::isInt<32>(o); });
    offsets = makeLaneConstants(builder, loc, isSmall ? builder.getI32Type() : builder.getI64Type(),
                                access.offsets);
  }
  return LLVM::GEPOp::create(builder, loc, pointers, memoryElement, base,
                             ArrayRef<LLVM::GEPArg>{offsets});
}

/// Attribute of the memory format for a fill of the tile's element type.
static TypedAttr fillInMemory(Type memoryElement, Attribute fill) {
  if (auto integer = dyn_cast<IntegerAttr>(fill)) {
    APInt value = integer.getType().isInteger(1) ? integer.getValue().zext(8) : integer.getValue();
    return IntegerAttr::get(memoryElement, value);
  }
  auto number = cast<FloatAttr>(fill);
  if (isa<IntegerType>(memoryElement))
    return IntegerAttr::get(memoryElement, number.getValue().bitcastToAPInt());
  return number;
}

Value KernelEmitter::fillPointer(Type memoryElement, Attribute fill, int64_t width) {
  // A masked load of a scalar reads from here instead: no branch, and nothing to select.
  auto module = kernel->getParentOfType<ModuleOp>();
  TypedAttr attr = fillInMemory(memoryElement, fill);
  std::string name;
  llvm::raw_string_ostream stream(name);
  stream << "sectile.fill." << width << '.' << memoryElement << '.';
  APInt bits = isa<FloatAttr>(attr) ? cast<FloatAttr>(attr).getValue().bitcastToAPInt()
                                    : cast<IntegerAttr>(attr).getValue();
  bits.print(stream, /*isSigned=*/false);
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    Type type = getPartType(memoryElement, width);
    Attribute value = attr;
    if (auto vectorType = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vectorType, attr);
    LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                           value, /*alignment=*/64);
  }
  return builder.emitOnce(Poly(0), name, 0, [&] {
    return LLVM::AddressOfOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()),
                                     name)
        .getResult();
  });
}

Value KernelEmitter::loadPart(Value base, Type element, const Poly &address, int64_t width,
                              const PartMask &mask, Attribute fill) {
  Type memory = getMemoryElement(element), type = getPartType(memory, width);
  unsigned bytes = bytesOf(memory);
  auto fillValue = [&](Type wanted) {
    return makeConstant(builder, loc, wanted, fillInMemory(memory, fill));
  };
  auto scalarLoad = [&](Value pointer, Value condition) -> Value {
    if (condition)
      pointer =
          arith::SelectOp::create(builder, loc, condition, pointer, fillPointer(memory, fill, 1));
    return LLVM::LoadOp::create(builder, loc, memory, pointer, bytes);
  };
  auto finish = [&](Value value) { return fromMemoryFormat(value, element); };
  if (mask.isEmpty)
    return finish(fillValue(memory));

  Access access = classify(algebra, address, width);
  if (access.form == Access::Form::Uniform) {
    Value pointer = builder.emitPointer(loc, base, memory, access.base);
    Value lanesMask = combineMask(mask, width);
    if (!lanesMask || !isa<VectorType>(lanesMask.getType()))
      return finish(scalarLoad(pointer, lanesMask));
    Value value = scalarLoad(pointer, anyLane(builder, loc, lanesMask));
    value = arith::SelectOp::create(builder, loc, lanesMask, splat(builder, loc, value, width),
                                    fillValue(type));
    return finish(value);
  }
  if (access.form != Access::Form::Contiguous) {
    Value pointers = lanePointers(base, memory, address, width);
    Value lanesMask = combineMask(mask, width);
    SmallVector<Value> passThrough;
    if (lanesMask)
      passThrough.push_back(fillValue(type));
    else
      lanesMask = arith::ConstantIntOp::create(builder, loc, 1, 1);
    return finish(LLVM::masked_gather::create(builder, loc, type, pointers,
                                              splat(builder, loc, lanesMask, width), passThrough,
                                              builder.getI32IntegerAttr(bytes)));
  }
  Value pointer = builder.emitPointer(loc, base, memory, access.base);
  if (mask.isTrivial())
    return finish(LLVM::LoadOp::create(builder, loc, type, pointer, bytes));
  if (level.hasMaskedMemory(bytes)) {
    Value lanesMask = splat(builder, loc, combineMask(mask, width), width);
    return finish(
        LLVM::MaskedLoadOp::create(builder, loc, type, pointer, lanesMask, fillValue(type), bytes));
  }
  if (!mask.lanes) {
    pointer =
        arith::SelectOp::create(builder, loc, mask.all, pointer, fillPointer(memory, fill, width));
    return finish(LLVM::LoadOp::create(builder, loc, type, pointer, bytes));
  }
  // Whole vectors are the rule, edges take one scalar load per lane.
  Value lanesMask = combineMask(mask, width), padding = fillPointer(memory, fill, 1);
  auto branch = scf::IfOp::create(builder, loc, TypeRange{type}, allLanes(builder, loc, lanesMask),
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  builder.setInsertionPointToEnd(branch.thenBlock());
  Value whole = LLVM::LoadOp::create(builder, loc, type, pointer, bytes);
  scf::YieldOp::create(builder, loc, whole);
  builder.setInsertionPointToEnd(branch.elseBlock());
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < width; ++lane) {
    Value place = LLVM::GEPOp::create(builder, loc, pointer.getType(), memory, pointer,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(lane)});
    place = arith::SelectOp::create(builder, loc, extractLane(builder, loc, lanesMask, lane), place,
                                    padding);
    elements.push_back(LLVM::LoadOp::create(builder, loc, memory, place, bytes));
  }
  Value edge = vector::FromElementsOp::create(builder, loc, cast<VectorType>(type), elements);
  scf::YieldOp::create(builder, loc, edge);
  builder.setInsertionPointAfter(branch);
  return finish(branch.getResult(0));
}

void KernelEmitter::storePart(Value value, Value base, Type element, const Poly &address,
                              int64_t width, const PartMask &mask) {
  if (mask.isEmpty)
    return;
  Type memory = getMemoryElement(element);
  unsigned bytes = bytesOf(memory);
  value = toMemoryFormat(value, element);
  auto storeIf = [&](Value condition, Value stored, Value pointer) {
    if (!condition) {
      LLVM::StoreOp::create(builder, loc, stored, pointer, bytes);
      return;
    }
    auto branch = scf::IfOp::create(builder, loc, condition);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    LLVM::StoreOp::create(builder, loc, stored, pointer, bytes);
  };
  Access access = classify(algebra, address, width);
  if (access.form == Access::Form::Uniform) {
    Value condition = combineMask(mask, width);
    Value pointer = builder.emitPointer(loc, base, memory, access.base);
    storeIf(condition ? anyLane(builder, loc, condition) : condition,
            extractLane(builder, loc, value, 0), pointer);
    return;
  }
  value = splat(builder, loc, value, width);
  if (access.form != Access::Form::Contiguous) {
    Value pointers = lanePointers(base, memory, address, width);
    Value lanesMask = combineMask(mask, width);
    if (!lanesMask)
      lanesMask = arith::ConstantIntOp::create(builder, loc, 1, 1);
    LLVM::masked_scatter::create(builder, loc, value, pointers,
                                 splat(builder, loc, lanesMask, width),
                                 builder.getI32IntegerAttr(bytes));
    return;
  }
  Value pointer = builder.emitPointer(loc, base, memory, access.base);
  if (mask.isTrivial())
    return storeIf({}, value, pointer);
  if (level.hasMaskedMemory(bytes)) {
    Value lanesMask = splat(builder, loc, combineMask(mask, width), width);
    LLVM::MaskedStoreOp::create(builder, loc, value, pointer, lanesMask, bytes);
    return;
  }
  if (!mask.lanes)
    return storeIf(mask.all, value, pointer);
  Value lanesMask = combineMask(mask, width);
  auto branch = scf::IfOp::create(builder, loc, allLanes(builder, loc, lanesMask),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  LLVM::StoreOp::create(builder, loc, value, pointer, bytes);
  builder.setInsertionPointToStart(branch.elseBlock());
  for (int64_t lane = 0; lane < width; ++lane) {
    Value place = LLVM::GEPOp::create(builder, loc, pointer.getType(), memory, pointer,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(lane)});
    storeIf(extractLane(builder, loc, lanesMask, lane), extractLane(builder, loc, value, lane),
            place);
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult KernelEmitter::emitLoad(LoadOp op) {
  Tile tile = makeTile(op.getType(), wantsScalars(op.getResult()));
  if (wantsQuads(op.getResult()))
    tile.lanes = kPackedStreams;
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  Attribute fill = op.getFill() ? Attribute(*op.getFill()) : Attribute();
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<int64_t> outer = rowCoords(tile, row);
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      PartMask mask;
      if (op.getWhere())
        mask = emitMask(*op.getWhere(), setSymbols, outer, part * tile.lanes, tile.getWidth(part));
      Value root;
      Place place = locate(op.getView(), op.getMap(), op.getMapOperands(), op.getIndices(), outer,
                           row, part, tile, root);
      const Memory &memory = views.resolve(root);
      tile.parts.push_back(memory.type.getPackedBits() != 0
                               ? loadCodes(memory, place, tile.getWidth(part), mask, fill)
                               : loadPart(memory.base, tile.element, place.address,
                                          tile.getWidth(part), mask, fill));
    }
  }
  setTile(op.getResult(), std::move(tile));
  return success();
}

LogicalResult KernelEmitter::emitStore(StoreOp op) {
  Tile tile = repartition(getTile(op.getValue()), lanes);
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<int64_t> outer = rowCoords(tile, row);
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      PartMask mask;
      if (op.getWhere())
        mask = emitMask(*op.getWhere(), setSymbols, outer, part * tile.lanes, tile.getWidth(part));
      Value root;
      Poly address = addressOf(op.getView(), op.getMap(), op.getMapOperands(), op.getIndices(),
                               outer, row, part, tile, root);
      storePart(tile.at(row, part), views.resolve(root).base, tile.element, address,
                tile.getWidth(part), mask);
    }
  }
  return success();
}

LogicalResult KernelEmitter::emitPrefetch(PrefetchOp op) {
  // A line for each row's 64 bytes, from its start on.
  ViewType view = op.getView().getType();
  int64_t lineElements = std::max<int64_t>(64 / view.getElementBytes(), 1);
  Tile lines = makeTile(RankedTensorType::get(op.getExtents(), view.getElementType()));
  lines.lanes = lineElements;
  for (int64_t row = 0; row < lines.getNumRows(); ++row)
    for (int64_t part = 0; part < lines.getPartsPerRow(); ++part) {
      Value root;
      Poly address = addressOf(op.getView(), op.getMap(), op.getMapOperands(), {},
                               rowCoords(lines, row), row, part, lines, root);
      Value pointer = builder.emitPointer(
          loc, views.resolve(root).base, getMemoryElement(view.getElementType()),
          algebra.isPerLane(address) ? algebra.atLane(address, 0) : address);
      LLVM::Prefetch::create(builder, loc, pointer, /*rw=*/0, /*hint=*/3, /*cache=*/1);
    }
  return success();
}
