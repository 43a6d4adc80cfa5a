//===- ConstantEvaluator.cpp - elements of tensors that are constant -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantEvaluator.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// Points of a reduction that are evaluated at once.
static constexpr int64_t kReductionChunk = 4096;

//===----------------------------------------------------------------------===//
// What can be evaluated
//===----------------------------------------------------------------------===//

static bool isStaticTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && hasWords(type.getElementType());
}

static bool isScalarConstant(Value value) {
  return hasWords(value.getType()) && matchPattern(value, m_Constant());
}

static bool canEvaluateLinalg(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 || op.hasDynamicShape())
    return false;
  // Each position of the result is one point of the parallel loops.
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!out.isProjectedPermutation() ||
      out.getNumResults() != op.getNumLoops() - op.getNumReductionLoops())
    return false;
  for (utils::IteratorType kind : op.getIteratorTypesArray())
    if (kind != utils::IteratorType::parallel && kind != utils::IteratorType::reduction)
      return false;
  for (AffineExpr expr : out.getResults())
    if (op.getIteratorTypesArray()[cast<AffineDimExpr>(expr).getPosition()] !=
        utils::IteratorType::parallel)
      return false;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<linalg::IndexOp>(inner))
      continue;
    if (isa<arith::ConstantOp>(inner) ? !isScalarConstant(inner.getResult(0))
                                      : !canEvaluateScalar(&inner))
      return false;
    for (Value operand : inner.getOperands())
      if (operand.getParentBlock() != op.getBlock() && !isScalarConstant(operand))
        return false;
  }
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  return yielded.getParentBlock() == op.getBlock() || isScalarConstant(yielded);
}

bool ConstantEvaluator::canEvaluate(Operation *op) {
  if (op->getNumResults() != 1 || !isStaticTensor(op->getResult(0)))
    return false;
  for (Value operand : op->getOperands())
    if (!isStaticTensor(operand) && !isScalarConstant(operand))
      return false;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([](arith::ConstantOp constant) {
        auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
        if (!resource)
          return isa<DenseElementsAttr>(constant.getValue());
        AsmResourceBlob *blob = resource.getRawHandle().getBlob();
        return blob && static_cast<int64_t>(blob->getData().size()) ==
                           resource.getNumElements() * getWordBytes(resource.getElementType());
      })
      .Case<linalg::LinalgOp>(
          [](Operation *linalgOp) { return canEvaluateLinalg(cast<linalg::LinalgOp>(linalgOp)); })
      .Case([](tensor::PadOp pad) {
        Value fill = pad.getConstantPaddingValue();
        return fill && isScalarConstant(fill) && pad.getLow().empty() && pad.getHigh().empty();
      })
      .Case<tensor::EmptyOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
            tensor::ExtractSliceOp, tensor::ConcatOp, graph::GatherOp>(
          [](Operation *) { return true; })
      .Default([](Operation *) { return false; });
}

//===----------------------------------------------------------------------===//
// Positions and coordinates
//===----------------------------------------------------------------------===//

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// Coordinates of positions, by dimension.
static std::vector<Positions> split(ArrayRef<int64_t> positions, ArrayRef<int64_t> shape) {
  std::vector<Positions> coords(shape.size(), Positions(positions.size()));
  SmallVector<int64_t> at(shape.size(), 0);
  for (size_t i = 0; i < positions.size(); ++i) {
    // Divisions only where a position does not follow the one before.
    bool follows = i > 0 && positions[i] == positions[i - 1] + 1;
    int64_t rest = positions[i];
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (!follows) {
        at[dim] = rest % shape[dim];
        rest /= shape[dim];
        continue;
      }
      if (++at[dim] < shape[dim])
        break;
      at[dim] = 0;
    }
    for (size_t dim = 0; dim < shape.size(); ++dim)
      coords[dim][i] = at[dim];
  }
  return coords;
}

/// Positions of coordinates; failure where one is outside.
static FailureOr<Positions> join(ArrayRef<Positions> coords, ArrayRef<int64_t> shape,
                                 size_t count) {
  Positions positions(count, 0);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    for (size_t i = 0; i < count; ++i) {
      if (coords[dim][i] < 0 || coords[dim][i] >= shape[dim])
        return failure();
      positions[i] = positions[i] * shape[dim] + coords[dim][i];
    }
  return positions;
}

