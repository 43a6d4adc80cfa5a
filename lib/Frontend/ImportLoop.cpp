//===- ImportLoop.cpp - Loop nodes ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop becomes a graph.loop, or copies of its body: where these are few and
// small, so that kernels reach across iterations, or where only copies will do,
// since a carried value changes its shape or the numbers that are carried decide
// when it ends.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Where copies are the only way.
static constexpr int64_t kMostIterations = 256;
/// Where a loop would do as well: nodes of all copies. A launch costs about a microsecond in a loop
/// or out of it; what copies gain are kernels that span iterations, what they cost is code.
static constexpr int64_t kMostCopiedNodes = 48;
/// Numbers of iterations that need no more than this are numbers of iterations.
static constexpr int64_t kEndless = int64_t(1) << 40;

static std::string describeReason(StringRef unrolled, StringRef looped) {
  return (looped + "; nor can it become copies of its body: " + unrolled).str();
}

/// Why the loop cannot be one function that is repeated; empty if it can. `goesOn` is not known
/// where the data decides.
static std::string whyNoFunction(Emitter &emit, ArrayRef<Tensor *> before, ArrayRef<Tensor *> after,
                                 bool isCounted, bool endsByData, bool hasRows) {
  for (auto [number, from, to] : llvm::enumerate(before, after)) {
    bool same = from->rank() == to->rank();
    for (int64_t dim = 0; same && dim < from->rank(); ++dim)
      same = emit.same(from->shape[dim], to->shape[dim]);
    if (!same)
      return "carried value " + std::to_string(number) + " changes its shape from " +
             Node::text(from->shape) + " to " + Node::text(to->shape);
  }
  if (!isCounted && !endsByData)
    return "nothing ends the loop";
  if (hasRows && endsByData)
    return "the number of iterations, which is the size of its scan outputs, depends on the data";
  return "";
}

