//===- TfIdf.cpp - counts of sequences of numbers ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All sequences of one length are compared at once, at each place and for each
// number of elements that are skipped between two of theirs:
//
//   count[b, g] = sum over l of all over j of x[b, l + j * (skip + 1)] == sequence[g, j]
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
/// What the attributes say.
struct Grams {
  int64_t shortest, longest, mostSkipped;
  SmallVector<int64_t> pool;    ///< elements of all sequences, the shorter ones in front
  SmallVector<int64_t> starts;  ///< where those of each length begin in the pool
  SmallVector<int64_t> columns; ///< of the result, for each sequence
  SmallVector<double> weights;  ///< for each sequence
};
} // namespace

static FailureOr<Grams> readGrams(Node &n) {
  Grams grams;
  if (n.hasAttr("pool_strings"))
    return n.fail("elements of string are not supported");
  std::optional<SmallVector<int64_t>> pool = n.intsAttr("pool_int64s"),
                                      counts = n.intsAttr("ngram_counts"),
                                      columns = n.intsAttr("ngram_indexes");
  FailureOr<int64_t> shortest = n.requiredIntAttr("min_gram_length"),
                     longest = n.requiredIntAttr("max_gram_length"),
                     skipped = n.requiredIntAttr("max_skip_count");
  if (failed(shortest) || failed(longest) || failed(skipped))
    return failure();
  if (!pool || !counts || !columns)
    return n.fail("expects attributes pool_int64s, ngram_counts and ngram_indexes");
  int64_t lengths = static_cast<int64_t>(counts->size());
  if (*shortest < 1 || *longest < *shortest || *longest > lengths || *skipped < 0 ||
      *skipped > INT16_MAX)
    return n.fail("expects lengths from 1 to the number of ngram_counts, " + Twine(lengths) +
                  ", and at most " + Twine(INT16_MAX) + " skipped elements, but got " +
                  Twine(*shortest) + " to " + Twine(*longest) + " and " + Twine(*skipped));
  grams.shortest = *shortest;
  grams.longest = *longest;
  grams.mostSkipped = *skipped;
  grams.pool = *pool;
  grams.starts = *counts;
  grams.starts.push_back(static_cast<int64_t>(pool->size()));
  int64_t total = 0;
  for (int64_t length = 1; length <= lengths; ++length) {
    int64_t from = grams.starts[length - 1], to = grams.starts[length];
    if (from < 0 || to < from || to > static_cast<int64_t>(pool->size()) || (to - from) % length)
      return n.fail("expects ngram_counts to part the pool into whole sequences, but those of "
                    "length " +
                    Twine(length) + " go from " + Twine(from) + " to " + Twine(to));
    total += (to - from) / length;
  }
  if (static_cast<int64_t>(columns->size()) != total)
    return n.fail("expects ngram_indexes for " + Twine(total) + " sequences, but got " +
                  Twine(columns->size()));
  for (int64_t column : *columns)
    if (column < 0 || column > INT32_MAX)
      return n.fail("expects ngram_indexes from 0 to " + Twine(INT32_MAX) + ", but got " +
                    Twine(column));
  grams.columns = *columns;
  grams.weights = n.floatsAttr("weights").value_or(SmallVector<double>(total, 1));
  if (static_cast<int64_t>(grams.weights.size()) != total)
    return n.fail("expects weights for " + Twine(total) + " sequences, but got " +
                  Twine(grams.weights.size()));
  return grams;
}

/// A vector of constants.
static Tensor *vectorOf(Emitter &e, DType dtype, ArrayRef<int64_t> numbers) {
  Shape elements;
  for (int64_t number : numbers)
    elements.push_back(number);
  return e.known(dtype, {static_cast<int64_t>(numbers.size())}, elements);
}

