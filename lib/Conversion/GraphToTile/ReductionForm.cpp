//===- ReductionForm.cpp - which form a reduction takes ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"
#include "MaterializeLinalg.h"
#include "ReductionEmitter.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

std::optional<Combiner> sectile::matchCombiner(linalg::LinalgOp op, unsigned result) {
  SmallVector<Operation *> ops;
  auto carried = op.getRegionOutputArgs();
  Value reduced = matchReduction(carried, result, ops);
  if (!reduced || ops.size() != 1)
    return std::nullopt;
  std::optional<TypedAttr> neutral = arith::getNeutralElement(ops[0]);
  if (!neutral)
    return std::nullopt;
  // The carried value may take part in nothing but the combination.
  if (!carried[result].hasOneUse())
    return std::nullopt;
  for (auto [i, other] : llvm::enumerate(carried))
    if (i != result && !other.use_empty()) {
      llvm::SetVector<Operation *> slice;
      BackwardSliceOptions options;
      options.inclusive = true;
      if (failed(getBackwardSlice(reduced, &slice, options)))
        return std::nullopt;
      for (Operation *user : other.getUsers())
        if (slice.contains(user))
          return std::nullopt;
    }
  return Combiner{ops[0], reduced, *neutral};
}

bool sectile::isNeutral(TypedAttr init, TypedAttr neutral) {
  if (init == neutral)
    return true;
  auto lhs = dyn_cast_if_present<FloatAttr>(init), rhs = dyn_cast_if_present<FloatAttr>(neutral);
  // -0.0 is the neutral element of addition; 0.0 differs from it for sums of -0.0 only, and
  // the partial results then start from 0.0 too.
  return lhs && rhs && lhs.getValue().isZero() && rhs.getValue().isZero();
}

TypedAttr sectile::getFillValue(Value tensor) {
  Attribute constant;
  if (matchPattern(tensor, m_Constant(&constant)))
    if (auto splat = dyn_cast<SplatElementsAttr>(constant))
      return cast<TypedAttr>(splat.getSplatValue<Attribute>());
  auto op = tensor.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumLoops() != op.getNumParallelLoops() ||
      op.getBlock()->without_terminator().begin() != op.getBlock()->without_terminator().end())
    return {};
  auto yielded = dyn_cast<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
  Value source;
  if (!yielded)
    source = op.getBlock()->getTerminator()->getOperand(0);
  else if (yielded.getOwner() == op.getBlock())
    source = op.getMatchingOpOperand(yielded)->get();
  TypedAttr value;
  if (source && !isa<RankedTensorType>(source.getType()) &&
      matchPattern(source, m_Constant(&value)))
    return value;
  return {};
}

std::optional<unsigned> Materializer::getAdjacentDim(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type)
    return std::nullopt;
  if (auto it = resident.find(tensor); it != resident.end())
    return it->second.lastDim;
  std::optional<unsigned> dim = getContiguousDim(tensor);
  // Of the last dimensions, one that has any extent decides.
  if (dim && *dim + 1 == type.getRank())
    while (*dim > 0 && getSize(tensor, *dim) == space.constant(1))
      --*dim;
  return dim;
}

/// The tile dimensions that a scalar of the body varies along, by the operands it comes from.
SmallVector<unsigned> Materializer::ReductionEmitter::getDimsOf(Value scalar) {
  Block *block = op.getBlock();
  SmallVector<unsigned> used;
  llvm::SetVector<Value> work;
  work.insert(scalar);
  for (unsigned i = 0; i < work.size(); ++i) {
    auto argument = dyn_cast<BlockArgument>(work[i]);
    if (argument && argument.getOwner() == block) {
      for (AffineExpr expr :
           op.getMatchingIndexingMap(op.getMatchingOpOperand(argument)).getResults())
        expr.walk([&](AffineExpr part) {
          if (auto dim = dyn_cast<AffineDimExpr>(part); dim && iterCoords[dim.getPosition()])
            space.collectTileDims(iterCoords[dim.getPosition()], used);
        });
    } else if (Operation *def = work[i].getDefiningOp(); def && def->getBlock() == block) {
      if (auto index = dyn_cast<linalg::IndexOp>(def); index && iterCoords[index.getDim()])
        space.collectTileDims(iterCoords[index.getDim()], used);
      for (Value operand : def->getOperands())
        work.insert(operand);
    }
  }
  return used;
}

