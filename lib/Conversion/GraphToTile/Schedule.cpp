//===- Schedule.cpp - choosing a kernel's schedule -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace sectile;

static int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

static int64_t scale(int64_t count, double factor) {
  return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(count) * factor), 1);
}

static std::string dimName(unsigned dim) { return "d" + std::to_string(dim); }

DimSizes sectile::getDimSizes(tile::ScheduleAttr schedule, unsigned dim) {
  SmallVector<int64_t> sizes = schedule.getSizes(dimName(dim));
  if (sizes.empty())
    return {1, 1};
  return {sizes.front(), sizes.back()};
}

bool sectile::isSwept(tile::ScheduleAttr schedule, unsigned dim) {
  auto sweep = schedule.getChoices().getAs<ArrayAttr>("sweep");
  return sweep && llvm::any_of(sweep, [&](Attribute name) {
           return cast<StringAttr>(name).getValue() == dimName(dim);
         });
}

SmallVector<int64_t> sectile::getTailSizes(tile::ScheduleAttr schedule, unsigned dim) {
  SmallVector<int64_t> sizes;
  if (auto tails = schedule.getChoices().getAs<DictionaryAttr>("tails"))
    if (auto list = tails.getAs<ArrayAttr>(dimName(dim)))
      for (Attribute size : list)
        if (auto integer = dyn_cast<IntegerAttr>(size); integer && integer.getInt() > 1)
          sizes.push_back(integer.getInt());
  sizes.push_back(1);
  return sizes;
}

/// Tiles for what full ones leave of a dimension of unknown size. A product's columns come from
/// outside the caches, once for each tile: `inOne` leaves nothing to a second one, whatever the
/// rest is. Halves are a third of the code.
static SmallVector<int64_t> chooseTailSizes(int64_t reg, bool inOne) {
  SmallVector<int64_t> sizes;
  for (int64_t size = inOne ? reg - 1 : llvm::bit_floor<uint64_t>(reg - 1); size > 1;
       size = inOne ? size - 1 : size / 2)
    sizes.push_back(size);
  return sizes;
}

SmallVector<unsigned> sectile::getLoopOrder(tile::ScheduleAttr schedule, unsigned rank) {
  SmallVector<unsigned> named;
  if (auto order = schedule.getChoices().getAs<ArrayAttr>("order"))
    for (Attribute name : order)
      for (unsigned dim = 0; dim < rank; ++dim)
        if (cast<StringAttr>(name).getValue() == dimName(dim))
          named.push_back(dim);
  SmallVector<unsigned> order;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(named, dim))
      order.push_back(dim);
  llvm::append_range(order, named);
  return order;
}

/// Elements that a block of a kernel without contractions works on: enough that starting a
/// block costs nothing, few enough that a small tensor still fills all cores.
static constexpr int64_t kBlockElements = 8192;

/// Rows of a register tile at most: they are read in place, and more of them, a power of two
/// bytes apart, would evict each other from an 8-way cache.
static constexpr int64_t kMaxRows = 8;

/// Rows that a block computes with one panel at most, so that a row of blocks has several even
/// where nothing is known of its length; four times as many where a block stages an operand.
static constexpr int64_t kBlockRows = 96;

/// Whether rows of the product's left operand lie so far apart that they share cache sets.
static bool mayAlias(linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = cast<RankedTensorType>(input->get().getType());
    int64_t row = type.getRank() == 0 ? 1 : type.getShape().back();
    if (ShapedType::isDynamic(row) || (row * 4) % 1024 == 0)
      return true;
  }
  return false;
}

/// Columns of a panel of the product's packed operand, or of what it is computed from, or 0.
static int64_t getPanel(graph::KernelOp kernel, linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto producer = input->get().getDefiningOp<linalg::LinalgOp>();
    if (producer && isComputedElementwise(input->get()))
      if (int64_t panel = getPanel(kernel, producer); panel != 0)
        return panel;
    auto argument = dyn_cast<BlockArgument>(input->get());
    if (!argument || argument.getOwner() != &kernel.getBody().front())
      continue;
    auto memory =
        kernel.getArgAttrOfType<tile::MemoryAttr>(argument.getArgNumber(), graph::kMemoryAttr);
    auto inside = memory ? dyn_cast<AffineBinaryOpExpr>(memory.getMap().getResults().back())
                         : AffineBinaryOpExpr(nullptr);
    if (inside)
      return cast<AffineConstantExpr>(inside.getRHS()).getValue();
  }
  return 0;
}

