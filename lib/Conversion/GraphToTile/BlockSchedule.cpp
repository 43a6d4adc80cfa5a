//===- BlockSchedule.cpp - schedules for blocks of threads ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where threads hold a tile together, a block computes one tile of each root:
//
//   elementwise    as many elements as leave each thread several neighbours
//   reductions     results times the elements that are reduced in a step
//   products       rows and columns by price: what a block reads for each step
//                  along the reduced dimension against what it computes with it
//
// How many warps hold a tile, and how, is for tile-assign-layouts.
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace sectile;

/// Extents that only the run knows are taken to be large.
static constexpr int64_t kLargeExtent = 1 << 20;

/// Neighbours that a lane moves at once at most, of 32-bit elements.
static constexpr int64_t kNeighbours = 4;

/// Of a joint pass, steps that a block of it has at most, and bytes that its strips may have.
static constexpr int64_t kMostJointSteps = 64, kMostJointBytes = 16 * 1024;

/// Rows and columns of a product's tile at most; one more of either is one more operand to read.
static constexpr int64_t kMostTileRows = 128, kMostTileColumns = 128;

/// Rows and columns of a product's tile at least, where there are so many: those of a warp.
static constexpr int64_t kLeastTile = 16;

/// What matrix instructions do in the time of a multiply-add of f32, at least (16-bit and 8-bit
/// operands on every device that has them).
static constexpr double kMatrixRate = 8;

namespace {

class BlockScheduler {
public:
  BlockScheduler(const RegionAnalysis &analysis, const RegisterFile &file,
                 const DeviceModel &device, int64_t mostRows)
      : analysis(analysis), file(file), device(device), mostRows(mostRows),
        type(cast<RankedTensorType>(analysis.mainRoot.getType())), sizes(analysis.rank, {1, 1}) {
    for (unsigned dim = 0; dim < analysis.rank; ++dim)
      if (extent(dim) > 1)
        vectorDim = dim;
    for (const ReductionInfo &info : analysis.reductions)
      if (info.isContraction && !info.feedsReduction)
        product = &info;
  }

  tile::ScheduleAttr run() {
    if (vectorDim) {
      if (product && product->columns.test(*vectorDim))
        tileProduct();
      else if (analysis.reductions.empty())
        tileElements();
      else
        tileReduction();
    }
    for (DimSizes &size : sizes)
      size.block = size.reg;
    SmallVector<unsigned> inner;
    appendSwept(analysis, [&](unsigned dim) { return extent(dim); }, inner);
    SmallVector<int64_t> jointBlocks;
    for (const JointPass &pass : analysis.jointPasses)
      jointBlocks.push_back(chooseJointBlock(pass, analysis, sizes, type, file, device));
    return makeSchedule(analysis, sizes, jointBlocks, inner, {});
  }

private:
  int64_t extent(unsigned dim) const {
    return type.isDynamicDim(dim) ? kLargeExtent : std::max<int64_t>(type.getDimSize(dim), 1);
  }

  /// Parts of `extent`, at most `most` elements and as equal as whole accesses allow.
  static int64_t cut(int64_t extent, int64_t most) {
    if (extent <= most)
      return extent;
    int64_t part = splitEvenly(extent, most);
    return most < kNeighbours ? part : (part + kNeighbours - 1) / kNeighbours * kNeighbours;
  }

  /// Gives `elements` to the dimensions of a tile, from the last one on, where those inside are
  /// whole.
  void fill(int64_t elements) {
    for (unsigned dim = analysis.rank; dim-- > 0 && elements > 1;) {
      if (dim == analysis.scanDim)
        continue;
      int64_t most = dim == vectorDim ? elements : std::min(elements, mostRows);
      if (sizes[dim].reg == 1)
        sizes[dim].reg = dim == vectorDim ? cut(extent(dim), most) : rowsOf(dim, most);
      if (sizes[dim].reg < extent(dim))
        return;
      elements /= sizes[dim].reg;
    }
  }
  /// Rows of a tile, `most` at most: what divides the extent in steps of `unit`, if it is not much
  /// less; else a power of two, of which the last tile is masked.
  int64_t rowsOf(unsigned dim, int64_t most, int64_t unit = 1) const {
    if (extent(dim) <= most)
      return extent(dim);
    if (!type.isDynamicDim(dim))
      for (int64_t rows = most / unit * unit; rows * 2 > most; rows -= unit)
        if (extent(dim) % rows == 0)
          return rows;
    return static_cast<int64_t>(llvm::bit_floor(uint64_t(most)));
  }