void Materializer::ReductionEmitter::chooseDot() {
  Operation *product = combiner ? combiner->reduced.getDefiningOp() : nullptr;
  bool isContraction = combiner && isa<arith::AddFOp, arith::AddIOp>(combiner->op) &&
                       isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product) &&
                       product->getBlock() == op.getBlock();
  if (!isContraction || dims.empty())
    return;
  rows = product->getOperand(0);
  columns = product->getOperand(1);
  SmallVector<unsigned> rowDims = getDimsOf(rows), columnDims = getDimsOf(columns);
  // Vectors run along the result's last dimension: what varies along it is the right side.
  if (llvm::is_contained(rowDims, dims.back())) {
    std::swap(rows, columns);
    std::swap(rowDims, columnDims);
  }
  bool isDisjoint =
      llvm::none_of(rowDims, [&](unsigned dim) { return llvm::is_contained(columnDims, dim); });
  // Columns must be the trailing dimensions for the product to have rows and columns.
  SmallVector<unsigned> split(rowDims);
  llvm::append_range(split, columnDims);
  if (!isDisjoint || !llvm::is_contained(columnDims, dims.back()) || split != dims)
    rows = columns = Value();
}

/// Rows from which on a shared tile's product is one of rows and columns. Fewer leave most threads
/// without work there, while partial sums along the reduced dimension give it to all of them.
static constexpr int64_t kLeastRows = 8;

static int64_t getBytes(Value tensor) {
  Type element = getElementTypeOrSelf(tensor.getType());
  return element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// How many of `size` elements a step of at most `most` takes: what divides them, if it is not much
/// less.
static int64_t chooseStep(AffineExpr size, int64_t most) {
  auto constant = dyn_cast<AffineConstantExpr>(size);
  if (!constant)
    return most;
  int64_t extent = std::max<int64_t>(constant.getValue(), 1);
  for (int64_t step = std::min(extent, most); step * 2 >= std::min(extent, most); --step)
    if (extent % step == 0)
      return step;
  return std::min(extent, most);
}

/// The loop of a product along runs of codes that lie in the order of a matrix instruction, and how
/// many codes a run has: where an operand is computed in place from such an argument.
static std::optional<std::pair<unsigned, int64_t>> findRuns(linalg::LinalgOp op) {
  auto kernel = op->getParentOfType<graph::KernelOp>();
  // Of a value that an argument in such an order is computed to in place: its dimension along runs.
  auto find = [&](auto &self, Value value) -> std::optional<std::pair<unsigned, int64_t>> {
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && kernel && argument.getOwner() == &kernel.getBody().front()) {
      auto memory =
          kernel.getArgAttrOfType<tile::MemoryAttr>(argument.getArgNumber(), graph::kMemoryAttr);
      if (!memory || memory.getOrder().empty())
        return std::nullopt;
      auto run = cast<AffineBinaryOpExpr>(memory.getMap().getResult(memory.getAlong()));
      return std::pair(cast<AffineDimExpr>(run.getLHS()).getPosition(),
                       cast<AffineConstantExpr>(run.getRHS()).getValue());
    }
    auto producer = value.getDefiningOp<linalg::LinalgOp>();
    if (!producer || !isComputedElementwise(value))
      return std::nullopt;
    for (OpOperand *input : producer.getDpsInputOperands())
      if (producer.getMatchingIndexingMap(input).isIdentity())
        if (auto found = self(self, input->get()))
          return found;
    return std::nullopt;
  };
  for (OpOperand *input : op.getDpsInputOperands())
    if (auto found = find(find, input->get()))
      if (auto loop =
              dyn_cast<AffineDimExpr>(op.getMatchingIndexingMap(input).getResult(found->first)))
        return std::pair(loop.getPosition(), found->second);
  return std::nullopt;
}

