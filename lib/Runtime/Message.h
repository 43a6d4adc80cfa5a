//===- Message.h - text of a failure ----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_MESSAGE_H
#define SECTILE_LIB_RUNTIME_MESSAGE_H

#include "sectile/sectile.h"

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace sectile::runtime {

/// A line of text of bounded length; longer text is cut and ends in "...". It
/// lives inside its owner, so that reporting a failure allocates nothing.
class Message {
public:
  const char *text() const { return buffer; }
  bool empty() const { return length == 0; }
  void clear();

  /// Appends as printf does.
  [[gnu::format(printf, 2, 3)]] void append(const char *format, ...);
  void appendArguments(const char *format, va_list arguments);

  /// Appends `pattern` with "%0".."%9" replaced by values[0]..values[9]. A
  /// placeholder without a value is copied as it is.
  void appendPattern(const char *pattern, const int64_t *values, int32_t numValues);

  /// Copies the text, cut to fit, into `bytes` bytes at `out` (may be null).
  void copyTo(char *out, size_t bytes) const;

private:
  void appendBytes(const char *text, size_t bytes);

  static constexpr size_t kCapacity = 1024;
  char buffer[kCapacity] = {};
  size_t length = 0;
};

/// Replaces `message` by the formatted text and returns `status`.
[[gnu::format(printf, 3, 4)]] sectile_status fail(Message &message, sectile_status status,
                                                  const char *format, ...);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_MESSAGE_H
