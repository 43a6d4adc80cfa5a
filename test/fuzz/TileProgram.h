//===- TileProgram.h - random programs of the tile dialect ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program is a list of steps, each an op whose operands are results of earlier
// steps, so that it can be made smaller step by step. Tiles are loaded from views
// by maps whose reach is enumerated: a view is as large as its loads need, or
// smaller where a condition keeps them inside. Every program is correct by
// construction; what it gives is the interpreter's to say.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_FUZZ_TILEPROGRAM_H
#define SECTILE_TEST_FUZZ_TILEPROGRAM_H

#include <cstdint>
#include <string>
#include <vector>

namespace sectile::test {

/// A tile, or a scalar at rank 0.
struct TileType {
  std::vector<int64_t> shape;
  std::string element;

  bool operator==(const TileType &other) const {
    return shape == other.shape && element == other.element;
  }
  int64_t count() const;
  bool isFloat() const { return element[0] == 'f' || element[0] == 'b'; }
  unsigned bits() const;
  /// `tensor<4x8xf32>`, or `f32`.
  std::string print() const;
  /// This shape with another element type.
  TileType with(const std::string &other) const { return {shape, other}; }
};

/// A view that is an argument of the kernel.
struct ProgramView {
  std::vector<int64_t> shape;
  std::vector<bool> isDynamic;
  std::string element;
  /// Contents are integers in [0, most]: positions in something.
  int64_t most = -1;

  std::string print() const;
  size_t getElementBytes() const { return (TileType{{}, element}.bits() + 7) / 8; }
};

/// An op. In `text`, `$0` and on are operands and `$r` is the result.
struct Step {
  std::string text;
  std::vector<int> operands; // steps
  TileType type;
};

/// A result that is stored: to a view of its own, at the block's coordinates.
struct Output {
  int step;
};

struct TileProgram {
  std::vector<int64_t> grid; // one or two extents
  std::vector<ProgramView> views;
  std::vector<Step> steps;
  std::vector<Output> outputs;

  /// The view that an output goes to: the grid's extents, then the tile's.
  ProgramView getOutputView(const Output &output) const;
  /// The kernel `k` as text; its arguments are the views, then those of the outputs.
  std::string print() const;
  /// Drops steps that no output needs.
  void prune();
};

/// The program of a seed.
TileProgram generate(uint64_t seed);

} // namespace sectile::test

#endif // SECTILE_TEST_FUZZ_TILEPROGRAM_H
