//===- BenchComparison.cpp - two packages side by side ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BenchRounds.h"

#include "Json.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

namespace sectile::tools {

namespace {

template <typename T>
T medianOf(std::vector<T> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One quantity in both packages.
struct Row {
  std::string_view name;
  double time, otherTime; ///< medians in microseconds
  double ratio;           ///< the other's over this one's, the median over the rounds
};

/// Of what `get` and `getOther` take from a round, in nanoseconds.
template <typename Get, typename GetOther>
Row compare(std::string_view name, const Measurement &measured, const Measurement &other, Get get,
            GetOther getOther) {
  std::vector<double> times, otherTimes, ratios;
  for (size_t i = 0; i < measured.rounds.size(); ++i) {
    auto time = static_cast<double>(std::max<int64_t>(get(measured.rounds[i]), 1));
    auto otherTime = static_cast<double>(getOther(other.rounds[i]));
    times.push_back(time / 1e3);
    otherTimes.push_back(otherTime / 1e3);
    ratios.push_back(otherTime / time);
  }
  return {name, medianOf(times), medianOf(otherTimes), medianOf(ratios)};
}

Row compareTotals(const Measurement &measured, const Measurement &other) {
  auto total = [](const Round &round) { return round.nanoseconds; };
  return compare("total", measured, other, total, total);
}

/// Kernels of the same name that ran, the most expensive first.
std::vector<Row> compareKernels(const Measurement &measured, const Measurement &other) {
  std::map<std::string_view, size_t> others;
  for (size_t k = 0; k < other.model.kernels.size(); ++k)
    others.emplace(other.model.kernels[k].name, k);
  std::vector<Row> rows;
  for (size_t k = 0; k < measured.model.kernels.size(); ++k) {
    const char *name = measured.model.kernels[k].name;
    auto it = others.find(name);
    if (it == others.end() || measured.rounds[0].kernels[k].launches == 0)
      continue;
    auto timeOf = [](size_t kernel) {
      return [kernel](const Round &round) { return round.kernels[kernel].nanoseconds; };
    };
    rows.push_back(compare(name, measured, other, timeOf(k), timeOf(it->second)));
  }
  std::sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) {
    return a.time != b.time ? a.time > b.time : a.name < b.name;
  });
  return rows;
}

} // namespace

void printComparison(const Measurement &measured, const Measurement &other) {
  const Model &model = measured.model;
  std::vector<Row> rows = compareKernels(measured, other);
  rows.push_back(compareTotals(measured, other));
  int width = 6;
  for (const Row &row : rows)
    width = std::max(width, static_cast<int>(row.name.size()));
  printf("%s against %s: level %s, %u threads, medians of %zu rounds in turns\n\n",
         model.path().c_str(), other.model.path().c_str(), model.levels[model.info.level].name,
         model.info.threads, measured.rounds.size());
  printf("%-*s  %12s  %12s  %s\n", width, "kernel", "us", "against us", "against / this");
  for (const Row &row : rows)
    printf("%-*.*s  %12.2f  %12.2f  %.2f\n", width, static_cast<int>(row.name.size()),
           row.name.data(), row.time, row.otherTime, row.ratio);
}

std::string makeComparisonJson(const Measurement &measured, const Measurement &other) {
  JsonWriter json;
  auto write = [&](const Row &row) {
    json.key("median_us");
    json.number(row.time, 3);
    json.key("against_median_us");
    json.number(row.otherTime, 3);
    json.key("ratio");
    json.number(row.ratio, 4);
  };
  json.beginObject();
  json.key("package");
  json.string(measured.model.path());
  json.key("against");
  json.string(other.model.path());
  json.key("threads");
  json.integer(measured.model.info.threads);
  json.key("repeat");
  json.unsignedInteger(measured.rounds.size());
  write(compareTotals(measured, other));
  json.key("kernels");
  json.beginArray();
  for (const Row &row : compareKernels(measured, other)) {
    json.beginObject();
    json.key("name");
    json.string(row.name);
    write(row);
    json.endObject();
  }
  json.endArray();
  json.endObject();
  return json.text();
}

} // namespace sectile::tools
