//===- LayoutText.cpp - the text form of layouts ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TextReader.h"
#include "sectile/Layout/DistributedLayout.h"

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
