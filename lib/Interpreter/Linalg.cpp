//===- Linalg.cpp - linalg ops on tensors, by maps and body -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any op of the linalg interface is executed alike: loop bounds follow from the
// operands' shapes, each point of the loops loads an element of every operand
// through its indexing map, runs the body and stores what it yields.
//
// A body of scalar ops alone, which is nearly every body, runs as a short list
// of them on a flat array of elements. Others run as any region does.
//
// A sum over reduction loops gets a bound that holds for every order of adding:
// n units of rounding of the sum of magnitudes.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Sum.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

namespace {

/// A body of scalar ops: on an array of block arguments, then loop indices, constants, values
/// from outside, and results of the ops.
struct ScalarBody {
  struct Line {
    ScalarOp op;
    unsigned operands[3];
    unsigned result;
    /// The output that this addition accumulates into, or -1; `operands[1]` is what it adds.
    int accumulates = -1;
  };
  std::vector<Element> initial;
  std::vector<std::pair<unsigned, unsigned>> indices;  // place and loop
  std::vector<std::pair<unsigned, unsigned>> captures; // place and slot of the frame
  std::vector<Line> lines;
  SmallVector<unsigned, 2> yields;
};

struct LinalgPayload : Payload {
  SmallVector<AffineMap> maps; // one per operand
  AffineMap shapesToLoops;
  unsigned numInputs;
  SmallVector<bool> isReduction; // per loop
  std::optional<ScalarBody> body;
};

/// An operand during execution.
struct Access {
  const TensorObject *tensor = nullptr; // null for scalars
  Element scalar;
  bool isLinear = false;
  int64_t position = 0;          // of the current point, if linear
  SmallVector<int64_t, 6> steps; // per loop, if linear
};

} // namespace

//===----------------------------------------------------------------------===//
// Preparation
//===----------------------------------------------------------------------===//

/// Marks additions onto an output: `yield(out + term)` where nothing else reads `out`.
static void findAccumulations(linalg::LinalgOp op,
                              const llvm::DenseMap<Operation *, unsigned> &lineOf, ScalarBody &body,
                              const llvm::DenseMap<Value, unsigned> &places) {
  Block *block = op.getBlock();
  for (auto [number, yielded] : llvm::enumerate(block->getTerminator()->getOperands())) {
    auto add = yielded.getDefiningOp<arith::AddFOp>();
    BlockArgument out = block->getArgument(op.getNumDpsInputs() + number);
    if (!add || !out.hasOneUse() || !yielded.hasOneUse() ||
        (add.getLhs() != out && add.getRhs() != out))
      continue;
    ScalarBody::Line &line = body.lines[lineOf.lookup(add)];
    line.accumulates = static_cast<int>(number);
    line.operands[0] = places.lookup(out);
    line.operands[1] = places.lookup(add.getLhs() == out ? add.getRhs() : add.getLhs());
  }
}

static std::optional<ScalarBody> makeScalarBody(Compiler &compiler, linalg::LinalgOp op) {
  ScalarBody body;
  llvm::DenseMap<Value, unsigned> places;
  auto place = [&](Value value) {
    auto [it, isNew] = places.try_emplace(value, places.size());
    if (isNew)
      body.initial.emplace_back();
    return it->second;
  };
  Block *block = op.getBlock();
  for (Value argument : block->getArguments())
    place(argument);
  auto use = [&](Value value) {
    if (!places.contains(value) && value.getParentBlock() != block)
      body.captures.emplace_back(place(value), compiler.getSlot(value));
    return place(value);
  };
  llvm::DenseMap<Operation *, unsigned> lineOf;
  for (Operation &inner : block->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      body.indices.emplace_back(place(index), index.getDim());
      continue;
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      unsigned number = place(constant);
      if (auto real = dyn_cast<FloatAttr>(constant.getValue()))
        body.initial[number] = Element::makeReal(real.getValueAsDouble());
      else if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
        body.initial[number] = Element::makeInteger(integer.getValue().getSExtValue());
      else
        return std::nullopt;
      continue;
    }
    std::optional<ScalarOp> scalar = getScalarOp(&inner);
    if (!scalar || !inner.getResult(0).getType().isIntOrIndexOrFloat())
      return std::nullopt;
    ScalarBody::Line line{*scalar, {}, 0};
    for (auto [i, operand] : llvm::enumerate(inner.getOperands()))
      line.operands[i] = use(operand);
    line.result = place(inner.getResult(0));
    lineOf[&inner] = body.lines.size();
    body.lines.push_back(line);
  }
  for (Value yielded : block->getTerminator()->getOperands())
    body.yields.push_back(use(yielded));
  findAccumulations(op, lineOf, body, places);
  return body;
}

