//===- Einsum.cpp - Einsum as contractions --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// "bij,bjk->bik" names the dimensions of each input and of the result; what the
// result lacks is summed over. Two inputs are one contraction, whose iteration
// space has a dimension for each letter; of more inputs the first two become
// one that keeps every letter somebody still needs. An ellipsis stands for
// dimensions that broadcast: they get names of their own.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

namespace {
/// The names of a tensor's dimensions: letters, and 128 and up for those of an ellipsis, counted
/// from the last one.
using Labels = SmallVector<unsigned, 8>;
constexpr unsigned kEllipsis = 128;

struct Term {
  Tensor *tensor;
  Labels labels;
};
using Extents = llvm::MapVector<unsigned, SymExpr>;
} // namespace

/// The letters of a term; `rank` says how many dimensions an ellipsis has, unless it is negative:
/// then they are `hidden`.
static FailureOr<Labels> parseLabels(Node &n, StringRef text, int64_t rank, unsigned hidden) {
  Labels labels;
  bool hasEllipsis = false;
  int64_t letters = llvm::count_if(text, llvm::isAlpha);
  while (!text.empty()) {
    if (text.consume_front("...")) {
      if (hasEllipsis)
        return n.fail("expects at most one ellipsis in a term of the equation");
      hasEllipsis = true;
      int64_t count = rank < 0 ? hidden : rank - letters;
      for (int64_t dim = count; dim-- > 0;)
        labels.push_back(kEllipsis + dim);
      continue;
    }
    if (!llvm::isAlpha(text.front()))
      return n.fail("expects letters and '...' in a term of the equation, but got '" + text + "'");
    labels.push_back(text.front());
    text = text.drop_front();
  }
  if (rank >= 0 && static_cast<int64_t>(labels.size()) != rank)
    return n.fail("expects a term of the equation for each of " + Twine(rank) +
                  " dimensions, but got " + Twine(labels.size()));
  return labels;
}

/// The sum of products of `a` and `b`, or of `a` alone, with the dimensions `result`.
static Tensor *contractTerms(Emitter &e, const Term &a, const Term *b, ArrayRef<unsigned> result,
                             const Extents &extents) {
  // Dimensions of the result first, in order.
  llvm::SetVector<unsigned> space(result.begin(), result.end());
  space.insert(a.labels.begin(), a.labels.end());
  if (b)
    space.insert(b->labels.begin(), b->labels.end());
  auto dimOf = [&](unsigned label) { return e.dim(llvm::find(space, label) - space.begin()); };
  auto read = [&](const Term &term) {
    Access access{term.tensor, {}};
    for (auto [label, extent] : llvm::zip_equal(term.labels, term.tensor->shape)) {
      bool stands = e.syms.simplify(extent).isConstant(1) &&
                    !e.syms.simplify(extents.lookup(label)).isConstant(1);
      access.map.push_back(stands ? e.b.getAffineConstantExpr(0) : dimOf(label));
    }
    return access;
  };
  SmallVector<IteratorType> iterators(space.size(), IteratorType::reduction);
  std::fill_n(iterators.begin(), result.size(), IteratorType::parallel);
  Shape shape;
  SmallVector<AffineExpr> place;
  for (unsigned label : result) {
    shape.push_back(extents.lookup(label));
    place.push_back(dimOf(label));
  }
  Access one{e.scalar(a.tensor->dtype, 1), {}};
  return e.contract(read(a), b ? read(*b) : one, shape, place, iterators);
}

