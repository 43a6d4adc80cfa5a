//===- ExplainSchedule.cpp - a schedule in words and figures -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "sectile/CostModel/RegisterTile.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace sectile;

namespace {

/// The product that a kernel is tiled for: the last one whose result is not reduced again.
const ReductionInfo *findProduct(const RegionAnalysis &analysis) {
  const ReductionInfo *product = nullptr;
  for (const ReductionInfo &info : analysis.reductions)
    if (info.isContraction && !info.feedsReduction)
      product = &info;
  return product;
}

/// The product's extents; none if one is known only at run time.
std::optional<ProductShape> getShape(const ReductionInfo &product, RankedTensorType root,
                                     unsigned columnDim) {
  if (!root.hasStaticShape() ||
      llvm::any_of(linalg::LinalgOp(product.op).getStaticLoopRanges(), ShapedType::isDynamic))
    return std::nullopt;
  ProductShape shape{1, root.getDimSize(columnDim), 1};
  for (unsigned dim = 0; dim < static_cast<unsigned>(root.getRank()); ++dim)
    if (dim != columnDim)
      shape.rows *= root.getDimSize(dim);
  linalg::LinalgOp op = product.op;
  for (auto [size, kind] : llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      shape.depth *= size;
  return shape;
}

std::string counted(int64_t count, StringRef what) {
  return std::to_string(count) + " " + what.str() + (count == 1 ? "" : "s");
}

} // namespace

std::string sectile::explainSchedule(graph::KernelOp kernel, const RegionAnalysis &analysis,
                                     const RegisterFile &file, tile::ScheduleAttr schedule) {
  auto root = cast<RankedTensorType>(analysis.mainRoot.getType());
  std::string text;
  llvm::raw_string_ostream out(text);
  int64_t blocks = 1, tileRows = 1;
  unsigned columnDim = 0;
  bool knowsBlocks = true;
  for (unsigned dim = 0; dim < analysis.rank; ++dim) {
    DimSizes sizes = getDimSizes(schedule, dim);
    if (isSwept(schedule, dim))
      continue;
    if (root.isDynamicDim(dim))
      knowsBlocks = false;
    else
      blocks *= (root.getDimSize(dim) + sizes.block - 1) / sizes.block;
  }
  for (unsigned dim = 0; dim < analysis.rank; ++dim)
    if (root.isDynamicDim(dim) || root.getDimSize(dim) > 1)
      columnDim = dim;
  for (unsigned dim = 0; dim < analysis.rank; ++dim)
    if (dim != columnDim)
      tileRows *= getDimSizes(schedule, dim).reg;
  int64_t columns = analysis.rank == 0 ? 1 : getDimSizes(schedule, columnDim).reg;

  if (knowsBlocks)
    out << counted(blocks, "block");
  else
    out << "a run-time number of blocks";
  bool isFirst = true;
  for (unsigned dim = 0; dim < analysis.rank; ++dim) {
    DimSizes sizes = getDimSizes(schedule, dim);
    if (sizes.block == 1 && sizes.reg == 1)
      continue;
    out << (isFirst ? " of " : ", ") << 'd' << dim << " x " << sizes.block;
    if (sizes.reg != sizes.block)
      out << " (tiles of " << sizes.reg << ')';
    isFirst = false;
  }
  for (unsigned dim = 0; dim < analysis.rank; ++dim) {
    if (!isSwept(schedule, dim))
      continue;
    const char *reason = analysis.scatter          ? "indices choose places along it"
                         : analysis.topK           ? "it selects along it"
                         : dim == analysis.scanDim ? "it scans along it"
                                                   : "a reduction does not depend on it";
    out << "; every block computes all of d" << dim << ", since " << reason;
  }
  if (const ReductionInfo *product = findProduct(analysis); product && analysis.rank != 0) {
    int64_t vectors = (columns + file.lanes - 1) / file.lanes;
    out << "; product: " << counted(tileRows * vectors, "accumulator") << ", "
        << counted(vectors, "column vector") << " and a broadcast in " << file.registers
        << " registers of " << file.lanes << " lanes";
    CoreModel core;
    core.vectorBytes = 4 * file.lanes;
    core.registers = file.registers;
    if (std::optional<ProductShape> shape = getShape(*product, root, columnDim))
      out << llvm::formatv(", {0} x {1} x {2} predicted to take {3:F0} cycles", shape->rows,
                           shape->depth, shape->columns,
                           predictCycles(*shape, {tileRows, columns}, core));
  } else if (!analysis.reductions.empty()) {
    out << "; " << counted(analysis.reductions.size(), "reduction") << ", no product to tile for";
  }
  for (auto [i, pass] : llvm::enumerate(analysis.jointPasses))
    if (int64_t block = getJointBlock(schedule, i))
      out << "; " << counted(pass.members.size() + 1, "reduction") << " in one pass, "
          << counted(block, "step") << " at a time";
  if (!analysis.resident.empty())
    out << "; " << counted(analysis.resident.size(), "value") << " in private memory";
  return text;
}
