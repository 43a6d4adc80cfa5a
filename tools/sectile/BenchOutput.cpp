//===- BenchOutput.cpp - measurements as a table, JSON, a trace -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BenchRounds.h"

#include "Json.h"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace sectile::tools {

namespace {

constexpr double kMicrosecond = 1e3; // in nanoseconds

/// Sorted samples of one quantity. Percentiles are samples (nearest rank), so the
/// median is the time of a round that took place.
class Samples {
public:
  template <typename Get>
  Samples(const std::vector<Round> &rounds, Get get) {
    for (const Round &round : rounds)
      sorted.push_back(get(round));
    std::sort(sorted.begin(), sorted.end());
  }
  int64_t nanoseconds(int percent) const {
    size_t rank = (sorted.size() * static_cast<size_t>(percent) + 99) / 100;
    return sorted[std::max<size_t>(rank, 1) - 1];
  }
  double microseconds(int percent) const { return double(nanoseconds(percent)) / kMicrosecond; }

private:
  std::vector<int64_t> sorted;
};

Samples totalsOf(const std::vector<Round> &rounds) {
  return {rounds, [](const Round &round) { return round.nanoseconds; }};
}

void writeTime(JsonWriter &json, std::string_view key, double nanoseconds) {
  json.key(key);
  json.number(nanoseconds / kMicrosecond, 3);
}

void writeStatistics(JsonWriter &json, const Samples &samples) {
  writeTime(json, "median_us", double(samples.nanoseconds(50)));
  writeTime(json, "p90_us", double(samples.nanoseconds(90)));
  writeTime(json, "min_us", double(samples.nanoseconds(0)));
}

/// The least time that a kernel of the round can take, and why.
const char *nameOf(const Bound &bound) { return bound.byMemory ? "memory" : "arithmetic"; }

void writeBound(JsonWriter &json, const Bound &bound) {
  writeTime(json, "bound_us", bound.nanoseconds);
  json.key("bound");
  json.string(nameOf(bound));
}

Bound boundOf(const MachineRates &rates, const KernelRound &kernel) {
  if (kernel.launches == 0)
    return {};
  // Of a launch, since each one moves its operands: they decide which cache holds them.
  Bound bound = rates.boundOf(kernel.bytes / kernel.launches, kernel.operations / kernel.launches);
  bound.nanoseconds *= double(kernel.launches);
  return bound;
}

/// The first of a list of nodes, and how many others there are: a table holds a line for a kernel.
std::string shorten(const std::string &nodes) {
  constexpr std::ptrdiff_t kShown = 3;
  std::ptrdiff_t others = std::count(nodes.begin(), nodes.end(), ',') + 1 - kShown;
  if (others <= 1)
    return nodes;
  size_t end = 0;
  for (std::ptrdiff_t i = 0; i < kShown; ++i)
    end = nodes.find(',', end + (i != 0));
  return nodes.substr(0, end) + " and " + std::to_string(others) + " more";
}

/// Numbers of the kernels that the round launched, most expensive first.
std::vector<size_t> orderByTime(const Round &round) {
  std::vector<size_t> order;
  for (size_t k = 0; k < round.kernels.size(); ++k)
    if (round.kernels[k].launches > 0)
      order.push_back(k);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return round.kernels[a].nanoseconds > round.kernels[b].nanoseconds;
  });
  return order;
}

/// One slice of a track, as wide as what it stands for.
void beginSlice(JsonWriter &json, std::string_view name, int track, double begin, double duration) {
  json.beginObject();
  json.key("name");
  json.string(name);
  json.key("ph");
  json.string("X");
  json.key("pid");
  json.integer(1);
  json.key("tid");
  json.integer(track);
  writeTime(json, "ts", begin);
  writeTime(json, "dur", duration);
}

void writeTrackName(JsonWriter &json, const char *kind, int track, std::string_view name) {
  json.beginObject();
  json.key("name");
  json.string(kind);
  json.key("ph");
  json.string("M");
  json.key("pid");
  json.integer(1);
  json.key("tid");
  json.integer(track);
  json.key("args");
  json.beginObject();
  json.key("name");
  json.string(name);
  json.endObject();
  json.endObject();
}

} // namespace

int64_t Round::hostNanoseconds() const {
  int64_t rest = nanoseconds;
  for (const KernelRound &kernel : kernels)
    rest -= kernel.nanoseconds;
  return rest;
}

const Round &Measurement::medianRound() const {
  int64_t median = totalsOf(rounds).nanoseconds(50);
  return *std::find_if(rounds.begin(), rounds.end(),
                       [&](const Round &round) { return round.nanoseconds == median; });
}