/// The extent of each label, where equal ones are equal and those of an ellipsis broadcast.
static FailureOr<Extents> findExtents(Node &n, MutableArrayRef<Term> terms) {
  Extents extents;
  SmallVector<Shape, 2> shapes;
  for (Term &term : terms) {
    Shape &ofEllipsis = shapes.emplace_back();
    for (auto [label, extent] : llvm::zip_equal(term.labels, term.tensor->shape)) {
      if (label >= kEllipsis) {
        ofEllipsis.push_back(extent);
        continue;
      }
      auto [known, isNew] = extents.insert({label, extent});
      if (!isNew &&
          failed(n.expectEqual(known->second, extent,
                               std::string("extents of '") + static_cast<char>(label) + "'")))
        return failure();
    }
  }
  SmallVector<ArrayRef<SymExpr>> refs(shapes.begin(), shapes.end());
  FailureOr<Shape> joined = n.broadcast(refs);
  if (failed(joined))
    return failure();
  for (auto [dim, extent] : llvm::enumerate(*joined))
    extents.insert({kEllipsis + static_cast<unsigned>(joined->size() - 1 - dim), extent});
  // What only the run knows to be 1 is stretched there.
  for (Term &term : terms) {
    Shape shape;
    for (auto [label, extent] : llvm::zip_equal(term.labels, term.tensor->shape)) {
      bool stands = label < kEllipsis || n.syms.simplify(extent).isConstant(1);
      shape.push_back(stands ? extent : extents.lookup(label));
    }
    term.tensor = n.emit.expand(term.tensor, shape);
  }
  return extents;
}

/// Without an arrow the result has the ellipsis, and then the letters that occur once, in order.
static Labels implicitResult(ArrayRef<Term> terms, unsigned hidden) {
  Labels result;
  for (unsigned dim = hidden; dim-- > 0;)
    result.push_back(kEllipsis + dim);
  std::map<unsigned, int> counts;
  for (const Term &term : terms)
    for (unsigned label : term.labels)
      ++counts[label];
  for (auto [label, count] : counts)
    if (label < kEllipsis && count == 1)
      result.push_back(label);
  return result;
}

LogicalResult sectile::frontend::importEinsum(Node &n) {
  Emitter &e = n.emit;
  std::string equation = n.stringAttr("equation", "");
  llvm::erase(equation, ' ');
  auto [left, right] = StringRef(equation).split("->");
  bool hasArrow = StringRef(equation).contains("->");
  SmallVector<StringRef> texts;
  left.split(texts, ',');
  if (texts.size() != n.numInputs())
    return n.fail("expects a term of the equation for each of " + Twine(n.numInputs()) +
                  " inputs, but got " + Twine(texts.size()));
  DType dtype = n.in(0)->dtype;
  if (failed(n.expectSameType(n.allInputs())) || failed(n.expectNumber(n.in(0))))
    return failure();
  SmallVector<Term> terms;
  unsigned hidden = 0;
  for (auto [text, tensor] : llvm::zip_equal(texts, n.allInputs())) {
    FailureOr<Labels> labels = parseLabels(n, text, tensor->rank(), 0);
    if (failed(labels))
      return failure();
    hidden = std::max<unsigned>(
        hidden, llvm::count_if(*labels, [](unsigned label) { return label >= kEllipsis; }));
    terms.push_back({e.cast(tensor, computeType(dtype)), *labels});
  }
  FailureOr<Extents> extents = findExtents(n, terms);
  if (failed(extents))
    return failure();
  FailureOr<Labels> result =
      hasArrow ? parseLabels(n, right, -1, hidden) : FailureOr(implicitResult(terms, hidden));
  if (failed(result))
    return failure();
  llvm::SmallDenseSet<unsigned> seen;
  for (unsigned label : *result)
    if (!extents->count(label) || !seen.insert(label).second)
      return n.fail("expects dimensions of the result that an input has, once each, but got '" +
                    Twine(equation) + "'");
  while (terms.size() > 2) {
    Labels kept;
    for (unsigned label : llvm::concat<unsigned>(terms[0].labels, terms[1].labels)) {
      bool isNeeded = llvm::is_contained(*result, label) ||
                      llvm::any_of(ArrayRef(terms).drop_front(2), [&](const Term &term) {
                        return llvm::is_contained(term.labels, label);
                      });
      if (isNeeded && !llvm::is_contained(kept, label))
        kept.push_back(label);
    }
    Tensor *joined = contractTerms(e, terms[0], &terms[1], kept, *extents);
    terms[1] = {joined, kept};
    terms.erase(terms.begin());
  }
  Tensor *product =
      contractTerms(e, terms[0], terms.size() > 1 ? &terms[1] : nullptr, *result, *extents);
  n.result(0, e.cast(product, dtype));
  return success();
}