/// Whether a product has one row, for which each element of the columns is used once.
static bool hasOneRow(const ReductionInfo &product, unsigned columns,
                      llvm::function_ref<int64_t(unsigned)> extent) {
  return llvm::all_of(product.rows.set_bits(),
                      [&](unsigned dim) { return dim == columns || extent(dim) <= 1; });
}

/// Elements of a staged operand that one block copies: those of its last two dimensions.
static double countStagedElements(Value value) {
  double elements = 1;
  for (int64_t size : cast<RankedTensorType>(value.getType()).getShape().take_back(2))
    elements *= ShapedType::isDynamic(size) ? kUnknownExtent : size;
  return elements;
}

/// Elements that go into one of a reduction's results.
static int64_t countTerms(linalg::LinalgOp op) {
  int64_t elements = 1;
  for (auto [size, kind] : llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      elements *= ShapedType::isDynamic(size) ? 128 : std::max<int64_t>(size, 1);
  return elements;
}

int64_t sectile::countReducedElements(const RegionAnalysis &analysis,
                                      llvm::function_ref<int64_t(unsigned)> extent) {
  int64_t most = 1;
  for (const ReductionInfo &info : analysis.reductions)
    most = std::max(most, countTerms(info.op));
  // One by one: a product of extents that only the run knows has no end.
  for (unsigned dim : analysis.swept.set_bits())
    most /= extent(dim);
  return std::max<int64_t>(most, 1);
}

/// Updates that a tile of a scatter has, or elements that a tile of a selection has along its axis.
static constexpr StringLiteral kUpdates = "u";

int64_t sectile::getUpdatesPerTile(tile::ScheduleAttr schedule) {
  SmallVector<int64_t> sizes = schedule.getSizes(kUpdates);
  return sizes.empty() ? 1 : sizes.back();
}

/// Blocks share the dimensions of the data that the updates have too, so that no two of them change
/// the same element and each makes its changes in order. Dimensions that indices choose are whole.
static tile::ScheduleAttr chooseScatterSchedule(graph::ScatterOp op, const RegisterFile &file) {
  auto data = cast<RankedTensorType>(op.getData().getType());
  auto updates = cast<RankedTensorType>(op.getUpdates().getType());
  auto known = [](int64_t extent) { return ShapedType::isDynamic(extent) ? 128 : extent; };
  // Updates of one block for each place along the shared dimensions, at least one.
  int64_t repeated = 1, initial = 1;
  for (unsigned dim = 0; dim < updates.getRank(); ++dim)
    if (!op.getDataDim(dim))
      repeated *= std::max<int64_t>(known(updates.getDimSize(dim)), 1);
  for (unsigned dim = 0; dim < data.getRank(); ++dim)
    if (!op.getUpdateDim(dim))
      initial *= std::max<int64_t>(known(data.getDimSize(dim)), 1);
  if (!isa<BlockArgument>(op.getData()))
    repeated = std::max(repeated, initial);
  int64_t budget = std::max<int64_t>(kBlockElements / repeated, 1);

  Builder builder(op.getContext());
  SmallVector<NamedAttribute> dims, choices;
  SmallVector<Attribute> sweep;
  int64_t columns = file.getMostVectors() * file.lanes;
  std::optional<unsigned> lastDim;
  for (unsigned dim = 0; dim < data.getRank(); ++dim)
    if (data.getDimSize(dim) != 1)
      lastDim = dim;
  for (unsigned dim = data.getRank(); dim-- > 0;) {
    int64_t extent =
        data.isDynamicDim(dim) ? int64_t(1) << 20 : std::max<int64_t>(data.getDimSize(dim), 1);
    int64_t reg = dim == lastDim ? std::min(columns, extent) : 1, block = reg;
    if (op.getUpdateDim(dim)) {
      block = std::min(roundUp(extent, reg), roundUp(budget, reg));
      budget = std::max<int64_t>(budget / block, 1);
    } else if (data.getDimSize(dim) != 1) {
      sweep.push_back(builder.getStringAttr(dimName(dim)));
    }
    if (block != 1 || reg != 1)
      dims.push_back(builder.getNamedAttr(dimName(dim), builder.getI64ArrayAttr({block, reg})));
  }
  // A vector of updates along their last dimension: several where they lie side by side.
  unsigned last = updates.getRank() - 1;
  if (updates.getRank() != 0) {
    int64_t extent = known(updates.getDimSize(last));
    int64_t most = op.getDataDim(last) == data.getRank() - 1 ? columns : file.getTurns();
    dims.push_back(builder.getNamedAttr(
        kUpdates, builder.getI64ArrayAttr({std::clamp<int64_t>(extent, 1, most)})));
  }
  if (!sweep.empty())
    choices.push_back(builder.getNamedAttr("sweep", builder.getArrayAttr(sweep)));
  return tile::ScheduleAttr::get(op.getContext(), tile::ScheduleAttr::kVersion,
                                 builder.getDictionaryAttr(dims),
                                 builder.getDictionaryAttr(choices));
}

/// A block has whole lists: it runs all along the axis of its rows, a vector of elements at a time,
/// or of rows where those lie side by side.
static tile::ScheduleAttr chooseTopKSchedule(graph::TopKOp op, const RegisterFile &file) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto axis = static_cast<unsigned>(op.getAxis());
  auto known = [&](unsigned dim) {
    int64_t extent = input.getDimSize(dim);
    return ShapedType::isDynamic(extent) ? int64_t(128) : std::max<int64_t>(extent, 1);
  };
  int64_t columns = file.getMostVectors() * file.lanes;
  int64_t budget = std::max<int64_t>(kBlockElements / known(axis), 1);
  Builder builder(op.getContext());
  SmallVector<NamedAttribute> dims;
  unsigned last = input.getRank() - 1;
  for (unsigned dim = input.getRank(); dim-- > 0;) {
    int64_t most = dim == axis ? op.getK() : known(dim);
    int64_t reg = dim == last ? std::min(columns, most) : 1, block = reg;
    if (dim != axis) {
      block = std::min(roundUp(input.isDynamicDim(dim) ? int64_t(1) << 20 : known(dim), reg),
                       roundUp(budget, reg));
      budget = std::max<int64_t>(budget / block, 1);
    }
    if (block != 1 || reg != 1)
      dims.push_back(builder.getNamedAttr(dimName(dim), builder.getI64ArrayAttr({block, reg})));
  }
  int64_t most = file.isShared() ? file.getTurns() : columns;
  if (axis == last)
    dims.push_back(
        builder.getNamedAttr(kUpdates, builder.getI64ArrayAttr({std::min(most, known(axis))})));
  SmallVector<NamedAttribute> choices{
      builder.getNamedAttr("sweep", builder.getStrArrayAttr({StringRef(dimName(axis))}))};
  return tile::ScheduleAttr::get(op.getContext(), tile::ScheduleAttr::kVersion,
                                 builder.getDictionaryAttr(dims),
                                 builder.getDictionaryAttr(choices));
}

