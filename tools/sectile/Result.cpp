//===- Result.cpp - a value or a failure with an exit status ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Result.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

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
  case SECTILE_DEVICE:
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

int runProgram(int argc, char **argv, int (*run)(int argc, char **argv)) {
  int status;
  try {
    status = run(argc, argv);
  } catch (const std::bad_alloc &) {
    status = report(failure(kEnvironment, "out of memory"));
  } catch (const std::length_error &) {
    status = report(failure(kEnvironment, "out of memory"));
  } catch (const std::exception &error) {
    status = report(failure(kInternal, "internal error: %s", error.what()));
  }
  // A result that did not reach its reader is no success.
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == kSuccess)
    status = report(failure(kEnvironment, "cannot write to standard output: %s", strerror(errno)));
  return status;
}

} // namespace sectile::tools
