//===- Staged.cpp - operands of products in shared memory ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// tile-stage-operands puts operands into memory with a placement of its own, in
// which the addresses of rows are swizzled. Stores to it are of what a load read
// and may go on beside the program; they become cp.async where
//
//   * 4, 8 or 16 bytes are neighbours, and aligned, on both sides;
//   * what the load masks is zero, and ends the run: cp.async reads so many bytes
//     and fills with zeroes,
//
// and a load and a store of the thread's own where they cannot.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;
using layout::MemoryLayout;

Value ThreadEmitter::makeAlloc(AllocOp op, int64_t bytes) {
  auto offset = op->getAttrOfType<IntegerAttr>(kOffsetAttr);
  if (!offset)
    return makeGlobal("alloc" + std::to_string(numGlobals++),
                      LLVM::LLVMArrayType::get(builder.getI8Type(), bytes), /*addressSpace=*/3, {});
  if (!memory)
    memory = makeGlobal("memory", LLVM::LLVMArrayType::get(builder.getI8Type(), 1),
                        /*addressSpace=*/3, {});
  memoryBytes = std::max(memoryBytes, offset.getInt() + bytes);
  hazards.place(op.getResult(), offset.getInt(), bytes);
  return LLVM::GEPOp::create(builder, loc, memory.getType(), builder.getI8Type(), memory,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset.getInt())});
}

LogicalResult ThreadEmitter::placeAlloc(AllocOp op, StringRef placement) {
  auto memory = MemoryLayout::parse(placement);
  if (!memory)
    return refuse(op) << "expects '" << kPlacementAttr
                      << "' to be a layout of memory: " << memory.reason().text;
  if (!llvm::equal(memory->shape(), op.getType().getShape()) ||
      memory->elementBits() != op.getType().getElementBytes() * 8)
    return refuse(op) << "expects '" << kPlacementAttr << "' to have the shape and elements of "
                      << op.getType() << ", but got " << placement;
  views.define(op.getResult(), {}, SmallVector<Poly>(op.getType().getShape()), {});
  views.resolve(op.getResult()).base = makeAlloc(op, memory->sizeBits() / 8);
  placements.insert({op.getResult(), *memory});
  return success();
}

template FailureOr<SharedTile> ThreadEmitter::getStaged(LoadOp op);

template <typename TransferOp>
FailureOr<SharedTile> ThreadEmitter::getStaged(TransferOp op) {
  Value root = op.getView();
  auto rank = static_cast<size_t>(op.getTileRank());
  SharedTile tile{placements.find(root)->second, 0, op.getView().getType().getElementType(), root,
                  views.resolve(root).base,      {}};
  // A window: the tile's coordinates are added to the last ones of the memory's.
  SmallVector<Poly> symbols = polysOf(op.getMapOperands()), zeroes(rank);
  AffineMap map = op.getMap();
  for (AffineExpr expr : map.getResults())
    tile.origin.push_back(algebra.evaluate(expr, zeroes, symbols));
  bool isWindow = op.getIndices().empty() && map.getNumResults() >= rank;
  for (unsigned i = 0; isWindow && i < map.getNumResults(); ++i)
    for (unsigned dim = 0; dim < rank; ++dim) {
      SmallVector<Poly> step(rank);
      step[dim] = Poly(1);
      bool isOwn = i == map.getNumResults() - rank + dim;
      isWindow &=
          algebra.evaluate(map.getResult(i), step, symbols) == tile.origin[i] + Poly(isOwn ? 1 : 0);
    }
  if (!isWindow)
    return refuse(op) << "expects a window of memory with a placement, but got " << op.getMapAttr();
  return tile;
}

LogicalResult ThreadEmitter::emitStagedLoad(LoadOp op) {
  FailureOr<SharedTile> tile = getStaged(op);
  if (failed(tile))
    return failure();
  if (op.getWhere() || !isa<RankedTensorType>(op.getType()))
    return refuse(op) << "expects tiles of memory with a placement, without a mask";
  if (staysInMemory(op))
    return success();
  DistributedLayout layout = layoutOf(op.getResult());
  auto registers = llvm::to_vector(llvm::seq<int64_t>(0, layout.extent(Axis::Register)));
  setTile(op.getResult(), readShared(*tile, layout, registers));
  return success();
}

