//===- StageOperands.cpp - the pass tile-stage-operands ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an operand of a product is computed from goes to shared memory first, as it
// lies, and every warp reads from there what it multiplies:
//
//     %t = tile.load %a ..            %t = tile.load %a ..    (as threads copy best)
//     %x = arith.extf %t              tile.store %t, %m ..  {tile.async}
//     %d = tile.dot %x, ..            tile.commit_copies;  tile.wait_copies 0
//                                     %u = tile.load %m ..    (for a few k at a time)
//                                     %x = arith.extf %u      (on those elements)
//                                     %d = tile.dot %x, ..
//
// Any elementwise ops may stand between loads and product (OperandTree.h). Loads of
// which many elements of the tile have the same (scales of groups, biases) are read
// from where they are, by the threads that need them.
//
// The product is cut along k into steps of one matrix instruction, or of 16 bytes
// for multiply-adds, so that few registers hold operands. Instructions of warp
// groups read memory themselves: StageGroupProducts.cpp.
//
//===----------------------------------------------------------------------===//

#include "StageOperands.h"

#include "ChooseLayouts.h"
#include "GroupProducts.h"
#include "OperandTree.h"
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
  /// A load of a side's tree: copied by `writer` to `memory`, or read where it is.
  struct Source {
    std::optional<DistributedLayout> writer = {};
    /// The load's dimensions in the order of the side's.
    SmallVector<unsigned> dims = {};
    Value memory = {};
    /// Of packed codes, how they are in the copy: by words, as they were.
    MemoryAttr packed = {};
    /// And which of the load's dimensions runs along each of the view's, in whose order it is
    /// copied.
    SmallVector<unsigned> viewDims = {};

    bool isCopied() const { return writer || packed; }
  };
  struct Side {
    unsigned operand;
    OperandTree tree;
    DistributedLayout reader;
    SmallVector<Source> sources;
  };
  void stage(DotOp dot);
  std::optional<Side> getSide(DotOp dot, unsigned operand, const target::MatrixInstruction *by,
                              int64_t step);
  std::optional<DistributedLayout> getReader(DotOp dot, unsigned operand,
                                             const target::MatrixInstruction *by, int64_t k);
  std::optional<Source> getSource(const OperandTree::Leaf &leaf, scf::ForOp loop,
                                  std::string &reason);
  void copyPacked(OpBuilder &builder, LoadOp load, Source &source);
  MemoryLayout place(const Side &side, const Source &source, ArrayRef<int64_t> shape, int64_t bits);
  Value emitPart(OpBuilder &builder, const Side &side, int64_t first, int64_t step);
  remark::RemarkOpts remarkOptions(StringRef name) {
    return remark::RemarkOpts::name(name).category("tile-stage-operands");
  }

  KernelOp kernel;
  const target::GpuTarget &target;
  Threads threads;
};
} // namespace

Value tile::getRoot(Value view) {
  while (auto window = view.getDefiningOp<ViewOp>())
    view = window.getSource();
  return view;
}