  void tileElements() {
    if (analysis.scanDim) {
      // Each thread has a row of its own, and the loop along it carries its state. A tile goes to
      // rows and back by shared memory.
      sizes[*analysis.scanDim].reg = std::min(extent(*analysis.scanDim), file.getTurns());
      fill(std::max<int64_t>(file.blockElements / kNeighbours / 2, 1));
      return;
    }
    chooseSquare(analysis, *vectorDim, [&](unsigned dim) { return extent(dim); }, file, sizes);
    if (llvm::any_of(sizes, [](const DimSizes &size) { return size.reg != 1; }))
      return;
    fill(file.blockElements);
  }

  void tileReduction() {
    auto extentOf = [&](unsigned dim) { return extent(dim); };
    bool follows = true, readsAlong = true;
    for (const ReductionInfo &info : analysis.reductions) {
      if (!info.followed.test(*vectorDim))
        follows = false;
      else if (!info.contiguous.test(*vectorDim) && !info.isContraction)
        readsAlong = false;
    }
    int64_t reduced = std::min(countReducedElements(analysis, extentOf), file.blockElements);
    // Every block runs along a dimension that some reduction lacks; others share the tile with the
    // elements that are reduced.
    int64_t elements = file.blockElements;
    if (follows)
      elements /=
          readsAlong ? std::min<int64_t>(reduced, file.blockElements / file.lanes) : reduced;
    fill(std::max<int64_t>(elements, 1));
  }

  //===--------------------------------------------------------------------===//
  // Products
  //===--------------------------------------------------------------------===//

  struct Problem {
    double rows = 1, columns = 1, depth = 1, copies = 1, elementBytes = 4;
    bool isNarrow = false;
  };

  Problem describe(ArrayRef<unsigned> rowDims) const {
    Problem problem;
    problem.columns = static_cast<double>(extent(*vectorDim));
    for (unsigned dim = 0; dim < analysis.rank; ++dim)
      if (llvm::is_contained(rowDims, dim))
        problem.rows *= static_cast<double>(extent(dim));
      else if (dim != vectorDim)
        problem.copies *= static_cast<double>(extent(dim));
    linalg::LinalgOp op = product->op;
    for (auto [size, kind] : llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction)
        problem.depth *= ShapedType::isDynamic(size) ? kUnknownExtent : std::max<int64_t>(size, 1);
    int64_t bits = 8;
    for (OpOperand *input : op.getDpsInputOperands())
      bits = std::max<int64_t>(
          bits, getElementTypeOrSelf(input->get().getType()).getIntOrFloatBitWidth());
    problem.elementBytes = static_cast<double>(bits) / 8;
    problem.isNarrow = bits < 32;
    return problem;
  }

  /// Extent of the last dimension of the product's own result; 0 if only the run knows.
  int64_t getColumns() const {
    auto result = cast<RankedTensorType>(product->op->getResult(0).getType());
    int64_t extent = result.getRank() == 0 ? 1 : result.getShape().back();
    return ShapedType::isDynamic(extent) ? 0 : extent;
  }

  /// Cycles of the product in tiles of `rows` x `columns`: the last wave counts like a full one.
  double predict(const Problem &problem, double rows, double columns) const {
    double blocks =
        std::ceil(problem.rows / rows) * std::ceil(problem.columns / columns) * problem.copies;
    double perCore = device.core.multiplyAdds * file.lanes * (problem.isNarrow ? kMatrixRate : 1);
    double compute = rows * columns / perCore;
    double read = (rows + columns) * problem.elementBytes / device.coreBytesPerCycle;
    double all = blocks * (rows + columns) * problem.elementBytes * problem.depth /
                 (4 * device.memoryBytesPerCycle); // most of it from the second-level cache
    return std::max(std::ceil(blocks / device.cores) *
                        (device.blockCycles + problem.depth * std::max(compute, read)),
                    all);
  }