void sectile::chooseSquare(const RegionAnalysis &analysis, unsigned vectorDim,
                           llvm::function_ref<int64_t(unsigned)> extent, const RegisterFile &file,
                           SmallVectorImpl<DimSizes> &sizes) {
  for (const RegionAnalysis::ArgumentRead &read : analysis.reads) {
    if (read.last.count() != 1 || !read.followed.test(vectorDim))
      continue;
    unsigned dim = read.last.find_first();
    if (dim == vectorDim || std::min(extent(dim), extent(vectorDim)) < kLeastSquare)
      continue;
    // Whole vectors, if some divide the extent.
    int64_t rows = file.lanes;
    while (rows > kLeastSquare && extent(dim) % rows != 0)
      rows /= 2;
    sizes[dim].reg = extent(dim) % rows == 0 ? rows : splitEvenly(extent(dim), file.lanes);
    sizes[vectorDim].reg = std::min(file.lanes, extent(vectorDim));
    return;
  }
}

void sectile::appendSwept(const RegionAnalysis &analysis, function_ref<int64_t(unsigned)> extent,
                          SmallVectorImpl<unsigned> &inner) {
  // A smaller result is stored outside of the loops over dimensions that it lacks: innermost are
  // those that most results lack.
  auto countLacking = [&](unsigned dim) {
    return llvm::count_if(analysis.rootMaps,
                          [&](AffineMap map) { return !map.isFunctionOfDim(dim); });
  };
  // Among those, reductions that do not follow a loop are made again for each of its iterations if
  // it goes outside: the one that would repeat most is the innermost.
  auto countRepeated = [&](unsigned dim) {
    double elements = 0;
    for (const ReductionInfo &info : analysis.reductions)
      if (!info.followed.test(dim))
        elements += countTerms(info.op);
    return elements * extent(dim);
  };
  SmallVector<unsigned> swept(analysis.swept.set_bits());
  llvm::sort(swept, [&](unsigned a, unsigned b) {
    return std::tuple(countLacking(a), countRepeated(a), a) <
           std::tuple(countLacking(b), countRepeated(b), b);
  });
  llvm::append_range(inner, swept);
  // The state of a scan is that of one place along all other dimensions.
  if (analysis.scanDim) {
    llvm::erase(inner, *analysis.scanDim);
    inner.push_back(*analysis.scanDim);
  }
}

