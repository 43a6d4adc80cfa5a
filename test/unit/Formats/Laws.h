//===- Laws.h - what every format must hold to -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_FORMATS_LAWS_H
#define SECTILE_TEST_UNIT_FORMATS_LAWS_H

#include "sectile/Formats/Format.h"

#include <vector>

namespace sectile::formats::test {

/// The format of a text that must parse.
Format get(std::string_view text);

/// Every float of up to 8 bits with every rule, with and without sign and zero, with its default
/// bias and one other.
std::vector<Format> getAllSmallFloats();

/// The finite numbers of a format, each once, rising.
std::vector<double> getNumbers(const Format &format);

/// Numbers at which encoding may go wrong: all of the format's, the points halfway between
/// neighbours and the doubles next to each of them, beyond both ends, zeros, the smallest and
/// largest doubles, and random ones.
std::vector<double> getInteresting(const Format &format);

/// Checks, at every interesting number and against a search of all codes: decode(encode(x)) == x,
/// nearest is nearest, directed roundings go to the neighbour of their direction, encoding is
/// monotone, and numbers beyond the ends saturate.
void checkLaws(const Format &format);

} // namespace sectile::formats::test

#endif // SECTILE_TEST_UNIT_FORMATS_LAWS_H