  void tileProduct() {
    SmallVector<unsigned> rowDims;
    for (unsigned dim : product->rows.set_bits())
      if (extent(dim) > 1 && dim != vectorDim)
        rowDims.push_back(dim);
    Problem problem = describe(rowDims);
    // Heads that lie side by side in the result have rows of their own: a tile keeps to one.
    int64_t all = extent(*vectorDim);
    if (int64_t own = getColumns();
        own > 1 && own < all && all % own == 0 && analysis.reductions.size() > 1)
      all = own;
    problem.copies *= problem.columns / static_cast<double>(all);
    problem.columns = static_cast<double>(all);
    // A block that sweeps the columns reads its rows' other operands for each tile of them.
    bool isSwept = analysis.swept.test(*vectorDim);
    int64_t sumBytes = std::max<int64_t>(
        getElementTypeOrSelf(product->op->getResult(0).getType()).getIntOrFloatBitWidth() / 8, 4);
    int64_t mostElements = (analysis.resident.empty() ? 8 : 4) * file.blockElements * 4 / sumBytes;
    // What warp groups multiply takes no registers but sums: a tile may have four times as many.
    bool hasGroups =
        analysis.resident.empty() && mostRows >= file.groupRows &&
        file.hasGroupsFor(file.groupRows, static_cast<int64_t>(problem.elementBytes)) &&
        problem.rows >= static_cast<double>(file.groupRows);
    SmallVector<int64_t> widths;
    if (hasGroups)
      widths = {file.groupColumns, file.groupColumns * 3 / 4};
    for (int64_t columns = kMostTileColumns; columns >= kLeastTile; columns /= 2)
      widths.push_back(columns);
    constexpr int64_t kGroupSums = 4;
    int64_t bestRows = 1, bestColumns = 1;
    double best = INFINITY;
    auto least = static_cast<int64_t>(
        std::min<double>({kLeastTile, problem.rows, static_cast<double>(mostRows)}));
    for (int64_t columns : widths)
      for (int64_t rows = kMostTileRows; rows >= least; rows /= 2) {
        bool isOfGroups = hasGroups && rows % file.groupRows == 0;
        bool isLess = static_cast<double>(rows) < 2 * problem.rows && rows <= mostRows;
        bool isNarrower =
            static_cast<double>(columns) < 2 * problem.columns || columns == kLeastTile;
        // Sums of products are formed in parts, with as many registers again; and a tile on its way
        // to another layout shares a block's memory with what the block keeps there.
        if (!isLess || !isNarrower || (columns > kMostTileColumns && !isOfGroups) ||
            rows * columns > mostElements * (isOfGroups ? kGroupSums : 1))
          continue;
        if ((isSwept || !analysis.resident.empty()) && columns < std::min(all, kMostTileColumns))
          continue;
        double cycles = predict(problem, static_cast<double>(rows), static_cast<double>(columns));
        if (cycles < 0.98 * best) {
          best = cycles;
          bestRows = rows;
          bestColumns = columns;
        }
      }
    sizes[*vectorDim].reg = std::min(bestColumns, all);
    int64_t left = bestRows;
    for (unsigned dim : llvm::reverse(rowDims)) {
      if (left > 1)
        sizes[dim].reg =
            rowsOf(dim, left, hasGroups && left % file.groupRows == 0 ? file.groupRows : 8);
      left = sizes[dim].reg < extent(dim) ? 1 : left / sizes[dim].reg;
    }
  }

  const RegionAnalysis &analysis;
  const RegisterFile &file;
  const DeviceModel &device;
  int64_t mostRows;
  RankedTensorType type;
  SmallVector<DimSizes> sizes;
  std::optional<unsigned> vectorDim;
  const ReductionInfo *product = nullptr;
};

} // namespace

/// Results that the leader has for a tile of the root of `elements` elements along the dimensions
/// that it follows: fewer where several of those are one of its own.
static int64_t countLeaders(const JointPass &pass, const DimSet &followed, RankedTensorType root,
                            int64_t elements) {
  auto known = [](int64_t extent) {
    return static_cast<double>(ShapedType::isDynamic(extent) ? kUnknownExtent
                                                             : std::max<int64_t>(extent, 1));
  };
  double own = 1, all = 1;
  linalg::LinalgOp leader = pass.leader;
  for (auto [size, kind] :
       llvm::zip_equal(leader.getStaticLoopRanges(), leader.getIteratorTypesArray()))
    if (kind != utils::IteratorType::reduction)
      own *= known(size);
  for (unsigned dim : followed.set_bits())
    all *= known(root.getDimSize(dim));
  return std::max<int64_t>(
      static_cast<int64_t>(static_cast<double>(elements) * std::min(own / all, 1.0)), 1);
}

int64_t sectile::chooseSharedJointBlock(const JointPass &pass, const RegionAnalysis &analysis,
                                        const DimSet &followed, RankedTensorType root, int64_t rows,
                                        int64_t inner, int64_t steps, int64_t elementBytes) {
  rows = countLeaders(pass, followed, root, rows);
  int64_t strips = 0;
  for (auto [value, residency] : analysis.resident)
    strips += pass.dependents.contains(value) ||
              value == linalg::LinalgOp(pass.leader).getDpsInputOperand(0)->get();
  // Without strips the rows are read again, which is what the pass would save; it costs factors.
  if (strips == 0)
    return 0;
  int64_t most =
      std::min<int64_t>(kMostJointSteps, kMostJointBytes / (rows * inner * elementBytes * strips));
  if (most < 1 || steps <= most)
    return 0;
  return static_cast<int64_t>(llvm::bit_floor(uint64_t(most)));
}

tile::ScheduleAttr sectile::chooseBlockSchedule(const RegionAnalysis &analysis,
                                                const RegisterFile &file, const DeviceModel &device,
                                                int64_t mostRows) {
  return BlockScheduler(analysis, file, device, mostRows).run();
}
