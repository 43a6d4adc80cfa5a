//===- Message.cpp - text of a failure --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Message.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace sectile::runtime {

void Message::clear() {
  length = 0;
  buffer[0] = '\0';
}

void Message::appendBytes(const char *text, size_t bytes) {
  size_t room = kCapacity - 1 - length;
  size_t fitting = bytes < room ? bytes : room;
  memcpy(buffer + length, text, fitting);
  length += fitting;
  buffer[length] = '\0';
  if (fitting < bytes)
    memcpy(buffer + kCapacity - 4, "...", 4);
}

void Message::appendArguments(const char *format, va_list arguments) {
  char text[kCapacity];
  int bytes = vsnprintf(text, sizeof text, format, arguments);
  if (bytes < 0)
    return;
  appendBytes(text, strlen(text));
  if (static_cast<size_t>(bytes) >= sizeof text)
    memcpy(buffer + kCapacity - 4, "...", 4);
}

void Message::append(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  appendArguments(format, arguments);
  va_end(arguments);
}

void Message::appendPattern(const char *pattern, const int64_t *values, int32_t numValues) {
  const char *plain = pattern;
  const char *cursor = pattern;
  while (*cursor) {
    int32_t index = cursor[0] == '%' && cursor[1] >= '0' && cursor[1] <= '9' ? cursor[1] - '0' : -1;
    if (index < 0 || index >= numValues) {
      ++cursor;
      continue;
    }
    appendBytes(plain, static_cast<size_t>(cursor - plain));
    append("%" PRId64, values[index]);
    cursor += 2;
    plain = cursor;
  }
  appendBytes(plain, static_cast<size_t>(cursor - plain));
}

void Message::copyTo(char *out, size_t bytes) const {
  if (!out || bytes == 0)
    return;
  size_t fitting = length < bytes - 1 ? length : bytes - 1;
  memcpy(out, buffer, fitting);
  out[fitting] = '\0';
}

sectile_status fail(Message &message, sectile_status status, const char *format, ...) {
  message.clear();
  va_list arguments;
  va_start(arguments, format);
  message.appendArguments(format, arguments);
  va_end(arguments);
  return status;
}

} // namespace sectile::runtime
