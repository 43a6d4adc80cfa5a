//===- Result.h - a value, or why there is none -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_RESULT_H
#define SECTILE_FORMATS_RESULT_H

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace sectile::formats {

/// Why something cannot be had: lower case, no full stop, expected and found.
struct Failure {
  std::string message;
};

/// A `T`, or the failure that kept it from being made. This library has no LLVM inside, so it
/// carries its messages to the caller, who has a place to report them.
template <typename T>
class Result {
public:
  Result(T value) : content(std::move(value)) {}
  Result(Failure failure) : content(std::move(failure)) {}

  /// Whether there is a value.
  explicit operator bool() const { return std::holds_alternative<T>(content); }
  /// The value, which must be there.
  const T &operator*() const & { return std::get<T>(content); }
  T operator*() && { return std::get<T>(std::move(content)); }
  const T *operator->() const { return &std::get<T>(content); }
  /// The message of the failure, which must be there.
  const std::string &getMessage() const { return std::get<Failure>(content).message; }

private:
  std::variant<T, Failure> content;
};

} // namespace sectile::formats

#endif // SECTILE_FORMATS_RESULT_H
