//===- StageOperands.cpp - the pass tile-stage-operands ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operand of a product that comes straight from global memory goes to shared
// memory first, as it lies, and every warp reads from there what it multiplies:
//
//     %t = tile.load %a ..            %t = tile.load %a ..    (as threads copy best)
//     %x = tile.convert_layout %t     tile.store %t, %m ..  {tile.async}
//     %d = tile.dot %x, ..            tile.commit_copies;  tile.wait_copies 0
//                                     %x = tile.load %m ..    (for a few k at a time)
//                                     %d = tile.dot %x, ..
//
// The product is cut along k into steps of one matrix instruction, or of 16 bytes
// for multiply-adds, so that few registers hold operands. Instructions of warp
// groups read memory themselves: their product stays whole, and its tiles where
// they are, placed as descriptors can say it.
//
//===----------------------------------------------------------------------===//

#include "ChooseLayouts.h"
#include "GroupProducts.h"
#include "Passes.h"

#include "sectile/Layout/Access.h"
#include "sectile/Layout/FactorLayout.h"
#include "sectile/Target/MatrixLoad.h"
#include "sectile/Target/MatrixTiling.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

#include <numeric>

namespace sectile::tile {
#define GEN_PASS_DEF_TILESTAGEOPERANDSPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::DistributedLayout;
using layout::MemoryLayout;

/// Values of k that a product by multiply-adds takes at once: 16 bytes of f32.
static constexpr int64_t kFactorStep = 4;

namespace {
class OperandStager {
public:
  OperandStager(KernelOp kernel, KernelDevice device)
      : kernel(kernel), target(*device.target), threads{target.threadsPerWarp, device.warps} {}

  void run() {
    SmallVector<DotOp> dots;
    kernel.walk([&](DotOp dot) { dots.push_back(dot); });
    for (DotOp dot : dots)
      stage(dot);
  }

private:
  struct Side {
    LoadOp load;
    unsigned operand;
    DistributedLayout writer, reader;
    Value memory;
    /// Where an instruction that reads memory wants it.
    std::optional<MemoryLayout> placement;
  };
  void stage(DotOp dot);
  SmallVector<Side, 2> getSides(DotOp dot, const target::MatrixInstruction *by, int64_t step);
  std::optional<Side> getSide(DotOp dot, unsigned operand, const target::MatrixInstruction *by,
                              int64_t step);
  std::optional<DistributedLayout> getReader(DotOp dot, unsigned operand,
                                             const target::MatrixInstruction *by, int64_t k);
  MemoryLayout place(const Side &side, ArrayRef<int64_t> shape, int64_t bits);
  int64_t countCopyBytes(LoadOp load);
  remark::RemarkOpts remarkOptions(StringRef name) {
    return remark::RemarkOpts::name(name).category("tile-stage-operands");
  }

