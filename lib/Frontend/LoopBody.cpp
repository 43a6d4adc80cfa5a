//===- LoopBody.cpp - functions that loops repeat ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The body of a loop is imported into a function of its own. A name that it does
// not define leads out of the function: the value becomes an argument, and so do
// the sizes that the body asks for. Constants and what is known of numbers are
// known inside too.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Says which symbols the extents of an argument are.
static DictionaryAttr describeArgument(OpBuilder &b, ArrayRef<SymExpr> shape) {
  SmallVector<Attribute> dims;
  for (const SymExpr &extent : shape)
    dims.push_back(b.getStringAttr(extent.str()));
  return b.getDictionaryAttr(b.getNamedAttr(graph::kDimsAttr, b.getArrayAttr(dims)));
}

std::optional<Tensor *> GraphImporter::find(const Scope &scope, const std::string &name) {
  if (auto found = scope.values.find(name); found != scope.values.end())
    return found->second;
  if (!scope.outer)
    return std::nullopt;
  std::optional<Tensor *> outer = find(*scope.outer, name);
  if (!outer || !*outer || !scope.body)
    return outer;
  return captureTensor(*scope.body, *outer);
}

Tensor *GraphImporter::captureTensor(LoopBody &body, Tensor *tensor) {
  Tensor *&inside = body.known[tensor];
  if (inside)
    return inside;
  std::optional<Shape> elements = emit.elements(tensor);
  bool isKnown = elements && llvm::all_of(*elements, [](const SymExpr &element) {
                   return element.constant().has_value();
                 });
  // Elements of an input are values of the run, but cut off.
  bool isNeeded = !tensor->constant && !isKnown && tensor->value;
  Value argument;
  if (isNeeded) {
    body.touched.push_back({tensor, tensor->shape, tensor->value});
    emit.swap(body.frame);
    Value outer = emit.value(tensor);
    emit.swap(body.frame);
    Block &block = body.func.getBody().front();
    BlockArgument added = block.addArgument(outer.getType(), outer.getLoc());
    body.captured.push_back(outer);
    body.arguments.resize(added.getArgNumber(), emit.b.getDictionaryAttr({}));
    body.arguments.push_back(describeArgument(emit.b, tensor->shape));
    argument = added;
  }
  inside = emit.make(tensor->dtype, tensor->shape, argument);
  inside->elements = elements;
  inside->constant = tensor->constant;
  inside->name = tensor->name;
  return inside;
}

void GraphImporter::enterBody(LoopBody &body, ArrayRef<Tensor *> carried, int64_t most) {
  OpBuilder &b = emit.b;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module->getBody());
    body.func = func::FuncOp::create(b, emit.loc, "body" + std::to_string(numBodies++),
                                     b.getFunctionType({}, {}));
    body.func.setPrivate();
  }
  Block *block = body.func.addEntryBlock();
  body.assumptions = syms.saveAssumptions();
  body.frame = emit.makeFrame(block);
  body.frame.capture = [this, &body](const SymAtom *atom) -> Value {
    emit.swap(body.frame);
    Value outer = emit.index(SymExpr::of(atom));
    emit.swap(body.frame);
    body.captured.push_back(outer);
    return body.func.getBody().front().addArgument(outer.getType(), outer.getLoc());
  };
  emit.swap(body.frame);
  std::string name = "iteration" + std::to_string(numBodies);
  body.iteration = syms.value(name, {0, std::max<int64_t>(most - 1, 0)});
  emit.bindIndex(body.iteration.asAtom(), block->addArgument(b.getIndexType(), emit.loc));
  for (Tensor *tensor : carried) {
    for (SymExpr &extent : tensor->shape)
      extent = syms.simplify(extent);
    BlockArgument argument = block->addArgument(emit.type(tensor->dtype, tensor->shape), emit.loc);
    body.arguments.resize(argument.getArgNumber(), b.getDictionaryAttr({}));
    body.arguments.push_back(describeArgument(b, tensor->shape));
    body.state.push_back(emit.make(tensor->dtype, tensor->shape, argument));
    for (auto [dim, extent] : llvm::enumerate(tensor->shape))
      if (const SymAtom *atom = extent.asAtom(); atom && atom->kind == SymAtom::Kind::Symbol)
        emit.bind(atom, argument, dim);
  }
}

void GraphImporter::leaveBody(LoopBody &body, bool keep) {
  emit.swap(body.frame);
  if (!keep)
    body.func.erase();
  // What its checks make sure of may hold inside only.
  syms.restoreAssumptions(std::move(body.assumptions));
  for (LoopBody::Touched &touched : llvm::reverse(body.touched)) {
    touched.tensor->shape = touched.shape;
    touched.tensor->value = touched.value;
  }
}

FailureOr<SmallVector<Tensor *>>
GraphImporter::importBody(Node &node, const onnx::GraphProto &graph, const Scope &scope,
                          LoopBody *body, ArrayRef<Tensor *> inputs, std::string prefix) {
  Location loc = emit.loc;
  Scope inner;
  inner.outer = &scope;
  inner.body = body;
  inner.prefix = std::move(prefix);
  inner.attributes = scope.attributes;
  inner.opsets = scope.opsets;
  inner.depth = scope.depth + 1;
  for (auto [number, input] : llvm::enumerate(inputs))
    if (failed(define(inner, graph.input(static_cast<int>(number)).name(), input)))
      return failure();
  if (failed(importConstants(graph, inner)) || failed(importNodes(graph.node(), inner)))
    return failure();
  emit.loc = loc;
  SmallVector<Tensor *> results;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    std::optional<Tensor *> found = find(inner, output.name());
    if (!found)
      return node.fail("the body does not define '" + output.name() + "'");
    results.push_back(*found);
  }
  return results;
}

