//===- ImportLoop.cpp - Loop nodes whose iterations are known -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The body is imported once for each iteration. So carried values may change
// their shape, and what the body computes from the iteration number is known.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

using namespace mlir;
using namespace sectile::frontend;

/// Each iteration is a copy of the body.
static constexpr int64_t kMostIterations = 256;

LogicalResult GraphImporter::importLoop(Node &node, Scope &scope, std::string name) {
  // The one number of a tensor, if it follows from constants and input sizes.
  auto known = [&](Tensor *tensor) -> std::optional<int64_t> {
    std::optional<Shape> elements = emit.elements(tensor);
    return elements && elements->size() == 1 ? (*elements)[0].constant() : std::nullopt;
  };
  const onnx::GraphProto *body = node.graphAttr("body");
  if (failed(node.checkAttributes()))
    return failure();
  if (!body)
    return node.fail("expects a graph 'body'");
  if (scope.depth >= options.maxNesting)
    return node.fail("expects graphs to nest at most " + Twine(options.maxNesting) + " deep");
  unsigned numCarried = std::max(node.proto.input_size() - 2, 0);
  if (static_cast<unsigned>(body->input_size()) != numCarried + 2)
    return node.fail("expects " + Twine(numCarried + 2) + " inputs of the body, but got " +
                     Twine(body->input_size()));
  if (node.numResults() < numCarried ||
      static_cast<unsigned>(body->output_size()) != node.numResults() + 1)
    return node.fail("expects one more result of the body than of the node, and " +
                     Twine(numCarried) + " of them carried, but got " + Twine(body->output_size()) +
                     " and " + Twine(node.numResults()));

  std::optional<int64_t> trips, goesOn = 1;
  if (node.has(0) && !(trips = known(node.in(0))))
    return node.fail("expects a trip count that follows from constants and input sizes",
                     "export with a constant trip count");
  if (node.has(1) && !(goesOn = known(node.in(1))))
    return node.fail("expects a condition that follows from constants and input sizes");
  SmallVector<Tensor *> carried;
  for (unsigned i = 0; i < numCarried; ++i) {
    if (!node.has(i + 2))
      return node.fail("expects input " + Twine(i + 2) + " to be given");
    carried.push_back(node.in(i + 2));
  }
  Location loc = emit.loc;
  SmallVector<SmallVector<Tensor *>> scans(node.numResults() - numCarried);
  for (int64_t number = 0; *goesOn != 0 && (!trips || number < *trips); ++number) {
    if (number == kMostIterations)
      return node.fail("expects at most " + Twine(kMostIterations) +
                       " iterations, since each becomes a copy of the body");
    // Bodies without nodes count too: loops in loops must come to an end.
    if (++nodeCount > options.maxNodes)
      return error("expects at most " + Twine(options.maxNodes) + " nodes");
    Scope inner;
    inner.outer = &scope;
    inner.prefix = name + "/" + std::to_string(number) + "/";
    inner.attributes = scope.attributes;
    inner.opsets = scope.opsets;
    inner.depth = scope.depth + 1;
    if (failed(
            define(inner, body->input(0).name(), emit.known(DType::I64, {}, {SymExpr(number)}))) ||
        failed(define(inner, body->input(1).name(), emit.known(DType::Bool, {}, {SymExpr(1)}))))
      return failure();
    for (unsigned i = 0; i < numCarried; ++i)
      if (failed(define(inner, body->input(static_cast<int>(i) + 2).name(), carried[i])))
        return failure();
    if (failed(importConstants(*body, inner)) || failed(importNodes(body->node(), inner)))
      return failure();
    emit.loc = loc;

    SmallVector<Tensor *> results;
    for (const onnx::ValueInfoProto &output : body->output()) {
      const Scope *at = &inner;
      while (at && !at->values.count(output.name()))
        at = at->outer;
      if (!at)
        return node.fail("the body does not define '" + output.name() + "'");
      results.push_back(at->values.lookup(output.name()));
    }
    // A node of the body failed, and was reported: nothing is known of the results.
    if (llvm::is_contained(results, nullptr)) {
      for (const std::string &output : node.proto.output())
        if (!output.empty() && failed(define(scope, output, nullptr)))
          return failure();
      return success();
    }
    // Nobody asks the last condition that the trip count allows.
    if (!trips || number + 1 < *trips)
      if (!(goesOn = known(results[0])))
        return node.fail("expects the body's condition to follow from constants and input sizes");
    for (unsigned i = 0; i < numCarried; ++i) {
      if (results[i + 1]->dtype != carried[i]->dtype)
        return node.fail("expects carried value " + Twine(i) + " to stay of type " +
                         nameOf(carried[i]->dtype) + ", but got " + nameOf(results[i + 1]->dtype));
      carried[i] = results[i + 1];
    }
    for (auto [scan, part] : llvm::zip_equal(scans, ArrayRef(results).drop_front(numCarried + 1))) {
      if (part->rank() >= kMaxRank)
        return node.fail("expects scan outputs of a rank below " + Twine(kMaxRank));
      if (!scan.empty() && (part->dtype != scan[0]->dtype || part->rank() != scan[0]->rank()))
        return node.fail("expects a scan output to have one type and rank in all iterations");
      for (int64_t dim = 0; !scan.empty() && dim < part->rank(); ++dim)
        if (failed(node.expectEqual(scan[0]->shape[dim], part->shape[dim],
                                    "extents of a scan output in different iterations")))
          return failure();
      scan.push_back(part);
    }
  }
  for (auto [i, tensor] : llvm::enumerate(carried))
    node.result(i, tensor);
  for (auto [i, scan] : llvm::enumerate(scans)) {
    unsigned result = numCarried + i;
    if (!node.wants(result))
      continue;
    if (scan.empty())
      return node.fail("the loop never runs, so that the shape of scan output " + Twine(i) +
                       " is not known");
    SmallVector<Tensor *> rows;
    for (Tensor *part : scan)
      rows.push_back(emit.unsqueeze(part, {0}));
    node.result(result, emit.concat(rows, 0));
    if (failed(checkResult(node, result)))
      return failure();
  }
  if (emit.overflowed)
    return node.fail("sizes are negative or overflow 64 bits");
  return success();
}
