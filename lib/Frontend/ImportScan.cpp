//===- ImportScan.cpp - Scan nodes ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scan is a graph.loop that runs along a dimension of its inputs: the body
// takes its part of each by the number of the iteration, the parts that it makes
// are rows. Opset 8 scans every element of a batch: that is a loop around it.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

Tensor *sectile::frontend::takePart(Emitter &emit, Tensor *tensor, int64_t axis,
                                    const SymExpr &number) {
  Shape offsets(tensor->rank(), SymExpr(0)), sizes(tensor->shape);
  offsets[axis] = number;
  sizes[axis] = SymExpr(1);
  SmallVector<int64_t> strides(tensor->rank(), 1);
  return emit.squeeze(emit.slice(tensor, offsets, sizes, strides), {axis});
}

Tensor *sectile::frontend::moveRows(Emitter &emit, Tensor *rows, int64_t axis, bool isBackward) {
  if (isBackward)
    rows = emit.reverse(rows, 0);
  if (axis == 0)
    return rows;
  SmallVector<int64_t> permutation;
  for (int64_t dim = 1; dim < rows->rank(); ++dim)
    permutation.push_back(dim);
  permutation.insert(permutation.begin() + axis, 0);
  return emit.transpose(rows, permutation);
}

/// One number for each of `count`, out of an attribute.
static FailureOr<SmallVector<int64_t>> readNumbers(Node &node, StringRef name, unsigned count) {
  std::optional<SmallVector<int64_t>> given = node.intsAttr(name);
  if (!given)
    return SmallVector<int64_t>(count, 0);
  if (given->size() != count)
    return node.fail("expects " + Twine(count) + " numbers in '" + name + "', but got " +
                     Twine(given->size()));
  return *given;
}

FailureOr<GraphImporter::LoopResults>
GraphImporter::scanParts(Node &node, const ScanPlan &plan, const Scope &scope, std::string prefix,
                         ArrayRef<Tensor *> states, ArrayRef<Tensor *> inputs) {
  SmallVector<int64_t> axes;
  for (auto [number, input] : llvm::enumerate(inputs)) {
    FailureOr<int64_t> axis = node.axis(plan.inputAxes[number], input->rank());
    if (failed(axis))
      return failure();
    axes.push_back(*axis);
    if (number != 0 && failed(node.expectEqual(inputs[0]->shape[axes[0]], input->shape[*axis],
                                               "extents of scan inputs along their axes")))
      return failure();
  }
  SymExpr length = syms.simplify(inputs[0]->shape[axes[0]]);
  LoopBody body;
  enterBody(body, states, length.constant().value_or(Emitter::kMostElements));
  SmallVector<Tensor *> parts(body.state);
  for (auto [number, input] : llvm::enumerate(inputs))
    parts.push_back(takePart(emit, captureTensor(body, input), axes[number],
                             plan.inputsBackward[number] != 0 ? length - SymExpr(1) - body.iteration
                                                              : body.iteration));
  FailureOr<SmallVector<Tensor *>> results =
      importBody(node, *plan.graph, scope, &body, parts, std::move(prefix));
  auto refuse = [&](const Twine &why) -> LogicalResult {
    leaveBody(body, /*keep=*/false);
    return why.isTriviallyEmpty() ? failure() : node.fail(why);
  };
  if (failed(results))
    return refuse("");
  unsigned numStates = states.size();
  if (llvm::is_contained(*results, nullptr)) { // Its node failed, and said so.
    leaveBody(body, /*keep=*/false);
    LoopResults unknown;
    unknown.carried.assign(numStates, nullptr);
    unknown.rows.assign(results->size() - numStates, nullptr);
    return unknown;
  }
  for (auto [number, before] : llvm::enumerate(body.state)) {
    Tensor *after = (*results)[number];
    bool same = before->rank() == after->rank();
    for (int64_t dim = 0; same && dim < before->rank(); ++dim)
      same = emit.same(before->shape[dim], after->shape[dim]);
    if (!same)
      return refuse("state " + Twine(number) + " changes its shape from " +
                    Node::text(before->shape) + " to " + Node::text(after->shape));
    if (before->dtype != after->dtype)
      return refuse("expects state " + Twine(number) + " to stay of type " + nameOf(before->dtype) +
                    ", but got " + nameOf(after->dtype));
  }
  ArrayRef<Tensor *> rows = ArrayRef(*results).drop_front(numStates);
  if (llvm::any_of(rows, [](Tensor *row) { return row->rank() >= kMaxRank; }))
    return refuse("expects scan outputs of a rank below " + Twine(kMaxRank));
  LoopBounds bounds;
  bounds.trips = length;
  LoopResults made =
      makeLoop(body, bounds, states, nullptr, ArrayRef(*results).take_front(numStates), rows);
  for (auto [number, tensor] : llvm::enumerate(made.rows)) {
    FailureOr<int64_t> axis = node.axis(plan.outputAxes[number], tensor->rank());
    if (failed(axis))
      return failure();
    // As many as scanned, under the name that these have.
    tensor->shape[0] = length;
    tensor = moveRows(emit, tensor, *axis, plan.outputsBackward[number] != 0);
  }
  return made;
}