LogicalResult ThreadEmitter::emitWaitCopies(WaitCopiesOp op) {
  if (target.hasAsyncCopies)
    NVVM::CpAsyncWaitGroupOp::create(builder, loc, static_cast<uint32_t>(op.getPending()));
  // Products read through another proxy than threads write by, cp.async among them.
  if (hasGroupProducts)
    NVVM::FenceProxyOp::create(
        builder, loc, NVVM::ProxyKindAttr::get(builder.getContext(), NVVM::ProxyKind::async_shared),
        NVVM::SharedSpaceAttr::get(builder.getContext(), NVVM::SharedSpace::shared_cta));
  // What was copied is what this thread wrote, here.
  SmallVector<MemoryAccess> writes;
  for (const auto &[root, memory] : placements)
    writes.push_back({.root = root, .isWrite = true});
  for (Value root : packedMemories)
    writes.push_back({.root = root, .isWrite = true});
  hazards.add(writes);
  return success();
}

/// What the first of several parts is read by that the others are read by, too, and what their
/// number bounds: coordinates p >= 0 of the first one that are p - i >= 0 of number i.
static std::optional<std::pair<Condition, SmallVector<Poly>>>
splitConditions(ArrayRef<Condition> conditions) {
  const Condition &first = conditions[0];
  std::pair<Condition, SmallVector<Poly>> result;
  if (llvm::any_of(conditions, [&](const Condition &c) { return c.isNever != first.isNever; }))
    return std::nullopt;
  result.first.isNever = first.isNever;
  if (first.isNever)
    return result;
  for (const auto &term : first.terms) {
    if (llvm::all_of(conditions, [&](const Condition &c) { return c.terms.contains(term); })) {
      result.first.terms.insert(term);
      continue;
    }
    for (auto [i, condition] : llvm::enumerate(conditions))
      if (term.second ||
          !condition.terms.contains({term.first - Poly(static_cast<int64_t>(i)), false}))
        return std::nullopt;
    result.second.push_back(term.first);
  }
  if (llvm::any_of(conditions,
                   [&](const Condition &c) { return c.terms.size() != first.terms.size(); }))
    return std::nullopt;
  return result;
}

/// As many parts as one copy can take from the first one on; nothing if it cannot be asynchronous.
std::optional<int64_t> ThreadEmitter::getCopyWidth(ArrayRef<CopyPart> parts, int64_t bytes,
                                                   int64_t alignment, int64_t sharedAlignment) {
  if (!target.hasAsyncCopies)
    return std::nullopt;
  // PTX ISA, cp.async: 4, 8 or 16 bytes, of which both addresses are multiples.
  for (int64_t size : {16, 8, 4}) {
    int64_t width = size / bytes;
    if (width == 0 || width > static_cast<int64_t>(parts.size()) || size > alignment ||
        size > sharedAlignment || !parts[0].from.isMultipleOf(width) ||
        !parts[0].to.isMultipleOf(size))
      continue;
    SmallVector<Condition> conditions;
    bool isRun = true;
    for (int64_t i = 0; i < width; ++i) {
      isRun &= parts[i].from == parts[0].from + Poly(i) &&
               parts[i].to == parts[0].to + Poly(i * bytes) &&
               parts[i].takesPart == parts[0].takesPart;
      conditions.push_back(parts[i].isRead);
    }
    if (isRun && splitConditions(conditions))
      return width;
  }
  return std::nullopt;
}