static LogicalResult prepareLinalg(Compiler &compiler, Step &step) {
  auto op = cast<linalg::LinalgOp>(step.op);
  auto payload = std::make_unique<LinalgPayload>();
  if (!op.hasPureTensorSemantics())
    return compiler.machine.unsupported(op, "cannot execute linalg ops on buffers");
  payload->maps = op.getIndexingMapsArray();
  payload->shapesToLoops = op.getShapesToLoopsMap();
  if (!payload->shapesToLoops)
    return compiler.machine.unsupported(op, "loop bounds do not follow from the shapes");
  payload->numInputs = op.getNumDpsInputs();
  for (utils::IteratorType type : op.getIteratorTypesArray())
    payload->isReduction.push_back(type == utils::IteratorType::reduction);
  for (Value result : op->getResults())
    if (!getNumberFormat(getElementTypeOrSelf(result.getType())))
      return compiler.machine.unsupported(op, "an element type without a number format");
  payload->body = makeScalarBody(compiler, op);
  step.payload = std::move(payload);
  return success();
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Coefficients of a linear expression of `dims` dimensions, the constant last; false if it is
/// not linear.
static bool getCoefficients(AffineExpr expr, MutableArrayRef<int64_t> coefficients,
                            int64_t factor) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    coefficients[dim.getPosition()] += factor;
    return true;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    coefficients.back() += factor * constant.getValue();
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::Add)
    return getCoefficients(binary.getLHS(), coefficients, factor) &&
           getCoefficients(binary.getRHS(), coefficients, factor);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return expr.getKind() == AffineExprKind::Mul && constant &&
         getCoefficients(binary.getLHS(), coefficients, factor * constant.getValue());
}

/// Prepares the access of an operand; a fault where a linear map leaves its tensor.
static LogicalResult openAccess(Machine &machine, const Step &step, AffineMap map,
                                ArrayRef<int64_t> extents, unsigned number, Access &access) {
  access.isLinear = true;
  access.steps.assign(extents.size(), 0);
  if (!access.tensor)
    return success();
  Shape strides = getRowMajorStrides(access.tensor->shape);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    SmallVector<int64_t> coefficients(extents.size() + 1, 0);
    if (!getCoefficients(expr, coefficients, 1)) {
      access.isLinear = false;
      return success();
    }
    int64_t least = coefficients.back(), most = coefficients.back();
    for (auto [loop, extent] : llvm::enumerate(extents)) {
      access.steps[loop] += coefficients[loop] * strides[dim];
      (coefficients[loop] < 0 ? least : most) += coefficients[loop] * (extent - 1);
    }
    access.position += coefficients.back() * strides[dim];
    if (least < 0 || most >= access.tensor->shape[dim])
      return machine.fault(step.op, "operand " + Twine(number) + " is accessed at " +
                                        Twine(least < 0 ? least : most) + " in dimension " +
                                        Twine(dim) + " of extent " +
                                        Twine(access.tensor->shape[dim]));
  }
  return success();
}

/// The linear position of an operand's element at a point.
static FailureOr<int64_t> locate(Machine &machine, const Step &step, AffineMap map,
                                 ArrayRef<int64_t> point, const Access &access) {
  if (access.isLinear)
    return access.position;
  int64_t position = 0;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    std::optional<int64_t> coord = evaluate(expr, point, {});
    int64_t extent = access.tensor->shape[dim];
    if (!coord || *coord < 0 || *coord >= extent)
      return machine.fault(step.op, "an operand is accessed at " + Twine(coord.value_or(-1)) +
                                        " in dimension " + Twine(dim) + " of extent " +
                                        Twine(extent));
    position = position * extent + *coord;
  }
  return position;
}

