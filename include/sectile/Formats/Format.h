//===- Format.h - one number format: what each code stands for -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A `Format` says how many codes there are and which number, exactly, each stands
// for; encoding is always the search for the code of the nearest number, whatever
// the kind. Scales, zero points and groups are no part of it (Block.h), nor is the
// order of the bits in memory (Packing.h, Gguf.h). docs/formats.md is the essay and
// describes the text form.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_FORMAT_H
#define SECTILE_FORMATS_FORMAT_H

#include "sectile/Formats/Float.h"
#include "sectile/Formats/Result.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sectile::formats {

/// An integer in two's complement, or an unsigned one with a bias, in steps of a power of two:
/// (q - bias) * 2^-fractionBits.
struct IntegerLayout {
  unsigned bits = 0; // 1 to 8
  bool isSigned = false;
  int bias = 0; // of unsigned codes only
  unsigned fractionBits = 0;

  bool operator==(const IntegerLayout &) const = default;
};

/// An integer whose bits mean -1 and +1: sum of (2 * bit_i - 1) * 2^i = 2 * q - (2^bits - 1).
struct BipolarLayout {
  unsigned bits = 0; // 1 to 8

  bool operator==(const BipolarLayout &) const = default;
};

/// -1, 0 and 1 with the codes 0, 1 and 2.
struct TernaryLayout {
  bool operator==(const TernaryLayout &) const = default;
};

/// A table: code q stands for the `dimension` numbers from entry q * dimension on.
struct Codebook {
  unsigned dimension = 1;
  std::vector<double> entries;

  /// Makes the order that the search of a scalar codebook needs.
  Codebook(unsigned dimension, std::vector<double> entries);
  /// Codes by rising number, one per number: the lowest of its codes. Empty for vectors.
  const std::vector<uint32_t> &getOrder() const { return order; }
  /// Equal to the bit: a codebook may tell the zeros apart.
  bool operator==(const Codebook &other) const;

private:
  std::vector<uint32_t> order;
};

/// A number format, a small value to copy and compare.
class Format {
public:
  /// Two's complement of 1 to 8 bits: `int4`, and with fraction bits `int8.6`.
  static Format makeSigned(unsigned bits, unsigned fractionBits = 0);
  /// Unsigned of 1 to 8 bits, standing for q - bias: `uint4`, `uint4-8`.
  static Format makeUnsigned(unsigned bits, int bias = 0, unsigned fractionBits = 0);
  /// Bits that mean -1 and +1: `bipolar2`.
  static Format makeBipolar(unsigned bits);
  /// -1, 0, 1: `ternary`.
  static Format makeTernary();
  /// A float, which `layout.findFault()` must accept: `e4m3fn`.
  static Format makeFloat(const FloatLayout &layout);
  /// A table of 1 to 256 entries of `dimension` finite numbers each: `codebook[0,1,2.5]`.
  static Result<Format> makeCodebook(unsigned dimension, std::vector<double> entries);

  /// The format that a text names; docs/formats.md has the grammar. Names of the field and of MLIR
  /// (`nf4`, `u4b8`, `f8E4M3FN`) are read too.
  static Result<Format> parse(std::string_view text);
  /// The shortest text that `parse` turns into this format; equal formats have equal texts.
  std::string print() const;

  /// Bits that hold a code: 2 for ternary, and enough for the last entry of a codebook.
  unsigned getBits() const;
  /// Codes are 0 to this number less one.
  uint64_t getCodeCount() const;
  /// Numbers per code: 1 except in codebooks of vectors.
  unsigned getDimension() const;
  /// The largest finite number and the lowest one, over all entries of a codebook.
  double getLargest() const;
  double getLowest() const;
  /// Whether the numbers are consecutive integers.
  bool isInteger() const;
  /// The integer's parameters; null for other kinds.
  const IntegerLayout *getInteger() const { return std::get_if<IntegerLayout>(&layout); }
  /// The float's tuple; null for other kinds.
  const FloatLayout *getFloat() const { return std::get_if<FloatLayout>(&layout); }

  /// The number of a code; of vectors, the first.
  double decode(uint32_t code) const { return decode(code, 0); }
  /// The number at `position` (below `getDimension()`) of a code's vector.
  double decode(uint32_t code, unsigned position) const;

  /// The code of a number, rounded once, of a format of dimension 1. Beyond the last number every
  /// format but floats saturates. Ties of `NearestEven`: integers to the even number, floats and
  /// fixed point to the even one in units of the last place, bipolar integers (which have no even
  /// ones) to the greater, so that 0 becomes +1, codebooks to the lower code. `TowardZero` keeps
  /// the sign where the format has numbers on both sides but no zero. Nothing for NaN if the format
  /// has none.
  std::optional<uint32_t> encode(double value, Rounding rounding = Rounding::NearestEven,
                                 Overflow overflow = Overflow::Saturate) const;
  /// The code whose vector is nearest to `getDimension()` values: by the sum of squares, in double;
  /// ties to the lower code. Nothing if a value is NaN or so large (infinite, or above 1e153) that
  /// the sums of squares do not tell the entries apart. As `encode` for dimension 1.
  std::optional<uint32_t> encodeVector(const double *values) const;

  bool operator==(const Format &other) const;

private:
  using CodebookRef = std::shared_ptr<const Codebook>;
  using Layout =
      std::variant<IntegerLayout, BipolarLayout, TernaryLayout, FloatLayout, CodebookRef>;
  explicit Format(Layout layout) : layout(std::move(layout)) {}

  Layout layout;
};

/// The entries of a codebook known by name (`nf4`, `af4`, `fp4-bnb`, `iq4nl`); empty for others.
std::vector<double> getNamedCodebook(std::string_view name);
/// The name of a codebook with these entries to the bit; empty if there is none.
std::string_view findCodebookName(const Codebook &codebook);

} // namespace sectile::formats

template <>
struct std::hash<sectile::formats::Format> {
  size_t operator()(const sectile::formats::Format &format) const {
    return std::hash<std::string>()(format.print());
  }
};

#endif // SECTILE_FORMATS_FORMAT_H
