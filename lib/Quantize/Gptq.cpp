//===- Gptq.cpp - codes that keep products with seen inputs -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gptq.h"

#include "DenseMath.h"
#include "GroupQuantizer.h"

#include "llvm/Support/Parallel.h"

#include <numeric>

using namespace sectile;
using namespace sectile::quantize;
using llvm::ArrayRef;
using llvm::Expected;
using llvm::Twine;

static llvm::Error refuse(const Twine &why) { return llvm::createStringError(why); }

/// Rows that go through a layer together: R is read once for all of them.
static constexpr int64_t kRows = 16;
/// Weights that are rounded before their errors are added to what all others see.
static constexpr int64_t kColumns = 64;

namespace {
/// The factor R of a layer's damped products, in the order in which weights are rounded.
struct Factor {
  std::vector<int64_t> order; ///< the input that is at a place
  std::vector<double> values; ///< R, by place
};

/// Quantizes a few rows.
class RowQuantizer {
public:
  RowQuantizer(const Scheme &scheme, const GroupQuantizer &quantizer, const Factor &factor,
               ArrayRef<float> values, Codes &codes)
      : scheme(scheme), quantizer(quantizer), factor(factor), values(values), codes(codes),
        depth(codes.depth), length(codes.getGroupLength(scheme)) {}

  void run(int64_t firstRow, int64_t count);

private:
  const double *getFactor(int64_t place) const { return factor.values.data() + place * depth; }
  /// Finds the scale of the group from place `begin` on, of weights moved by what is known.
  GroupScale findScale(int64_t row, int64_t begin, int64_t count, const double *sums);
  void setScale(int64_t row, int64_t group, const GroupScale &scale);

  const Scheme &scheme;
  const GroupQuantizer &quantizer;
  const Factor &factor;
  ArrayRef<float> values;
  Codes &codes;
  int64_t depth, length;
  std::vector<double> moved, moves;
};
} // namespace

void RowQuantizer::setScale(int64_t row, int64_t group, const GroupScale &scale) {
  int64_t index = row * codes.groupsPerRow + group;
  codes.scales[index] = scale.scale;
  if (this->scheme.hasZeroPoint)
    codes.zeros[index] = quantizer.encodeZero(scale);
}

GroupScale RowQuantizer::findScale(int64_t row, int64_t begin, int64_t count, const double *sums) {
  // Were all weights of the group free, they would move so that each column of e R vanishes.
  moved.assign(count, 0);
  moves.assign(sums + begin, sums + begin + count);
  for (int64_t j = 0; j < count; ++j) {
    const double *factors = getFactor(begin + j) + begin;
    double error = -moves[j] / factors[j];
    moved[j] = values[row * depth + begin + j] - error;
    if (error != 0)
      for (int64_t k = j + 1; k < count; ++k)
        moves[k] += error * factors[k];
  }
  return quantizer.find(ArrayRef<double>(moved), Method::LeastSquares);
}

