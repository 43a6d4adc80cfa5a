//===- Text.cpp - the text form of formats -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// docs/formats.md has the grammar. The text of a float leaves out what the field's
// names leave out; `getUsualSpecial` says what that is, for reading and for writing.
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Format.h"

#include <charconv>
#include <cstdlib>

using namespace sectile::formats;

namespace {
/// Reads a text from the left.
class Reader {
public:
  explicit Reader(std::string_view text) : rest(text) {}

  bool isAtEnd() const { return rest.empty(); }
  /// Whether the text goes on with `part`, which is then passed over.
  bool take(std::string_view part) {
    if (!rest.starts_with(part))
      return false;
    rest.remove_prefix(part.size());
    return true;
  }
  /// Decimal digits as a number; nothing if there are none or too many.
  std::optional<unsigned> takeUnsigned() { return takeNumber<unsigned>(); }
  /// A decimal or hexadecimal float as the nearest double.
  std::optional<double> takeDouble() { return takeNumber<double>(); }

private:
  template <typename T>
  std::optional<T> takeNumber() {
    T value{};
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc())
      return std::nullopt;
    rest.remove_prefix(end - rest.data());
    return value;
  }

  std::string_view rest;
};

struct NamedFloat {
  std::string_view name;
  FloatLayout layout;
};
} // namespace

// Names that the text form of the tuple does not give. The first name of a tuple is the one
// printed.
static const NamedFloat kNamedFloats[] = {
    {"f32", {true, 8, 23, 127, Special::IEEE}},
    {"f16", {true, 5, 10, 15, Special::IEEE}},
    {"bf16", {true, 8, 7, 127, Special::IEEE}},
    {"tf32", {true, 8, 10, 127, Special::IEEE}},
    {"e8m0fnu", {false, 8, 0, 127, Special::AllOnes, /*hasZero=*/false}},
    {"e8m0", {false, 8, 0, 127, Special::AllOnes, /*hasZero=*/false}},
    {"ue8m0", {false, 8, 0, 127, Special::AllOnes, /*hasZero=*/false}},
    {"ue4m3", {false, 4, 3, 7, Special::AllOnes}},
};

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

/// Whether a format, counted with a sign bit, fills a byte or more: such names follow IEEE and
/// OCP FP8; narrower ones OCP FP6 and FP4, which have finite numbers only.
static bool fillsByte(const FloatLayout &layout) {
  return 1 + layout.exponentBits + layout.mantissaBits >= 8;
}

/// The rule that a name without suffix means.
static Special getUsualSpecial(const FloatLayout &layout) {
  return fillsByte(layout) ? Special::IEEE : Special::None;
}

/// What names the rule behind exponent, mantissa and bias.
static std::string_view getSuffix(const FloatLayout &layout) {
  switch (layout.special) {
  case Special::None:
    return "finite";
  case Special::IEEE:
    return "ieee";
  case Special::AllOnes:
    return fillsByte(layout) ? "fn" : "nan";
  case Special::FNUZ:
    break;
  }
  return "fnuz";
}

static const FloatLayout *findNamedFloat(std::string_view name) {
  for (const NamedFloat &known : kNamedFloats)
    if (known.name == name)
      return &known.layout;
  return nullptr;
}

static std::string printFloat(const FloatLayout &layout) {
  for (const NamedFloat &known : kNamedFloats)
    if (known.layout == layout)
      return std::string(known.name);
  std::string text = layout.isSigned ? "e" : "ue";
  text += std::to_string(layout.exponentBits) + "m" + std::to_string(layout.mantissaBits);
  if (layout.bias != FloatLayout::getDefaultBias(layout.exponentBits, layout.special))
    text += "b" + std::to_string(layout.bias);
  // `ue4m3` is a name for something else than an unsigned e4m3.
  if (layout.special != getUsualSpecial(layout) || findNamedFloat(text))
    text += getSuffix(layout);
  return layout.hasZero ? text : text + "nozero";
}

