//===- Prefetch.cpp - hints for what loops read next -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numeric>

namespace sectile::tile {
#define GEN_PASS_DEF_TILEPREFETCHPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

static constexpr int64_t kLineBytes = 64;

namespace {
/// A load or a store of a whole tile.
struct Access {
  explicit Access(LoadOp op)
      : op(op), view(op.getView()), map(op.getMap()), operands(op.getMapOperands()),
        shape(op.getTileShape()), isLoad(true) {}
  explicit Access(StoreOp op)
      : op(op), view(op.getView()), map(op.getMap()), operands(op.getMapOperands()),
        shape(op.getTileShape()), isLoad(false) {}

  /// The access that `op` makes, unless it is another op or scatters or gathers.
  static std::optional<Access> get(Operation *op) {
    if (auto load = dyn_cast<LoadOp>(op); load && load.getIndices().empty())
      return Access(load);
    if (auto store = dyn_cast<StoreOp>(op); store && store.getIndices().empty())
      return Access(store);
    return std::nullopt;
  }

  ViewType getViewType() const { return cast<ViewType>(view.getType()); }
  /// The map's symbol that stands for the counter of `loop`.
  std::optional<unsigned> getSymbol(scf::ForOp loop) const {
    auto place = llvm::find(operands, loop.getInductionVar());
    if (place == operands.end())
      return std::nullopt;
    return std::distance(operands.begin(), place);
  }
  /// Bytes of the tile.
  int64_t getBytes() const {
    return ShapedType::getNumElements(shape) * getViewType().getElementBytes();
  }

  Operation *op;
  Value view;
  AffineMap map;
  OperandRange operands;
  ArrayRef<int64_t> shape;
  bool isLoad;
};
} // namespace

static std::optional<int64_t> getTripCount(scf::ForOp loop) {
  std::optional<APInt> count = loop.getStaticTripCount();
  return count ? std::optional(count->getSExtValue()) : std::nullopt;
}

/// Where in the memory of its view an access's elements are: expressions of the tile's coordinates
/// and the map's symbols, the last one along contiguous memory. What lies in one panel as a whole
/// gets the panel's coordinates.
static AffineMap getPhysicalMap(const Access &access) {
  AffineMap map = access.map;
  unsigned dims = map.getNumDims(), symbols = map.getNumSymbols();
  SmallVector<AffineExpr> places;
  for (AffineExpr expr : access.getViewType().getPhysicalMap().getResults()) {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    AffineExpr place =
        map.getResult(cast<AffineDimExpr>(binary ? binary.getLHS() : expr).getPosition());
    if (binary) {
      int64_t size = cast<AffineConstantExpr>(binary.getRHS()).getValue();
      AffineExpr inside = getAffineConstantExpr(0, map.getContext());
      for (unsigned dim = 0; dim < dims; ++dim) {
        AffineExpr coord = getAffineDimExpr(dim, map.getContext());
        AffineExpr start = simplifyAffineExpr(place - coord, dims, symbols);
        if (start.isFunctionOfDim(dim) || !start.isMultipleOf(size) || access.shape[dim] > size)
          continue;
        inside = coord;
        place = start;
        break;
      }
      place = expr.getKind() == AffineExprKind::Mod ? inside + place % size : place.floorDiv(size);
    }
    places.push_back(simplifyAffineExpr(place, dims, symbols));
  }
  return AffineMap::get(dims, symbols, places, map.getContext());
}

/// Bytes that one of the tile's rows takes, side by side; 0 if its elements do not lie so.
static int64_t getRowBytes(const Access &access, AffineMap physical) {
  if (access.shape.empty() || physical.getNumResults() == 0)
    return 0;
  unsigned last = access.shape.size() - 1;
  for (AffineExpr expr : physical.getResults().drop_back())
    if (expr.isFunctionOfDim(last))
      return 0;
  AffineExpr start = simplifyAffineExpr(physical.getResults().back() -
                                            getAffineDimExpr(last, physical.getContext()),
                                        physical.getNumDims(), physical.getNumSymbols());
  if (start.isFunctionOfDim(last))
    return 0;
  return access.shape.back() * access.getViewType().getElementBytes();
}

/// Bytes from where an access goes to where it would go with `symbol` greater by `step`; nothing if
/// only the run knows.
static std::optional<int64_t> getDistance(const Access &access, AffineMap physical, unsigned symbol,
                                          int64_t step) {
  ViewType view = access.getViewType();
  if (view.getMemory() && !view.getMemory().getStrides().empty())
    return std::nullopt;
  SmallVector<int64_t> box = getPhysicalShape(view.getShape(), view.getPhysicalMap());
  AffineExpr counter = getAffineSymbolExpr(symbol, physical.getContext());
  int64_t elements = 0, stride = 1;
  for (unsigned i = box.size(); i-- > 0;) {
    AffineExpr expr = physical.getResult(i);
    auto moved = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr.replace(counter, counter + step) - expr, physical.getNumDims(),
                           physical.getNumSymbols()));
    if (!moved || (moved.getValue() != 0 && ShapedType::isDynamic(stride)))
      return std::nullopt;
    elements += moved.getValue() == 0 ? 0 : moved.getValue() * stride;
    bool isKnown = !ShapedType::isDynamic(stride) && !ShapedType::isDynamic(box[i]);
    stride = isKnown ? stride * box[i] : ShapedType::kDynamic;
  }
  return elements * view.getElementBytes();
}

