//===- Codebook.cpp - tables of numbers, and those with a name -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Format.h"

#include <algorithm>
#include <bit>
#include <numeric>

using namespace sectile::formats;

Codebook::Codebook(unsigned dimension, std::vector<double> entries)
    : dimension(dimension), entries(std::move(entries)) {
  if (dimension != 1)
    return;
  order.resize(this->entries.size());
  std::iota(order.begin(), order.end(), 0);
  auto getEntry = [this](uint32_t code) { return this->entries[code]; };
  std::sort(order.begin(), order.end(), [&](uint32_t left, uint32_t right) {
    return getEntry(left) != getEntry(right) ? getEntry(left) < getEntry(right) : left < right;
  });
  auto isSame = [&](uint32_t left, uint32_t right) { return getEntry(left) == getEntry(right); };
  order.erase(std::unique(order.begin(), order.end(), isSame), order.end());
}

bool Codebook::operator==(const Codebook &other) const {
  return dimension == other.dimension &&
         std::equal(entries.begin(), entries.end(), other.entries.begin(), other.entries.end(),
                    [](double left, double right) {
                      return std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
                    });
}

namespace {
struct NamedCodebook {
  std::string_view name;
  float entries[16];
};
} // namespace

// In the order of their codes, as float constants: that is what the sources hold.
static const NamedCodebook kNamedCodebooks[] = {
    // QLoRA (arXiv 2305.14314), appendix E; bitsandbytes.
    {"nf4",
     {-1.0F, -0.6961928009986877F, -0.5250730514526367F, -0.39491748809814453F,
      -0.28444138169288635F, -0.18477343022823334F, -0.09105003625154495F, 0.0F,
      0.07958029955625534F, 0.16093020141124725F, 0.24611230194568634F, 0.33791524171829224F,
      0.44070982933044434F, 0.5626170039176941F, 0.7229568362236023F, 1.0F}},
    // "NF4 isn't information theoretically optimal" (arXiv 2306.06965), blocks of 64.
    {"af4",
     {-1.0F, -0.69441008F, -0.51243739F, -0.3736951F, -0.25607552F, -0.14982478F, -0.04934812F,
      0.0F, 0.04273164F, 0.12934483F, 0.21961274F, 0.31675666F, 0.42563882F, 0.55496234F,
      0.72424863F, 1.0F}},
    // bitsandbytes' FP4: 0.0625, 8, 12, 4, 6, 2, 3 in units of 1/12; both zeros are positive.
    {"fp4-bnb",
     {0.0F, 0.0625F / 12, 8.0F / 12, 1.0F, 4.0F / 12, 0.5F, 2.0F / 12, 0.25F, 0.0F, -0.0625F / 12,
      -8.0F / 12, -1.0F, -4.0F / 12, -0.5F, -2.0F / 12, -0.25F}},
    // ggml's IQ4_NL and IQ4_XS (ggml-common.h, kvalues_iq4nl).
    {"iq4nl", {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}},
};

std::vector<double> sectile::formats::getNamedCodebook(std::string_view name) {
  for (const NamedCodebook &known : kNamedCodebooks)
    if (known.name == name)
      return {std::begin(known.entries), std::end(known.entries)};
  return {};
}

std::string_view sectile::formats::findCodebookName(const Codebook &codebook) {
  for (const NamedCodebook &known : kNamedCodebooks)
    if (codebook == Codebook(1, {std::begin(known.entries), std::end(known.entries)}))
      return known.name;
  return {};
}