static Result<Format> parseFloat(std::string_view text) {
  std::string name(text);
  for (char &letter : name)
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;

  // MLIR writes the width in front: f8E4M3FN.
  Reader reader(name);
  std::optional<unsigned> width;
  if (Reader ahead = reader; ahead.take("f")) {
    width = ahead.takeUnsigned();
    if (Reader behind = ahead; width && behind.take("e")) {
      name = name.substr(name.find('e'));
      reader = Reader(name);
    } else {
      width = std::nullopt;
    }
  }
  Failure unknown{"unknown number format '" + std::string(text) + "'"};
  FloatLayout layout;
  const FloatLayout *known = findNamedFloat(name);
  if (known) {
    layout = *known;
  } else {
    layout.isSigned = !reader.take("u");
    std::optional<unsigned> exponentBits, mantissaBits, bias;
    if (!reader.take("e") || !(exponentBits = reader.takeUnsigned()) || !reader.take("m") ||
        !(mantissaBits = reader.takeUnsigned()))
      return unknown;
    layout.exponentBits = *exponentBits;
    layout.mantissaBits = *mantissaBits;
    // Before anything is computed from them.
    if (*exponentBits < 1 || *exponentBits > 8 || *mantissaBits > 23)
      return Failure{*layout.findFault()};
    bool isNegative = false;
    if (reader.take("b")) {
      isNegative = reader.take("-");
      bias = reader.takeUnsigned();
      if (!bias || *bias > 1000)
        return unknown;
    }
    if (reader.take("fnuz"))
      layout.special = Special::FNUZ;
    else if (reader.take("fn"))
      layout.special = fillsByte(layout) ? Special::AllOnes : Special::None;
    else if (reader.take("finite"))
      layout.special = Special::None;
    else if (reader.take("ieee"))
      layout.special = Special::IEEE;
    else if (reader.take("nan"))
      layout.special = Special::AllOnes;
    else
      layout.special = getUsualSpecial(layout);
    layout.hasZero = !reader.take("nozero");
    layout.bias = FloatLayout::getDefaultBias(layout.exponentBits, layout.special);
    if (bias)
      layout.bias = isNegative ? -static_cast<int>(*bias) : static_cast<int>(*bias);
    if (!reader.isAtEnd())
      return unknown;
  }
  if (std::optional<std::string> fault = layout.findFault())
    return Failure{*fault + " in '" + std::string(text) + "'"};
  if (width && *width != layout.getBits())
    return Failure{"expects " + std::to_string(layout.getBits()) + " bits, but got '" +
                   std::string(text) + "'"};
  return Format::makeFloat(layout);
}

//===----------------------------------------------------------------------===//
// Integers and codebooks
//===----------------------------------------------------------------------===//

static std::string printInteger(const IntegerLayout &integer) {
  std::string text = (integer.isSigned ? "int" : "uint") + std::to_string(integer.bits);
  if (integer.fractionBits > 0)
    text += "." + std::to_string(integer.fractionBits);
  if (integer.bias != 0)
    text += (integer.bias > 0 ? "-" : "+") + std::to_string(std::abs(integer.bias));
  return text;
}

static Result<Format> parseInteger(Reader reader, bool isSigned, std::string_view text) {
  Failure unknown{"unknown number format '" + std::string(text) + "'"};
  std::optional<unsigned> bits = reader.takeUnsigned();
  if (!bits)
    return unknown;
  if (*bits < 1 || *bits > 8)
    return Failure{"expects an integer of 1 to 8 bits, but got '" + std::string(text) + "'"};
  unsigned fractionBits = 0;
  int bias = 0;
  if (reader.take(".")) {
    std::optional<unsigned> number = reader.takeUnsigned();
    if (!number || *number > 63)
      return Failure{"expects at most 63 fraction bits, but got '" + std::string(text) + "'"};
    fractionBits = *number;
  }
  bool isPositive = !isSigned && reader.take("-");
  if (isPositive || (!isSigned && reader.take("+"))) {
    std::optional<unsigned> number = reader.takeUnsigned();
    if (!number || *number > 1 << 16)
      return Failure{"expects a bias of at most 65536, but got '" + std::string(text) + "'"};
    bias = isPositive ? static_cast<int>(*number) : -static_cast<int>(*number);
  } else if (!isSigned && fractionBits == 0 && reader.take("b")) { // u4b8, as Marlin writes it
    std::optional<unsigned> number = reader.takeUnsigned();
    if (!number || *number > 1 << 16)
      return unknown;
    bias = static_cast<int>(*number);
  }
  if (!reader.isAtEnd())
    return unknown;
  return isSigned ? Format::makeSigned(*bits, fractionBits)
                  : Format::makeUnsigned(*bits, bias, fractionBits);
}

