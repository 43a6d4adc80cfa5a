//===- WaveMatrix.cpp - matrix instructions of wavefronts -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the elements of MFMA are, is written down here as AMD's manual has it ("AMD
// Instinct MI300" Instruction Set Architecture, chapter 7, "Matrix Arithmetic
// Instructions", the dense layouts for one block; the CDNA 2 manual has the same):
// lanes are the rows of A, or the columns of B, and then groups of k; a lane holds
// neighbours along k. Of D, a lane holds a column: four neighbouring rows for each
// group of lanes, the groups one below the other, and then again below those; f64
// has one row of each group of lanes in a register.
//
// WMMA: "RDNA 3" Instruction Set Architecture, section 7.9, "Wave Matrix Multiply
// Accumulate": lane i holds row i of A, column i of B, each twice, and of D every
// other row of its column.
//
// Sums are exact until one rounding at the end, in f64, whose rounding is far below:
// the manuals do not say how the units round in between.
//
//===----------------------------------------------------------------------===//

#include "WaveMatrix.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace sectile::emulator;

int WaveMatrixOp::bytesA() const { return countA() * bytesOf(a); }
int WaveMatrixOp::bytesB() const { return countB() * bytesOf(b); }
int WaveMatrixOp::bytesC() const { return countC() * (a == MatrixElement::F64 ? 8 : 4); }

namespace {
struct KnownOp {
  std::string_view name;
  bool isWmma;
  int m, n, k;
  MatrixElement type;
  /// The one processor that has it; empty: all of CDNA 2 and 3, or RDNA 3.
  std::string_view only = {};
};
} // namespace

static constexpr KnownOp kKnown[] = {
    {"mfma.f32.32x32x2f32", false, 32, 32, 2, MatrixElement::F32},
    {"mfma.f32.16x16x4f32", false, 16, 16, 4, MatrixElement::F32},
    {"mfma.f64.16x16x4f64", false, 16, 16, 4, MatrixElement::F64},
    {"mfma.f32.32x32x8f16", false, 32, 32, 8, MatrixElement::F16},
    {"mfma.f32.16x16x16f16", false, 16, 16, 16, MatrixElement::F16},
    {"mfma.f32.32x32x8bf16.1k", false, 32, 32, 8, MatrixElement::BF16},
    {"mfma.f32.16x16x16bf16.1k", false, 16, 16, 16, MatrixElement::BF16},
    {"mfma.i32.32x32x8i8", false, 32, 32, 8, MatrixElement::S8, "gfx90a"},
    {"mfma.i32.16x16x16i8", false, 16, 16, 16, MatrixElement::S8, "gfx90a"},
    {"mfma.i32.32x32x16.i8", false, 32, 32, 16, MatrixElement::S8, "gfx942"},
    {"mfma.i32.16x16x32.i8", false, 16, 16, 32, MatrixElement::S8, "gfx942"},
    {"wmma.f32.16x16x16.f16", true, 16, 16, 16, MatrixElement::F16},
    {"wmma.f32.16x16x16.bf16", true, 16, 16, 16, MatrixElement::BF16},
    {"wmma.i32.16x16x16.iu8", true, 16, 16, 16, MatrixElement::U8},
};

std::optional<WaveMatrixOp> sectile::emulator::findWaveMatrixOp(std::string_view name, bool signedA,
                                                                bool signedB,
                                                                std::string_view processor) {
  constexpr std::string_view dialect = "rocdl.";
  if (!name.starts_with(dialect))
    return std::nullopt;
  name.remove_prefix(dialect.size());
  for (const KnownOp &known : kKnown) {
    if (known.name != name || (!known.only.empty() && known.only != processor))
      continue;
    WaveMatrixOp op{known.isWmma, known.m, known.n, known.k, known.type, known.type};
    if (known.type == MatrixElement::U8) {
      op.a = signedA ? MatrixElement::S8 : MatrixElement::U8;
      op.b = signedB ? MatrixElement::S8 : MatrixElement::U8;
    }
    // ROCm, MIOpen, "MI200 MFMA behavior specifics".
    op.flushes = processor == "gfx90a" && bytesOf(known.type) == 2;
    return op;
  }
  return std::nullopt;
}

static double decodeAt(MatrixElement type, const char *at) {
  uint64_t bits = 0; // little endian, as the host
  std::memcpy(&bits, at, bytesOf(type));
  return decode(type, bits);
}

/// The row of D that element `i` of a lane is in; its column is the lane's.
static int rowOf(const WaveMatrixOp &op, int lane, int i) {
  if (op.isWmma)
    return 2 * i + lane / 16;
  int group = lane / op.n, groups = 64 / op.n;
  if (op.a == MatrixElement::F64)
    return groups * i + group;
  return i / 4 * 4 * groups + 4 * group + i % 4;
}

void sectile::emulator::multiply(const WaveMatrixOp &op, const char *const *in, char *const *out) {
  std::vector<double> a(size_t(op.m) * op.k), b(size_t(op.k) * op.n);
  double least = op.a == MatrixElement::F16 ? std::ldexp(1.0, -14) : std::ldexp(1.0, -126);
  auto take = [&](MatrixElement type, const char *at) {
    double value = decodeAt(type, at);
    return op.flushes && std::fabs(value) < least ? std::copysign(0.0, value) : value;
  };
  for (int lane = 0; lane < op.lanes(); ++lane) {
    // Copies in the upper half of a wavefront of 32 hold the same, or the hardware's result is
    // undefined; what the first one holds counts.
    if (op.isWmma && lane >= 16)
      break;
    for (int i = 0; i < op.countA(); ++i)
      a[lane % op.m * op.k + lane / op.m * op.countA() + i] =
          take(op.a, in[lane] + i * bytesOf(op.a));
    for (int i = 0; i < op.countB(); ++i)
      b[(lane / op.n * op.countB() + i) * op.n + lane % op.n] =
          take(op.b, in[lane] + op.bytesA() + i * bytesOf(op.b));
  }
  for (int lane = 0; lane < op.lanes(); ++lane) {
    const char *sums = in[lane] + op.bytesA() + op.bytesB();
    for (int i = 0; i < op.countC(); ++i) {
      const double *row = &a[rowOf(op, lane, i) * op.k];
      auto factor = [&](int step) { return b[step * op.n + lane % op.n]; };
      if (op.a == MatrixElement::F64) {
        double sum;
        std::memcpy(&sum, sums + 8 * i, sizeof(sum));
        for (int step = 0; step < op.k; ++step)
          sum = std::fma(row[step], factor(step), sum);
        std::memcpy(out[lane] + 8 * i, &sum, sizeof(sum));
      } else if (isInteger(op.a)) {
        int32_t c;
        std::memcpy(&c, sums + 4 * i, sizeof(c));
        int64_t sum = c;
        for (int step = 0; step < op.k; ++step)
          sum += static_cast<int64_t>(row[step]) * static_cast<int64_t>(factor(step));
        auto wrapped = static_cast<uint32_t>(sum);
        std::memcpy(out[lane] + 4 * i, &wrapped, sizeof(wrapped));
      } else {
        float c;
        std::memcpy(&c, sums + 4 * i, sizeof(c));
        double sum = c;
        for (int step = 0; step < op.k; ++step)
          sum += row[step] * factor(step);
        auto rounded = static_cast<float>(sum);
        if (op.flushes && std::fabs(rounded) < std::numeric_limits<float>::min())
          rounded = std::copysign(0.0F, rounded);
        std::memcpy(out[lane] + 4 * i, &rounded, sizeof(rounded));
      }
    }
  }
}