tile::ScheduleAttr sectile::makeSchedule(const RegionAnalysis &analysis, ArrayRef<DimSizes> sizes,
                                         ArrayRef<int64_t> jointBlocks, ArrayRef<unsigned> inner,
                                         SmallVector<NamedAttribute> choices) {
  Builder builder(analysis.mainRoot.getContext());
  SmallVector<NamedAttribute> dims;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (size.block != 1 || size.reg != 1)
      dims.push_back(
          builder.getNamedAttr(dimName(dim), builder.getI64ArrayAttr({size.block, size.reg})));
  for (auto [i, block] : llvm::enumerate(jointBlocks))
    if (block != 0)
      dims.push_back(
          builder.getNamedAttr("r" + std::to_string(i), builder.getI64ArrayAttr({block})));
  SmallVector<Attribute> order, sweep;
  for (unsigned dim : inner)
    order.push_back(builder.getStringAttr(dimName(dim)));
  for (unsigned dim : analysis.swept.set_bits())
    sweep.push_back(builder.getStringAttr(dimName(dim)));
  if (!order.empty())
    choices.push_back(builder.getNamedAttr("order", builder.getArrayAttr(order)));
  if (!sweep.empty())
    choices.push_back(builder.getNamedAttr("sweep", builder.getArrayAttr(sweep)));
  return tile::ScheduleAttr::get(builder.getContext(), tile::ScheduleAttr::kVersion,
                                 builder.getDictionaryAttr(dims),
                                 builder.getDictionaryAttr(choices));
}

