//===- QuantizeWeights.cpp - codes and scales of a matrix -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "GroupQuantizer.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cmath>

using namespace sectile;
using namespace sectile::quantize;
using formats::Format;
using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;

static llvm::Error refuse(const llvm::Twine &why) { return llvm::createStringError(why); }

Expected<Scheme> Scheme::parse(StringRef text) {
  // A codebook's entries have commas of their own.
  size_t end = text.starts_with("codebook[") ? text.find(']') : text.find(',');
  if (text.starts_with("codebook[") && end != StringRef::npos)
    ++end;
  formats::Result<Format> format = Format::parse(std::string_view(text.take_front(end)));
  if (!format)
    return refuse("expects a number format: " + format.getMessage());
  if (format->getBits() > 8 || format->getDimension() != 1)
    return refuse("expects a format of at most 8 bits and of one number per code, but got '" +
                  text.take_front(end) + "'");
  Scheme scheme{*format};
  llvm::SmallVector<StringRef> words;
  StringRef rest = text.drop_front(std::min(end, text.size()));
  rest.consume_front(",");
  rest.split(words, ',', -1, /*KeepEmpty=*/false);
  for (StringRef word : words) {
    if (word == "zero") {
      scheme.hasZeroPoint = true;
    } else if (word.consume_front("group=")) {
      if (word != "channel" && (word.getAsInteger(10, scheme.group) || scheme.group < 1 ||
                                scheme.group > (int64_t(1) << 30)))
        return refuse("expects group to be 'channel' or a number from 1 to 2^30, but got '" + word +
                      "'");
    } else {
      return refuse("expects FORMAT[,group=N][,zero], but got '" + word + "'");
    }
  }
  if (scheme.hasZeroPoint && !scheme.format.isInteger())
    return refuse("expects a format of consecutive integers for zero points, but got '" +
                  scheme.format.print() + "'");
  if (!scheme.hasZeroPoint && scheme.format.getLowest() >= 0)
    return refuse("'" + scheme.format.print() +
                  "' has no negative numbers: expects zero points (FORMAT,zero)");
  return scheme;
}

StringRef quantize::getName(Method method) {
  switch (method) {
  case Method::RoundToNearest:
    return "rtn";
  case Method::LeastSquares:
    return "mse";
  case Method::Gptq:
    return "gptq";
  }
  return "";
}

llvm::Error Scheme::setMethod(StringRef text) {
  auto [name, rest] = text.split(',');
  bool isKnown = false;
  for (Method known : {Method::RoundToNearest, Method::LeastSquares, Method::Gptq})
    if (name == getName(known)) {
      method = known;
      isKnown = true;
    }
  if (!isKnown)
    return refuse("expects --method to be rtn, mse or gptq, but got '" + name + "'");
  llvm::SmallVector<StringRef> words;
  rest.split(words, ',', -1, /*KeepEmpty=*/false);
  for (StringRef word : words) {
    if (method != Method::Gptq)
      return refuse("--method=" + name + " has no options, but got '" + word + "'");
    if (word == "order")
      hasActivationOrder = true;
    else if (word == "sequential")
      isSequential = true;
    else if (!word.consume_front("damp=") || word.getAsDouble(damping) || !(damping > 0) ||
             !(damping <= 1))
      return refuse("expects --method=gptq[,order][,sequential][,damp=D] with D above 0 and at "
                    "most 1, but got '" +
                    word + "'");
  }
  return llvm::Error::success();
}

llvm::Error quantize::checkFinite(ArrayRef<float> values, int64_t depth) {
  for (auto [i, value] : llvm::enumerate(values))
    if (!std::isfinite(value))
      return refuse("expects finite numbers, but got " + llvm::Twine(std::to_string(value)) +
                    " in column " + llvm::Twine(i / depth) + ", row " + llvm::Twine(i % depth));
  return llvm::Error::success();
}

Expected<Codes> quantize::quantize(const Scheme &scheme, ArrayRef<float> values, int64_t rows,
                                   int64_t depth, llvm::function_ref<float(float)> roundScale) {
  if (llvm::Error error = checkFinite(values, depth))
    return std::move(error);
  Codes result(scheme, rows, depth);
  int64_t group = result.getGroupLength(scheme);
  GroupQuantizer quantizer(scheme, roundScale);
  // Rows know nothing of each other: in any order, with the same result.
  llvm::parallelFor(0, rows, [&](int64_t row) {
    for (int64_t start = 0, index = row * result.groupsPerRow; start < depth;
         start += group, ++index) {
      int64_t first = row * depth + start, count = std::min(group, depth - start);
      ArrayRef<float> part = values.slice(first, count);
      GroupScale found = quantizer.find(part, scheme.method);
      result.scales[index] = found.scale;
      if (scheme.hasZeroPoint)
        result.zeros[index] = quantizer.encodeZero(found);
      for (int64_t i = 0; i < count; ++i)
        result.codes[first + i] = quantizer.encode(found, part[i]);
    }
  });
  result.measure(scheme, values);
  return result;
}

Codes::Codes(const Scheme &scheme, int64_t rows, int64_t depth) : rows(rows), depth(depth) {
  groupsPerRow = (depth + getGroupLength(scheme) - 1) / getGroupLength(scheme);
  codes.resize(rows * depth);
  scales.resize(rows * groupsPerRow);
  if (scheme.hasZeroPoint)
    zeros.resize(scales.size());
}

int64_t Codes::getGroupLength(const Scheme &scheme) const {
  return scheme.group == 0 ? std::max<int64_t>(depth, 1) : scheme.group;
}

double Codes::decode(const Scheme &scheme, int64_t row, int64_t column) const {
  int64_t index = row * groupsPerRow + column / getGroupLength(scheme);
  double zero = !zeros.empty()        ? scheme.format.decode(zeros[index])
                : !floatZeros.empty() ? floatZeros[index]
                                      : 0;
  return (scheme.format.decode(codes[row * depth + column]) - zero) * scales[index];
}

void Codes::measure(const Scheme &scheme, ArrayRef<float> values) {
  squares = squaredErrors = largestError = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < depth; ++i) {
      double value = values[row * depth + i], error = std::fabs(decode(scheme, row, i) - value);
      squares += value * value;
      squaredErrors += error * error;
      largestError = std::max(largestError, error);
    }
}