/// An affine expression of loops at each point; failure where it divides by what is not positive.
static FailureOr<Positions> apply(AffineExpr expr, ArrayRef<Positions> coords, size_t count) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return coords[dim.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Positions(count, constant.getValue());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return failure();
  FailureOr<Positions> lhs = apply(binary.getLHS(), coords, count);
  FailureOr<Positions> rhs = apply(binary.getRHS(), coords, count);
  if (failed(lhs) || failed(rhs))
    return failure();
  for (size_t i = 0; i < count; ++i) {
    int64_t &a = (*lhs)[i], b = (*rhs)[i];
    bool divides = expr.getKind() != AffineExprKind::Add && expr.getKind() != AffineExprKind::Mul;
    if (divides && b <= 0)
      return failure();
    switch (expr.getKind()) {
    case AffineExprKind::Add:
      a += b;
      break;
    case AffineExprKind::Mul:
      a *= b;
      break;
    case AffineExprKind::Mod:
      a = llvm::mod(a, b);
      break;
    case AffineExprKind::FloorDiv:
      a = llvm::divideFloorSigned(a, b);
      break;
    default:
      a = llvm::divideCeilSigned(a, b);
      break;
    }
  }
  return lhs;
}

static Words makeWords(ArrayRef<int64_t> integers) {
  Words words(integers.size());
  for (size_t i = 0; i < integers.size(); ++i)
    words[i].integer = integers[i];
  return words;
}

//===----------------------------------------------------------------------===//
// linalg
//===----------------------------------------------------------------------===//

/// A value of a body that is constant, at `count` points.
static Words getScalar(Value value, size_t count) {
  TypedAttr attr;
  [[maybe_unused]] bool isConstant = matchPattern(value, m_Constant(&attr));
  assert(isConstant && "canEvaluate has seen to that");
  return Words(count, getWord(attr));
}

FailureOr<Words> ConstantEvaluator::evaluateBody(linalg::LinalgOp op, std::vector<Words> arguments,
                                                 ArrayRef<Positions> coords) {
  size_t count = arguments.empty() ? 0 : arguments.back().size();
  llvm::DenseMap<Value, Words> values;
  for (auto [argument, words] : llvm::zip_equal(op.getBlock()->getArguments(), arguments))
    values[argument] = std::move(words);
  auto get = [&](Value value) -> const Words & {
    auto [it, isNew] = values.try_emplace(value);
    if (isNew) // from outside
      it->second = getScalar(value, count);
    return it->second;
  };
  for (Operation &inner : op.getBlock()->without_terminator()) {
    Value result = inner.getResult(0);
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      values[result] = makeWords(coords[index.getDim()]);
      continue;
    }
    if (isa<arith::ConstantOp>(inner)) {
      values[result] = getScalar(result, count);
      continue;
    }
    for (Value operand : inner.getOperands())
      (void)get(operand); // a new entry moves the others
    SmallVector<const Words *, 3> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(&get(operand));
    FailureOr<Words> words = evaluateScalar(&inner, operands);
    if (failed(words))
      return failure();
    values[result] = std::move(*words);
  }
  return get(op.getBlock()->getTerminator()->getOperand(0));
}

FailureOr<Words> ConstantEvaluator::evaluateOperand(linalg::LinalgOp op, OpOperand &operand,
                                                    ArrayRef<Positions> coords, size_t count) {
  if (op.getMatchingBlockArgument(&operand).use_empty())
    return Words(count);
  if (!isa<RankedTensorType>(operand.get().getType()))
    return getScalar(operand.get(), count);
  std::vector<Positions> places;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    FailureOr<Positions> place = apply(expr, coords, count);
    if (failed(place))
      return failure();
    places.push_back(std::move(*place));
  }
  FailureOr<Positions> positions = join(places, getShape(operand.get()), count);
  if (failed(positions))
    return failure();
  return evaluate(operand.get(), *positions);
}