bool tile::isWrittenIn(Operation *outer, Value view) {
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
static int64_t countCopyBytes(LoadOp load, const target::GpuTarget &target, Threads threads) {
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

std::string tile::whyNotCopied(LoadOp load, const target::GpuTarget &target, Threads threads) {
  Type element = load.getView().getType().getElementType();
  if (!element.isF16() && !element.isBF16() && !element.isF32() && !element.isF64() &&
      !element.isInteger(8) && !element.isInteger(16) && !element.isInteger(32))
    return "its elements are converted on the way";
  if (load.getFillAttr() && load.getFillAttr() != Builder(load.getContext()).getZeroAttr(element))
    return "what is masked is not zero";
  int64_t bytes = countCopyBytes(load, target, threads);
  if (bytes < 4)
    return "only " + std::to_string(bytes) + " bytes can be copied at once, and 4 are the least";
  return "";
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

void tile::eraseUnused(Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  op->erase();
  for (Value operand : operands)
    if (Operation *def = operand.getDefiningOp();
        def && def->use_empty() && (isMemoryEffectFree(def) || isa<LoadOp>(def)))
      eraseUnused(def);
}

/// For each dimension of a view of packed codes the one of the load's tile that runs along it, if
/// the load reads whole runs of codes, in an order made for the threads of a product; else nothing.
static std::optional<SmallVector<unsigned>> matchRuns(LoadOp load) {
  MemoryAttr memory = load.getView().getType().getMemory();
  AffineMap map = load.getMap();
  ArrayRef<int64_t> shape = load.getTileShape();
  if (!memory || memory.getOrder().empty() || map.getNumResults() != shape.size() ||
      memory.getAlong() + 1 != memory.getMap().getNumResults())
    return std::nullopt;
  auto run = cast<AffineBinaryOpExpr>(memory.getMap().getResult(memory.getAlong()));
  unsigned along = cast<AffineDimExpr>(run.getLHS()).getPosition();
  int64_t codes = cast<AffineConstantExpr>(run.getRHS()).getValue();
  SmallVector<unsigned> dims;
  for (auto [number, expr] : llvm::enumerate(map.getResults())) {
    // The one dimension that it adds to what is the same for all of the tile.
    std::optional<unsigned> own;
    for (unsigned dim = 0; dim < map.getNumDims(); ++dim) {
      AffineExpr base = simplifyAffineExpr(expr - getAffineDimExpr(dim, map.getContext()),
                                           map.getNumDims(), map.getNumSymbols());
      bool isOwn = llvm::none_of(llvm::seq<unsigned>(0, map.getNumDims()),
                                 [&](unsigned other) { return base.isFunctionOfDim(other); });
      if (isOwn && !llvm::is_contained(dims, dim) &&
          (number != along || (base.isMultipleOf(codes) && shape[dim] % codes == 0)))
        own = dim;
    }
    if (!own)
      return std::nullopt;
    dims.push_back(*own);
  }
  // Within a run words are copied whole: what the mask says must not change there.
  if (std::optional<IntegerSet> set = load.getWhere())
    for (AffineExpr constraint : set->getConstraints())
      if (constraint.isFunctionOfDim(dims[along]))
        return std::nullopt;
  return dims;
}

/// How a load comes to the threads; nothing, and why in `reason`, if it cannot be copied and is
/// too much to be read by everyone.
std::optional<OperandStager::Source>
OperandStager::getSource(const OperandTree::Leaf &leaf, scf::ForOp loop, std::string &reason) {
  LoadOp load = leaf.load;
  auto missed = [&](const Twine &why) {
    reason = why.str();
    return std::nullopt;
  };
  ViewType type = load.getView().getType();
  if (isWrittenIn(loop, load.getView()))
    return missed("the loop writes what it may read");
  if (!leaf.map.isPermutation() || !hasOwnElements(load))
    return Source{};
  if (!isa<BlockArgument>(getRoot(load.getView())))
    return missed("it is not a tile of an argument");
  if (type.getPackedBits() != 0) {
    if (auto dims = matchRuns(load))
      return Source{.packed = type.getMemory(), .viewDims = *dims};
    return missed("it does not read whole runs of packed codes");
  }
  if (std::string why = whyNotCopied(load, target, threads); !why.empty())
    return missed(why);
  BlockedForm form =
      getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
  // It is placed in rows of the tile: what lies along the other dimension moves by itself.
  if (form.order[0] == 0 && type.getElementBytes() < 4)
    return missed("only " + Twine(type.getElementBytes()) +
                  " bytes are neighbours in a row of its tile, and 4 are the least");
  return Source{.writer = makeBlocked(load.getTileShape(), form, threads)};
}

std::optional<OperandStager::Side> OperandStager::getSide(DotOp dot, unsigned operand,
                                                          const target::MatrixInstruction *by,
                                                          int64_t step) {
  auto missed = [&](const Twine &reason) {
    remark::missed(dot.getLoc(), remarkOptions("staged"))
        << remark::add("operand {0} is not staged: {1}", operand, reason.str());
    return std::nullopt;
  };
  auto loop = dyn_cast<scf::ForOp>(dot->getParentOp());
  if (!loop)
    return missed("it is not loaded by a loop for the product in it");
  std::string reason;
  std::optional<OperandTree> tree = OperandTree::build(dot->getOperand(operand), loop, reason);
  if (!tree)
    return missed(reason);
  std::optional<DistributedLayout> reader = getReader(dot, operand, by, step);
  if (!reader)
    return missed("no layout holds a step along k");
  // What several threads need, each of them computes.
  if (!tree->isCheap() && reader->copies() > 1)
    return missed("it takes long to compute, and " + Twine(reader->copies()) +
                  " threads need each element");
  Side side{operand, std::move(*tree), *reader, {}};
  for (const OperandTree::Leaf &leaf : side.tree.getLeaves()) {
    std::optional<Source> source = getSource(leaf, loop, reason);
    if (!source)
      return missed(reason);
    if (source->writer)
      source->viewDims = llvm::to_vector(llvm::seq<unsigned>(0, leaf.map.getNumResults()));
    for (unsigned dim : source->viewDims)
      source->dims.push_back(cast<AffineDimExpr>(leaf.map.getResult(dim)).getPosition());
    side.sources.push_back(std::move(*source));
  }
  if (llvm::none_of(side.sources, [](const Source &source) { return source.isCopied(); }))
    return missed("no load gives each of its elements one of memory");
  return side;
}

/// The placement of fewest counted turns for copies to it and reads from it: rows as they are or
/// with 16 bytes behind each, with any swizzle.
MemoryLayout OperandStager::place(const Side &side, const Source &source, ArrayRef<int64_t> shape,
                                  int64_t bits) {
  std::optional<MemoryLayout> best;
  std::pair<int64_t, int64_t> least;
  // Reads of each step along k are alike: a layout for all of them would only be wider.
  unsigned kDim = source.dims[side.operand == 0 ? 1 : 0] == 1 ? 1 : 0;
  DistributedLayout own = side.reader.transposed(source.dims);
  std::optional<DistributedLayout> rows = target::getMatrixRows(target, own, bits);
  const DistributedLayout &reader = rows ? *rows : own;
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
    layout::Access accesses[] = {{&*source.writer, layout::AccessKind::Store}};
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
          layout::countAccess(*source.writer, *memory, layout::AccessKind::Store, target.access);
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

/// `step` values of k from `first` on of a side, as the product reads them.
Value OperandStager::emitPart(OpBuilder &builder, const Side &side, int64_t first, int64_t step) {
  unsigned kDim = side.operand == 0 ? 1 : 0;
  OperandPart part{SmallVector<int64_t>(2, 0),
                   SmallVector<int64_t>(side.reader.shape().begin(), side.reader.shape().end()),
                   side.reader};
  part.offset[kDim] = first;
  part.shape[kDim] = step;
  return side.tree.emit(builder, part, [&](unsigned number) -> Value {
    const Source &source = side.sources[number];
    if (!source.isCopied())
      return side.tree.emitLoad(builder, part, number);
    // As it lies; the product's dimensions are a matter of names.
    LoadOp load = side.tree.getLeaves()[number].load;
    SmallVector<int64_t> shape(2);
    SmallVector<AffineExpr> exprs(2);
    for (unsigned dim = 0; dim < 2; ++dim) {
      shape[dim] = part.shape[source.dims[dim]];
      exprs[dim] = builder.getAffineDimExpr(dim) + part.offset[source.dims[dim]];
    }
    MLIRContext *context = builder.getContext();
    auto type =
        RankedTensorType::get(shape, load.getView().getType().getElementType(),
                              LayoutAttr::get(context, side.reader.transposed(source.dims)));
    Value tile = LoadOp::create(
        builder, load.getLoc(), type, source.memory, ValueRange(), ValueRange(), ValueRange(),
        AffineMapAttr::get(AffineMap::get(2, 0, exprs, context)), IntegerSetAttr(), TypedAttr());
    if (source.dims[0] == 0)
      return tile;
    return TransposeOp::create(builder, load.getLoc(),
                               RankedTensorType::get(part.shape, type.getElementType(),
                                                     LayoutAttr::get(context, side.reader)),
                               tile, ArrayRef<int64_t>{1, 0});
  });
}

/// Copies words of packed codes to memory of the same order.
void OperandStager::copyPacked(OpBuilder &builder, LoadOp load, Source &source) {
  MLIRContext *context = builder.getContext();
  // In the order of the view's dimensions.
  auto rank = static_cast<unsigned>(load.getTileRank());
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> renamed(rank);
  for (auto [dim, own] : llvm::enumerate(source.viewDims)) {
    shape.push_back(load.getTileShape()[own]);
    renamed[own] = getAffineDimExpr(dim, context);
  }
  auto symbolsOf = [&](unsigned count) {
    return llvm::map_to_vector(llvm::seq<unsigned>(0, count),
                               [&](unsigned i) { return getAffineSymbolExpr(i, context); });
  };
  AffineMap map = load.getMap();
  map =
      map.replaceDimsAndSymbols(renamed, symbolsOf(map.getNumSymbols()), rank, map.getNumSymbols());
  IntegerSetAttr where;
  if (std::optional<IntegerSet> set = load.getWhere())
    where = IntegerSetAttr::get(set->replaceDimsAndSymbols(renamed, symbolsOf(set->getNumSymbols()),
                                                           rank, set->getNumSymbols()));
  Type element = load.getView().getType().getElementType();
  auto tile = RankedTensorType::get(
      shape, element,
      LayoutAttr::get(context,
                      LayoutAttr::of(load.getType()).getLayout().transposed(source.viewDims)));
  auto type = ViewType::get(context, shape, element, source.packed);
  OpBuilder entry = OpBuilder::atBlockBegin(&kernel.getBody().front());
  source.memory = AllocOp::create(entry, load.getLoc(), type, ValueRange());
  remark::passed(load.getLoc(), remarkOptions("staged")) << remark::add(
      "is copied to shared memory by words, {0} bytes",
      ShapedType::getNumElements(getMemoryShape(shape, source.packed)) * type.getElementBytes());
  Value copy = LoadOp::create(builder, load.getLoc(), tile, load.getView(), load.getMapOperands(),
                              load.getSetOperands(), ValueRange(), AffineMapAttr::get(map), where,
                              load.getFillAttr());
  auto store = StoreOp::create(
      builder, load.getLoc(), copy, source.memory, ValueRange(), ValueRange(), ValueRange(),
      AffineMapAttr::get(AffineMap::getMultiDimIdentityMap(rank, context)), IntegerSetAttr());
  store->setAttr(kAsyncAttr, builder.getUnitAttr());
}

void OperandStager::stage(DotOp dot) {
  const target::MatrixInstruction *by = getInstruction(dot);
  if (by && by->takesMemory) {
    if (stageGroupProduct(dot, *by, target, threads))
      return;
    by = useRegisters(dot, target);
    remark::missed(dot.getLoc(), remarkOptions("instruction"))
        << remark::add("is computed by {0} instead, from registers",
                       by ? StringRef(by->name) : StringRef("multiply-adds"));
  }
  int64_t k = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1);
  int64_t step = by ? by->k : kFactorStep;
  if (k % step != 0)
    step = k;
  std::vector<Side> sides;
  for (unsigned operand : {0, 1})
    if (std::optional<Side> side = getSide(dot, operand, by, step))
      sides.push_back(std::move(*side));
  // One side alone would wait for the other one's registers; both go the way of registers then.
  if (sides.size() != 2)
    return;
  OpBuilder builder(dot);
  Location loc = dot.getLoc();
  AffineMap whole = builder.getMultiDimIdentityMap(2);
  for (Side &side : sides)
    for (auto [leaf, source] : llvm::zip_equal(side.tree.getLeaves(), side.sources)) {
      if (source.packed) {
        copyPacked(builder, leaf.load, source);
        continue;
      }
      if (!source.writer)
        continue;
      LoadOp load = leaf.load;
      ViewType from = load.getView().getType();
      SmallVector<int64_t> shape(load.getTileShape());
      MemoryLayout memory = place(side, source, shape, from.getElementBytes() * 8);
      OpBuilder entry = OpBuilder::atBlockBegin(&kernel.getBody().front());
      auto alloc = AllocOp::create(
          entry, load.getLoc(), ViewType::get(from.getContext(), shape, from.getElementType(), {}),
          ValueRange());
      alloc->setAttr(kPlacementAttr, builder.getStringAttr(memory.str()));
      source.memory = alloc;
      remark::passed(load.getLoc(), remarkOptions("staged"))
          << remark::add("is copied to shared memory: ")
          << remark::metric("placement", memory.str())
          << remark::metric("layout", source.writer->str());
      auto copy = cast<LoadOp>(builder.clone(*load));
      copy.getResult().setType(RankedTensorType::get(
          shape, from.getElementType(), LayoutAttr::get(builder.getContext(), *source.writer)));
      auto store =
          StoreOp::create(builder, load.getLoc(), copy.getResult(), source.memory, ValueRange(),
                          ValueRange(), ValueRange(), AffineMapAttr::get(whole), IntegerSetAttr());
      store->setAttr(kAsyncAttr, builder.getUnitAttr());
    }
  CommitCopiesOp::create(builder, loc);
  WaitCopiesOp::create(builder, loc, 0);
  Value sum = dot.getAcc();
  for (int64_t first = 0; first < k; first += step) {
    Value operands[2];
    for (Side &side : sides)
      operands[side.operand] = emitPart(builder, side, first, step);
    auto part = cast<DotOp>(builder.clone(*dot));
    part.getLhsMutable().assign(operands[0]);
    part.getRhsMutable().assign(operands[1]);
    part.getAccMutable().assign(sum);
    sum = part.getResult();
  }
  dot.replaceAllUsesWith(sum);
  eraseUnused(dot);
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
