//===- TensorPool.cpp - tensors found again by their values -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorPool.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace sectile;
using namespace sectile::verify;
using namespace sectile::interp;

TensorRef verify::cut(const TensorObject &tensor) {
  TensorRef exact(new TensorObject(tensor));
  for (Element &element : exact->data) {
    if (element.isUndefined() || element.bound == kUnbounded)
      continue;
    if (tensor.format->isFloat)
      element.real = roundTo(*tensor.format, element.real);
    element.bound = 0;
  }
  return exact;
}

bool verify::isExact(const TensorObject &tensor) {
  return std::all_of(tensor.data.begin(), tensor.data.end(),
                     [](const Element &element) { return element.isExact(); });
}

std::string verify::describe(const Comparison &comparison, const TensorObject &a,
                             const TensorObject &b) {
  auto shapeOf = [](const TensorObject &tensor) {
    std::string text = "[";
    for (size_t i = 0; i < tensor.shape.size(); ++i)
      text += (i ? ", " : "") + std::to_string(tensor.shape[i]);
    return text + "]";
  };
  if (!comparison.sameShape)
    return "its type changes from " + shapeOf(a) + " to " + shapeOf(b);
  if (comparison.firstDifferent < 0)
    return "equal";
  size_t first = comparison.firstDifferent;
  char bound[40];
  snprintf(bound, sizeof bound, "%.2g", a.data[first].bound + b.data[first].bound);
  return std::to_string(comparison.numDifferent) + " of " + std::to_string(comparison.numElements) +
         " elements differ, the first at " + interp::toString(a.shape, comparison.firstDifferent) +
         ": " + interp::toString(*a.format, a.data[first]) + " before, " +
         interp::toString(*b.format, b.data[first]) + " after, with a bound of " + bound;
}

void TensorPool::add(TensorRef tensor, TensorRef exact) {
  entries[tensor->data.size()].push_back({std::move(tensor), std::move(exact)});
}

/// Positions of the elements of a tensor of `shape`, its dimensions in the order `order`.
static std::vector<size_t> permute(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<unsigned> order) {
  Shape strides = getRowMajorStrides(shape);
  std::vector<size_t> positions;
  positions.reserve(countElements(shape));
  Shape coords(shape.size(), 0);
  size_t position = 0;
  for (int64_t count = countElements(shape); count > 0; --count) {
    positions.push_back(position);
    for (size_t i = order.size(); i-- > 0;) {
      unsigned dim = order[i];
      position += strides[dim];
      if (++coords[i] < shape[dim])
        break;
      position -= coords[i] * strides[dim];
      coords[i] = 0;
    }
  }
  return positions;
}

/// The largest distance of elements of tensors that agree at the positions; nothing if they do not,
/// or if that says nothing.
/// Whether some elements, spread over the tensors, may be equal where dimensions have this order:
/// most orders of most tensors fail here, before positions are listed for all of them.
static bool mayAgree(const TensorObject &a, const TensorObject &b, llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<unsigned> order) {
  constexpr size_t kSamples = 61;
  Shape strides = getRowMajorStrides(shape);
  size_t count = b.data.size();
  for (size_t sample = 0; sample < std::min(kSamples, count); ++sample) {
    size_t index = sample * (count / std::min(kSamples, count)), rest = index, position = 0;
    for (unsigned dim : llvm::reverse(order)) {
      position += rest % shape[dim] * strides[dim];
      rest /= shape[dim];
    }
    const Element &x = a.data[position], &y = b.data[index];
    if (x.isUndefined() || y.isUndefined() || !mayBeEqual(*a.format, x, y))
      return false;
  }
  return true;
}

/// The largest distance of two elements, if all may be equal; bounds beyond `limit` say nothing.
static std::optional<double> getDistance(const TensorObject &a, const TensorObject &b,
                                         llvm::ArrayRef<size_t> positions, double limit) {
  double distance = 0;
  size_t numUnchecked = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const Element &x = a.data[positions[i]], &y = b.data[i];
    if (x.isUndefined() || y.isUndefined() || !mayBeEqual(*a.format, x, y))
      return std::nullopt;
    numUnchecked += x.bound + y.bound > limit;
    if (a.format->isFloat && std::isfinite(x.real) && std::isfinite(y.real))
      distance = std::max(distance, std::fabs(x.real - y.real));
  }
  if (2 * numUnchecked > positions.size())
    return std::nullopt;
  return distance;
}

static bool haveSameBits(const Element &a, const Element &b) {
  return a.integer == b.integer && a.bound == b.bound;
}

TensorRef TensorPool::find(const TensorObject &tensor) const {
  auto it = entries.find(tensor.data.size());
  if (it == entries.end())
    return nullptr;
  TensorRef found;
  bool isAmbiguous = false;
  for (const Entry &entry : it->second) {
    if (entry.tensor->format != tensor.format)
      continue;
    // Dimensions of extent one may stand anywhere: only the others are permuted.
    std::vector<unsigned> order;
    Shape shape;
    for (int64_t extent : entry.tensor->shape)
      if (extent != 1) {
        order.push_back(order.size());
        shape.push_back(extent);
      }
    if (order.size() > 5)
      continue;                  // too many orders to try
    std::optional<double> limit; // once it is needed: it takes a look at all elements
    do {
      if (!mayAgree(*entry.tensor, tensor, shape, order))
        continue;
      if (!limit)
        limit = getScale(*entry.tensor) / 256;
      std::vector<size_t> positions = permute(shape, order);
      std::optional<double> distance = getDistance(*entry.tensor, tensor, positions, *limit);
      if (!distance)
        continue;
      TensorRef exact(new TensorObject(tensor));
      for (size_t i = 0; i < positions.size(); ++i)
        exact->data[i] = entry.exact->data[positions[i]];
      // Computed in the same way: equal values alone may come of another computation, as (x + x +
      // x) / 3.
      if (std::equal(positions.begin(), positions.end(), tensor.data.begin(),
                     [&](size_t position, const Element &element) {
                       return haveSameBits(entry.tensor->data[position], element);
                     }))
        return exact;
      isAmbiguous |= found && !std::equal(found->data.begin(), found->data.end(),
                                          exact->data.begin(), haveSameBits);
      found = std::move(exact);
    } while (std::next_permutation(order.begin(), order.end()));
  }
  return isAmbiguous ? nullptr : found;
}