FailureOr<Words> ConstantEvaluator::evaluateReduction(linalg::LinalgOp op,
                                                      ArrayRef<Positions> coords, size_t count) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  SmallVector<unsigned> reduced;
  SmallVector<int64_t> space;
  op.getReductionDims(reduced);
  for (unsigned loop : reduced)
    space.push_back(extents[loop]);
  int64_t points = ShapedType::getNumElements(space);
  FailureOr<Words> results = evaluateOperand(op, *op.getDpsInitOperand(0), coords, count);
  if (failed(results))
    return failure();
  for (size_t number = 0; number < count; ++number) {
    Words sum(1, (*results)[number]);
    for (int64_t first = 0; first < points; first += kReductionChunk) {
      Positions chunk(std::min(kReductionChunk, points - first));
      std::iota(chunk.begin(), chunk.end(), first);
      std::vector<Positions> places(coords.size());
      for (auto [loop, place] : llvm::enumerate(coords))
        if (!place.empty())
          places[loop].assign(chunk.size(), place[number]);
      std::vector<Positions> inner = split(chunk, space);
      for (auto [loop, place] : llvm::zip_equal(reduced, inner))
        places[loop] = std::move(place);
      std::vector<Words> inputs;
      for (OpOperand *operand : op.getDpsInputOperands()) {
        FailureOr<Words> words = evaluateOperand(op, *operand, places, chunk.size());
        if (failed(words))
          return failure();
        inputs.push_back(std::move(*words));
      }
      for (size_t point = 0; point < chunk.size(); ++point) {
        std::vector<Words> arguments;
        arguments.reserve(inputs.size() + 1);
        for (const Words &words : inputs)
          arguments.push_back(Words(1, words[point]));
        arguments.push_back(sum);
        std::vector<Positions> here;
        here.reserve(places.size());
        for (const Positions &place : places)
          here.push_back(Positions(1, place[point]));
        FailureOr<Words> next = evaluateBody(op, std::move(arguments), here);
        if (failed(next))
          return failure();
        sum = std::move(*next);
      }
    }
    (*results)[number] = sum[0];
  }
  return results;
}