std::string makeJson(const Measurement &measured) {
  const Model &model = measured.model;
  const std::vector<Round> &rounds = measured.rounds;
  const Round &shown = measured.medianRound();
  Samples hosts(rounds, [](const Round &round) { return round.hostNanoseconds(); });
  JsonWriter json;
  json.beginObject();
  json.key("package");
  json.string(model.path());
  json.key("model");
  json.string(model.info.model_name);
  json.key("target");
  json.string(model.info.target);
  json.key("level");
  json.string(model.levels[model.info.level].name);
  json.key("threads");
  json.integer(model.info.threads);
  json.key("repeat");
  json.unsignedInteger(rounds.size());
  writeStatistics(json, totalsOf(rounds));
  json.key("host_us");
  json.number(hosts.microseconds(50), 3);
  // Medians of parts do not sum to the median of the whole; the parts of one round do.
  json.key("run");
  json.beginObject();
  json.key("round");
  json.integer(&shown - rounds.data());
  writeTime(json, "total_us", double(shown.nanoseconds));
  writeTime(json, "host_us", double(shown.hostNanoseconds()));
  json.endObject();
  json.key("machine");
  json.beginObject();
  json.key("gflops");
  json.number(measured.rates.operationsPerNanosecond, 1);
  json.key("read");
  json.beginArray();
  for (const MachineRates::Reading &reading : measured.rates.readings) {
    json.beginObject();
    json.key("bytes");
    json.integer(reading.bytes);
    json.key("gbps");
    json.number(reading.bytesPerNanosecond, 1);
    json.endObject();
  }
  json.endArray();
  json.endObject();
  json.key("kernels");
  json.beginArray();
  for (size_t k = 0; k < model.kernels.size(); ++k) {
    const KernelRound &kernel = shown.kernels[k];
    json.beginObject();
    json.key("name");
    json.string(model.kernels[k].name);
    json.key("nodes");
    json.string(model.kernels[k].nodes);
    json.key("shapes");
    json.string(model.kernels[k].description);
    json.key("launches");
    json.integer(kernel.launches);
    writeStatistics(
        json, Samples(rounds, [&](const Round &round) { return round.kernels[k].nanoseconds; }));
    writeTime(json, "run_us", double(kernel.nanoseconds));
    json.key("bytes");
    json.integer(kernel.bytes);
    json.key("operations");
    json.integer(kernel.operations);
    writeBound(json, boundOf(measured.rates, kernel));
    json.endObject();
  }
  json.endArray();
  json.endObject();
  return json.text();
}

std::string makeTrace(const Measurement &measured) {
  constexpr int kKernels = 1, kHost = 2;
  const Model &model = measured.model;
  const Round &shown = measured.medianRound();
  JsonWriter json;
  json.beginObject();
  json.key("displayTimeUnit");
  json.string("ns");
  json.key("traceEvents");
  json.beginArray();
  writeTrackName(json, "process_name", kKernels, model.info.model_name);
  writeTrackName(json, "thread_name", kKernels, "kernels");
  writeTrackName(json, "thread_name", kHost, "host");
  int64_t end = 0; // of what has been written, from the beginning of the round
  auto writeHost = [&](int64_t until) {
    if (until > end) {
      beginSlice(json, "host", kHost, double(end), double(until - end));
      json.endObject();
    }
  };
  for (const sectile_kernel_event &event : shown.launches) {
    const sectile_kernel_info &kernel = model.kernels[event.kernel];
    int64_t begin = event.begin_ns - shown.begin;
    writeHost(begin);
    beginSlice(json, kernel.name, kKernels, double(begin), double(event.duration_ns));
    json.key("args");
    json.beginObject();
    json.key("nodes");
    json.string(kernel.nodes);
    json.key("shapes");
    json.string(kernel.description);
    json.key("threads");
    json.integer(event.threads);
    json.key("blocks");
    json.integer(event.blocks);
    json.key("bytes");
    json.integer(event.bytes);
    json.key("operations");
    json.integer(event.operations);
    writeBound(json, measured.rates.boundOf(event.bytes, event.operations));
    json.endObject();
    json.endObject();
    end = begin + event.duration_ns;
  }
  writeHost(shown.nanoseconds);
  json.endArray();
  json.endObject();
  return json.text();
}

void printTable(const Measurement &measured) {
  const Model &model = measured.model;
  const Round &shown = measured.medianRound();
  std::vector<size_t> order = orderByTime(shown);
  int width = 6;
  for (size_t k : order)
    width = std::max(width, static_cast<int>(std::string_view(model.kernels[k].name).size()));

  auto row = [&](const char *name, int64_t launches, int64_t nanoseconds) {
    double share =
        shown.nanoseconds > 0 ? 100.0 * double(nanoseconds) / double(shown.nanoseconds) : 0;
    printf("%-*s  %8" PRId64 "  %12.2f  %5.1f%%", width, name, launches,
           double(nanoseconds) / kMicrosecond, share);
  };
  Samples totals = totalsOf(measured.rounds);
  printf("%s: %s, level %s, %u threads, %zu rounds\n", model.path().c_str(), model.info.model_name,
         model.levels[model.info.level].name, model.info.threads, measured.rounds.size());
  printf("median %.2f us, 90%% %.2f us, min %.2f us; the median round:\n\n",
         totals.microseconds(50), totals.microseconds(90), totals.microseconds(0));
  printf("%-*s  %8s  %12s  %6s  %8s  %8s  %18s  %s\n", width, "kernel", "launches", "us", "share",
         "GB/s", "GFLOP/s", "of bound", "nodes");
  int64_t launches = 0;
  for (size_t k : order) {
    const KernelRound &kernel = shown.kernels[k];
    row(model.kernels[k].name, kernel.launches, kernel.nanoseconds);
    // Bytes and operations per nanosecond are GB/s and GFLOP/s.
    double time = double(std::max<int64_t>(kernel.nanoseconds, 1));
    Bound bound = boundOf(measured.rates, kernel);
    printf("  %8.2f  %8.2f  %5.0f%% of %-10s  %s\n", double(kernel.bytes) / time,
           double(kernel.operations) / time, 100.0 * bound.nanoseconds / time, nameOf(bound),
           shorten(model.kernels[k].nodes).c_str());
    launches += kernel.launches;
  }
  row("host", 0, shown.hostNanoseconds());
  printf("\n");
  row("total", launches, shown.nanoseconds);
  printf("\n\nbounds of this machine, %u threads: %.0f GFLOP/s; reads at", model.info.threads,
         measured.rates.operationsPerNanosecond);
  for (const MachineRates::Reading &reading : measured.rates.readings)
    printf("%s %.0f GB/s from %" PRId64 " KiB",
           &reading == measured.rates.readings.data() ? "" : ",", reading.bytesPerNanosecond,
           reading.bytes >> 10);
  printf("\n");
}

} // namespace sectile::tools
