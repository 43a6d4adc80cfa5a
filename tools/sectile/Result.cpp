//===- Result.cpp - a value or a failure with an exit status ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Result.h"

#include <cstdarg>
#include <cstdio>

namespace sectile::tools {

Failure failure(ExitStatus status, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
  vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return {status, std::move(text)};
}

Failure runtimeFailure(sectile_status status, const char *message) {
  ExitStatus exitStatus = kInternal;
  switch (status) {
  case SECTILE_OK:
  case SECTILE_INTERNAL:
    break;
  case SECTILE_INVALID_INPUT:
  case SECTILE_CAPACITY:
  case SECTILE_INVALID_PACKAGE:
    exitStatus = kRefused;
    break;
  case SECTILE_INVALID_ARGUMENT:
    exitStatus = kUsage;
    break;
  case SECTILE_UNSUPPORTED:
  case SECTILE_OUT_OF_MEMORY:
  case SECTILE_SYSTEM:
    exitStatus = kEnvironment;
    break;
  }
  return {exitStatus, message[0] ? message : sectile_status_name(status)};
}

int report(const Failure &failure) {
  fflush(stdout);
  fprintf(stderr, "sectile: error: %s\n", failure.message.c_str());
  return failure.status;
}

} // namespace sectile::tools
