//===- Bench.cpp - sectile bench --------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "Files.h"
#include "Json.h"
#include "Model.h"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <string>

namespace sectile::tools {

namespace {

constexpr int64_t kLeastRounds = 20;
constexpr int64_t kMostRounds = 1000;
constexpr int64_t kMeasureNanoseconds = 2'000'000'000;
constexpr int64_t kWarmUpRounds = 2;

constexpr Option kOptions[] = {
    {"repeat", Option::Value, "N",
     "rounds to measure (default: what fits into 2 seconds, 20 to 1000)"},
    {"input", Option::List, "NAME=SOURCE", "as in 'sectile run'"},
    {"dims", Option::Value, "NAME=N,...", "sizes of dynamic dimensions for random inputs"},
    {"threads", Option::Value, "N",
     "threads to use (default: $SECTILE_NUM_THREADS, else the allowed CPUs)"},
    {"device", Option::Value, "cpu", "where to run"},
    {"json", Option::Value, "FILE", "also write the measurements to FILE"},
    {"quiet", Option::Flag, nullptr, "print no table"},
    {"trace", Option::Planned, nullptr, nullptr},
};

constexpr Syntax kSyntax = {
    "bench", "Runs a package many times and prints where the time of the median round went.",
    "PACKAGE", kOptions};

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// What one kernel did in one round.
struct KernelRound {
  int64_t nanoseconds = 0;
  int64_t launches = 0;
  int64_t bytes = 0;
  int64_t operations = 0;
};

/// One round of the model.
struct Round {
  int64_t nanoseconds = 0;
  std::vector<KernelRound> kernels;

  int64_t hostNanoseconds() const {
    int64_t rest = nanoseconds;
    for (const KernelRound &kernel : kernels)
      rest -= kernel.nanoseconds;
    return rest;
  }
};

void recordLaunch(void *user, const sectile_kernel_event *event) {
  KernelRound &kernel = static_cast<Round *>(user)->kernels[event->kernel];
  kernel.nanoseconds += event->duration_ns;
  kernel.launches += 1;
  kernel.bytes += event->bytes;
  kernel.operations += event->operations;
}

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
  double microseconds(int percent) const {
    size_t rank = (sorted.size() * static_cast<size_t>(percent) + 99) / 100;
    return static_cast<double>(sorted[std::max<size_t>(rank, 1) - 1]) / 1e3;
  }

private:
  std::vector<int64_t> sorted;
};

void writeStatistics(JsonWriter &json, const Samples &samples) {
  json.key("median_us");
  json.number(samples.microseconds(50), 3);
  json.key("p90_us");
  json.number(samples.microseconds(90), 3);
  json.key("min_us");
  json.number(samples.microseconds(0), 3);
}

std::string makeJson(const Model &model, const std::vector<Round> &rounds) {
  Samples totals(rounds, [](const Round &round) { return round.nanoseconds; });
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
  writeStatistics(json, totals);
  json.key("host_us");
  json.number(hosts.microseconds(50), 3);
  json.key("kernels");
  json.beginArray();
  for (size_t k = 0; k < model.kernels.size(); ++k) {
    const KernelRound &last = rounds.back().kernels[k];
    json.beginObject();
    json.key("name");
    json.string(model.kernels[k].name);
    json.key("nodes");
    json.string(model.kernels[k].nodes);
    json.key("launches");
    json.integer(last.launches);
    writeStatistics(
        json, Samples(rounds, [&](const Round &round) { return round.kernels[k].nanoseconds; }));
    json.key("bytes");
    json.integer(last.bytes);
    json.key("operations");
    json.integer(last.operations);
    json.endObject();
  }
  json.endArray();
  json.endObject();
  return json.text();
}

/// Prints the round with the median total: its kernels, most expensive first, and
/// the host program sum to the total.
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

void printTable(const Model &model, const std::vector<Round> &rounds) {
  Samples totals(rounds, [](const Round &round) { return round.nanoseconds; });
  double median = totals.microseconds(50);
  const Round *shown = &rounds[0];
  for (const Round &round : rounds)
    if (static_cast<double>(round.nanoseconds) / 1e3 == median)
      shown = &round;

  std::vector<size_t> order;
  int width = 6;
  for (size_t k = 0; k < model.kernels.size(); ++k)
    if (shown->kernels[k].launches > 0) {
      order.push_back(k);
      width = std::max(width, static_cast<int>(std::string_view(model.kernels[k].name).size()));
    }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    int64_t timeA = shown->kernels[a].nanoseconds, timeB = shown->kernels[b].nanoseconds;
    return timeA != timeB ? timeA > timeB : a < b;
  });

  auto row = [&](const char *name, int64_t launches, int64_t nanoseconds) {
    double share =
        shown->nanoseconds > 0 ? 100.0 * double(nanoseconds) / double(shown->nanoseconds) : 0;
    printf("%-*s  %8" PRId64 "  %12.2f  %5.1f%%", width, name, launches, double(nanoseconds) / 1e3,
           share);
  };
  printf("%s: %s, level %s, %u threads, %zu rounds\n", model.path().c_str(), model.info.model_name,
         model.levels[model.info.level].name, model.info.threads, rounds.size());
  printf("median %.2f us, 90%% %.2f us, min %.2f us; the median round:\n\n", median,
         totals.microseconds(90), totals.microseconds(0));
  printf("%-*s  %8s  %12s  %6s  %8s  %8s  %s\n", width, "kernel", "launches", "us", "share", "GB/s",
         "GFLOP/s", "nodes");
  int64_t launches = 0;
  for (size_t k : order) {
    const KernelRound &kernel = shown->kernels[k];
    row(model.kernels[k].name, kernel.launches, kernel.nanoseconds);
    // Bytes and operations per nanosecond are GB/s and GFLOP/s.
    double time = double(std::max<int64_t>(kernel.nanoseconds, 1));
    printf("  %8.2f  %8.2f  %s\n", double(kernel.bytes) / time, double(kernel.operations) / time,
           shorten(model.kernels[k].nodes).c_str());
    launches += kernel.launches;
  }
  row("host", 0, shown->hostNanoseconds());
  printf("\n");
  row("total", launches, shown->nanoseconds);
  printf("\n");
}