/// How often each of `count` sequences of `length`, the first at `first` in the pool, is in rows of
/// `x` [batch, extent] with `skipped` elements between two of its own: [batch, count], float32.
static Tensor *countGrams(Node &n, const Grams &grams, Tensor *x, int64_t length, int64_t skipped) {
  Emitter &e = n.emit;
  int64_t first = grams.starts[length - 1], count = (grams.starts[length] - first) / length;
  SymExpr places = n.syms.max(x->shape[1] - SymExpr((length - 1) * (skipped + 1)), 0);
  SmallVector<Tensor *> inputs;
  for (int64_t j = 0; j < length; ++j) {
    SymExpr offset = n.syms.min(SymExpr(j * (skipped + 1)), x->shape[1]);
    inputs.push_back(e.unsqueeze(e.slice(x, {0, offset}, {x->shape[0], places}, {1, 1}), {2}));
    SmallVector<int64_t> elements;
    for (int64_t gram = 0; gram < count; ++gram)
      elements.push_back(grams.pool[first + gram * length + j]);
    inputs.push_back(e.unsqueeze(vectorOf(e, DType::I64, elements), {0, 1}));
  }
  Tensor *found = e.pointwise(
      inputs, {x->shape[0], places, count}, DType::F32, [&](const Scalar &s, ValueRange args) {
        Value isEqual;
        for (; !args.empty(); args = args.drop_front(2)) {
          Value own = s.compare(Compare::Equal, args[0], args[1]);
          isEqual = isEqual ? arith::AndIOp::create(s.b, s.loc, isEqual, own) : own;
        }
        return s.as(DType::Bool).convert(isEqual, DType::F32);
      });
  return e.reduce(found, {1}, /*keep=*/false, ReduceKind::Sum);
}

LogicalResult sectile::frontend::importTfIdf(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  FailureOr<Grams> grams = readGrams(n);
  std::string mode = n.stringAttr("mode", "");
  if (failed(grams) || failed(n.expectRank(x, 1, 2)))
    return failure();
  if (x->dtype != DType::I32 && x->dtype != DType::I64)
    return n.fail("expects elements of int32 or int64, but got " + nameOf(x->dtype));
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return n.fail("expects the mode to be TF, IDF or TFIDF, but got '" + mode + "'");
  bool isVector = x->rank() == 1;
  Tensor *rows = e.cast(isVector ? e.unsqueeze(x, {0}) : x, DType::I64);
  // Longer ones of the pool than are asked for, and shorter ones, count as not found.
  SmallVector<Tensor *> parts;
  SmallVector<int64_t> columns, places;
  int64_t number = 0, width = 0;
  for (int64_t length = 1; length < static_cast<int64_t>(grams->starts.size()); ++length) {
    int64_t count = (grams->starts[length] - grams->starts[length - 1]) / length;
    bool isCounted = count > 0 && length >= grams->shortest && length <= grams->longest;
    for (int64_t gram = 0; gram < count; ++gram, ++number) {
      width = std::max(width, grams->columns[number] + 1);
      if (isCounted)
        places.push_back(number);
    }
    if (!isCounted)
      continue;
    Tensor *sum = nullptr;
    for (int64_t skipped = 0; skipped <= (length == 1 ? 0 : grams->mostSkipped); ++skipped) {
      Tensor *found = countGrams(n, *grams, rows, length, skipped);
      sum = sum ? e.pointwise({sum, found}, [](const Scalar &s,
                                               ValueRange args) { return s.add(args[0], args[1]); })
                : found;
    }
    parts.push_back(sum);
  }
  Shape shape{rows->shape[0], width};
  Tensor *result = e.expand(e.scalar(DType::F32, 0), shape);
  if (!parts.empty()) {
    // [columns, batch], so that a column is written at a time.
    Tensor *counts = parts.size() == 1 ? parts[0] : e.concat(parts, 1);
    SmallVector<Tensor *> weights;
    for (int64_t place : places) {
      columns.push_back(grams->columns[place]);
      weights.push_back(e.unsqueeze(e.scalar(DType::F32, grams->weights[place]), {0}));
    }
    Tensor *weight = e.concat(weights, 0);
    counts = e.pointwise({counts, weight}, [&](const Scalar &s, ValueRange args) {
      Value isFound = s.compare(Compare::Greater, args[0], s.constant(0));
      Value weighted = mode == "TF" ? args[0] : args[1];
      return mode == "TFIDF" ? s.mul(args[0], args[1]) : s.select(isFound, weighted, s.constant(0));
    });
    result = scatterInto(n, result, counts, {vectorOf(e, DType::I64, columns)},
                         AffineMap::get(2, 0, {e.dim(1)}, e.b.getContext()), {e.dim(0), e.dim(2)},
                         &Scalar::add);
  }
  n.result(0, isVector ? e.reshape(result, {width}) : result);
  return success();
}