LogicalResult GraphImporter::importScan(Node &node, Scope &scope, std::string name) {
  bool isBatched = node.opset() < 9;
  ScanPlan plan;
  plan.graph = node.graphAttr("body");
  FailureOr<int64_t> count = node.requiredIntAttr("num_scan_inputs");
  if (failed(count))
    return failure();
  if (!plan.graph)
    return node.fail("expects a graph 'body'");
  if (scope.depth >= options.maxNesting)
    return node.fail("expects graphs to nest at most " + Twine(options.maxNesting) + " deep");
  int64_t numInputs = node.proto.input_size() - (isBatched ? 1 : 0);
  if (*count < 1 || *count > numInputs)
    return node.fail("expects 1 to " + Twine(numInputs) + " scan inputs, but got " + Twine(*count));
  unsigned numStates = numInputs - *count;
  if (plan.graph->input_size() != numInputs)
    return node.fail("expects " + Twine(numInputs) + " inputs of the body, but got " +
                     Twine(plan.graph->input_size()));
  if (static_cast<unsigned>(plan.graph->output_size()) != node.numResults() ||
      node.numResults() < numStates)
    return node.fail("expects as many results of the body as of the node, and " + Twine(numStates) +
                     " states among them, but got " + Twine(plan.graph->output_size()) + " and " +
                     Twine(node.numResults()));
  unsigned numRows = node.numResults() - numStates;
  auto read = [&](SmallVector<int64_t> &numbers, StringRef attribute, unsigned many) {
    FailureOr<SmallVector<int64_t>> given = readNumbers(node, attribute, many);
    if (succeeded(given))
      numbers = *given;
    return LogicalResult(given);
  };
  plan.inputAxes.assign(*count, 0);
  plan.outputAxes.assign(numRows, 0);
  plan.outputsBackward.assign(numRows, 0);
  if (isBatched) {
    if (failed(read(plan.inputsBackward, "directions", *count)))
      return failure();
    if (node.has(0))
      return node.fail("lengths of the sequences are not in this version",
                       "pad the sequences to one length, and mask what is added");
  } else if (failed(read(plan.inputAxes, "scan_input_axes", *count)) ||
             failed(read(plan.inputsBackward, "scan_input_directions", *count)) ||
             failed(read(plan.outputAxes, "scan_output_axes", numRows)) ||
             failed(read(plan.outputsBackward, "scan_output_directions", numRows))) {
    return failure();
  }
  if (failed(node.checkAttributes()))
    return failure();
  SmallVector<Tensor *> inputs;
  for (unsigned i = isBatched ? 1 : 0; i < static_cast<unsigned>(node.proto.input_size()); ++i) {
    if (!node.has(i))
      return node.fail("expects input " + Twine(i) + " to be given");
    inputs.push_back(node.in(i));
    bool isScanned = inputs.size() > numStates;
    if (node.in(i)->rank() < (isBatched ? 1 : 0) + (isScanned ? 1 : 0))
      return node.fail("expects a dimension to scan in input " + Twine(i));
  }
  ArrayRef<Tensor *> all(inputs);
  FailureOr<LoopResults> made = failure();
  if (!isBatched) {
    made = scanParts(node, plan, scope, name + "/", all.take_front(numStates),
                     all.drop_front(numStates));
  } else {
    for (Tensor *input : all.drop_front())
      if (failed(node.expectEqual(inputs[0]->shape[0], input->shape[0], "extents of the batch")))
        return failure();
    SymExpr batch = syms.simplify(inputs[0]->shape[0]);
    LoopBody body;
    enterBody(body, {}, batch.constant().value_or(Emitter::kMostElements));
    Scope inside;
    inside.outer = &scope;
    inside.body = &body;
    inside.attributes = scope.attributes;
    inside.opsets = scope.opsets;
    inside.depth = scope.depth;
    SmallVector<Tensor *> own;
    for (Tensor *input : inputs)
      own.push_back(takePart(emit, captureTensor(body, input), 0, body.iteration));
    made = scanParts(node, plan, inside, name + "/", ArrayRef(own).take_front(numStates),
                     ArrayRef(own).drop_front(numStates));
    SmallVector<Tensor *> parts;
    if (succeeded(made)) {
      parts = made->carried;
      llvm::append_range(parts, made->rows);
    }
    if (failed(made) || llvm::is_contained(parts, nullptr)) {
      leaveBody(body, /*keep=*/false);
      if (failed(made))
        return failure();
    } else {
      LoopBounds bounds;
      bounds.trips = batch;
      LoopResults stacked = makeLoop(body, bounds, {}, nullptr, {}, parts);
      for (Tensor *tensor : stacked.rows)
        tensor->shape[0] = batch;
      made->carried.assign(stacked.rows.begin(), stacked.rows.begin() + numStates);
      made->rows.assign(stacked.rows.begin() + numStates, stacked.rows.end());
    }
  }
  if (failed(made))
    return failure();
  SmallVector<Tensor *> results(made->carried);
  llvm::append_range(results, made->rows);
  for (auto [i, tensor] : llvm::enumerate(results)) {
    const std::string &output = node.proto.output(static_cast<int>(i));
    if (!tensor && !output.empty() && failed(define(scope, output, nullptr)))
      return failure();
    if (!tensor)
      continue;
    node.result(i, tensor);
    if (failed(checkResult(node, i)))
      return failure();
  }
  return checkSizes(node);
}