void ThreadEmitter::emitCopy(ArrayRef<CopyPart> parts, const SharedTile &to, Value from,
                             Type element) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  int64_t size = bytes * static_cast<int64_t>(parts.size());
  SmallVector<Condition> conditions;
  for (const CopyPart &part : parts)
    conditions.push_back(part.isRead);
  auto [common, bounds] = *splitConditions(conditions);
  Value read;
  if (common.isNever) {
    read = arith::ConstantIntOp::create(builder, loc, 0, 32);
  } else if (!common.terms.empty() || !bounds.empty()) {
    Value most = builder.constant(loc, size);
    for (const Poly &bound : bounds) {
      Value left = builder.emit(loc, (bound + Poly(1)) * Poly(bytes));
      most = arith::MinSIOp::create(builder, loc, most, left);
    }
    if (!bounds.empty())
      most = arith::MaxSIOp::create(builder, loc, most, builder.constant(loc, 0));
    if (Value holds = emitCondition(common))
      most = arith::SelectOp::create(builder, loc, holds, most, builder.constant(loc, 0));
    read = arith::TruncIOp::create(builder, loc, builder.getI32Type(), most);
  }
  Value source = builder.emitPointer(loc, from, element, parts[0].from);
  Value target = pointerTo(to, parts[0].to);
  OpBuilder::InsertionGuard guard(builder);
  if (Value holds = emitCondition(parts[0].takesPart)) {
    auto branch = scf::IfOp::create(builder, loc, holds);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  // Wide copies pass by the first-level cache, which only they may.
  NVVM::CpAsyncOp::create(builder, loc, target, source, builder.getI32IntegerAttr(size),
                          NVVM::LoadCacheModifierKindAttr::get(
                              builder.getContext(), size == 16 ? NVVM::LoadCacheModifierKind::CG
                                                               : NVVM::LoadCacheModifierKind::CA),
                          read);
}

LogicalResult ThreadEmitter::emitStagedStore(StoreOp op) {
  auto load = op.getValue().getDefiningOp<LoadOp>();
  bool isCopy = op->hasAttr(kAsyncAttr) && load && load->hasOneUse() && load.getIndices().empty() &&
                !isPlaced(load.getView()) && !op.getWhere();
  if (!isCopy)
    return refuse(op) << "expects '" << kAsyncAttr
                      << "' and the tile of a load that nothing else uses";
  FailureOr<SharedTile> to = getStaged(op);
  if (failed(to))
    return failure();
  DistributedLayout layout = layoutOf(op.getValue());
  Type element = getMemoryElement(to->element);
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  SmallVector<Poly> symbols = polysOf(load.getMapOperands());
  SmallVector<Poly> setSymbols = polysOf(load.getSetOperands());
  SmallVector<CopyPart> parts;
  Value root;
  for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg) {
    CopyPart part;
    SmallVector<Poly> place = coordinatesOf(layout, reg), coordinates;
    part.takesPart = isValid(layout, reg);
    requireFirstCopy(part.takesPart, layout, reg);
    if (part.takesPart.isNever)
      continue;
    if (std::optional<IntegerSet> set = load.getWhere())
      requireSet(part.isRead, *set, place, setSymbols);
    for (AffineExpr expr : load.getMap().getResults())
      coordinates.push_back(algebra.evaluate(expr, place, symbols));
    part.from = views.linearise(load.getView(), coordinates, root);
    part.to = addressIn(*to, place);
    parts.push_back(std::move(part));
  }
  bool isDue = hazards.needsBarrier({.root = to->root, .isWrite = true});
  // Who reads it waits first, and that is when it is written.
  hazards.forgetLast();
  if (isDue | hazards.needsBarrier({.root = root, .isWrite = false}))
    emitBarrier();
  Value base = views.resolve(root).base;
  int64_t alignment = getAlignment(root), sharedAlignment = target.getVectorBytes();
  for (const layout::Swizzle &swizzle : to->memory.swizzles())
    sharedAlignment = std::min(sharedAlignment, int64_t(1) << swizzle.to);
  bool isZero = !load.getFillAttr() || load.getFillAttr() == builder.getZeroAttr(to->element);
  for (ArrayRef<CopyPart> rest = parts; !rest.empty();) {
    std::optional<int64_t> width =
        isZero ? getCopyWidth(rest, bytes, alignment, sharedAlignment) : std::nullopt;
    if (width) {
      emitCopy(rest.take_front(*width), *to, base, element);
    } else {
      width = 1;
      const CopyPart &part = rest[0];
      // Where a thread takes no part, its place may lie outside of memory.
      Condition isRead = part.isRead;
      for (const auto &term : part.takesPart.terms)
        isRead.terms.insert(term);
      Value value = loadIf(isRead, element, builder.emitPointer(loc, base, element, part.from),
                           bytes, load.getFillAttr());
      storeIf(part.takesPart, value, pointerTo(*to, part.to), bytes);
    }
    rest = rest.drop_front(*width);
  }
  return success();
}
