//===- JsonCursor.cpp - reading JSON of a known structure -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "JsonCursor.h"

using namespace sectile::weights;

void JsonCursor::skipSpace() {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
    ++at;
}

bool JsonCursor::take(char mark) {
  skipSpace();
  if (at == text.size() || text[at] != mark)
    return false;
  ++at;
  return true;
}

bool JsonCursor::atEnd() {
  skipSpace();
  return at == text.size();
}

std::optional<uint64_t> JsonCursor::takeUnsigned() {
  skipSpace();
  size_t start = at;
  uint64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    auto digit = static_cast<uint64_t>(text[at] - '0');
    if (value > (UINT64_MAX - digit) / 10)
      return std::nullopt;
    value = 10 * value + digit;
  }
  size_t digits = at - start;
  // JSON has no leading zeros.
  if (digits == 0 || (digits > 1 && text[start] == '0'))
    return std::nullopt;
  return value;
}

std::optional<uint32_t> JsonCursor::takeHex() {
  if (text.size() - at < 4)
    return std::nullopt;
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    char c = text[at];
    uint32_t digit = c >= '0' && c <= '9'   ? static_cast<uint32_t>(c - '0')
                     : c >= 'a' && c <= 'f' ? static_cast<uint32_t>(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                            : 16;
    if (digit == 16)
      return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

static void appendUtf8(uint32_t point, std::string &out) {
  auto push = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xC0 | point >> 6);
    push(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    push(0xE0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  } else {
    push(0xF0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3F));
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  }
}

bool JsonCursor::takeEscape(std::string &out) {
  if (at == text.size())
    return false;
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  char letter = text[at++];
  if (size_t index = kLetters.find(letter); index != std::string_view::npos) {
    out.push_back(kMeanings[index]);
    return true;
  }
  std::optional<uint32_t> point = letter == 'u' ? takeHex() : std::nullopt;
  if (!point || (*point >= 0xDC00 && *point < 0xE000))
    return false;
  if (*point >= 0xD800 && *point < 0xDC00) {
    if (text.substr(at, 2) != "\\u")
      return false;
    at += 2;
    std::optional<uint32_t> low = takeHex();
    if (!low || *low < 0xDC00 || *low >= 0xE000)
      return false;
    point = 0x10000 + ((*point - 0xD800) << 10 | (*low - 0xDC00));
  }
  appendUtf8(*point, out);
  return true;
}

std::optional<std::string> JsonCursor::takeString() {
  if (!take('"'))
    return std::nullopt;
  std::string out;
  while (at < text.size()) {
    auto c = static_cast<unsigned char>(text[at++]);
    if (c == '"')
      return isUtf8(out) ? std::optional(std::move(out)) : std::nullopt;
    if (c < 0x20 || (c == '\\' && !takeEscape(out)))
      return std::nullopt;
    if (c != '\\')
      out.push_back(static_cast<char>(c));
  }
  return std::nullopt;
}

bool sectile::weights::isUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto first = static_cast<unsigned char>(text[i]);
    size_t length = first < 0x80             ? 1
                    : (first & 0xE0) == 0xC0 ? 2
                    : (first & 0xF0) == 0xE0 ? 3
                    : (first & 0xF8) == 0xF0 ? 4
                                             : 0;
    if (length == 0 || text.size() - i < length)
      return false;
    uint32_t point = length == 1 ? first : first & (0x7Fu >> length);
    for (size_t j = 1; j < length; ++j) {
      auto next = static_cast<unsigned char>(text[i + j]);
      if ((next & 0xC0) != 0x80)
        return false;
      point = point << 6 | (next & 0x3Fu);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
      return false;
    i += length;
  }
  return true;
}
