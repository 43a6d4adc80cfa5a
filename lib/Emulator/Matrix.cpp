//===- Matrix.cpp - matrix instructions of warps ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the elements of a fragment are is written down here as the PTX ISA 8.0 has
// it, "Matrix multiply-accumulate operation using mma instruction", in the
// sections "Matrix Fragments for mma.m8n8k4 with .f64 floating point type",
// "... for mma.m16n8k4 with .tf32", "... for mma.m16n8k8", "... for mma.m16n8k16
// with floating point type", "... with integer type" and "... for mma.m16n8k32":
//
//   groupID           = %laneid >> 2
//   threadID_in_group = %laneid % 4
//
// Sums: tensor cores add exact products with at least the precision of f32 and do not
// say how they round. Here they are exact until one rounding at the end (in f64,
// whose rounding is far below).
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace sectile::emulator;

int MatrixOp::countA() const { return m * k * std::min(bitsOf(a), 32) / 32 / 32; }
int MatrixOp::countB() const { return k * n * std::min(bitsOf(b), 32) / 32 / 32; }

namespace {
struct Place {
  int row, column;
};
} // namespace

/// Row and column of a_i.
static Place placeOfA(const MatrixOp &op, int lane, int i) {
  int group = lane >> 2, thread = lane % 4;
  switch (bitsOf(op.a)) {
  case 64: // m8n8k4: row = groupID, col = threadID_in_group
    return {group, thread};
  case 32: // row = groupID for a0 and a2, groupID + 8 for a1 and a3; col + 4 for a2 and a3
    return {group + (i % 2 ? 8 : 0), thread + (i >= 2 ? 4 : 0)};
  case 16: // row = groupID for ai where 0 <= i < 2 || 4 <= i < 6, groupID + 8 otherwise;
           // col = (threadID_in_group * 2) + (i & 0x1), + 8 for i >= 4
    return {group + ((i < 2 || (i >= 4 && i < 6)) ? 0 : 8),
            thread * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
  default: // row = groupID for ai where 0 <= i < 4 || 8 <= i < 12, groupID + 8 otherwise;
           // col = (threadID_in_group * 4) + (i & 0x3), + 16 for i >= 8
    return {group + ((i < 4 || (i >= 8 && i < 12)) ? 0 : 8),
            thread * 4 + (i & 3) + (i >= 8 ? 16 : 0)};
  }
}

/// Row and column of b_i; col = groupID.
static Place placeOfB(const MatrixOp &op, int lane, int i) {
  int group = lane >> 2, thread = lane % 4;
  switch (bitsOf(op.b)) {
  case 64:
    return {thread, group};
  case 32: // row = threadID_in_group, + 4 for b1
    return {thread + (i >= 1 ? 4 : 0), group};
  case 16: // row = (threadID_in_group * 2) + (i & 0x1), + 8 for i >= 2
    return {thread * 2 + (i & 1) + (i >= 2 ? 8 : 0), group};
  default: // row = (threadID_in_group * 4) + (i & 0x3), + 16 for i >= 4
    return {thread * 4 + (i & 3) + (i >= 4 ? 16 : 0), group};
  }
}

/// Row and column of c_i: row = groupID for i < 2 and groupID + 8 for i >= 2; col =
/// (threadID_in_group * 2) + (i & 0x1).
static Place placeOfC(int lane, int i) {
  return {(lane >> 2) + (i >= 2 ? 8 : 0), lane % 4 * 2 + (i & 1)};
}

/// Element `i` of registers, packed from the lowest bits on.
static uint64_t elementAt(const uint64_t *registers, int i, int bits) {
  if (bits >= 32)
    return registers[i];
  int perRegister = 32 / bits;
  return registers[i / perRegister] >> (i % perRegister * bits) & ((uint64_t(1) << bits) - 1);
}

std::optional<MatrixOp> sectile::emulator::findMatrixOp(int64_t m, int64_t n, int64_t k,
                                                        const std::string &a, const std::string &b,
                                                        bool saturates) {
  auto typeOf = [](const std::string &name) -> std::optional<MatrixElement> {
    static constexpr std::pair<const char *, MatrixElement> kTypes[] = {
        {"f16", MatrixElement::F16}, {"bf16", MatrixElement::BF16}, {"tf32", MatrixElement::TF32},
        {"f64", MatrixElement::F64}, {"s8", MatrixElement::S8},     {"u8", MatrixElement::U8}};
    for (auto [text, type] : kTypes)
      if (name == text)
        return type;
    return std::nullopt;
  };
  auto typeA = typeOf(a), typeB = typeOf(b);
  if (!typeA || !typeB || bitsOf(*typeA) != bitsOf(*typeB) ||
      isInteger(*typeA) != isInteger(*typeB) || (!isInteger(*typeA) && typeA != typeB))
    return std::nullopt;
  // Four or eight bytes of k for each lane and row; 32 bytes of f64 alone.
  bool isKnown =
      bitsOf(*typeA) == 64
          ? m == 8 && n == 8 && k == 4
          : m == 16 && n == 8 && (k * bitsOf(*typeA) == 128 || k * bitsOf(*typeA) == 256);
  if (!isKnown)
    return std::nullopt;
  return MatrixOp{int(m), int(n), int(k), *typeA, *typeB, saturates};
}

void sectile::emulator::multiply(const MatrixOp &op, const uint64_t *const in[32],
                                 uint64_t *const out[32]) {
  std::vector<double> a(size_t(op.m) * op.k), b(size_t(op.k) * op.n);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < op.m * op.k / 32; ++i) {
      Place place = placeOfA(op, lane, i);
      a[place.row * op.k + place.column] = decode(op.a, elementAt(in[lane], i, bitsOf(op.a)));
    }
    for (int i = 0; i < op.k * op.n / 32; ++i) {
      Place place = placeOfB(op, lane, i);
      b[place.row * op.n + place.column] =
          decode(op.b, elementAt(in[lane] + op.countA(), i, bitsOf(op.b)));
    }
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < op.countC(); ++i) {
      Place place = placeOfC(lane, i);
      uint64_t c = in[lane][op.countA() + op.countB() + i];
      const double *row = &a[place.row * op.k];
      auto factor = [&](int step) { return b[step * op.n + place.column]; };
      if (op.a == MatrixElement::F64) {
        auto sum = llvm::bit_cast<double>(c);
        for (int step = 0; step < op.k; ++step)
          sum = std::fma(row[step], factor(step), sum);
        out[lane][i] = llvm::bit_cast<uint64_t>(sum);
      } else if (isInteger(op.a)) {
        int64_t sum = static_cast<int32_t>(c);
        for (int step = 0; step < op.k; ++step)
          sum += static_cast<int64_t>(row[step]) * static_cast<int64_t>(factor(step));
        if (op.saturates)
          sum = std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                                    std::numeric_limits<int32_t>::max());
        out[lane][i] = static_cast<uint32_t>(sum);
      } else {
        double sum = llvm::bit_cast<float>(static_cast<uint32_t>(c));
        for (int step = 0; step < op.k; ++step)
          sum += row[step] * factor(step);
        out[lane][i] = llvm::bit_cast<uint32_t>(static_cast<float>(sum));
      }
    }
}
