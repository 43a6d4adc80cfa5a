//===- Work.cpp - what a set of ops would do as one kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Work.h"

#include "dialects/Graph/IR/Follow.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace sectile;

/// Columns of a tile on the widest level.
static constexpr double kTileColumns = 64;

/// Vector operations that an elementary function takes, about.
static constexpr double kFunctionOps = 12;

/// Those of a conversion from or to a number format: of integers, floats, and per entry of a table.
static constexpr double kIntegerOps = 4, kFloatOps = 12, kEntryOps = 1;

using graph::kTypicalExtent;

/// Vector operations that an op in the body of a linalg op takes, about.
static double countVectorOps(Operation &op) {
  if (isa<math::MathDialect>(op.getDialect()))
    return kFunctionOps;
  auto format = op.getAttrOfType<StringAttr>("format");
  if (!format || !isa<graph::DequantizeOp, graph::QuantizeOp>(op))
    return 1;
  formats::Format numbers = numbers::getFormat(format.getValue());
  return numbers.getInteger() ? kIntegerOps
         : numbers.getFloat() ? kFloatOps
                              : kEntryOps * static_cast<double>(numbers.getCodeCount());
}

static double knownExtent(int64_t extent, double unknown = kTypicalExtent) {
  return ShapedType::isDynamic(extent) ? unknown : static_cast<double>(extent);
}

static double countElements(RankedTensorType type, double unknown = kTypicalExtent) {
  double elements = 1;
  for (int64_t extent : type.getShape())
    elements *= knownExtent(extent, unknown);
  return elements;
}

static double countBytes(Value value, double unknown) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.getElementType().isIntOrFloat())
    return 0;
  int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8;
  return countElements(type, unknown) * static_cast<double>(bytes);
}

SmallVector<unsigned> graph::getSharedLoops(linalg::LinalgOp product, OpOperand &input) {
  AffineMap map = product.getMatchingIndexingMap(&input);
  SmallVector<unsigned> loops;
  for (AffineExpr expr : product.getMatchingIndexingMap(product.getDpsInitOperand(0)).getResults())
    if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && map.isFunctionOfDim(loop.getPosition()))
      loops.push_back(loop.getPosition());
  return loops;
}

KernelWork graph::estimateWork(const llvm::SetVector<Operation *> &ops, double unknown) {
  KernelWork work;
  llvm::SetVector<Value> read;
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (Operation *def = operand.getDefiningOp(); !def || !ops.contains(def))
        read.insert(operand);
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !ops.contains(user); }))
        work.bytes += countBytes(result, unknown);
    if (auto scan = dyn_cast<graph::ScanOp>(op))
      work.elementOps +=
          countElements(cast<RankedTensorType>(scan.getInputs()[0].getType()), unknown) *
          static_cast<double>(llvm::range_size(scan.getStep().front().without_terminator()));
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp)
      continue;
    double iterations = 1;
    for (int64_t extent : linalgOp.getStaticLoopRanges())
      iterations *= knownExtent(extent, unknown);
    if (sumsProducts(linalgOp)) {
      work.multiplyAdds += iterations;
      continue;
    }
    for (Operation &inner : linalgOp.getBlock()->without_terminator())
      work.elementOps += iterations * countVectorOps(inner);
  }
  for (Value value : read)
    // Initial values are constants that are folded into the kernel.
    if (!value.getDefiningOp<tensor::EmptyOp>() && !value.getDefiningOp<linalg::FillOp>())
      work.bytes += countBytes(value, unknown);
  return work;
}

double graph::countBlocks(linalg::LinalgOp op, ArrayRef<unsigned> loops, double tile,
                          double unknown) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  double blocks = 1;
  for (unsigned loop : loops)
    blocks *= loop == loops.back() ? std::ceil(knownExtent(extents[loop], unknown) / tile)
                                   : knownExtent(extents[loop], unknown);
  return blocks;
}

double graph::countBlocks(const llvm::SetVector<Operation *> &ops, double tile) {
  double most = INFINITY, iterations = 1;
  for (Operation *op : ops) {
    if (auto scan = dyn_cast<graph::ScanOp>(op)) {
      // One block runs all along the axis.
      auto type = cast<RankedTensorType>(scan.getInputs()[0].getType());
      double elements = countElements(type);
      iterations = std::max(iterations, elements);
      most = std::min(most, elements / std::max(1.0, knownExtent(type.getDimSize(scan.getAxis()))));
    }
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp)
      continue;
    double own = 1;
    for (int64_t extent : linalgOp.getStaticLoopRanges())
      own *= knownExtent(extent);
    iterations = std::max(iterations, own);
    if (linalgOp.getNumReductionLoops() != 0)
      most = std::min(most, countElements(cast<RankedTensorType>(op->getResult(0).getType())));
  }
  return std::max(std::min(most, std::floor(iterations / tile)), 1.0);
}

