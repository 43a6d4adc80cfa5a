//===- OrReason.h - a value, or why there is none ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_ORREASON_H
#define SECTILE_LAYOUT_ORREASON_H

#include <string>
#include <utility>
#include <variant>

namespace sectile::layout {

/// Why something has no representation, or what is wrong with it: lower case, no full stop.
struct Reason {
  std::string text;
};

/// What an operation of the algebra gives. *Not representable* is a normal answer that callers
/// handle (by a way through memory or a table); it is never an approximation.
template <typename T>
class [[nodiscard]] OrReason {
public:
  OrReason(T value) : state(std::in_place_index<0>, std::move(value)) {}
  OrReason(Reason reason) : state(std::in_place_index<1>, std::move(reason)) {}

  explicit operator bool() const { return state.index() == 0; }
  /// The value; there must be one.
  const T &operator*() const { return std::get<0>(state); }
  T &operator*() { return std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  /// Why there is no value; there must be none.
  const Reason &reason() const { return std::get<1>(state); }

private:
  std::variant<T, Reason> state;
};

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_ORREASON_H