tile::ScheduleAttr sectile::chooseSchedule(graph::KernelOp kernel, const RegionAnalysis &analysis,
                                           const RegisterFile &file, const DeviceModel &device,
                                           const ScheduleLimits &limits) {
  if (analysis.scatter)
    return chooseScatterSchedule(analysis.scatter, file);
  if (analysis.topK)
    return chooseTopKSchedule(analysis.topK, file);
  if (file.isShared())
    return chooseBlockSchedule(analysis, file, device);
  unsigned rank = analysis.rank;
  auto type = cast<RankedTensorType>(analysis.mainRoot.getType());
  // Unknown extents are taken to be large.
  auto extent = [&](unsigned dim) {
    return type.isDynamicDim(dim) ? int64_t(1) << 20 : std::max<int64_t>(type.getDimSize(dim), 1);
  };
  SmallVector<DimSizes> sizes(rank, {1, 1});
  std::optional<unsigned> vectorDim;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (extent(dim) > 1)
      vectorDim = dim;

  const ReductionInfo *product = nullptr;
  bool followsVectorDim = true, readsAlongVectorDim = true;
  for (const ReductionInfo &info : analysis.reductions) {
    if (info.isContraction && !info.feedsReduction)
      product = &info;
    if (vectorDim && !info.followed.test(*vectorDim))
      followsVectorDim = false;
    if (vectorDim && info.followed.test(*vectorDim) && !info.contiguous.test(*vectorDim) &&
        !info.isContraction)
      readsAlongVectorDim = false;
  }
  SmallVector<unsigned> inner; // loops that go inside all others
  if (vectorDim) {
    int64_t columns = limits.vectors.value_or(file.getMostVectors()) * file.lanes;
    // One row leaves registers over, and nothing else to do while its sums wait for each other.
    if (!limits.vectors && product && hasOneRow(*product, *vectorDim, extent))
      columns = std::max(columns, file.registers / 4 * file.lanes);
    // A packed operand is read panel by panel.
    if (product)
      if (int64_t panel = getPanel(kernel, product->op); panel != 0) {
        columns = std::min(columns, panel);
        while (columns > file.lanes && panel % columns != 0)
          columns -= file.lanes;
      }
    if (!analysis.reductions.empty() && followsVectorDim && !product && !readsAlongVectorDim)
      columns = 1;
    if (product && product->readsAlongDepth)
      columns = kMostPartialSums;
    sizes[*vectorDim].reg = std::min(columns, extent(*vectorDim));
  }
  if (product && vectorDim) {
    DimSet rows = product->rows;
    rows.reset(*vectorDim);
    SmallVector<unsigned> rowDims;
    for (unsigned dim : rows.set_bits())
      if (extent(dim) > 1)
        rowDims.push_back(dim);
    int64_t vectors = (sizes[*vectorDim].reg + file.lanes - 1) / file.lanes;
    // Accumulators, the columns' vectors and one broadcast fit the register file.
    int64_t mostRows = std::max<int64_t>((file.registers - vectors - 1) / vectors, 1);
    if (limits.rows || mayAlias(product->op))
      mostRows = std::min(mostRows, limits.rows.value_or(kMaxRows));
    if (product->readsAlongDepth)
      mostRows = std::max<int64_t>(kMostPartialSums / sizes[*vectorDim].reg, 1);
    // Rows of a tile come from the last row dimension, and, where that is short, the one before.
    // A block takes further tiles from all of them, so that it reads its panel once for many rows.
    for (unsigned dim : llvm::reverse(rowDims)) {
      if (mostRows > 1)
        sizes[dim].reg = type.isDynamicDim(dim) ? mostRows : splitEvenly(extent(dim), mostRows);
      mostRows = sizes[dim].reg < extent(dim) ? 1 : mostRows / sizes[dim].reg;
      inner.insert(inner.begin(), dim);
    }
    sizes[*vectorDim].block = sizes[*vectorDim].reg;
    TileRow row;
    int64_t regRows = 1;
    for (unsigned dim = 0; dim < rank; ++dim) {
      int64_t tiles = (extent(dim) + sizes[dim].reg - 1) / sizes[dim].reg;
      if (llvm::is_contained(inner, dim)) {
        row.tiles *= tiles;
        regRows *= sizes[dim].reg;
      } else if (!analysis.swept.test(dim)) {
        row.copies *= tiles;
      }
    }
    double depth = 1;
    linalg::LinalgOp op = product->op;
    SmallVector<int64_t> loops = op.getStaticLoopRanges();
    for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction)
        depth *= ShapedType::isDynamic(loops[loop]) ? kUnknownExtent : loops[loop];
    row.cycles = depth * regRows * vectors / device.core.multiplyAdds;
    row.setupCycles = depth * sizes[*vectorDim].reg * 4 / device.core.thirdCacheBytesPerCycle;
    int64_t most = kBlockRows;
    for (auto [value, residency] : analysis.resident)
      if (residency.inPanels) {
        row.setupCycles += countStagedElements(value) * kStageCycles;
        most = 4 * kBlockRows;
      }
    int64_t budget = scale(chooseTilesPerBlock(row, std::max<int64_t>(most / regRows, 1), device),
                           limits.blockScale);
    for (unsigned dim : llvm::reverse(inner)) {
      int64_t tiles = (extent(dim) + sizes[dim].reg - 1) / sizes[dim].reg;
      tiles = std::min(std::max<int64_t>(budget, 1), tiles);
      sizes[dim].block = tiles * sizes[dim].reg;
      budget /= tiles;
    }
    inner.insert(inner.begin(), *vectorDim);
  } else if (vectorDim) {
    if (analysis.reductions.empty() && analysis.scans.empty())
      chooseSquare(analysis, *vectorDim, extent, file, sizes);
    // What counts is what a block works on: an element of a reduction's result stands for many.
    int64_t budget =
        scale(std::max<int64_t>(kBlockElements / countReducedElements(analysis, extent), 1),
              limits.blockScale);
    // A block runs all along a scan's dimension.
    if (analysis.scanDim)
      budget = std::max<int64_t>(budget / extent(*analysis.scanDim), 1);
    for (unsigned dim = rank; dim-- > 0;) {
      if (dim == analysis.scanDim)
        continue; // swept, below
      DimSizes &size = sizes[dim];
      size.block = std::min(roundUp(extent(dim), size.reg), roundUp(budget, size.reg));
      budget = std::max<int64_t>(budget / size.block, 1);
    }
  }
  // A block computes a swept dimension whole, in its inner loops.
  for (unsigned dim : analysis.swept.set_bits()) {
    sizes[dim].block = sizes[dim].reg;
    llvm::erase(inner, dim);
  }
  appendSwept(analysis, extent, inner);

  Builder builder(kernel.getContext());
  SmallVector<NamedAttribute> choices, tails;
  bool streamsColumns = product && analysis.reductions.size() == 1 && analysis.resident.empty();
  for (unsigned dim = 0; dim < rank; ++dim) {
    if (!type.isDynamicDim(dim) || dim == vectorDim || sizes[dim].reg <= 2)
      continue;
    SmallVector<int64_t> list = chooseTailSizes(sizes[dim].reg, streamsColumns);
    tails.push_back(builder.getNamedAttr(dimName(dim), builder.getI64ArrayAttr(list)));
  }
  if (!tails.empty())
    choices.push_back(builder.getNamedAttr("tails", builder.getDictionaryAttr(tails)));
  SmallVector<int64_t> jointBlocks;
  for (const JointPass &pass : analysis.jointPasses)
    jointBlocks.push_back(chooseJointBlock(pass, analysis, sizes, type, file, device));
  return makeSchedule(analysis, sizes, jointBlocks, inner, choices);
}
