//===- TileGenerator.h - what grows a random tile program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_FUZZ_TILEGENERATOR_H
#define SECTILE_TEST_FUZZ_TILEGENERATOR_H

#include "TileProgram.h"

#include <functional>
#include <optional>
#include <random>

namespace sectile::test {

/// Adds steps to a program; each adder does nothing where no step fits.
class Generator {
public:
  explicit Generator(uint64_t seed) : random(seed) {}
  TileProgram run();

private:
  int64_t number(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return number(1, 100) <= percent; }
  template <typename T>
  const T &choose(const std::vector<T> &options) {
    return options[static_cast<size_t>(number(0, static_cast<int64_t>(options.size()) - 1))];
  }
  std::string chooseElement() {
    return choose<std::string>(
        {"f32", "f32", "f32", "f64", "f16", "bf16", "i32", "i64", "i8", "i16"});
  }
  std::vector<int64_t> chooseShape(int64_t maxCount);

  /// A step that `accepts`; -1 if there is none.
  int pick(const std::function<bool(const TileType &)> &accepts);
  int add(std::string text, std::vector<int> operands, TileType type) {
    program.steps.push_back({std::move(text), std::move(operands), std::move(type)});
    return static_cast<int>(program.steps.size()) - 1;
  }
  int constant(const TileType &type, int64_t value);
  int addLoad(const TileType &type, int64_t most = -1);
  std::string printLoad(const TileType &type, const std::string &result, int64_t most,
                        std::optional<int64_t> steps, const std::string &indices,
                        const std::vector<int64_t> &extents);

  void addUnary();
  void addBinary();
  void addCompare();
  void addConversion();
  void addReduce();
  void addScan();
  void addDot();
  void addBroadcast();
  void addTranspose();
  void addReshape();
  void addCoord();
  void addMask();
  void addGather();
  void addLoop();

  std::mt19937_64 random;
  TileProgram program;
};

} // namespace sectile::test

#endif // SECTILE_TEST_FUZZ_TILEGENERATOR_H