Result<std::vector<Round>> measure(Session &session, Round &current, size_t numKernels,
                                   std::optional<int64_t> repeat) {
  std::vector<Round> rounds;
  int64_t begin = now();
  for (int64_t i = -kWarmUpRounds;; ++i) {
    if (i == 0)
      begin = now();
    bool enough =
        repeat ? i >= *repeat
               : i >= kMostRounds || (i >= kLeastRounds && now() - begin >= kMeasureNanoseconds);
    if (enough)
      return rounds;
    current.kernels.assign(numKernels, {});
    int64_t start = now();
    if (Result<Done> done = session.run(); !done)
      return done.failure();
    current.nanoseconds = now() - start;
    if (i >= 0)
      rounds.push_back(current);
  }
}

Result<Done> bench(const Args &args) {
  if (Result<Done> device = checkDevice(args); !device)
    return device.failure();
  Result<std::optional<int64_t>> threads = args.number("threads", 1, 1024);
  if (!threads)
    return threads.failure();
  Result<std::optional<int64_t>> repeat = args.number("repeat", 1, 10'000'000);
  if (!repeat)
    return repeat.failure();
  bool quiet = args.has("quiet");
  Result<Model> model =
      Model::load(std::string(args.positional()), static_cast<uint32_t>(threads->value_or(0)));
  if (!model)
    return model.failure();

  Round current;
  sectile_context_options options = {};
  options.size = sizeof options;
  options.kernel_hook = recordLaunch;
  options.kernel_hook_user = &current;
  Result<Session> session =
      Session::open(*model, args.list("input"), args.value("dims"), options, quiet);
  if (!session)
    return session.failure();
  Result<std::vector<Round>> rounds = measure(*session, current, model->kernels.size(), *repeat);
  if (!rounds)
    return rounds.failure();

  if (!quiet)
    printTable(*model, *rounds);
  if (std::optional<std::string_view> file = args.value("json")) {
    OutputFiles files;
    if (Result<Done> written = files.write(std::string(*file), makeJson(*model, *rounds)); !written)
      return written;
    return files.commit();
  }
  return Done{};
}

} // namespace

int benchMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    Result<Done> done = bench(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
