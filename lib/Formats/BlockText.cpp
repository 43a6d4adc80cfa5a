//===- BlockText.cpp - the text form of block formats -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Block.h"

#include <charconv>

using namespace sectile::formats;

namespace {
struct NamedBlock {
  std::string_view name, text;
};
} // namespace

// OCP Microscaling Formats (MX) v1.0; NVIDIA's NVFP4.
static const NamedBlock kNamedBlocks[] = {
    {"mxfp8e5m2", "e5m2 group=32 scale=e8m0fnu rule=floor"},
    {"mxfp8e4m3", "e4m3fn group=32 scale=e8m0fnu rule=floor"},
    {"mxfp6e3m2", "e3m2 group=32 scale=e8m0fnu rule=floor"},
    {"mxfp6e2m3", "e2m3 group=32 scale=e8m0fnu rule=floor"},
    {"mxfp4", "e2m1 group=32 scale=e8m0fnu rule=floor"},
    {"mxint8", "int8.6 group=32 scale=e8m0fnu rule=floor"},
    {"nvfp4", "e2m1 group=16 scale=ue4m3 tensor=f32"},
};

Format BlockFormat::makeF32() { return *Format::parse("f32"); }

static std::string printParts(const BlockFormat &format) {
  std::string text = format.element.print();
  if (format.grouping == Grouping::Channel)
    text += " group=channel";
  else if (format.grouping == Grouping::Group)
    text += " group=" + std::to_string(format.groupSize);
  if (format.scale != BlockFormat::makeF32())
    text += " scale=" + format.scale.print();
  if (format.zero)
    text += (format.zeroForm == ZeroForm::Offset ? " offset=" : " zero=") + format.zero->print();
  if (format.tensorScale)
    text += " tensor=" + format.tensorScale->print();
  if (format.rule != ScaleRule::Nearest)
    text += format.rule == ScaleRule::Up ? " rule=up" : " rule=floor";
  return text;
}

std::string BlockFormat::print() const {
  std::string text = printParts(*this);
  for (const NamedBlock &known : kNamedBlocks)
    if (printParts(*parse(known.text)) == text)
      return std::string(known.name);
  return text;
}

/// Reads one word behind the element; what is wrong with it, if anything.
static std::optional<std::string> applyWord(BlockFormat &format, std::string_view word) {
  size_t equals = word.find('=');
  std::string_view key = word.substr(0, equals);
  std::string_view value = equals == word.npos ? "" : word.substr(equals + 1);
  if (key == "group") {
    format.grouping = value == "channel" ? Grouping::Channel : Grouping::Group;
    auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), format.groupSize);
    bool isNumber = error == std::errc() && end == value.data() + value.size();
    if (format.grouping == Grouping::Group && !isNumber)
      return "expects group=channel or group=N, but got '" + std::string(word) + "'";
    return std::nullopt;
  }
  if (key == "rule") {
    if (value != "up" && value != "floor")
      return "expects rule=up or rule=floor, but got '" + std::string(word) + "'";
    format.rule = value == "up" ? ScaleRule::Up : ScaleRule::FloorExponent;
    return std::nullopt;
  }
  if (key != "scale" && key != "zero" && key != "offset" && key != "tensor")
    return "unknown word '" + std::string(word) + "' in a block format";
  Result<Format> part = Format::parse(value);
  if (!part)
    return part.getMessage();
  if (key == "scale") {
    format.scale = *part;
  } else if (key == "tensor") {
    format.tensorScale = *part;
  } else if (format.zero) {
    return "expects one zero point or offset";
  } else {
    format.zero = *part;
    format.zeroForm = key == "zero" ? ZeroForm::ZeroPoint : ZeroForm::Offset;
  }
  return std::nullopt;
}

Result<BlockFormat> BlockFormat::parse(std::string_view text) {
  for (const NamedBlock &known : kNamedBlocks)
    if (known.name == text)
      return parse(known.text);
  size_t space = text.find(' ');
  Result<Format> element = Format::parse(text.substr(0, space));
  if (!element)
    return Failure{element.getMessage()};
  BlockFormat format(*element);
  while (space != text.npos) {
    size_t start = space + 1;
    space = text.find(' ', start);
    size_t length = space == text.npos ? text.npos : space - start;
    if (std::optional<std::string> fault = applyWord(format, text.substr(start, length)))
      return Failure{*fault};
  }
  if (std::optional<std::string> fault = format.findFault())
    return Failure{*fault};
  return format;
}