/// Rows `distance` bytes apart that fit half of the first cache's sets they fall into; of an
/// unknown distance, as many as fit in the worst case.
static int64_t countFittingRows(std::optional<int64_t> distance) {
  constexpr int64_t kWayBytes = 4096, kWays = 8;
  int64_t common = distance && *distance != 0 ? std::gcd(*distance, kWayBytes) : kWayBytes;
  return kWays / 2 * (kWayBytes / common);
}

/// Asks, in front of `access`, for what it touches with `symbol` greater by `distance`.
static void createPrefetch(const Access &access, unsigned symbol, int64_t distance) {
  OpBuilder builder(access.op);
  AffineExpr counter = builder.getAffineSymbolExpr(symbol);
  AffineMap map = access.map.replace(counter, counter + distance, access.map.getNumDims(),
                                     access.map.getNumSymbols());
  PrefetchOp::create(builder, access.op->getLoc(), access.view, access.operands, map, access.shape);
}

//===----------------------------------------------------------------------===//
// Columns of products
//===----------------------------------------------------------------------===//

/// The loads in `loop` whose values reach the right operand of one of its dots.
static SmallVector<Access> findColumns(scf::ForOp loop) {
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.filter = [&](Operation *op) { return op->getBlock() == loop.getBody(); };
  options.omitBlockArguments = true;
  options.inclusive = true;
  for (DotOp dot : loop.getBody()->getOps<DotOp>())
    if (Operation *columns = dot.getRhs().getDefiningOp(); columns && options.filter(columns))
      (void)getBackwardSlice(columns, &slice, options);
  SmallVector<Access> accesses;
  for (LoadOp load : loop.getBody()->getOps<LoadOp>())
    if (slice.contains(load) && load.getIndices().empty())
      accesses.push_back(Access(load));
  return accesses;
}

/// Bytes that the loops around `access` read before one of them reads the same again, the innermost
/// one included; nothing if that is unknown.
static std::optional<int64_t> countBytes(const Access &access) {
  int64_t bytes = access.getBytes();
  for (auto loop = access.op->getParentOfType<scf::ForOp>(); loop && access.getSymbol(loop);
       loop = loop->getParentOfType<scf::ForOp>()) {
    std::optional<int64_t> count = getTripCount(loop);
    if (!count || llvm::MulOverflow(bytes, *count, bytes))
      return std::nullopt;
  }
  return bytes;
}

