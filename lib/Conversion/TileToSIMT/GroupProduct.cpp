//===- GroupProduct.cpp - products of warp groups ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma.mma_async reads both sides from shared memory, by descriptors, while the
// program goes on (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions"):
//
//     wgmma.fence           registers written before are what the products see
//     wgmma.mma_async ...   for each step along k and each part of the tile
//     wgmma.commit_group
//     wgmma.wait_group n    all but the last n groups have ended
//
// The waits are the tile program's, tile.wait_products; a product without
// `tile.async` waits for itself. Memory that threads wrote, by cp.async too, is
// seen behind fence.proxy.async, which every wait for copies ends with.
//
// To LLVM sums are values that depend on no wait. Assembly without a text keeps
// their uses behind it, and what they begin with before the fence.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Target/GroupInstruction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

namespace {
/// A side as all instructions of a product read it.
struct GroupSide {
  target::MatrixDescriptor descriptor;
  /// Multiples of 16 bytes from where shared memory begins to the alloc, with the descriptor's
  /// bits.
  Value base;
};
} // namespace

static NVVM::WGMMATypes getPtxType(std::string_view name) {
  return *NVVM::symbolizeWGMMATypes(StringRef(name));
}

/// The same registers, behind everything before and before everything behind.
Value ThreadEmitter::tieRegisters(Value tile) {
  int64_t count = getNumLanes(tile);
  Type element = getElementTypeOrSelf(tile.getType());
  SmallVector<Value> registers;
  std::string outputs, inputs;
  for (int64_t i = 0; i < count; ++i) {
    registers.push_back(extractLane(builder, loc, tile, i));
    outputs += (i ? "," : "") + std::string(isa<FloatType>(element) ? "=f" : "=r");
    inputs += "," + std::to_string(i);
  }
  Type type = element;
  if (count > 1)
    type =
        LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(count, element));
  Value tied =
      LLVM::InlineAsmOp::create(builder, loc, type, registers, "", outputs + inputs,
                                /*has_side_effects=*/true, /*is_align_stack=*/false,
                                LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
          .getResult(0);
  if (count == 1)
    return tied;
  SmallVector<Element> parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back({LLVM::ExtractValueOp::create(builder, loc, tied, ArrayRef<int64_t>{i}), 0});
  return buildPart(builder, loc, parts);
}

/// The loads of both sides, where a product of warp groups reads them from memory.
static std::optional<std::array<LoadOp, 2>> getSidesInMemory(DotOp dot) {
  auto name = dot->getAttrOfType<StringAttr>(kInstructionAttr);
  const auto *instruction = name ? target::findMatrixInstruction(name.getValue()) : nullptr;
  std::array<LoadOp, 2> loads{dot.getLhs().getDefiningOp<LoadOp>(),
                              dot.getRhs().getDefiningOp<LoadOp>()};
  bool isInMemory = instruction && instruction->takesMemory && llvm::all_of(loads, [](LoadOp load) {
                      return load && load->hasAttr(kInMemoryAttr);
                    });
  return isInMemory ? std::optional(loads) : std::nullopt;
}

bool ThreadEmitter::staysInMemory(LoadOp load) {
  return load->hasAttr(kInMemoryAttr) && isPlaced(load.getView()) &&
         llvm::all_of(load->getUsers(), [](Operation *user) {
           auto dot = dyn_cast<DotOp>(user);
           return dot && getSidesInMemory(dot);
         });
}