/// Calls `visit` for every result that `group` stores, with its type and with what the dimensions
/// of each result of `op`, which is to join the group, follow.
static void
followFromRoots(Operation *op, const llvm::SetVector<Operation *> &group,
                llvm::function_ref<void(OpResult, OpResult, const graph::Followed &)> visit) {
  // Consumers come before what they consume.
  SmallVector<Operation *> order(group.begin(), group.end());
  llvm::sort(order, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  for (Operation *root : group) {
    bool isStored = llvm::any_of(root->getUsers(), [&](Operation *user) {
      return user != op && !group.contains(user) && !isa<tensor::DimOp>(user);
    });
    if (!isStored)
      continue;
    for (OpResult result : root->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!type)
        continue;
      unsigned rank = type.getRank();
      graph::Followed all(rank, llvm::SmallBitVector(rank));
      for (unsigned dim = 0; dim < rank; ++dim)
        all[dim].set(dim);
      llvm::DenseMap<Value, graph::Followed> followed;
      followed[result] = all;
      for (Operation *other : order)
        for (OpResult value : other->getResults()) {
          auto it = followed.find(value);
          if (it == followed.end() || other == op)
            continue;
          graph::Followed dims = it->second;
          graph::followOperands(value, dims, rank, [&](OpOperand &operand, graph::Followed from) {
            graph::Followed &known = followed[operand.get()];
            if (known.empty())
              known = from;
            else
              for (auto [mine, more] : llvm::zip_equal(known, from))
                mine |= more;
          });
        }
      for (OpResult value : op->getResults())
        if (auto it = followed.find(value); it != followed.end())
          visit(result, value, it->second);
    }
  }
}

double graph::countRepetitions(Operation *op, const llvm::SetVector<Operation *> &group,
                               double columns, double unknown) {
  double most = 1;
  followFromRoots(op, group, [&](OpResult result, OpResult value, const Followed &followed) {
    auto root = cast<RankedTensorType>(result.getType());
    unsigned rank = root.getRank();
    double elements =
        std::max(1.0, countElements(cast<RankedTensorType>(value.getType()), unknown));
    llvm::SmallBitVector dims(rank);
    for (const llvm::SmallBitVector &dim : followed)
      dims |= dim;
    double others = 1, last = 1;
    for (unsigned dim : dims.set_bits())
      (dim + 1 == rank ? last : others) *= knownExtent(root.getDimSize(dim), unknown);
    // Elements side by side share a tile's computation only if they are all that needs it there.
    double run = std::max(1.0, last * others / elements);
    double shared = elements < others ? 1 : std::min(columns, run);
    most = std::max(most, others * std::ceil(last / shared) / elements);
  });
  return most;
}

/// The last dimension that has any extent, or the first one.
static int64_t lastDim(RankedTensorType type) {
  int64_t last = type.getRank() - 1;
  while (last > 0 && type.getDimSize(last) == 1)
    --last;
  return last;
}

/// Dimensions of the root that any of `followed` follows.
static llvm::SmallBitVector uniteDims(const graph::Followed &followed, unsigned rank) {
  llvm::SmallBitVector dims(rank);
  for (const llvm::SmallBitVector &dim : followed)
    dims |= dim;
  return dims;
}

/// Columns of `root` that need the same element of `value`, which has some of `dims`.
static double countSharers(RankedTensorType root, RankedTensorType value,
                           const llvm::SmallBitVector &dims) {
  double places = 1;
  for (unsigned dim : dims.set_bits())
    places *= knownExtent(root.getDimSize(dim));
  return places / std::max(1.0, countElements(value));
}

bool graph::keepsColumns(Operation *op, const llvm::SetVector<Operation *> &group) {
  bool keeps = true;
  followFromRoots(op, group, [&](OpResult root, OpResult value, const Followed &followed) {
    auto type = cast<RankedTensorType>(root.getType());
    int64_t last = lastDim(type);
    if (last < 0 || countSharers(type, cast<RankedTensorType>(value.getType()),
                                 uniteDims(followed, type.getRank())) >= kTileColumns)
      return;
    for (unsigned dim = 0; dim < followed.size(); ++dim) {
      if (!followed[dim].test(last))
        continue;
      bool isOwn = false;
      graph::findPlaces(
          value, root, [&](Operation *inner) { return group.contains(inner); },
          [&](ArrayRef<AffineExpr> place) {
            isOwn |= place[dim] == getAffineDimExpr(last, op->getContext());
          });
      keeps &= isOwn;
    }
  });
  return keeps;
}

bool graph::followsLike(Operation *op, const llvm::SmallDenseSet<Operation *> &chain,
                        const llvm::SetVector<Operation *> &group) {
  llvm::DenseMap<Value, llvm::SmallBitVector> byRoot;
  auto collect = [&](Operation *member, bool isNew) {
    bool agrees = true;
    followFromRoots(member, group, [&](OpResult root, OpResult, const Followed &followed) {
      auto type = cast<RankedTensorType>(root.getType());
      llvm::SmallBitVector dims = uniteDims(followed, type.getRank());
      for (unsigned dim = 0; dim < dims.size(); ++dim)
        if (type.getDimSize(dim) == 1)
          dims.reset(dim);
      llvm::SmallBitVector &known = byRoot.try_emplace(root, dims.size()).first->second;
      agrees &= !isNew || known == dims;
      known |= dims;
    });
    return agrees;
  };
  for (Operation *member : chain)
    (void)collect(member, /*isNew=*/false);
  return collect(op, /*isNew=*/true);
}

bool graph::keepsLastDim(Operation *op, const llvm::SetVector<Operation *> &group) {
  bool keeps = true;
  followFromRoots(op, group, [&](OpResult result, OpResult value, const Followed &followed) {
    auto root = cast<RankedTensorType>(result.getType());
    int64_t last = lastDim(root), own = lastDim(cast<RankedTensorType>(value.getType()));
    keeps &= last < 0 || own < 0 || followed[own].test(last);
  });
  return keeps;
}