GraphImporter::LoopResults GraphImporter::makeLoop(LoopBody &body, const LoopBounds &bounds,
                                                   ArrayRef<Tensor *> carried, Tensor *goesOn,
                                                   ArrayRef<Tensor *> state,
                                                   ArrayRef<Tensor *> rows) {
  OpBuilder &b = emit.b;
  auto typed = [&](Value value, Type type) -> Value {
    return value.getType() == type ? value
                                   : tensor::CastOp::create(b, emit.loc, type, value).getResult();
  };
  // Whether there is an iteration of that number.
  auto isBelow = [&](const SymExpr &number, Tensor *count) {
    Tensor *index = emit.known(DType::I64, {}, {number});
    return emit.pointwise({index, emit.cast(emit.reshape(count, {}), DType::I64)}, {}, DType::Bool,
                          [](const Scalar &s, ValueRange args) {
                            return s.compare(Compare::Less, args[0], args[1]);
                          });
  };
  auto both = [&](Tensor *a, Tensor *b) {
    return emit.pointwise({a, b}, [](const Scalar &s, ValueRange args) -> Value {
      return arith::AndIOp::create(s.b, s.loc, args[0], args[1]);
    });
  };
  Tensor *yes = emit.known(DType::Bool, {}, {SymExpr(1)});
  bool isConditional = goesOn || bounds.condition || bounds.tripCount;
  SmallVector<Value> results;
  if (isConditional) {
    Tensor *condition = goesOn ? emit.reshape(goesOn, {}) : nullptr;
    if (bounds.tripCount) {
      Tensor *hasNext = isBelow(body.iteration + SymExpr(1), captureTensor(body, bounds.tripCount));
      condition = condition ? both(condition, hasNext) : hasNext;
    }
    results.push_back(emit.value(condition ? condition : yes));
  }
  for (auto [tensor, before] : llvm::zip_equal(state, body.state))
    results.push_back(typed(emit.value(tensor), before->value.getType()));
  std::vector<Shape> shapes;
  for (Tensor *row : rows) {
    results.push_back(emit.value(row));
    shapes.push_back(row->shape);
  }
  func::ReturnOp::create(b, emit.loc, results);
  SmallVector<Type> states =
      llvm::map_to_vector(body.state, [](Tensor *tensor) { return tensor->value.getType(); });
  body.func.setFunctionType(b.getFunctionType(body.func.getBody().front().getArgumentTypes(),
                                              ValueRange(results).getTypes()));
  body.arguments.resize(body.func.getNumArguments(), b.getDictionaryAttr({}));
  body.func.setAllArgAttrs(body.arguments);
  leaveBody(body, /*keep=*/true);

  Value trips, condition;
  if (bounds.trips)
    trips = emit.index(*bounds.trips);
  if (isConditional) {
    Tensor *first = bounds.condition ? emit.reshape(bounds.condition, {}) : nullptr;
    if (bounds.tripCount) {
      Tensor *hasFirst = isBelow(SymExpr(0), bounds.tripCount);
      first = first ? both(first, hasFirst) : hasFirst;
    }
    condition = emit.value(first ? first : yes);
  }
  SmallVector<Value> starts, sizes;
  SmallVector<Type> types(states);
  LoopResults made;
  auto addSizes = [&](Type type, ArrayRef<SymExpr> shape) {
    for (auto [dim, extent] : llvm::enumerate(cast<RankedTensorType>(type).getShape()))
      if (ShapedType::isDynamic(extent))
        sizes.push_back(emit.index(shape[dim]));
  };
  for (auto [tensor, type] : llvm::zip_equal(carried, states)) {
    starts.push_back(typed(emit.value(tensor), type));
    addSizes(type, tensor->shape);
  }
  for (auto [number, shape] : llvm::enumerate(shapes)) {
    shape.insert(shape.begin(), syms.max(*bounds.trips, 0));
    auto row = cast<RankedTensorType>(results[results.size() - rows.size() + number].getType());
    SmallVector<int64_t> extents = {shape[0].constant().value_or(ShapedType::kDynamic)};
    llvm::append_range(extents, row.getShape());
    types.push_back(RankedTensorType::get(extents, row.getElementType()));
    addSizes(types.back(), shape);
  }
  auto loop = graph::LoopOp::create(b, emit.loc, types, body.func.getSymName(), trips, condition,
                                    starts, body.captured, sizes);
  for (auto [number, tensor] : llvm::enumerate(carried))
    made.carried.push_back(emit.make(tensor->dtype, tensor->shape, loop.getResult(number)));
  for (auto [number, row] : llvm::enumerate(rows))
    made.rows.push_back(
        emit.make(row->dtype, shapes[number], loop.getResult(carried.size() + number)));
  return made;
}

IterationResults GraphImporter::makeRepetition(const Repetition &repetition, Step step) {
  LoopBody body;
  enterBody(body, repetition.start, repetition.trips.constant().value_or(Emitter::kMostElements));
  auto capture = [&](Tensor *tensor) { return tensor ? captureTensor(body, tensor) : nullptr; };
  IterationResults next = step({body.iteration, body.state, capture});
  LoopBounds bounds;
  bounds.trips = repetition.trips;
  bounds.tripCount = repetition.tripCount;
  LoopResults made = makeLoop(body, bounds, repetition.start, next.goesOn, next.state, next.rows);
  return {std::move(made.carried), std::move(made.rows), nullptr};
}
