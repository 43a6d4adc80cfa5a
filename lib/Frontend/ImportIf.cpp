//===- ImportIf.cpp - branches ----------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of an If whose condition is known only one branch is imported. Otherwise both
// are, side by side, and each result is a graph.choose: whatever one branch
// alone needs is computed only if it is taken (dialects/Graph/IR/Guards.h).
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

LogicalResult GraphImporter::importIf(Node &node, Scope &scope, std::string name) {
  if (!node.has(0) || node.in(0)->dtype != DType::Bool ||
      !Emitter::product(node.in(0)->shape).isConstant(1))
    return node.fail("expects a condition of one bool");
  std::optional<Shape> condition = emit.elements(node.in(0));
  std::optional<int64_t> taken =
      condition && condition->size() == 1 ? (*condition)[0].constant() : std::nullopt;
  const onnx::GraphProto *bodies[] = {node.graphAttr("then_branch"), node.graphAttr("else_branch")};
  if (failed(node.checkAttributes()))
    return failure();
  SmallVector<SmallVector<Tensor *>> results;
  for (auto [number, body] : llvm::enumerate(bodies)) {
    if (taken && (*taken != 0) != (number == 0))
      continue;
    StringRef side = number == 0 ? "then_branch" : "else_branch";
    if (!body || scope.depth >= options.maxNesting)
      return node.fail("expects a graph '" + side + "'");
    // What a branch computes stands among everything else; its checks would too.
    bool wasInBranch = emit.isInBranch;
    emit.isInBranch |= !taken;
    FailureOr<SmallVector<Tensor *>> values =
        importBranch(node, *body, scope, name + (taken ? "/" : "/" + side.str() + "/"));
    emit.isInBranch = wasInBranch;
    if (failed(values))
      return failure();
    results.push_back(std::move(*values));
  }
  for (unsigned i = 0; i < node.numResults(); ++i) {
    bool isPoisoned = llvm::any_of(results, [&](const auto &side) { return !side[i]; });
    if (isPoisoned) {
      if (failed(define(scope, node.proto.output(static_cast<int>(i)), nullptr)))
        return failure();
      continue;
    }
    FailureOr<Tensor *> result =
        taken ? results[0][i] : chooseResult(node, i, results[0][i], results[1][i]);
    if (failed(result))
      return failure();
    node.result(i, *result);
  }
  return success();
}

FailureOr<SmallVector<Tensor *>> GraphImporter::importBranch(Node &node,
                                                             const onnx::GraphProto &body,
                                                             Scope &scope, std::string prefix) {
  Scope inner;
  inner.outer = &scope;
  inner.prefix = std::move(prefix);
  inner.attributes = scope.attributes;
  inner.opsets = scope.opsets;
  inner.depth = scope.depth + 1;
  if (failed(importConstants(body, inner)) || failed(importNodes(body.node(), inner)))
    return failure();
  if (static_cast<unsigned>(body.output_size()) != node.numResults())
    return node.fail("expects " + Twine(node.numResults()) + " results of the branch, but got " +
                     Twine(body.output_size()));
  SmallVector<Tensor *> results;
  for (const onnx::ValueInfoProto &output : body.output()) {
    std::optional<Tensor *> found = find(inner, output.name());
    if (!found)
      return node.fail("the branch does not define '" + output.name() + "'");
    results.push_back(*found); // Null if its node failed, and said so.
  }
  return results;
}

FailureOr<Tensor *> GraphImporter::chooseResult(Node &node, unsigned number, Tensor *taken,
                                                Tensor *otherwise) {
  std::string which = "result " + std::to_string(number);
  if (taken->dtype != otherwise->dtype)
    return node.fail(which + " is " + nameOf(taken->dtype) + " in one branch and " +
                     nameOf(otherwise->dtype) + " in the other");
  bool same = taken->rank() == otherwise->rank();
  for (int64_t dim = 0; same && dim < taken->rank(); ++dim)
    same = emit.same(taken->shape[dim], otherwise->shape[dim]);
  if (!same)
    return node.fail(which + " has the shapes " + Node::text(taken->shape) + " and " +
                         Node::text(otherwise->shape) +
                         " in the branches: its size would depend on the data",
                     "pad both to one shape");
  if (taken == otherwise)
    return taken;
  Value condition = emit.value(emit.reshape(node.in(0), {}));
  Value a = emit.value(taken), b = emit.value(otherwise);
  // What is known of the sizes may differ in how it is written.
  Type type = emit.type(taken->dtype, taken->shape);
  auto typed = [&](Value value) {
    return value.getType() == type
               ? value
               : tensor::CastOp::create(emit.b, emit.loc, type, value).getResult();
  };
  Value result = graph::ChooseOp::create(emit.b, emit.loc, condition, typed(a), typed(b));
  return emit.make(taken->dtype, taken->shape, result);
}