  KernelOp kernel;
  const target::GpuTarget &target;
  Threads threads;
};
} // namespace

static Value getRoot(Value view) {
  while (auto window = view.getDefiningOp<ViewOp>())
    view = window.getSource();
  return view;
}

/// Whether `op`, or something in it, writes what `view` may share memory with.
static bool isWrittenIn(Operation *outer, Value view) {
  Value root = getRoot(view);
  Type element = cast<ViewType>(root.getType()).getElementType();
  auto result = outer->walk([&](Operation *op) {
    if (isa<LoadOp, CommitCopiesOp, WaitCopiesOp, PrefetchOp>(op) || isMemoryEffectFree(op) ||
        op->hasTrait<OpTrait::HasRecursiveMemoryEffects>())
      return WalkResult::advance();
    auto store = dyn_cast<StoreOp>(op);
    Value other = store ? getRoot(store.getView()) : Value();
    bool isApart =
        other && other != root &&
        (!isa<BlockArgument>(other) || cast<ViewType>(other.getType()).getElementType() != element);
    return isApart || isa<AssertOp>(op) ? WalkResult::advance() : WalkResult::interrupt();
  });
  return result.wasInterrupted();
}

/// Bytes that threads can copy at once, by what is known of strides; 0 if neighbours of the tile
/// are none in memory.
int64_t OperandStager::countCopyBytes(LoadOp load) {
  BlockedForm form =
      getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
  auto type = cast<ViewType>(getRoot(load.getView()).getType());
  int64_t bytes = type.getElementBytes(), most = form.vector * bytes;
  if (type.getMemory() || load.getView() != getRoot(load.getView()))
    return most; // what layouts and windows leave of it, tile-to-simt finds out
  int64_t stride = bytes;
  for (int64_t extent : llvm::reverse(type.getShape().drop_front())) {
    if (ShapedType::isDynamic(extent))
      return std::min(most, bytes);
    stride *= extent;
    most = std::gcd(most, stride);
  }
  return most;
}

/// How threads hold `k` steps of a side when they multiply.
std::optional<DistributedLayout> OperandStager::getReader(DotOp dot, unsigned operand,
                                                          const target::MatrixInstruction *by,
                                                          int64_t k) {
  DistributedLayout accumulator = LayoutAttr::of(dot.getType()).getLayout();
  if (!by)
    return layout::getFactorLayout(accumulator, operand, 1 - operand, k);
  auto side = target::getSideLayout(*by, operand == 0 ? target::Operand::A : target::Operand::B,
                                    accumulator, k);
  return side ? std::optional(*side) : std::nullopt;
}

std::optional<OperandStager::Side> OperandStager::getSide(DotOp dot, unsigned operand,
                                                          const target::MatrixInstruction *by,
                                                          int64_t step) {
  Value value = dot->getOperand(operand);
  auto missed = [&](const Twine &reason) {
    remark::missed(dot.getLoc(), remarkOptions("staged"))
        << remark::add("operand {0} is not staged: {1}", operand, reason.str());
    return std::nullopt;
  };
  while (auto convert = value.getDefiningOp<ConvertLayoutOp>()) {
    if (!value.hasOneUse())
      return missed("something else uses it too");
    value = convert.getSource();
  }
  auto load = value.getDefiningOp<LoadOp>();
  if (!load)
    return missed("it is computed, not loaded");
  // Out of loops, registers are the shorter way for what is multiplied from there.
  auto loop = dyn_cast<scf::ForOp>(dot->getParentOp());
  if ((!loop && !(by && by->takesMemory)) || load->getBlock() != dot->getBlock())
    return missed("it is not loaded by a loop for the product in it");
  ViewType type = load.getView().getType();
  Type element = type.getElementType();
  if (!value.hasOneUse() || !load.getIndices().empty() ||
      !isa<BlockArgument>(getRoot(load.getView())) || type.getPackedBits() != 0)
    return missed("it is not a tile of an argument for this product alone");
  if (!element.isF16() && !element.isBF16() && !element.isF32() && !element.isF64() &&
      !element.isInteger(8) && !element.isInteger(16) && !element.isInteger(32))
    return missed("its elements are converted on the way");
  if (load.getFillAttr() && load.getFillAttr() != Builder(dot.getContext()).getZeroAttr(element))
    return missed("what is masked is not zero");
  if (loop && isWrittenIn(loop, load.getView()))
    return missed("the loop writes what it may read");
  if (!loop)
    for (Operation *next = load->getNextNode(); next != dot; next = next->getNextNode())
      if (isWrittenIn(next, load.getView()))
        return missed("what it may read is written before the product");
  int64_t bytes = countCopyBytes(load);
  if (bytes < 4)
    return missed("only " + Twine(bytes) + " bytes can be copied at once, and 4 are the least");
  BlockedForm form =
      getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
  DistributedLayout writer = makeBlocked(load.getTileShape(), form, threads);
  if (by && by->takesMemory) {
    // As it lies in the argument: what is contiguous there is here.
    SmallVector<int64_t> shape(load.getTileShape());
    bool isKMajor = form.order[0] == (operand == 0 ? 1 : 0);
    auto memory = target::placeSide(*by, operand == 0 ? target::Operand::A : target::Operand::B,
                                    {shape.begin(), shape.end()}, isKMajor);
    if (!memory)
      return missed(memory.reason().text);
    // Lanes that store together fill rows below each other where a row has fewer bytes than banks.
    int64_t rowElements = 1;
    for (const layout::Digit &digit : memory->map().digits())
      if (digit.from.axis == form.order[0] && digit.from.stride == 1)
        rowElements = digit.extent;
    form.mostLanes = std::max<int64_t>(rowElements / form.vector, 1);
    writer = makeBlocked(load.getTileShape(), form, threads);
    return Side{load, operand, writer, writer, {}, *memory};
  }
  // It is placed in rows of the tile: what lies along the other dimension moves by itself.
  if (form.order[0] == 0 && type.getElementBytes() < 4)
    return missed("only " + Twine(type.getElementBytes()) +
                  " bytes are neighbours in a row of its tile, and 4 are the least");
  std::optional<DistributedLayout> reader = getReader(dot, operand, by, step);
  if (!reader)
    return missed("no layout holds a step along k");
  return Side{load, operand, writer, *reader, {}, {}};
}

/// The placement of fewest counted turns for copies to it and reads from it: rows as they are or
/// with 16 bytes behind each, with any swizzle.
MemoryLayout OperandStager::place(const Side &side, ArrayRef<int64_t> shape, int64_t bits) {
  std::optional<MemoryLayout> best;
  std::pair<int64_t, int64_t> least;
  // Reads of each step along k are alike: a layout for all of them would only be wider.
  bool isLeft = side.operand == 0;
  unsigned kDim = isLeft ? 1 : 0;
  std::optional<DistributedLayout> rows = target::getMatrixRows(target, side.reader, bits);
  const DistributedLayout &reader = rows ? *rows : side.reader;
  for (int64_t pad : {0, 128}) {
    auto whole = MemoryLayout::rowMajor({shape.begin(), shape.end()}, bits, pad);
    if (!whole)
      continue;
    // The first step's part of it, of the same rows.
    std::vector<int64_t> part(shape.begin(), shape.end());
    part[kDim] = reader.shape()[kDim];
    int64_t row = shape[1] * bits + pad;
    auto first = MemoryLayout::create(
        part, bits, {{{part[0], row}}, {{part[1], bits}}, {{bits, 1}}}, {}, whole->sizeBits());
    layout::Access accesses[] = {{&side.writer, layout::AccessKind::Store}};
    auto candidate = layout::chooseSwizzle(*whole, accesses, target.access);
    if (!first || !candidate)
      continue;
    // Both sides want a say: among the swizzles of the read those that cost the copies least.
    layout::Access reads[] = {{&reader, layout::AccessKind::Load}};
    auto swizzled = layout::chooseSwizzle(*first, reads, target.access);
    if (!swizzled)
      continue;
    for (const auto &swizzles : {swizzled->swizzles(), candidate->swizzles()}) {
      std::vector<layout::Swizzle> xors(swizzles.begin(), swizzles.end());
      auto memory = whole->withSwizzles(xors), window = first->withSwizzles(xors);
      if (!memory || !window)
        continue;
      auto written =
          layout::countAccess(side.writer, *memory, layout::AccessKind::Store, target.access);
      auto read = layout::countAccess(reader, *window, layout::AccessKind::Load, target.access);
      if (!written || !read)
        continue;
      std::pair cost{written->wavefronts + read->wavefronts * (shape[kDim] / part[kDim]),
                     memory->sizeBits()};
      if (best && cost >= least)
        continue;
      least = cost;
      best = *memory;
    }
  }
  return best ? *best : *MemoryLayout::rowMajor({shape.begin(), shape.end()}, bits);
}

SmallVector<OperandStager::Side, 2>
OperandStager::getSides(DotOp dot, const target::MatrixInstruction *by, int64_t step) {
  SmallVector<Side, 2> sides;
  for (unsigned operand : {0, 1})
    if (std::optional<Side> side = getSide(dot, operand, by, step))
      sides.push_back(std::move(*side));
  return sides;
}

void OperandStager::stage(DotOp dot) {
  const target::MatrixInstruction *by = getInstruction(dot);
  int64_t k = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1);
  SmallVector<Side, 2> sides;
  if (by && by->takesMemory) {
    sides = getSides(dot, by, k);
    if (sides.size() != 2) {
      by = useRegisters(dot, target);
      remark::missed(dot.getLoc(), remarkOptions("instruction"))
          << remark::add("is computed by {0} instead, from registers",
                         by ? StringRef(by->name) : StringRef("multiply-adds"));
      sides.clear();
    }
  }
  bool isInMemory = by && by->takesMemory;
  int64_t step = isInMemory ? k : by ? by->k : kFactorStep;
  if (k % step != 0)
    step = k;
  if (!isInMemory)
    sides = getSides(dot, by, step);
  // One side alone would wait for the other one's registers; both go the way of registers then.
  if (sides.size() != 2)
    return;
  OpBuilder builder(dot);
  Location loc = dot.getLoc();
  for (Side &side : sides) {
    ViewType from = side.load.getView().getType();
    SmallVector<int64_t> shape(side.load.getTileShape());
    MemoryLayout memory =
        side.placement ? *side.placement : place(side, shape, from.getElementBytes() * 8);
    OpBuilder entry = OpBuilder::atBlockBegin(&kernel.getBody().front());
    auto alloc = AllocOp::create(entry, side.load.getLoc(),
                                 ViewType::get(from.getContext(), shape, from.getElementType(), {}),
                                 ValueRange());
    alloc->setAttr(kPlacementAttr, builder.getStringAttr(memory.str()));
    side.memory = alloc;
    remark::passed(side.load.getLoc(), remarkOptions("staged"))
        << remark::add("is copied to shared memory: ") << remark::metric("placement", memory.str())
        << remark::metric("layout", side.writer.str());
  }
  AffineMap whole = builder.getMultiDimIdentityMap(2);
  for (Side &side : sides) {
    auto copy = cast<LoadOp>(builder.clone(*side.load));
    auto type = cast<RankedTensorType>(copy.getType());
    copy.getResult().setType(
        RankedTensorType::get(type.getShape(), type.getElementType(),
                              LayoutAttr::get(builder.getContext(), side.writer)));
    auto store =
        StoreOp::create(builder, side.load.getLoc(), copy.getResult(), side.memory, ValueRange(),
                        ValueRange(), ValueRange(), AffineMapAttr::get(whole), IntegerSetAttr());
    store->setAttr(kAsyncAttr, builder.getUnitAttr());
  }
  CommitCopiesOp::create(builder, loc);
  WaitCopiesOp::create(builder, loc, 0);
  Value sum = dot.getAcc();
  for (int64_t first = 0; first < k; first += step) {
    Value operands[2];
    for (Side &side : sides) {
      unsigned kDim = side.operand == 0 ? 1 : 0;
      SmallVector<AffineExpr> exprs(whole.getResults());
      exprs[kDim] = exprs[kDim] + first;
      SmallVector<int64_t> shape(side.load.getTileShape());
      shape[kDim] = step;
      auto type = RankedTensorType::get(shape, side.load.getView().getType().getElementType(),
                                        LayoutAttr::get(builder.getContext(), side.reader));
      auto read =
          LoadOp::create(builder, loc, type, side.memory, ValueRange(), ValueRange(), ValueRange(),
                         AffineMapAttr::get(AffineMap::get(2, 0, exprs, builder.getContext())),
                         IntegerSetAttr(), TypedAttr());
      if (isInMemory)
        read->setAttr(kInMemoryAttr, builder.getUnitAttr());
      operands[side.operand] = read;
    }
    auto part = cast<DotOp>(builder.clone(*dot));
    part.getLhsMutable().assign(operands[0]);
    part.getRhsMutable().assign(operands[1]);
    part.getAccMutable().assign(sum);
    sum = part.getResult();
  }
  dot.replaceAllUsesWith(sum);
  Value unused[] = {dot.getLhs(), dot.getRhs()};
  dot.erase();
  for (Value value : unused)
    while (value && value.use_empty()) {
      Operation *op = value.getDefiningOp();
      value = isa<ConvertLayoutOp>(op) ? op->getOperand(0) : Value();
      op->erase();
    }
}

namespace {
struct StageOperandsPass : tile::impl::TileStageOperandsPassBase<StageOperandsPass> {
  using TileStageOperandsPassBase::TileStageOperandsPassBase;

  void runOnOperation() override {
    FailureOr<KernelDevice> device = getKernelDevice(getOperation());
    if (failed(device))
      return signalPassFailure(); // an error says why
    // By way of registers, what cannot be copied moves an element at a time.
    if (device->target->hasAsyncCopies)
      OperandStager(getOperation(), *device).run();
  }
};
} // namespace