FailureOr<Words> ConstantEvaluator::evaluateLinalg(linalg::LinalgOp op,
                                                   ArrayRef<int64_t> positions) {
  OpOperand *init = op.getDpsInitOperand(0);
  std::vector<Positions> coords(op.getNumLoops());
  std::vector<Positions> places = split(positions, getShape(init->get()));
  AffineMap out = op.getMatchingIndexingMap(init);
  for (auto [dim, expr] : llvm::enumerate(out.getResults()))
    coords[cast<AffineDimExpr>(expr).getPosition()] = std::move(places[dim]);
  if (op.getNumReductionLoops() != 0)
    return evaluateReduction(op, coords, positions.size());
  std::vector<Words> arguments;
  for (OpOperand &operand : op->getOpOperands()) {
    // The same elements of a tensor of the same shape need no arithmetic.
    bool isAligned = op.getMatchingIndexingMap(&operand) == out &&
                     isa<RankedTensorType>(operand.get().getType()) &&
                     !op.getMatchingBlockArgument(&operand).use_empty();
    FailureOr<Words> words = isAligned ? evaluate(operand.get(), positions)
                                       : evaluateOperand(op, operand, coords, positions.size());
    if (failed(words))
      return failure();
    arguments.push_back(std::move(*words));
  }
  return evaluateBody(op, std::move(arguments), coords);
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

FailureOr<Words> ConstantEvaluator::readConstant(ElementsAttr value, ArrayRef<int64_t> positions) {
  Type type = value.getElementType();
  ArrayRef<char> bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    bytes = resource.getRawHandle().getBlob()->getData();
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (dense && dense.isSplat())
    return Words(positions.size(), getWord(dense.getSplatValue<TypedAttr>()));
  Words words(positions.size());
  if (dense && !type.isInteger(1))
    bytes = dense.getRawData();
  if (!dense || !type.isInteger(1)) {
    int64_t width = getWordBytes(type);
    for (size_t i = 0; i < positions.size(); ++i)
      words[i] = readWord(type, bytes.data() + positions[i] * width);
    return words;
  }
  Words &all = decoded[value];
  if (all.empty())
    for (const APInt &bit : dense.getValues<APInt>()) {
      all.emplace_back();
      all.back().integer = bit.getSExtValue();
    }
  for (size_t i = 0; i < positions.size(); ++i)
    words[i] = all[positions[i]];
  return words;
}

/// Evaluates each position in one of several tensors: `part` and `inner` per position.
template <typename Evaluate>
static FailureOr<Words> scatterParts(size_t numParts, ArrayRef<size_t> part,
                                     ArrayRef<int64_t> inner, Evaluate evaluate) {
  Words words(part.size());
  for (size_t number = 0; number < numParts; ++number) {
    Positions asked;
    for (size_t i = 0; i < part.size(); ++i)
      if (part[i] == number)
        asked.push_back(inner[i]);
    if (asked.empty())
      continue;
    FailureOr<Words> own = evaluate(number, asked);
    if (failed(own))
      return failure();
    size_t next = 0;
    for (size_t i = 0; i < part.size(); ++i)
      if (part[i] == number)
        words[i] = (*own)[next++];
  }
  return words;
}

/// Where the elements of a slice lie in its source.
static FailureOr<Positions> locate(tensor::ExtractSliceOp op, ArrayRef<int64_t> positions) {
  // Dimensions of extent 1 that the result drops do not show in positions.
  std::vector<Positions> coords = split(positions, op.getStaticSizes());
  for (size_t dim = 0; dim < coords.size(); ++dim)
    for (int64_t &coord : coords[dim])
      coord = op.getStaticOffsets()[dim] + coord * op.getStaticStrides()[dim];
  return join(coords, getShape(op.getSource()), positions.size());
}

FailureOr<Words> ConstantEvaluator::evaluate(Value value, ArrayRef<int64_t> positions) {
  using Result = FailureOr<Words>;
  return llvm::TypeSwitch<Operation *, Result>(value.getDefiningOp())
      .Case([&](arith::ConstantOp op) -> Result {
        return readConstant(cast<ElementsAttr>(op.getValue()), positions);
      })
      .Case([&](linalg::FillOp op) -> Result {
        return getScalar(op.getInputs()[0], positions.size());
      })
      .Case<linalg::LinalgOp>([&](Operation *op) -> Result {
        return evaluateLinalg(cast<linalg::LinalgOp>(op), positions);
      })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(
          [&](Operation *op) -> Result { return evaluate(op->getOperand(0), positions); })
      .Case([&](tensor::ExtractSliceOp op) -> Result {
        FailureOr<Positions> inner = locate(op, positions);
        return failed(inner) ? Result(failure()) : evaluate(op.getSource(), *inner);
      })
      .Case([&](tensor::ConcatOp op) -> Result {
        std::vector<Positions> coords = split(positions, op.getResultType().getShape());
        Positions &along = coords[op.getDim()];
        std::vector<size_t> part(positions.size(), 0);
        for (size_t i = 0; i < positions.size(); ++i)
          while (along[i] >= getShape(op.getInputs()[part[i]])[op.getDim()])
            along[i] -= getShape(op.getInputs()[part[i]++])[op.getDim()];
        Positions inner(positions.size());
        for (size_t i = 0; i < positions.size(); ++i)
          for (auto [dim, extent] : llvm::enumerate(getShape(op.getInputs()[part[i]])))
            inner[i] = inner[i] * extent + coords[dim][i];
        return scatterParts(op.getInputs().size(), part, inner,
                            [&](size_t number, ArrayRef<int64_t> asked) {
                              return evaluate(op.getInputs()[number], asked);
                            });
      })
      .Case([&](tensor::PadOp op) -> Result {
        std::vector<Positions> coords = split(positions, op.getResultType().getShape());
        std::vector<size_t> part(positions.size(), 0);
        Positions inner(positions.size(), 0);
        for (auto [dim, extent] : llvm::enumerate(getShape(op.getSource())))
          for (size_t i = 0; i < positions.size(); ++i) {
            int64_t coord = coords[dim][i] - op.getStaticLow()[dim];
            if (coord < 0 || coord >= extent)
              part[i] = 1;
            inner[i] = inner[i] * extent + coord;
          }
        return scatterParts(2, part, inner, [&](size_t number, ArrayRef<int64_t> asked) -> Result {
          if (number == 1)
            return getScalar(op.getConstantPaddingValue(), asked.size());
          return evaluate(op.getSource(), asked);
        });
      })
      .Case([&](graph::GatherOp op) -> Result {
        std::vector<Positions> coords =
            split(positions, cast<RankedTensorType>(op.getType()).getShape());
        auto axis = static_cast<size_t>(op.getAxis());
        ArrayRef<int64_t> shape = getShape(op.getSource()), table = getShape(op.getIndices());
        FailureOr<Positions> asked =
            join(ArrayRef(coords).slice(axis, table.size()), table, positions.size());
        FailureOr<Words> indices = evaluate(op.getIndices(), *asked);
        if (failed(indices))
          return failure();
        std::vector<Positions> places(coords.begin(), coords.begin() + axis);
        Positions &chosen = places.emplace_back();
        for (Word index : *indices)
          chosen.push_back(index.integer < 0 ? index.integer + shape[axis] : index.integer);
        places.insert(places.end(), coords.begin() + axis + table.size(), coords.end());
        FailureOr<Positions> inner = join(places, shape, positions.size());
        return failed(inner) ? Result(failure()) : evaluate(op.getSource(), *inner);
      })
      .Default([](Operation *) -> Result { return failure(); }); // tensor.empty
}