LogicalResult ThreadEmitter::emitGroupDot(DotOp op, const target::MatrixInstruction &instruction) {
  std::optional<std::array<LoadOp, 2>> loads = getSidesInMemory(op);
  if (!loads || !staysInMemory((*loads)[0]) || !staysInMemory((*loads)[1])) {
    // What is in registers is multiplied there.
    const auto *other = target::findWarpInstruction(target.name, instruction);
    if (!other)
      return refuse(op) << "expects sides of " << std::string(instruction.name)
                        << " in shared memory, where tile-stage-operands puts them";
    return emitMatrixDot(op, *other);
  }
  if (target::getSupport(target.name, instruction) == target::Support::None)
    return refuse(op) << "the device has no instruction " << std::string(instruction.name);
  DistributedLayout layout = layoutOf(op.getResult());
  auto grid = layout.dividedBy(target::fragment(instruction, target::Operand::Accumulator));
  if (!grid)
    return refuse(op) << "the accumulator's layout is not made of fragments of "
                      << std::string(instruction.name);
  int64_t k = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  int64_t places = grid->extent(Axis::Register), groups = grid->extent(Axis::Warp);
  SharedTile tiles[] = {*getStaged((*loads)[0]), *getStaged((*loads)[1])};
  std::optional<target::MatrixDescriptor> descriptors[2];
  auto originOf = [&](unsigned side, ArrayRef<int64_t> at, int64_t step) {
    SmallVector<int64_t> origin{at[0] * instruction.m, step};
    if (side == 1)
      origin = {step, at[1] * instruction.n};
    return origin;
  };
  // One descriptor must say every part, wherever it begins.
  for (unsigned side : {0, 1})
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t place = 0; place < places; ++place)
        for (int64_t step = 0; step < k; step += instruction.k) {
          layout::HardwarePlace hardware{};
          hardware[static_cast<size_t>(Axis::Register)] = place;
          hardware[static_cast<size_t>(Axis::Warp)] = group;
          auto at = *grid->coordinatesAt(hardware);
          std::vector<int64_t> origin(tiles[side].memory.shape().size() - 2, 0);
          llvm::append_range(origin, originOf(side, at, step));
          auto window =
              target::describe(instruction, side == 0 ? target::Operand::A : target::Operand::B,
                               tiles[side].memory, origin);
          if (!window)
            return refuse(op) << "expects a placement that descriptors of "
                              << std::string(instruction.name) << " can say, but got "
                              << tiles[side].memory.str() << ": " << window.reason().text;
          if (descriptors[side] && *descriptors[side] != window->descriptor)
            return refuse(op) << "expects one descriptor for all parts of "
                              << tiles[side].memory.str();
          descriptors[side] = window->descriptor;
        }
  for (const SharedTile &tile : tiles)
    if (hazards.needsBarrier({.root = tile.root, .isWrite = false}))
      emitBarrier();

  // Bits of the address are those of shared memory.
  auto baseOf = [&](unsigned side) -> Value {
    Type i64 = builder.getI64Type();
    // An alloc's offset is added behind the shift: ptxas 13.0 ends with a signal on bits that are
    // cut out of a variable's address and an offset.
    Value place = tiles[side].base;
    int64_t pieces = 0;
    if (auto offset = tiles[side].root.getDefiningOp()->getAttrOfType<IntegerAttr>(kOffsetAttr)) {
      place = memory;
      pieces = offset.getInt() / 16;
    }
    Value address = LLVM::PtrToIntOp::create(builder, loc, i64, place);
    address = arith::AndIOp::create(builder, loc, address, builder.constant(loc, 0x3ffff));
    address = arith::ShRUIOp::create(builder, loc, address, builder.constant(loc, 4));
    address = arith::OrIOp::create(
        builder, loc, address,
        builder.constant(loc, static_cast<int64_t>(descriptors[side]->encode())));
    return pieces == 0 ? address
                       : arith::AddIOp::create(builder, loc, address, builder.constant(loc, pieces))
                             .getResult();
  };
  Value bases[] = {baseOf(0), baseOf(1)};
  auto descriptorOf = [&](unsigned side, int64_t place, int64_t step) -> FailureOr<Value> {
    SmallVector<Poly> at(2);
    for (const layout::Digit &digit : grid->map().digits())
      if (digit.to)
        at[digit.to->axis] +=
            (digit.from.axis == static_cast<unsigned>(Axis::Register)
                 ? Poly(place / digit.from.stride % digit.extent)
                 : digitOf(digit.from.axis, digit.from.stride * instruction.warps, digit.extent)) *
            Poly(digit.to->stride);
    SmallVector<Poly> origin{at[0] * Poly(instruction.m), Poly(step)};
    if (side == 1)
      origin = {Poly(step), at[1] * Poly(instruction.n)};
    Poly address = addressIn(tiles[side], origin), pieces;
    constexpr int64_t kPiece = 16;
    if (!address.isMultipleOf(kPiece))
      return failure(); // which the caller reports
    for (const auto &[monomial, coefficient] : address.terms)
      pieces.terms[monomial] = coefficient / kPiece;
    pieces.constant = address.constant / kPiece;
    return arith::AddIOp::create(builder, loc, bases[side], builder.emit(loc, pieces)).getResult();
  };

  Registers accumulator = convert(getTile(op.getAcc()), layout);
  bool isAsync = op->hasAttr(kAsyncAttr);
  Value before = isAsync ? accumulator.value : tieRegisters(accumulator.value);
  int64_t sums = target::fragment(instruction, target::Operand::Accumulator).extent(Axis::Register);
  Type element = getElementTypeOrSelf(before.getType());
  auto type =
      LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(sums, element));
  SmallVector<Value> results;
  for (int64_t place = 0; place < places; ++place) {
    Value registers = LLVM::PoisonOp::create(builder, loc, type);
    for (int64_t i = 0; i < sums; ++i)
      registers = LLVM::InsertValueOp::create(builder, loc, registers,
                                              extractLane(builder, loc, before, place * sums + i),
                                              ArrayRef<int64_t>{i});
    results.push_back(registers);
  }
  MLIRContext *context = builder.getContext();
  auto one = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  auto layoutAttr = [&](bool isRow) {
    return NVVM::MMALayoutAttr::get(context, isRow ? NVVM::MMALayout::row : NVVM::MMALayout::col);
  };
  NVVM::MMAIntOverflowAttr overflow;
  if (element.isInteger())
    overflow = NVVM::MMAIntOverflowAttr::get(context, NVVM::MMAIntOverflow::wrapped);
  NVVM::WgmmaFenceAlignedOp::create(builder, loc);
  for (int64_t step = 0; step < k; step += instruction.k)
    for (int64_t place = 0; place < places; ++place) {
      FailureOr<Value> left = descriptorOf(0, place, step), right = descriptorOf(1, place, step);
      if (failed(left) || failed(right))
        return refuse(op) << "expects parts of " << tiles[0].memory.str() << " and "
                          << tiles[1].memory.str() << " that begin at multiples of 16 bytes";
      results[place] = NVVM::WgmmaMmaAsyncOp::create(
          builder, loc, type, results[place], *left, *right,
          NVVM::MMAShapeAttr::get(context, static_cast<int>(instruction.m),
                                  static_cast<int>(instruction.n), static_cast<int>(instruction.k)),
          NVVM::WGMMATypesAttr::get(context, getPtxType(instruction.a)),
          NVVM::WGMMATypesAttr::get(context, getPtxType(instruction.b)),
          NVVM::WGMMATypesAttr::get(context, getPtxType(instruction.accumulator)),
          NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), one, one,
          layoutAttr(descriptors[0]->isKMajor), layoutAttr(!descriptors[1]->isKMajor), overflow);
    }
  NVVM::WgmmaGroupSyncAlignedOp::create(builder, loc);
  SmallVector<Element> elements;
  for (Value registers : results)
    for (int64_t i = 0; i < sums; ++i)
      elements.push_back(
          {LLVM::ExtractValueOp::create(builder, loc, registers, ArrayRef<int64_t>{i}), 0});
  Value product = buildPart(builder, loc, elements);
  if (!isAsync) {
    NVVM::WgmmaWaitGroupSyncOp::create(builder, loc, 0);
    product = tieRegisters(product);
  }
  setTile(op.getResult(), product);
  return success();
}

LogicalResult ThreadEmitter::emitWaitProducts(WaitProductsOp op) {
  Value tile = getTile(op.getSource()).value;
  if (hasGroupProducts) {
    NVVM::WgmmaWaitGroupSyncOp::create(builder, loc, static_cast<uint64_t>(op.getPending()));
    // Sums that are still being formed stay where they are.
    if (op.getPending() == 0)
      tile = tieRegisters(tile);
  }
  setTile(op.getResult(), tile);
  return success();
}
