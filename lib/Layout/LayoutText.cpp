//===- LayoutText.cpp - the text form of layouts ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TextReader.h"
#include "sectile/Layout/DistributedLayout.h"
#include "sectile/Layout/MemoryLayout.h"

using namespace sectile::layout;

/// `2:d1*8`, `2:d1` or `2:_`.
static std::optional<TileDigit> readDigit(TextReader &text) {
  std::optional<int64_t> extent = text.number();
  if (!extent || !text.eat(":"))
    return std::nullopt;
  if (text.eat("_"))
    return TileDigit{*extent, std::nullopt};
  if (!text.eat("d"))
    return std::nullopt;
  std::optional<int64_t> dim = text.number();
  std::optional<int64_t> stride = text.eat("*") ? text.number() : 1;
  if (!dim || !stride || *dim >= static_cast<int64_t>(DistributedLayout::kMostDims))
    return std::nullopt;
  return TileDigit{*extent, Place{static_cast<unsigned>(*dim), *stride}};
}

static std::optional<Axis> readAxis(TextReader &text) {
  // Longer names first: no name is the start of another one.
  for (size_t i = 0; i < kNumAxes; ++i)
    if (text.eat(nameOf(static_cast<Axis>(i))))
      return static_cast<Axis>(i);
  return std::nullopt;
}

OrReason<DistributedLayout> DistributedLayout::parse(std::string_view source) {
  TextReader text(source);
  auto wrong = [&](std::string_view what) {
    return Reason{"expects " + std::string(what) + " at '" + std::string(text.rest()) + "'"};
  };
  std::optional<std::vector<int64_t>> shape = text.numbers();
  if (!shape)
    return wrong("the tile's shape, such as [16, 8],");
  std::array<std::vector<TileDigit>, kNumAxes> digits;
  std::array<bool, kNumAxes> isGiven{};
  while (text.eat(",")) {
    std::optional<Axis> axis = readAxis(text);
    if (!axis)
      return wrong("register, lane, warp, cta, tmem_column or tmem_lane");
    size_t index = static_cast<size_t>(*axis);
    if (isGiven[index])
      return Reason{"expects each axis once, but got " + std::string(nameOf(*axis)) + " twice"};
    isGiven[index] = true;
    if (!text.eat("=") || !text.eat("["))
      return wrong("= [");
    while (!text.eat("]")) {
      if (!digits[index].empty() && !text.eat(","))
        return wrong("a comma or ]");
      std::optional<TileDigit> digit = readDigit(text);
      if (!digit)
        return wrong("a digit, such as 4:d1*2 or 4:_,");
      digits[index].push_back(*digit);
    }
  }
  if (!text.rest().empty())
    return wrong("a comma or the end");
  return create(std::move(*shape), digits);
}

