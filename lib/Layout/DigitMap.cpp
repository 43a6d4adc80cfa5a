//===- DigitMap.cpp - maps between mixed-radix numbers ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/DigitMap.h"

#include <algorithm>
#include <utility>

using namespace sectile::layout;

//===----------------------------------------------------------------------===//
// Digits
//===----------------------------------------------------------------------===//

std::pair<Digit, Digit> sectile::layout::split(const Digit &digit, int64_t low) {
  Digit first = digit, second = digit;
  first.extent = low;
  second.extent = digit.extent / low;
  second.from.stride *= low;
  if (second.to)
    second.to->stride *= low;
  return {first, second};
}

namespace {

enum class Side { From, To };

std::optional<Place> placeOf(const Digit &digit, Side side) {
  return side == Side::From ? digit.from : digit.to;
}

/// One behind the last number that differs from 0 in this digit only.
int64_t endOf(const Digit &digit, Side side) { return placeOf(digit, side)->stride * digit.extent; }

/// The digits that stand on one axis of one side, lowest first.
std::vector<Digit> onAxis(std::span<const Digit> digits, Side side, unsigned axis) {
  std::vector<Digit> found;
  for (const Digit &digit : digits)
    if (std::optional<Place> place = placeOf(digit, side); place && place->axis == axis)
      found.push_back(digit);
  std::ranges::sort(found, {}, [&](const Digit &digit) { return placeOf(digit, side)->stride; });
  return found;
}

/// Whether `high` continues `low` on that side: both absent, or one place behind the other.
bool continues(const Digit &low, const Digit &high, Side side) {
  std::optional<Place> a = placeOf(low, side), b = placeOf(high, side);
  if (!a || !b)
    return !a && !b;
  return a->axis == b->axis && b->stride == a->stride * low.extent;
}

/// No digits of extent 1, neighbours joined, in order.
std::vector<Digit> canonicalize(std::vector<Digit> digits) {
  std::erase_if(digits, [](const Digit &digit) { return digit.extent == 1; });
  std::ranges::sort(digits, {}, [](const Digit &digit) {
    return std::make_pair(digit.from.axis, digit.from.stride);
  });
  std::vector<Digit> joined;
  for (const Digit &digit : digits) {
    if (!joined.empty() && continues(joined.back(), digit, Side::From) &&
        continues(joined.back(), digit, Side::To))
      joined.back().extent *= digit.extent;
    else
      joined.push_back(digit);
  }
  return joined;
}

std::string str(int64_t number) { return std::to_string(number); }

/// Null if the digits of an axis say each number below `extent` once (`isDense`), or do not overlap
/// and stay below `extent`; else the reason.
std::optional<Reason> checkAxis(const std::vector<Digit> &digits, Side side, int64_t extent,
                                bool isDense, const std::string &name) {
  int64_t end = 1;
  for (const Digit &digit : digits) {
    int64_t stride = placeOf(digit, side)->stride;
    if (isDense ? stride != end : stride < end)
      return Reason{name + ": expects a digit of stride " + (isDense ? "" : "at least ") +
                    str(end) + ", but got " + str(stride)};
    if (stride > extent / digit.extent)
      return Reason{name + ": expects digits below " + str(extent) + ", but one of extent " +
                    str(digit.extent) + " has stride " + str(stride)};
    end = stride * digit.extent;
  }
  if (isDense && end != extent)
    return Reason{name + ": expects digits for all numbers below " + str(extent) +
                  ", but got those below " + str(end)};
  return std::nullopt;
}

} // namespace

//===----------------------------------------------------------------------===//
// Construction and evaluation
//===----------------------------------------------------------------------===//

OrReason<DigitMap> DigitMap::create(std::vector<int64_t> domain, std::vector<int64_t> range,
                                    std::vector<Digit> digits) {
  for (const std::vector<int64_t> *extents : {&domain, &range}) {
    int64_t count = 1;
    for (int64_t extent : *extents) {
      if (extent < 1 || extent > kMostElements / count)
        return Reason{"expects extents of at least 1 and at most 2^48 elements"};
      count *= extent;
    }
  }
  for (const Digit &digit : digits) {
    if (digit.extent < 1 || digit.extent > kMostElements)
      return Reason{"expects digits of an extent of at least 1, but got " + str(digit.extent)};
    if (digit.from.axis >= domain.size())
      return Reason{"expects digits from one of " + str(domain.size()) + " numbers"};
    if (digit.to && digit.to->axis >= range.size())
      return Reason{"expects digits to one of " + str(range.size()) + " numbers"};
  }
  DigitMap map;
  map.canonical = canonicalize(std::move(digits));
  for (unsigned axis = 0; axis < domain.size(); ++axis)
    if (auto reason = checkAxis(onAxis(map.canonical, Side::From, axis), Side::From, domain[axis],
                                /*isDense=*/true, "domain " + str(axis)))
      return *reason;
  for (unsigned axis = 0; axis < range.size(); ++axis)
    if (auto reason = checkAxis(onAxis(map.canonical, Side::To, axis), Side::To, range[axis],
                                /*isDense=*/false, "range " + str(axis)))
      return *reason;
  map.domainExtents = std::move(domain);
  map.rangeExtents = std::move(range);
  return map;
}