void RowQuantizer::run(int64_t firstRow, int64_t count) {
  // sums[r, j] = sum over the places i before the current block of e[i] R[i, j].
  std::vector<double> sums(count * depth), errors(count * kColumns);
  std::vector<GroupScale> scales(count * codes.groupsPerRow);
  if (scheme.hasActivationOrder)
    // Groups are of neighbours, which come at any time: scales are those of the weights as they
    // are.
    for (int64_t r = 0; r < count; ++r)
      for (int64_t group = 0; group < codes.groupsPerRow; ++group) {
        int64_t first = group * length, size = std::min(length, depth - first);
        scales[r * codes.groupsPerRow + group] = quantizer.find(
            values.slice((firstRow + r) * depth + first, size), Method::LeastSquares);
      }
  for (int64_t begin = 0, end; begin < depth; begin = end) {
    end = std::min(begin + kColumns, depth);
    if (!scheme.hasActivationOrder) {
      // Blocks end where groups do, so that a group's scale knows all errors before it.
      int64_t group = begin / length, first = group * length;
      end = std::min(end, first + length);
      if (begin == first)
        for (int64_t r = 0; r < count; ++r)
          scales[r * codes.groupsPerRow + group] =
              findScale(firstRow + r, begin, std::min(length, depth - begin), &sums[r * depth]);
    }
    for (int64_t r = 0; r < count; ++r) {
      double *rowSums = &sums[r * depth];
      for (int64_t place = begin; place < end; ++place) {
        int64_t input = factor.order[place], index = (firstRow + r) * depth + input;
        const GroupScale &scale = scales[r * codes.groupsPerRow + input / length];
        const double *factors = getFactor(place);
        double value = values[index];
        uint8_t code = quantizer.encode(scale, value + rowSums[place] / factors[place]);
        codes.codes[index] = code;
        double error = value - quantizer.decode(scale, code);
        errors[r * kColumns + place - begin] = error;
        for (int64_t k = place + 1; k < end; ++k)
          rowSums[k] += error * factors[k];
      }
    }
    addProduct({sums.data() + end, depth}, {errors.data(), kColumns},
               {getFactor(begin) + end, depth}, count, end - begin, depth - end);
  }
  for (int64_t r = 0; r < count; ++r)
    for (int64_t group = 0; group < codes.groupsPerRow; ++group)
      setScale(firstRow + r, group, scales[r * codes.groupsPerRow + group]);
}

static Expected<Factor> makeFactor(const Scheme &scheme, const Gram &gram) {
  int64_t depth = gram.depth;
  Factor factor;
  factor.order.resize(depth);
  std::iota(factor.order.begin(), factor.order.end(), 0);
  auto diagonal = [&](int64_t i) { return gram.values[i * depth + i]; };
  if (scheme.hasActivationOrder)
    std::sort(factor.order.begin(), factor.order.end(), [&](int64_t a, int64_t b) {
      return diagonal(a) != diagonal(b) ? diagonal(a) > diagonal(b) : a < b;
    });
  double mean = 0;
  for (int64_t i = 0; i < depth; ++i)
    mean += diagonal(i) / static_cast<double>(depth);
  if (mean == 0) // nothing was seen: every weight by itself
    mean = 1;
  // What rounding left of a singular matrix may need more than was asked for.
  double damping = scheme.damping;
  while (damping <= 1) {
    factor.values.resize(depth * depth);
    for (int64_t i = 0; i < depth; ++i) {
      const double *row = &gram.values[factor.order[i] * depth];
      for (int64_t j = 0; j < depth; ++j)
        factor.values[i * depth + j] = row[factor.order[j]];
      factor.values[i * depth + i] += damping * mean;
    }
    if (factorize(factor.values, depth))
      return factor;
    damping *= 10;
  }
  return refuse("the products of its inputs are not positive definite, whatever is added to their "
                "diagonal");
}

/// For each row, the squared length of its products with the inputs: e H e^T.
static std::vector<double> measureOutputs(const Gram &gram, int64_t rows,
                                          llvm::function_ref<double(int64_t, int64_t)> at) {
  int64_t depth = gram.depth;
  std::vector<double> lengths(rows);
  ConstBlock products{gram.values.data(), depth};
  llvm::parallelFor(0, (rows + kRows - 1) / kRows, [&](int64_t chunk) {
    int64_t first = chunk * kRows, count = std::min(kRows, rows - first);
    std::vector<double> numbers(count * depth), sums(count * depth);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t i = 0; i < depth; ++i)
        numbers[r * depth + i] = at(first + r, i);
    // H is symmetric: its upper half, counted twice, is enough. The squares on the diagonal are
    // whole.
    for (int64_t begin = 0; begin < depth; begin += kColumns) {
      int64_t size = std::min(kColumns, depth - begin);
      addProduct({sums.data() + begin + size, depth}, {numbers.data() + begin, depth},
                 {products.row(begin) + begin + size, depth}, count, size, depth - begin - size);
    }
    for (double &sum : sums)
      sum *= 2;
    for (int64_t begin = 0; begin < depth; begin += kColumns) {
      int64_t size = std::min(kColumns, depth - begin);
      addProduct({sums.data() + begin, depth}, {numbers.data() + begin, depth},
                 {products.row(begin) + begin, depth}, count, size, size);
    }
    for (int64_t r = 0; r < count; ++r)
      lengths[first + r] =
          std::max(0.0, std::inner_product(&sums[r * depth], &sums[r * depth] + depth,
                                           &numbers[r * depth], 0.0));
  });
  return lengths;
}

