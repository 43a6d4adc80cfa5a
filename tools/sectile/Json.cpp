//===- Json.cpp - writing JSON ----------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Json.h"

#include <cmath>
#include <cstdio>

namespace sectile::tools {

void JsonWriter::breakLine() {
  out += '\n';
  out.append(static_cast<size_t>(depth) * 2, ' ');
}

void JsonWriter::separate() {
  if (keyed) {
    keyed = false;
    return;
  }
  if (!first)
    out += ',';
  if (depth > 0)
    breakLine();
  first = false;
}

void JsonWriter::begin(char bracket) {
  separate();
  out += bracket;
  ++depth;
  first = true;
}

void JsonWriter::end(char bracket) {
  --depth;
  if (!first)
    breakLine();
  out += bracket;
  first = false;
  if (depth == 0)
    out += '\n';
}

void JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out += ": ";
  keyed = true;
}

void JsonWriter::scalar(std::string_view literal) {
  separate();
  out += literal;
}

void JsonWriter::string(std::string_view value) {
  separate();
  quote(value);
}

void JsonWriter::number(double value, int decimals) {
  if (!std::isfinite(value))
    return null();
  char text[400];
  snprintf(text, sizeof text, "%.*f", decimals, value);
  scalar(text);
}

void JsonWriter::quote(std::string_view value) {
  out += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

} // namespace sectile::tools