DigitMap DigitMap::identity(std::vector<int64_t> extents) {
  std::vector<Digit> digits;
  digits.reserve(extents.size());
  for (unsigned axis = 0; axis < extents.size(); ++axis)
    digits.push_back({extents[axis], Place{axis, 1}, Place{axis, 1}});
  return *create(extents, extents, std::move(digits));
}

std::vector<int64_t> DigitMap::apply(std::span<const int64_t> numbers) const {
  std::vector<int64_t> results(rangeExtents.size(), 0);
  for (const Digit &digit : canonical)
    if (digit.to)
      results[digit.to->axis] +=
          numbers[digit.from.axis] / digit.from.stride % digit.extent * digit.to->stride;
  return results;
}

bool DigitMap::isInjective() const {
  return std::ranges::all_of(canonical, [](const Digit &digit) { return digit.to.has_value(); });
}

bool DigitMap::isSurjective() const {
  for (unsigned axis = 0; axis < rangeExtents.size(); ++axis) {
    int64_t count = 1;
    for (const Digit &digit : onAxis(canonical, Side::To, axis))
      count *= digit.extent;
    if (count != rangeExtents[axis])
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Algebra
//===----------------------------------------------------------------------===//

OrReason<DigitMap> DigitMap::inverse() const {
  std::vector<Digit> digits;
  for (unsigned axis = 0; axis < rangeExtents.size(); ++axis) {
    int64_t end = 1;
    /// Numbers in the gap up to `stride` are copies of what lies below.
    auto fill = [&](int64_t stride) {
      if (stride % end != 0)
        return false;
      digits.push_back({stride / end, Place{axis, end}, std::nullopt});
      return true;
    };
    for (const Digit &digit : onAxis(canonical, Side::To, axis)) {
      if (!fill(digit.to->stride))
        return Reason{"range " + str(axis) + ": the gap between " + str(end) + " and " +
                      str(digit.to->stride) + " is no digit"};
      digits.push_back({digit.extent, *digit.to, digit.from});
      end = endOf(digit, Side::To);
    }
    if (!fill(rangeExtents[axis]))
      return Reason{"range " + str(axis) + ": the gap between " + str(end) + " and its end " +
                    str(rangeExtents[axis]) + " is no digit"};
  }
  return create(rangeExtents, domainExtents, std::move(digits));
}

static Reason crossing(int64_t a, int64_t b) {
  return {"no digits are common to both: one side cuts at " + str(a) + ", the other at " + str(b) +
          ", and neither divides the other evenly"};
}

/// Where the digits `writers` go that one map writes to an axis and the next one reads there as
/// `readers`, which say each number of the axis once; both lowest first. Appended to `out`.
static std::optional<Reason> joinAxis(std::vector<Digit> writers, std::span<const Digit> readers,
                                      std::vector<Digit> &out) {
  size_t next = 0;  // Of readers.
  int64_t used = 0; // The largest number that is written inside of the reader's digit so far.
  for (size_t i = 0; i < writers.size(); ++i) {
    Digit writer = writers[i];
    int64_t stride = writer.to->stride;
    for (; endOf(readers[next], Side::From) <= stride; used = 0)
      ++next;
    const Digit &reader = readers[next];
    int64_t end = endOf(reader, Side::From);
    if (stride % reader.from.stride != 0)
      return crossing(stride, reader.from.stride);
    if (used + stride * (writer.extent - 1) >= end) {
      if (end % stride != 0 || writer.extent % (end / stride) != 0)
        return crossing(stride * writer.extent, end);
      auto [low, high] = split(writer, end / stride);
      writer = low;
      writers.insert(writers.begin() + static_cast<ptrdiff_t>(i) + 1, high);
    }
    // Inside of the reader's digit numbers are kept in order: so is a part of them, wherever it
    // begins.
    std::optional<Place> to = reader.to;
    if (to)
      to->stride *= stride / reader.from.stride;
    out.push_back({writer.extent, writer.from, to});
    used += stride * (writer.extent - 1);
  }
  return std::nullopt;
}

OrReason<DigitMap> DigitMap::then(const DigitMap &second) const {
  if (rangeExtents.size() != second.domainExtents.size())
    return Reason{"expects as many numbers written as read, but got " + str(rangeExtents.size()) +
                  " and " + str(second.domainExtents.size())};
  std::vector<Digit> digits;
  for (const Digit &digit : canonical)
    if (!digit.to)
      digits.push_back(digit);
  for (unsigned axis = 0; axis < rangeExtents.size(); ++axis) {
    if (rangeExtents[axis] > second.domainExtents[axis])
      return Reason{"number " + str(axis) + ": the range " + str(rangeExtents[axis]) +
                    " exceeds the domain " + str(second.domainExtents[axis])};
    if (std::optional<Reason> reason = joinAxis(onAxis(canonical, Side::To, axis),
                                                onAxis(second.canonical, Side::From, axis), digits))
      return *reason;
  }
  return create(domainExtents, second.rangeExtents, std::move(digits));
}

OrReason<DigitMap> DigitMap::times(const DigitMap &inner) const {
  if (domainExtents.size() != inner.domainExtents.size() ||
      rangeExtents.size() != inner.rangeExtents.size())
    return Reason{"expects maps of as many numbers"};
  std::vector<Digit> digits(inner.canonical);
  for (Digit digit : canonical) {
    digit.from.stride *= inner.domainExtents[digit.from.axis];
    if (digit.to)
      digit.to->stride *= inner.rangeExtents[digit.to->axis];
    digits.push_back(digit);
  }
  std::vector<int64_t> domain, range;
  for (size_t axis = 0; axis < domainExtents.size(); ++axis)
    domain.push_back(domainExtents[axis] * inner.domainExtents[axis]);
  for (size_t axis = 0; axis < rangeExtents.size(); ++axis)
    range.push_back(rangeExtents[axis] * inner.rangeExtents[axis]);
  return create(std::move(domain), std::move(range), std::move(digits));
}

/// Cuts every digit of that side at `boundary` of its axis; false if one crosses it unevenly.
static bool cutAt(std::vector<Digit> &digits, Side side, std::span<const int64_t> boundaries) {
  for (size_t i = 0; i < digits.size(); ++i) {
    std::optional<Place> place = placeOf(digits[i], side);
    if (!place)
      continue;
    int64_t boundary = boundaries[place->axis], stride = place->stride;
    if (stride >= boundary || stride * digits[i].extent <= boundary)
      continue;
    if (boundary % stride != 0 || digits[i].extent % (boundary / stride) != 0)
      return false;
    auto [low, high] = split(digits[i], boundary / stride);
    digits[i] = low;
    digits.push_back(high);
  }
  return true;
}

OrReason<DigitMap> DigitMap::dividedBy(const DigitMap &inner) const {
  if (domainExtents.size() != inner.domainExtents.size() ||
      rangeExtents.size() != inner.rangeExtents.size())
    return Reason{"expects maps of as many numbers"};
  std::vector<int64_t> domain, range;
  for (size_t axis = 0; axis < domainExtents.size(); ++axis) {
    if (domainExtents[axis] % inner.domainExtents[axis] != 0)
      return Reason{"domain " + str(axis) + ": " + str(inner.domainExtents[axis]) +
                    " does not divide " + str(domainExtents[axis])};
    domain.push_back(domainExtents[axis] / inner.domainExtents[axis]);
  }
  for (size_t axis = 0; axis < rangeExtents.size(); ++axis) {
    if (rangeExtents[axis] % inner.rangeExtents[axis] != 0)
      return Reason{"range " + str(axis) + ": " + str(inner.rangeExtents[axis]) +
                    " does not divide " + str(rangeExtents[axis])};
    range.push_back(rangeExtents[axis] / inner.rangeExtents[axis]);
  }
  std::vector<Digit> pieces(canonical), low, high;
  if (!cutAt(pieces, Side::From, inner.domainExtents) ||
      !cutAt(pieces, Side::To, inner.rangeExtents))
    return Reason{"a digit crosses the divisor's extent unevenly"};
  for (Digit &digit : pieces) {
    bool fromLow = digit.from.stride < inner.domainExtents[digit.from.axis];
    bool toLow = digit.to && digit.to->stride < inner.rangeExtents[digit.to->axis];
    if (digit.to && fromLow != toLow)
      return Reason{"a digit of extent " + str(digit.extent) +
                    " is read inside of the divisor and written outside, or the reverse"};
    if (fromLow) {
      low.push_back(digit);
      continue;
    }
    digit.from.stride /= inner.domainExtents[digit.from.axis];
    if (digit.to) {
      if (digit.to->stride % inner.rangeExtents[digit.to->axis] != 0)
        return Reason{"a digit's stride is no multiple of the divisor's extent"};
      digit.to->stride /= inner.rangeExtents[digit.to->axis];
    }
    high.push_back(digit);
  }
  if (canonicalize(std::move(low)) != inner.canonical)
    return Reason{"the low digits differ from the divisor's"};
  return create(std::move(domain), std::move(range), std::move(high));
}

OrReason<DigitMap> DigitMap::extendDomain(unsigned axis, int64_t extent) const {
  if (extent % domainExtents[axis] != 0)
    return Reason{"domain " + str(axis) + ": expects a multiple of " + str(domainExtents[axis]) +
                  ", but got " + str(extent)};
  std::vector<int64_t> domain(domainExtents);
  std::vector<Digit> digits(canonical);
  digits.push_back({extent / domain[axis], Place{axis, domain[axis]}, std::nullopt});
  domain[axis] = extent;
  return create(std::move(domain), rangeExtents, std::move(digits));
}

OrReason<DigitMap> DigitMap::extendRange(unsigned axis, int64_t extent) const {
  if (extent < rangeExtents[axis])
    return Reason{"range " + str(axis) + ": expects at least " + str(rangeExtents[axis]) +
                  ", but got " + str(extent)};
  std::vector<int64_t> range(rangeExtents);
  range[axis] = extent;
  return create(domainExtents, std::move(range), canonical);
}