static void copyRow(const Codes &from, Codes &to, int64_t row) {
  auto copy = [&](const auto &source, auto &target, int64_t perRow) {
    std::copy_n(source.begin() + row * perRow, source.empty() ? 0 : perRow,
                target.begin() + row * perRow);
  };
  copy(from.codes, to.codes, from.depth);
  copy(from.scales, to.scales, from.groupsPerRow);
  copy(from.zeros, to.zeros, from.zeros.empty() ? 0 : from.groupsPerRow);
}

Expected<Codes> quantize::quantizeWithInputs(const Scheme &scheme, ArrayRef<float> values,
                                             int64_t rows, const Gram &gram,
                                             llvm::function_ref<float(float)> roundScale,
                                             std::vector<MethodErrors> &errors) {
  int64_t depth = gram.depth;
  if (llvm::Error error = checkFinite(values, depth))
    return std::move(error);
  for (double product : gram.values)
    if (!std::isfinite(product))
      return refuse("its inputs, as calibrated, are not finite or too large");
  std::vector<double> whole = measureOutputs(
      gram, rows, [&](int64_t row, int64_t i) { return double(values[row * depth + i]); });
  double allOutputs = std::accumulate(whole.begin(), whole.end(), 0.0);

  Codes best;
  std::vector<double> bestLengths;
  for (Method method : {Method::RoundToNearest, Method::LeastSquares, Method::Gptq}) {
    if (method > scheme.method)
      break;
    Scheme tried = scheme;
    tried.method = method;
    Codes codes(tried, rows, depth);
    if (method == Method::Gptq) {
      Expected<Factor> factor = makeFactor(scheme, gram);
      if (!factor)
        return factor.takeError();
      GroupQuantizer quantizer(tried, roundScale);
      llvm::parallelFor(0, (rows + kRows - 1) / kRows, [&](int64_t chunk) {
        RowQuantizer(tried, quantizer, *factor, values, codes)
            .run(chunk * kRows, std::min(kRows, rows - chunk * kRows));
      });
    } else {
      Expected<Codes> rounded = quantize::quantize(tried, values, rows, depth, roundScale);
      if (!rounded)
        return rounded.takeError();
      codes = std::move(*rounded);
    }
    std::vector<double> lengths = measureOutputs(gram, rows, [&](int64_t row, int64_t i) {
      return double(values[row * depth + i]) - codes.decode(tried, row, i);
    });
    // Weights do not see each other's rows: the better one of each is the better whole.
    if (method == Method::Gptq)
      for (int64_t row = 0; row < rows; ++row)
        if (bestLengths[row] < lengths[row]) {
          copyRow(best, codes, row);
          lengths[row] = bestLengths[row];
        }
    codes.measure(tried, values);
    double outputs = std::accumulate(lengths.begin(), lengths.end(), 0.0);
    errors.push_back({method,
                      codes.squares > 0 ? std::sqrt(codes.squaredErrors / codes.squares) : 0,
                      allOutputs > 0 ? std::sqrt(outputs / allOutputs) : 0});
    if (bestLengths.empty() || method == scheme.method) {
      best = std::move(codes);
      bestLengths = std::move(lengths);
      continue;
    }
    // Only Gptq comes after this: it compares with the better one of both.
    for (int64_t row = 0; row < rows; ++row)
      if (lengths[row] < bestLengths[row]) {
        copyRow(codes, best, row);
        bestLengths[row] = lengths[row];
      }
  }
  best.measure(scheme, values);
  return best;
}