namespace {

/// One execution of an op.
class LinalgRun {
public:
  LinalgRun(Machine &machine, Frame &frame, const Step &step)
      : machine(machine), frame(frame), step(step),
        payload(static_cast<const LinalgPayload &>(*step.payload)) {}

  LogicalResult run();

private:
  LogicalResult open();
  LogicalResult checkExtents();
  LogicalResult runPoint(ArrayRef<int64_t> point);
  void runScalarBody(ArrayRef<int64_t> point);
  LogicalResult runRegion(ArrayRef<int64_t> point);
  void boundSums();

  Machine &machine;
  Frame &frame;
  const Step &step;
  const LinalgPayload &payload;
  SmallVector<Access, 4> accesses;
  SmallVector<TensorRef, 2> results;
  SmallVector<int64_t, 4> positions;
  Shape extents;
  std::vector<Element> values;           // of a scalar body
  SmallVector<std::vector<Sum>, 1> sums; // per result; empty if it is no sum
};

} // namespace

/// Dimensions that one loop runs over have one extent.
LogicalResult LinalgRun::checkExtents() {
  for (auto [number, access] : llvm::enumerate(accesses)) {
    if (!access.tensor)
      continue;
    for (auto [dim, expr] : llvm::enumerate(payload.maps[number].getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (loop && extents[loop.getPosition()] != access.tensor->shape[dim])
        return machine.fault(step.op, "operand " + Twine(number) + " has extent " +
                                          Twine(access.tensor->shape[dim]) + " in dimension " +
                                          Twine(dim) + " where another has " +
                                          Twine(extents[loop.getPosition()]));
    }
  }
  return success();
}

LogicalResult LinalgRun::open() {
  Shape sizes;
  accesses.resize(payload.maps.size());
  positions.resize(payload.maps.size());
  for (auto [i, access] : llvm::enumerate(accesses)) {
    Datum &datum = frame[step.operands[i]];
    access.scalar = datum.element;
    if (!datum.object)
      continue;
    access.tensor = &getTensor(datum);
    sizes.append(access.tensor->shape.begin(), access.tensor->shape.end());
  }
  for (AffineExpr expr : payload.shapesToLoops.getResults()) {
    std::optional<int64_t> extent = evaluate(expr, sizes, {});
    if (!extent)
      return machine.fault(step.op, "a loop bound divides by what is not positive");
    extents.push_back(std::max<int64_t>(*extent, 0));
  }
  if (failed(checkExtents()))
    return failure();
  bool isEmpty = llvm::is_contained(extents, 0);
  for (auto [i, access] : llvm::enumerate(accesses))
    if (!isEmpty && failed(openAccess(machine, step, payload.maps[i], extents, i, access)))
      return failure();
  for (unsigned i = payload.numInputs; i < accesses.size(); ++i) {
    const TensorObject &init = *accesses[i].tensor;
    results.emplace_back(new TensorObject(init));
    bool isSum = false;
    if (payload.body && !machine.arithmetic.rounds)
      for (const ScalarBody::Line &line : payload.body->lines)
        isSum |= line.accumulates == static_cast<int>(i - payload.numInputs);
    sums.emplace_back();
    if (isSum)
      for (const Element &first : init.data)
        sums.back().emplace_back(first);
  }
  if (!payload.body)
    return success();
  values = payload.body->initial;
  for (auto [place, slot] : payload.body->captures)
    values[place] = frame[slot].element;
  return success();
}

void LinalgRun::runScalarBody(ArrayRef<int64_t> point) {
  const ScalarBody &body = *payload.body;
  for (unsigned i = 0; i < accesses.size(); ++i) {
    const Access &access = accesses[i];
    values[i] = i >= payload.numInputs ? results[i - payload.numInputs]->data[positions[i]]
                : access.tensor        ? access.tensor->data[positions[i]]
                                       : access.scalar;
  }
  for (auto [place, loop] : body.indices)
    values[place] = Element::makeInteger(point[loop]);
  for (const ScalarBody::Line &line : body.lines) {
    if (line.accumulates >= 0 && !sums[line.accumulates].empty()) {
      Sum &sum = sums[line.accumulates][positions[payload.numInputs + line.accumulates]];
      sum.add(values[line.operands[1]]);
      values[line.result] = sum.getValue();
      continue;
    }
    Element operands[3];
    for (unsigned i = 0; i < line.op.numOperands; ++i)
      operands[i] = values[line.operands[i]];
    values[line.result] = machine.arithmetic.evaluate(line.op, operands);
  }
  for (auto [number, place] : llvm::enumerate(body.yields))
    results[number]->data[positions[payload.numInputs + number]] = values[place];
}

LogicalResult LinalgRun::runRegion(ArrayRef<int64_t> point) {
  const Code &body = *step.regions[0];
  for (unsigned i = 0; i < accesses.size(); ++i) {
    const Access &access = accesses[i];
    frame[body.arguments[i]] =
        makeDatum(i >= payload.numInputs ? results[i - payload.numInputs]->data[positions[i]]
                  : access.tensor        ? access.tensor->data[positions[i]]
                                         : access.scalar);
  }
  machine.loopIndices.assign(point.begin(), point.end());
  if (failed(machine.execute(body, frame)))
    return failure();
  for (auto [number, slot] : llvm::enumerate(body.yields))
    results[number]->data[positions[payload.numInputs + number]] = frame[slot].element;
  return success();
}

/// Adds what rounding may do to sums, in whatever order they are formed.
void LinalgRun::boundSums() {
  double count = 1;
  for (auto [isReduction, extent] : llvm::zip_equal(payload.isReduction, extents))
    if (isReduction)
      count *= static_cast<double>(extent);
  for (auto [result, resultSums] : llvm::zip_equal(results, sums)) {
    for (auto [element, sum] : llvm::zip(result->data, resultSums))
      element = sum.get(*result->format, count);
  }
}

LogicalResult LinalgRun::runPoint(ArrayRef<int64_t> point) {
  for (auto [i, access] : llvm::enumerate(accesses)) {
    if (access.isLinear) {
      positions[i] = access.position;
      continue;
    }
    auto position = locate(machine, step, payload.maps[i], point, access);
    if (failed(position))
      return failure();
    positions[i] = *position;
  }
  if (!payload.body)
    return runRegion(point);
  runScalarBody(point);
  return success();
}

LogicalResult LinalgRun::run() {
  if (failed(open()))
    return failure();
  uint64_t points = 1;
  for (int64_t extent : extents)
    if (__builtin_mul_overflow(points, static_cast<uint64_t>(extent), &points))
      return machine.unsupported(step.op, "too many loop iterations");
  uint64_t lines = payload.body ? payload.body->lines.size() + 1 : 1;
  if (failed(machine.charge(step.op, points * lines)))
    return failure();
  if (points) {
    Shape point(extents.size(), 0);
    for (bool more = true; more;) {
      if (failed(runPoint(point)))
        return failure();
      more = false;
      for (size_t loop = extents.size(); loop-- > 0;) {
        bool wraps = ++point[loop] == extents[loop];
        for (Access &access : accesses)
          access.position += wraps ? -access.steps[loop] * (extents[loop] - 1) : access.steps[loop];
        if (!wraps) {
          more = true;
          break;
        }
        point[loop] = 0;
      }
    }
  }
  boundSums();
  for (auto [slot, result] : llvm::zip_equal(step.results, results))
    frame[slot] = makeDatum(result);
  return success();
}

static LogicalResult executeLinalg(Machine &machine, Frame &frame, const Step &step) {
  return LinalgRun(machine, frame, step).run();
}

Handler interp::getLinalgHandler() { return {executeLinalg, prepareLinalg}; }