/// Of a product, steps of several elements along the reduced dimension, the one that some operand
/// lies along.
void Materializer::ReductionEmitter::chooseDepth() {
  SmallVector<unsigned> right = getDimsOf(columns);
  int64_t numRows = 1;
  for (unsigned dim : dims)
    if (!llvm::is_contained(right, dim))
      numRows *= space.getExtent(dim);
  // A step takes whole runs of codes, of which it also forms the sum: groups are as long, and have
  // a scale for it.
  auto runs = findRuns(op);
  auto extent = runs ? dyn_cast<AffineConstantExpr>(getSize(runs->first)) : AffineConstantExpr();
  if (extent && extent.getValue() >= runs->second && llvm::is_contained(loops, runs->first)) {
    chunkLoop = runs->first;
    chunk = runs->second;
    mostChunks = 1;
    return;
  }
  if (numRows < kLeastRows) {
    rows = columns = Value();
    return;
  }
  chunkLoop = loops.back();
  for (OpOperand *input : op.getDpsInputOperands())
    if (std::optional<unsigned> adjacent = materializer.getAdjacentDim(input->get()))
      op.getMatchingIndexingMap(input).getResult(*adjacent).walk([&](AffineExpr part) {
        auto dim = dyn_cast<AffineDimExpr>(part);
        if (dim && llvm::is_contained(loops, dim.getPosition()))
          chunkLoop = dim.getPosition();
      });
  int64_t bytes = 1;
  for (OpOperand *input : op.getDpsInputOperands())
    bytes = std::max(bytes, getBytes(input->get()));
  const RegisterFile &file = materializer.file;
  if (file.hasGroupsFor(numRows, bytes)) {
    // Whole instructions, even where the last step is then masked.
    AffineExpr size = getSize(*chunkLoop);
    int64_t unit = file.groupBytes / bytes, most = file.groupDotBytes / bytes;
    auto constant = dyn_cast<AffineConstantExpr>(size);
    chunk = most;
    if (constant && constant.getValue() < most)
      chunk = static_cast<int64_t>(
          llvm::alignTo(std::max<int64_t>(constant.getValue(), 1), uint64_t(unit)));
    for (int64_t step = most; constant && step * 2 > most; step -= unit)
      if (constant.getValue() % step == 0) {
        chunk = step;
        break;
      }
    return;
  }
  chunk = chooseStep(getSize(*chunkLoop), file.dotBytes / bytes);
}

/// Along the loop that indexes the last dimension of every input it occurs in.
void Materializer::ReductionEmitter::chooseChunk() {
  int64_t elements = ShapedType::getNumElements(materializer.getExtents(dims));
  // One vector of partial results per element of the tile must fit the registers.
  bool keepsOrder =
      materializer.strict && combiner && isa<arith::AddFOp, arith::MulFOp>(combiner->op);
  if (rows && materializer.file.isShared())
    chooseDepth();
  if (rows && materializer.file.isShared())
    return;
  if (!combiner || !materializer.file.holdsPartialSums(elements) || keepsOrder)
    return;
  auto chunkAlong = [&](AffineExpr expr) {
    expr.walk([&](AffineExpr part) {
      auto dim = dyn_cast<AffineDimExpr>(part);
      if (dim && llvm::is_contained(loops, dim.getPosition()))
        chunkLoop = dim.getPosition();
    });
  };
  // The window of a pool is an operand that says its shape and is not read.
  auto isRead = [&](OpOperand *input) { return !op.getMatchingBlockArgument(input).use_empty(); };
  for (OpOperand *input : llvm::make_filter_range(op.getDpsInputOperands(), isRead))
    if (std::optional<unsigned> adjacent = materializer.getAdjacentDim(input->get()))
      chunkAlong(op.getMatchingIndexingMap(input).getResult(*adjacent));
  // Else partial sums of elements that lie apart: still better than one sum after the other.
  if (!chunkLoop && !rows)
    for (OpOperand *input : llvm::make_filter_range(op.getDpsInputOperands(), isRead))
      if (AffineMap map = op.getMatchingIndexingMap(input); map.getNumResults() != 0)
        chunkAlong(map.getResults().back());
  // A dot whose columns are contiguous already is better than horizontal sums.
  if (chunkLoop && rows) {
    bool columnsContiguous = false;
    for (OpOperand *input : op.getDpsInputOperands()) {
      SmallVector<unsigned> used;
      if (std::optional<unsigned> adjacent = materializer.getAdjacentDim(input->get()))
        op.getMatchingIndexingMap(input).getResult(*adjacent).walk([&](AffineExpr part) {
          if (auto dim = dyn_cast<AffineDimExpr>(part); dim && iterCoords[dim.getPosition()])
            space.collectTileDims(iterCoords[dim.getPosition()], used);
        });
      columnsContiguous |= llvm::is_contained(used, dims.back());
    }
    if (columnsContiguous)
      chunkLoop.reset();
    else
      rows = columns = Value();
  }
  if (!chunkLoop)
    return;
  chunk = materializer.file.getColumns(elements);
  if (materializer.file.isShared()) {
    chunk = chooseStep(getSize(*chunkLoop), chunk);
    return;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(getSize(*chunkLoop)))
    chunk = std::max<int64_t>(1, std::min(chunk, constant.getValue()));
  if (chunk > materializer.file.lanes)
    chunk -= chunk % materializer.file.lanes; // whole vectors
}
