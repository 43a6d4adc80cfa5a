//===- Numbers.h - numbers of any width in registers ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes of a format (docs/formats.md) to numbers and back, on scalars and on one-
// dimensional vectors alike, by instructions that every level has. Nothing here is
// per format: integers are shifted and clamped, floats put together from their
// fields, and whatever is neither is a search among at most 256 constants.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_NUMBERS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_NUMBERS_H

#include "Bits.h"
#include "lib/Conversion/Support/Lanes.h"
#include "lib/Conversion/Support/PartOps.h"

#include "sectile/Formats/Format.h"

namespace sectile::lowering {

/// Whether `decodeFloat` and `encodeFloat` know the layout: its numbers are f32's, and its normal
/// ones normal there.
bool isWithinF32(const formats::FloatLayout &layout);

/// f32 of codes, which are the low bits of i32; a few operations on the bits.
mlir::Value decodeFloat(Bits &b, mlir::Value codes, const formats::FloatLayout &layout);

/// Codes, as i32, of f32 after a single rounding. With `special`, numbers beyond the largest become
/// infinity, else NaN; without, the largest. NaN without a code becomes +0.
mlir::Value encodeFloat(Bits &b, mlir::Value values, const formats::FloatLayout &layout,
                        bool special);

/// Codes as 32-bit integers from integers of any width that hold them: the low bits, sign-extended
/// for signed integer formats, and beyond the last code the last.
Num readCodes(Lanes &lanes, mlir::Value held, const formats::Format &format);

/// Numbers of what `readCodes` gives, as integers in steps of a constant: nothing for formats whose
/// numbers are not equally far apart.
std::optional<Num> decodeInteger(Num codes, const formats::Format &format);
/// f32 of what `decodeInteger` gives.
Num toNumber(Num integers, const formats::Format &format);

/// f32 of what `readCodes` gives.
Num decode(Num codes, const formats::Format &format);

/// f32 of integers that hold codes, looked up by the target's instruction for tables; nothing where
/// it has none, where it does not fit the lanes, or where `decode` takes fewer instructions.
std::optional<Num> decodeByTable(Lanes &lanes, mlir::Value held, const formats::Format &format);

/// Codes nearest to f32 or f64, as i32, sign-extended in signed integer formats. In formats of
/// consecutive integers `shift`, if there is one, is added behind the rounding to an integer.
/// `special` as for `encodeFloat`. What has no code becomes the code of 0.
mlir::Value encode(Num values, std::optional<Num> shift, const formats::Format &format,
                   bool special);

/// The layout of `type`, if it is a float of 8 bits.
std::optional<formats::FloatLayout> getSmallFloat(mlir::Type type);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_NUMBERS_H
