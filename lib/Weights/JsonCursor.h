//===- JsonCursor.h - reading JSON of a known structure ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_WEIGHTS_JSONCURSOR_H
#define SECTILE_LIB_WEIGHTS_JSONCURSOR_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sectile::weights {

/// A place in a JSON text (RFC 8259). The caller knows what comes next and asks for it, so that
/// there is no tree, no recursion and no depth to bound; an absent value means that something else
/// is there.
class JsonCursor {
public:
  explicit JsonCursor(std::string_view text) : text(text) {}

  /// Passes white space and `mark`, one of {}[]:,.
  bool take(char mark);
  /// A string, with its escapes resolved to UTF-8. Absent too for control characters, broken UTF-8
  /// and halves of surrogate pairs.
  std::optional<std::string> takeString();
  /// An integer from 0 to 2^64 - 1 without sign, fraction and exponent.
  std::optional<uint64_t> takeUnsigned();
  /// Whether only white space is left.
  bool atEnd();
  /// Bytes before the place.
  size_t getOffset() const { return at; }

private:
  void skipSpace();
  std::optional<uint32_t> takeHex();
  /// What follows a backslash, appended to `out`.
  bool takeEscape(std::string &out);

  std::string_view text;
  size_t at = 0;
};

/// Whether `text` is UTF-8: shortest forms only, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text);

} // namespace sectile::weights

#endif // SECTILE_LIB_WEIGHTS_JSONCURSOR_H