static std::string printCodebook(const Codebook &codebook) {
  if (std::string_view name = findCodebookName(codebook); !name.empty())
    return std::string(name);
  std::string text = "codebook[";
  for (size_t i = 0; i < codebook.entries.size(); ++i) {
    unsigned position = i % codebook.dimension;
    if (i > 0)
      text += ",";
    if (codebook.dimension > 1 && position == 0)
      text += "(";
    char digits[32]; // to_chars without precision writes the shortest text that reads back
    auto end = std::to_chars(digits, digits + sizeof(digits), codebook.entries[i]).ptr;
    text.append(digits, end);
    if (codebook.dimension > 1 && position == codebook.dimension - 1)
      text += ")";
  }
  return text + "]";
}

static Result<Format> parseCodebook(Reader reader) {
  Failure wrong{"expects codebook[number,...] or codebook[(number,...),...]"};
  std::vector<double> entries;
  size_t dimension = 0;
  do {
    size_t start = entries.size();
    bool isVector = reader.take("(");
    do {
      std::optional<double> entry = reader.takeDouble();
      if (!entry)
        return wrong;
      entries.push_back(*entry);
    } while (isVector && reader.take(","));
    if (isVector && !reader.take(")"))
      return wrong;
    size_t length = entries.size() - start;
    if (dimension != 0 && dimension != length)
      return Failure{"expects entries of equal length in a codebook, but got " +
                     std::to_string(dimension) + " and " + std::to_string(length)};
    dimension = length;
  } while (reader.take(","));
  if (!reader.take("]") || !reader.isAtEnd())
    return wrong;
  return Format::makeCodebook(static_cast<unsigned>(dimension), std::move(entries));
}

//===----------------------------------------------------------------------===//
// All formats
//===----------------------------------------------------------------------===//

Result<Format> Format::parse(std::string_view text) {
  if (text == "ternary")
    return makeTernary();
  if (std::vector<double> entries = getNamedCodebook(text); !entries.empty())
    return makeCodebook(1, std::move(entries));
  Reader reader(text);
  if (reader.take("codebook["))
    return parseCodebook(reader);
  if (reader.take("int"))
    return parseInteger(reader, /*isSigned=*/true, text);
  if (reader.take("uint"))
    return parseInteger(reader, /*isSigned=*/false, text);
  if (Reader ahead = reader; ahead.take("u") && ahead.takeUnsigned() && ahead.take("b")) {
    reader.take("u");
    return parseInteger(reader, /*isSigned=*/false, text);
  }
  if (reader.take("bipolar")) {
    std::optional<unsigned> bits = reader.takeUnsigned();
    if (!bits || *bits < 1 || *bits > 8 || !reader.isAtEnd())
      return Failure{"expects bipolar1 to bipolar8, but got '" + std::string(text) + "'"};
    return makeBipolar(*bits);
  }
  return parseFloat(text);
}

std::string Format::print() const {
  if (const auto *integer = std::get_if<IntegerLayout>(&layout))
    return printInteger(*integer);
  if (const auto *bipolar = std::get_if<BipolarLayout>(&layout))
    return "bipolar" + std::to_string(bipolar->bits);
  if (const auto *codebook = std::get_if<CodebookRef>(&layout))
    return printCodebook(**codebook);
  return getFloat() ? printFloat(*getFloat()) : "ternary";
}
