//===- Json.h - writing JSON ------------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_JSON_H
#define SECTILE_TOOLS_SECTILE_JSON_H

#include <cstdint>
#include <string>
#include <string_view>

namespace sectile::tools {

/// Writes one JSON value, indented, in the order of the calls.
class JsonWriter {
public:
  void beginObject() { begin('{'); }
  void endObject() { end('}'); }
  void beginArray() { begin('['); }
  void endArray() { end(']'); }
  /// Names the next value of an object.
  void key(std::string_view name);

  void string(std::string_view value);
  void integer(int64_t value) { scalar(std::to_string(value)); }
  void unsignedInteger(uint64_t value) { scalar(std::to_string(value)); }
  /// With `decimals` digits after the point; null if not finite.
  void number(double value, int decimals);
  void boolean(bool value) { scalar(value ? "true" : "false"); }
  void null() { scalar("null"); }

  /// The text, ended by a line break once the value is complete.
  const std::string &text() const { return out; }

private:
  void begin(char bracket);
  void end(char bracket);
  void scalar(std::string_view literal);
  void separate();
  void breakLine();
  void quote(std::string_view value);

  std::string out;
  int depth = 0;
  bool first = true;  // nothing in the innermost array or object yet
  bool keyed = false; // a key was just written
};

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_JSON_H