/// Whether several steps of the symbol lead to the same place, as those of a group do to its
/// scales: hints in each of them would cost more than one load for all.
static bool staysForSteps(AffineMap map, unsigned symbol) {
  bool stays = false;
  for (AffineExpr expr : map.getResults())
    expr.walk([&](AffineExpr part) {
      stays |= part.getKind() == AffineExprKind::FloorDiv && part.isFunctionOfSymbol(symbol);
    });
  return stays;
}

static void prefetchColumns(const Access &access, scf::ForOp loop, int64_t ahead, int64_t cached) {
  std::optional<APInt> step = loop.getConstantStep();
  std::optional<unsigned> symbol = access.getSymbol(loop);
  // Packed codes are read a word's worth of steps at a time, from one place after the other.
  if (!step || !symbol || access.getViewType().getPackedBits() != 0)
    return;
  AffineMap physical = getPhysicalMap(access);
  if (staysForSteps(access.map, *symbol))
    return;
  if (getRowBytes(access, physical) < kLineBytes ||
      physical.getResults().back().isFunctionOfSymbol(*symbol))
    return;
  if (std::optional<int64_t> bytes = countBytes(access); bytes && *bytes <= cached)
    return;
  std::optional<int64_t> distance = getDistance(access, physical, *symbol, step->getSExtValue());
  int64_t iterations =
      std::min(std::max<int64_t>(ahead / access.getBytes(), 1), countFittingRows(distance));
  if (std::optional<int64_t> count = getTripCount(loop))
    iterations = std::min(iterations, *count / 2);
  if (iterations > 0)
    createPrefetch(access, *symbol, iterations * step->getSExtValue());
}

//===----------------------------------------------------------------------===//
// Rows that several loops run over
//===----------------------------------------------------------------------===//

/// If the loops in `rows` run over the same row one after the other, asks in the last loop over
/// each argument's row for the next one.
static void prefetchRows(scf::ForOp rows, int64_t cached) {
  std::optional<APInt> step = rows.getConstantStep();
  if (!step || rows->walk([](DotOp) { return WalkResult::interrupt(); }).wasInterrupted())
    return;
  struct Row {
    std::optional<Access> last;
    int64_t numReads = 0, bytes = 0;
  };
  llvm::MapVector<Value, Row> arguments;
  for (scf::ForOp loop : rows.getBody()->getOps<scf::ForOp>()) {
    std::optional<int64_t> count = getTripCount(loop);
    llvm::SmallPtrSet<void *, 4> read;
    for (Operation &op : *loop.getBody()) {
      std::optional<Access> access = Access::get(&op);
      if (!access || !isa<BlockArgument>(access->view) || !access->getSymbol(rows) ||
          !access->getSymbol(loop) || access->getViewType().getPackedBits() != 0 ||
          getRowBytes(*access, getPhysicalMap(*access)) < kLineBytes)
        continue;
      if (!count)
        return;
      Row &row = arguments[access->view];
      row.last.emplace(*access);
      row.bytes = std::max(row.bytes, *count * access->getBytes());
      row.numReads += access->isLoad && read.insert(access->view.getAsOpaquePointer()).second;
    }
  }
  int64_t bytes = 0;
  for (auto &[view, row] : arguments)
    bytes += row.bytes;
  if (bytes > cached ||
      llvm::none_of(arguments, [](auto &entry) { return entry.second.numReads > 1; }))
    return;
  for (auto &[view, row] : arguments)
    createPrefetch(*row.last, *row.last->getSymbol(rows), step->getSExtValue());
}

namespace {
struct TilePrefetchPass : tile::impl::TilePrefetchPassBase<TilePrefetchPass> {
  using TilePrefetchPassBase::TilePrefetchPassBase;

  void runOnOperation() override {
    getOperation().walk([&](scf::ForOp loop) {
      for (const Access &access : findColumns(loop))
        prefetchColumns(access, loop, ahead, cached);
      prefetchRows(loop, cached);
    });
  }
};
} // namespace