FailureOr<GraphImporter::LoopResults>
GraphImporter::unrollLoop(Node &node, const onnx::GraphProto &graph, const Scope &scope,
                          std::string name, ArrayRef<Tensor *> start, std::optional<int64_t> trips,
                          int64_t most) {
  LoopResults results{SmallVector<Tensor *>(start), {}};
  SmallVector<SmallVector<Tensor *>> scans(node.numResults() - start.size());
  std::optional<int64_t> goesOn = 1;
  for (int64_t number = 0; *goesOn != 0 && (!trips || number < *trips); ++number) {
    if (number == most)
      return node.fail("expects at most " + Twine(most) +
                       " iterations, since each becomes a copy of the body");
    // Bodies without nodes count too: loops in loops must come to an end.
    if (++nodeCount > options.maxNodes)
      return error("expects at most " + Twine(options.maxNodes) + " nodes");
    SmallVector<Tensor *> inputs = {emit.known(DType::I64, {}, {SymExpr(number)}),
                                    emit.known(DType::Bool, {}, {SymExpr(1)})};
    llvm::append_range(inputs, results.carried);
    FailureOr<SmallVector<Tensor *>> iteration =
        importBody(node, graph, scope, nullptr, inputs, name + "/" + std::to_string(number) + "/");
    if (failed(iteration))
      return failure();
    // A node of the body failed, and was reported: nothing is known of the results.
    if (llvm::is_contained(*iteration, nullptr)) {
      results.carried.assign(start.size(), nullptr);
      results.rows.assign(scans.size(), nullptr);
      return results;
    }
    // Nobody asks the last condition that the trip count allows.
    if (!trips || number + 1 < *trips) {
      std::optional<Shape> condition = emit.elements((*iteration)[0]);
      goesOn = condition && condition->size() == 1 ? (*condition)[0].constant() : std::nullopt;
      if (!goesOn)
        return node.fail("expects the body's condition to follow from constants and input sizes");
    }
    for (auto [i, value] : llvm::enumerate(results.carried)) {
      Tensor *next = (*iteration)[i + 1];
      if (next->dtype != value->dtype)
        return node.fail("expects carried value " + Twine(i) + " to stay of type " +
                         nameOf(value->dtype) + ", but got " + nameOf(next->dtype));
      value = next;
    }
    for (auto [scan, part] :
         llvm::zip_equal(scans, ArrayRef(*iteration).drop_front(start.size() + 1))) {
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
  for (auto [i, scan] : llvm::enumerate(scans)) {
    Tensor *&rows = results.rows.emplace_back();
    if (!node.wants(start.size() + i))
      continue;
    if (scan.empty())
      return node.fail("the loop never runs, so that the shape of scan output " + Twine(i) +
                       " is not known");
    SmallVector<Tensor *> parts;
    for (Tensor *part : scan)
      parts.push_back(emit.unsqueeze(part, {0}));
    rows = emit.concat(parts, 0);
  }
  return results;
}

LogicalResult GraphImporter::importLoop(Node &node, Scope &scope, std::string name) {
  // The one number of a tensor, if it follows from constants and input sizes.
  auto known = [&](Tensor *tensor) -> std::optional<int64_t> {
    std::optional<Shape> elements = emit.elements(tensor);
    return elements && elements->size() == 1 ? (*elements)[0].constant() : std::nullopt;
  };
  const onnx::GraphProto *graph = node.graphAttr("body");
  if (failed(node.checkAttributes()))
    return failure();
  if (!graph)
    return node.fail("expects a graph 'body'");
  if (scope.depth >= options.maxNesting)
    return node.fail("expects graphs to nest at most " + Twine(options.maxNesting) + " deep");
  unsigned numCarried = std::max(node.proto.input_size() - 2, 0);
  if (static_cast<unsigned>(graph->input_size()) != numCarried + 2)
    return node.fail("expects " + Twine(numCarried + 2) + " inputs of the body, but got " +
                     Twine(graph->input_size()));
  if (node.numResults() < numCarried ||
      static_cast<unsigned>(graph->output_size()) != node.numResults() + 1)
    return node.fail("expects one more result of the body than of the node, and " +
                     Twine(numCarried) + " of them carried, but got " +
                     Twine(graph->output_size()) + " and " + Twine(node.numResults()));
  for (unsigned i : {0u, 1u}) {
    if (!node.has(i))
      continue;
    if (!Emitter::product(node.in(i)->shape).isConstant(1))
      return node.fail(i == 0 ? "expects a trip count of one number"
                              : "expects a condition of one bool");
    if (i == 0 ? node.in(0)->dtype != DType::I64 : node.in(1)->dtype != DType::Bool)
      return node.fail(i == 0 ? "expects a trip count of type int64"
                              : "expects a condition of type bool");
  }
  SmallVector<Tensor *> carried;
  for (unsigned i = 0; i < numCarried; ++i) {
    if (!node.has(i + 2))
      return node.fail("expects input " + Twine(i + 2) + " to be given");
    carried.push_back(node.in(i + 2));
  }

  LoopBounds bounds;
  if (node.has(0)) {
    if (std::optional<Shape> elements = emit.elements(node.in(0)))
      bounds.trips = (*elements)[0];
    else
      bounds.tripCount = node.in(0);
  }
  std::optional<int64_t> begins = 1;
  if (node.has(1) && !(begins = known(node.in(1))))
    bounds.condition = node.in(1);
  if (begins && *begins == 0) {
    bounds.trips = SymExpr(0);
    bounds.tripCount = nullptr;
  }
  std::optional<int64_t> trips = bounds.trips ? bounds.trips->constant() : std::nullopt;

  // The body as a function.
  size_t gapsBefore = gaps.size(), nodesBefore = nodeCount;
  LoopBody body;
  enterBody(body, carried, trips && *trips < kEndless ? *trips : kEndless);
  SmallVector<Tensor *> inputs = {emit.known(DType::I64, {}, {body.iteration}),
                                  emit.known(DType::Bool, {}, {SymExpr(1)})};
  llvm::append_range(inputs, body.state);
  FailureOr<SmallVector<Tensor *>> results =
      importBody(node, *graph, scope, &body, inputs, name + "/");
  if (failed(results)) {
    leaveBody(body, /*keep=*/false);
    return failure();
  }
  int64_t nodes = std::max<int64_t>(nodeCount - nodesBefore, 1);
  bool isPoisoned = llvm::is_contained(*results, nullptr);
  std::string looped; // why it cannot be a function
  Tensor *goesOn = nullptr;
  std::optional<int64_t> next = 1;
  SmallVector<Tensor *> rows;
  if (!isPoisoned) {
    goesOn = (*results)[0];
    if (goesOn->dtype != DType::Bool || !Emitter::product(goesOn->shape).isConstant(1)) {
      leaveBody(body, /*keep=*/false);
      return node.fail("expects one bool as the body's condition");
    }
    if ((next = known(goesOn)))
      goesOn = nullptr;
    if (next && *next == 0) // After the first iteration none follows.
      bounds.trips = bounds.trips ? syms.min(*bounds.trips, 1) : SymExpr(1);
    for (unsigned i = 0; i < numCarried; ++i)
      if ((*results)[i + 1]->dtype != carried[i]->dtype) {
        leaveBody(body, /*keep=*/false);
        return node.fail("expects carried value " + Twine(i) + " to stay of type " +
                         nameOf(carried[i]->dtype) + ", but got " +
                         nameOf((*results)[i + 1]->dtype));
      }
    for (unsigned i = numCarried; i < node.numResults(); ++i)
      if (node.wants(i))
        rows.push_back((*results)[i + 1]);
    if (llvm::any_of(rows, [](Tensor *row) { return row->rank() >= kMaxRank; })) {
      leaveBody(body, /*keep=*/false);
      return node.fail("expects scan outputs of a rank below " + Twine(kMaxRank));
    }
    looped = whyNoFunction(emit, body.state, ArrayRef(*results).slice(1, numCarried),
                           bounds.trips.has_value(), goesOn || bounds.condition || bounds.tripCount,
                           !rows.empty());
  }

  // Copies, if it is known how many.
  trips = bounds.trips ? bounds.trips->constant() : std::nullopt;
  int64_t most = looped.empty() && !isPoisoned ? kMostCopiedNodes / nodes : kMostIterations;
  bool isCounted = trips && next && !isPoisoned;
  bool mayCopy = begins && !bounds.tripCount && (isCounted ? *trips <= most : most > 0) &&
                 (!trips || *trips > 0 || rows.empty());
  if (mayCopy && !isCounted) {
    // Only trying tells when it ends.
    std::string reason = std::exchange(node.reason, "");
    size_t gapsOfBody = gaps.size();
    LoopBody trial;
    leaveBody(body, /*keep=*/true);
    enterBody(trial, {}, 1);
    Scope inside;
    inside.outer = &scope;
    inside.body = &trial;
    inside.attributes = scope.attributes;
    inside.opsets = scope.opsets;
    inside.depth = scope.depth;
    SmallVector<Tensor *> start =
        llvm::map_to_vector(carried, [&](Tensor *tensor) { return captureTensor(trial, tensor); });
    FailureOr<LoopResults> copies = unrollLoop(node, *graph, inside, name, start, trips, most);
    leaveBody(trial, /*keep=*/false);
    if (failed(copies) && node.reason.empty()) {
      body.func.erase();
      return failure(); // Malformed, and said so.
    }
    mayCopy = succeeded(copies) && gaps.size() == gapsOfBody;
    gaps.resize(gapsOfBody);
    if (!mayCopy && !looped.empty())
      looped = describeReason(node.reason, looped);
    node.reason = reason;
    node.suggestion.clear();
    // Back to where the body ends.
    body.assumptions = syms.saveAssumptions();
    body.touched.clear();
    emit.swap(body.frame);
  } else if (!mayCopy && !looped.empty() && begins && isCounted) {
    looped = describeReason("it makes more than " + std::to_string(kMostIterations) + " iterations",
                            looped);
  }

  LoopResults made;
  if (mayCopy) {
    leaveBody(body, /*keep=*/false);
    gaps.resize(gapsBefore);
    FailureOr<LoopResults> copies =
        unrollLoop(node, *graph, scope, name, carried, trips, kMostIterations);
    if (failed(copies))
      return failure();
    made = *copies;
  } else if (isPoisoned) {
    leaveBody(body, /*keep=*/false);
    made.carried.assign(numCarried, nullptr);
    made.rows.assign(node.numResults() - numCarried, nullptr);
  } else if (!looped.empty()) {
    leaveBody(body, /*keep=*/false);
    return node.fail(looped);
  } else {
    made = makeLoop(body, bounds, carried, goesOn, ArrayRef(*results).slice(1, numCarried), rows);
    // One for each that somebody wants.
    SmallVector<Tensor *> wanted = std::move(made.rows);
    made.rows.clear();
    for (unsigned i = numCarried, number = 0; i < node.numResults(); ++i)
      made.rows.push_back(node.wants(i) ? wanted[number++] : nullptr);
  }
  bool isUnknown = isPoisoned && !mayCopy;
  SmallVector<Tensor *> all(made.carried);
  llvm::append_range(all, made.rows);
  for (auto [i, tensor] : llvm::enumerate(all)) {
    const std::string &output = node.proto.output(static_cast<int>(i));
    if (!tensor && !output.empty() && (isUnknown || node.wants(i))) {
      if (failed(define(scope, output, nullptr)))
        return failure();
      continue;
    }
    if (!tensor)
      continue;
    node.result(i, tensor);
    if (i >= numCarried && failed(checkResult(node, i)))
      return failure();
  }
  return checkSizes(node);
}
