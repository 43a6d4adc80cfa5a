//===- TextReader.h - reads short texts by tokens ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_LAYOUT_TEXTREADER_H
#define SECTILE_LIB_LAYOUT_TEXTREADER_H

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sectile::layout {

/// A position in a text; blanks between tokens do not count.
class TextReader {
public:
  explicit TextReader(std::string_view text) : text(text) {}

  /// What is not read yet.
  std::string_view rest() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\t'))
      text.remove_prefix(1);
    return text;
  }
  /// Passes `token` if it comes next.
  bool eat(std::string_view token) {
    if (!rest().starts_with(token))
      return false;
    text.remove_prefix(token.size());
    return true;
  }
  /// A decimal number that fits 64 bits and has no sign.
  std::optional<int64_t> number() {
    int64_t value = 0;
    std::string_view digits = rest();
    if (digits.empty() || digits.front() < '0' || digits.front() > '9')
      return std::nullopt;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc())
      return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - digits.data()));
    return value;
  }
  /// [1, 2, 3]
  std::optional<std::vector<int64_t>> numbers() {
    std::vector<int64_t> list;
    if (!eat("["))
      return std::nullopt;
    while (!eat("]")) {
      if (!list.empty() && !eat(","))
        return std::nullopt;
      std::optional<int64_t> value = number();
      if (!value)
        return std::nullopt;
      list.push_back(*value);
    }
    return list;
  }

private:
  std::string_view text;
};

} // namespace sectile::layout

#endif // SECTILE_LIB_LAYOUT_TEXTREADER_H
