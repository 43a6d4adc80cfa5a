//===- Result.h - a value or a failure with an exit status ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_RESULT_H
#define SECTILE_TOOLS_SECTILE_RESULT_H

#include "sectile/sectile.h"

#include <string>
#include <utility>
#include <variant>

namespace sectile::tools {

/// Exit statuses of every subcommand.
enum ExitStatus : int {
  kSuccess = 0,
  kRefused = 1,     ///< an input or package is refused or not supported
  kUsage = 2,       ///< the command line is wrong, or asks for what does not exist yet
  kMismatch = 3,    ///< results differ from what was expected
  kEnvironment = 4, ///< device, CPU, memory or disk
  kInternal = 70,   ///< a bug in a package or in this program
};

/// Why something was not done: the exit status that follows and one line of text,
/// lower case and without a full stop.
struct Failure {
  ExitStatus status;
  std::string message;
};

/// Builds a failure with a text formatted as by printf.
[[gnu::format(printf, 2, 3)]] Failure failure(ExitStatus status, const char *format, ...);

/// Failure for a status of the runtime library.
Failure runtimeFailure(sectile_status status, const char *message);

/// Prints "sectile: error: ..." on stderr; returns the exit status.
int report(const Failure &failure);

/// The exit status of a program whose body is `run`: exceptions are failures, and so is a result on
/// standard output that did not reach its reader.
int runProgram(int argc, char **argv, int (*run)(int argc, char **argv));

/// A T or the failure to get one.
template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state(std::in_place_index<1>, std::move(failure)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return *std::get_if<0>(&state); }
  const T &operator*() const { return *std::get_if<0>(&state); }
  T *operator->() { return std::get_if<0>(&state); }
  const T *operator->() const { return std::get_if<0>(&state); }
  const Failure &failure() const { return *std::get_if<1>(&state); }

private:
  std::variant<T, Failure> state;
};

/// Success without a value.
struct Done {};

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_RESULT_H
