//===- Decode.h - numbers of packed codes, two at a time -------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOSIMT_DECODE_H
#define SECTILE_LIB_CONVERSION_TILETOSIMT_DECODE_H

#include "sectile/Formats/Format.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace sectile::simt {

/// A packed code that a thread holds: its low bits are those of the byte of `word` that begins at
/// bit `byte`, from bit `shift` of it on; what the byte does not hold are the low bits of the same
/// byte of `next`, which is `word` where it holds all.
struct PackedCode {
  mlir::Value word, next;
  int64_t byte = 0, shift = 0;
};

/// The codes of a tile that a thread holds, one for each register.
struct PackedCodes {
  int64_t bits = 0;
  llvm::SmallVector<PackedCode> codes;
};

/// Words of codes, shifted down by so many bits (up, where that is negative), each once in a
/// stretch of the program.
using ShiftedWords = llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value>;

/// Floats of 16 bits, whose two halves of a word instructions work on at once.
enum class HalfFormat : uint8_t { F16, BF16 };

/// How the number of a code, which stands at bits `position` on of a half, is computed:
///     half = ((code << position) & fieldMask) ^ around  [| (code << signPosition) & signMask]
///     number = half                         or, if isMultiplied,
///     number = half * slope + offset        rounded once
struct HalfDecoder {
  HalfFormat format = HalfFormat::F16;
  unsigned position = 0, signPosition = 0;
  uint16_t fieldMask = 0, around = 0, signMask = 0;
  bool isMultiplied = false;
  double slope = 1, offset = 0;

  /// The number of a code by this way, in the half's own arithmetic.
  llvm::APFloat evaluate(uint32_t code) const;
  /// Whether that is the format's number, exactly, for every code, also those beyond the last one.
  bool prove(const formats::Format &numbers) const;
};

/// The shortest decoder of codes that stand at bit `position` of a half, or, of floats, that are
/// shifted to where their fields belong; nothing if no form computes the format's numbers.
std::optional<HalfDecoder> findHalfDecoder(const formats::Format &numbers, HalfFormat format,
                                           unsigned position);

/// Numbers of a tile's codes, a vector of f16 or bf16, where neighbouring registers have codes that
/// lie 16 bits apart; nothing if they do not, or if the format has no such decoder. A device has
/// ternary logic if one instruction computes any function of three words bit by bit (lop3).
/// `shifted` has what earlier parts of the program made of words, and gets what this one makes.
std::optional<mlir::Value> decodePairs(mlir::OpBuilder &builder, mlir::Location loc,
                                       const PackedCodes &packed, const formats::Format &numbers,
                                       HalfFormat format, bool hasTernaryLogic,
                                       ShiftedWords &shifted);

} // namespace sectile::simt

#endif // SECTILE_LIB_CONVERSION_TILETOSIMT_DECODE_H