std::string DistributedLayout::str() const {
  std::string text = "[";
  for (size_t dim = 0; dim < tileShape.size(); ++dim)
    text += (dim ? ", " : "") + std::to_string(tileShape[dim]);
  text += "]";
  for (unsigned axis = 0; axis < kNumAxes; ++axis) {
    std::string list;
    for (const Digit &digit : places.digits()) {
      if (digit.from.axis != axis)
        continue;
      list += (list.empty() ? "" : ", ") + std::to_string(digit.extent) + ":";
      list += digit.to
                  ? "d" + std::to_string(digit.to->axis) + "*" + std::to_string(digit.to->stride)
                  : "_";
    }
    if (!list.empty())
      text += ", " + std::string(nameOf(static_cast<Axis>(axis))) + " = [" + list + "]";
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Memory layouts
//===----------------------------------------------------------------------===//

/// `3 of 7 at 4`
static std::optional<Swizzle> readSwizzle(TextReader &text) {
  std::optional<int64_t> count = text.number();
  std::optional<int64_t> from = count && text.eat("of") ? text.number() : std::nullopt;
  std::optional<int64_t> to = from && text.eat("at") ? text.number() : std::nullopt;
  return to ? std::optional(Swizzle{*count, *from, *to}) : std::nullopt;
}

/// `8:4`
static std::optional<MemoryDigit> readMemoryDigit(TextReader &text) {
  std::optional<int64_t> extent = text.number();
  std::optional<int64_t> bits = extent && text.eat(":") ? text.number() : std::nullopt;
  return bits ? std::optional(MemoryDigit{*extent, *bits}) : std::nullopt;
}

/// `[item, item]`; nothing if that is not what comes.
template <typename T>
static std::optional<std::vector<T>> readList(TextReader &text,
                                              std::optional<T> (*item)(TextReader &)) {
  std::vector<T> list;
  if (!text.eat("["))
    return std::nullopt;
  while (!text.eat("]")) {
    if (!list.empty() && !text.eat(","))
      return std::nullopt;
    std::optional<T> next = item(text);
    if (!next)
      return std::nullopt;
    list.push_back(*next);
  }
  return list;
}

OrReason<MemoryLayout> MemoryLayout::parse(std::string_view source) {
  TextReader text(source);
  auto wrong = [&](std::string_view what) {
    return Reason{"expects " + std::string(what) + " at '" + std::string(text.rest()) + "'"};
  };
  std::optional<std::vector<int64_t>> shape = text.numbers();
  std::optional<int64_t> bits = shape && text.eat("x") ? text.number() : std::nullopt;
  if (!bits)
    return wrong("the shape and the element's bits, such as [64, 32] x 16,");
  std::vector<std::vector<MemoryDigit>> digits(shape->size() + 1);
  std::vector<Swizzle> swizzles;
  int64_t size = 0;
  while (text.eat(",")) {
    if (text.eat("size")) {
      std::optional<int64_t> given = text.eat("=") ? text.number() : std::nullopt;
      if (!given || *given < 1)
        return wrong("the size in bits");
      size = *given;
      continue;
    }
    if (text.eat("swizzle")) {
      std::optional<std::vector<Swizzle>> list;
      if (text.eat("="))
        list = readList(text, readSwizzle);
      if (!list)
        return wrong("swizzles, such as [3 of 7 at 4],");
      swizzles = std::move(*list);
      continue;
    }
    size_t axis = shape->size();
    if (!text.eat("bit")) {
      std::optional<int64_t> dim = text.eat("d") ? text.number() : std::nullopt;
      if (!dim || *dim >= static_cast<int64_t>(shape->size()))
        return wrong("a dimension, bit, swizzle or size");
      axis = static_cast<size_t>(*dim);
    }
    std::optional<std::vector<MemoryDigit>> list;
    if (text.eat("="))
      list = readList(text, readMemoryDigit);
    if (!list)
      return wrong("digits, such as [8:4, 2:64],");
    if (!digits[axis].empty())
      return Reason{"expects digits for each dimension once"};
    digits[axis] = std::move(*list);
  }
  if (!text.rest().empty())
    return wrong("a comma or the end");
  return create(std::move(*shape), *bits, digits, std::move(swizzles), size);
}

std::string MemoryLayout::str() const {
  std::string text = "[";
  for (size_t dim = 0; dim < tensorShape.size(); ++dim)
    text += (dim ? ", " : "") + std::to_string(tensorShape[dim]);
  text += "] x " + std::to_string(elementBits());
  int64_t end = 1, unit = 8;
  for (unsigned axis = 0; axis <= tensorShape.size(); ++axis) {
    std::string list;
    for (const Digit &digit : addresses.digits()) {
      if (digit.from.axis != axis)
        continue;
      list += (list.empty() ? "" : ", ") + std::to_string(digit.extent) + ":" +
              std::to_string(digit.to->stride);
      end = std::max(end, digit.to->stride * digit.extent);
    }
    if (!list.empty())
      text += (axis < tensorShape.size() ? ", d" + std::to_string(axis) : std::string(", bit")) +
              " = [" + list + "]";
  }
  std::string list;
  for (const Swizzle &swizzle : xors) {
    list += (list.empty() ? "" : ", ") + std::to_string(swizzle.count) + " of " +
            std::to_string(swizzle.from) + " at " + std::to_string(swizzle.to);
    unit = std::max(unit, 8 * swizzle.period());
  }
  if (!list.empty())
    text += ", swizzle = [" + list + "]";
  if ((end + unit - 1) / unit * unit != sizeBits())
    text += ", size = " + std::to_string(sizeBits());
  return text;
}
