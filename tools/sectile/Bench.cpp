//===- Bench.cpp - sectile bench --------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "BenchRounds.h"
#include "Clock.h"
#include "Device.h"
#include "Files.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

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
    {"device", Option::Value, "DEVICE",
     "cpu, or a GPU: cuda, hip, cuda:N, hip:N. There each launch is waited for, its time is what "
     "the\n"
     "device measured, and a round copies inputs and outputs"},
    {"against", Option::Value, "OTHER",
     "runs package OTHER, of the same inputs, in turns with it, and prints\n"
     "both times of each kernel that both call the same, and the median of\n"
     "the rounds' ratios"},
    {"json", Option::Value, "FILE", "also write the measurements to FILE"},
    {"quiet", Option::Flag, nullptr, "print no table"},
    {"trace", Option::Value, "FILE",
     "also write the launches of the median round to FILE, for Perfetto or chrome://tracing"},
};

constexpr Syntax kSyntax = {
    "bench",
    "Runs a package many times and prints where the time of the median round went, beside the time "
    "that the machine's measured rates allow.",
    "PACKAGE", kOptions};

/// The round that is being measured, and what is kept of it.
struct Recorder {
  Round round;
  bool keepsLaunches = false;
};

void recordLaunch(void *user, const sectile_kernel_event *event) {
  auto &recorder = *static_cast<Recorder *>(user);
  KernelRound &kernel = recorder.round.kernels[event->kernel];
  kernel.nanoseconds += event->duration_ns;
  kernel.launches += 1;
  kernel.bytes += event->bytes;
  kernel.operations += event->operations;
  if (recorder.keepsLaunches)
    recorder.round.launches.push_back(*event);
}

/// A package that is measured, and its rounds.
struct Contestant {
  std::unique_ptr<Model> model; // which the session points to
  std::unique_ptr<Recorder> recorder;
  Session session;
  std::vector<Round> rounds;
};

Result<Contestant> openContestant(const Args &args, std::string_view path, int64_t threads,
                                  const DeviceChoice &choice, bool quiet) {
  Result<Model> loaded = Model::load(std::string(path), static_cast<uint32_t>(threads),
                                     choice.target, {}, choice.name);
  if (!loaded)
    return loaded.failure();
  auto model = std::make_unique<Model>(std::move(*loaded));
  auto recorder = std::make_unique<Recorder>();
  recorder->keepsLaunches = args.value("trace").has_value();
  sectile_context_options options = {};
  options.size = sizeof options;
  options.kernel_hook = recordLaunch;
  options.kernel_hook_user = recorder.get();
  Result<Session> session =
      Session::open(*model, args.list("input"), args.value("dims"), options, quiet);
  if (!session)
    return session.failure();
  return Contestant{std::move(model), std::move(recorder), std::move(*session), {}};
}

Result<Done> runOnce(Contestant &contestant) {
  Round &round = contestant.recorder->round;
  round.kernels.assign(contestant.model->kernels.size(), {});
  round.launches.clear(); // and keeps their room: no allocation while measuring
  round.begin = now();
  if (Result<Done> done = contestant.session.run(); !done)
    return done.failure();
  round.nanoseconds = now() - round.begin;
  return Done{};
}

/// Rounds in which each contestant runs once, one after the other: who comes first changes from
/// round to round, since it finds in the caches what the last one left.
Result<Done> measure(std::vector<Contestant> &contestants, std::optional<int64_t> repeat) {
  int64_t begin = now();
  for (int64_t i = -kWarmUpRounds;; ++i) {
    if (i == 0)
      begin = now();
    bool enough =
        repeat ? i >= *repeat
               : i >= kMostRounds || (i >= kLeastRounds && now() - begin >= kMeasureNanoseconds);
    if (enough)
      return Done{};
    for (size_t turn = 0; turn < contestants.size(); ++turn) {
      bool isReversed = i % 2 != 0;
      Contestant &contestant = contestants[isReversed ? contestants.size() - 1 - turn : turn];
      if (Result<Done> done = runOnce(contestant); !done)
        return done;
      if (i >= 0)
        contestant.rounds.push_back(contestant.recorder->round);
    }
  }
}

/// Writes the files that were asked for, all or none.
Result<Done> writeFiles(const Args &args, const std::function<std::string()> &makeJsonText,
                        const std::function<std::string()> &makeTraceText) {
  OutputFiles files;
  if (std::optional<std::string_view> json = args.value("json"))
    if (Result<Done> written = files.write(std::string(*json), makeJsonText()); !written)
      return written;
  if (std::optional<std::string_view> trace = args.value("trace"))
    if (Result<Done> written = files.write(std::string(*trace), makeTraceText()); !written)
      return written;
  return files.commit();
}

Result<Done> bench(const Args &args) {
  Result<DeviceChoice> choice = chooseDevice(args, /*emulates=*/false);
  if (!choice)
    return choice.failure();
  Result<std::optional<int64_t>> threads = args.number("threads", 1, 1024);
  if (!threads)
    return threads.failure();
  Result<std::optional<int64_t>> repeat = args.number("repeat", 1, 10'000'000);
  if (!repeat)
    return repeat.failure();
  bool quiet = args.has("quiet");
  std::vector<std::string_view> paths = {args.positional()};
  if (std::optional<std::string_view> other = args.value("against")) {
    if (args.has("trace"))
      return failure(kUsage, "a trace is of one package: --trace goes without --against");
    paths.push_back(*other);
  }
  std::vector<Contestant> contestants;
  for (std::string_view path : paths) {
    Result<Contestant> contestant =
        openContestant(args, path, threads->value_or(0), *choice, quiet || !contestants.empty());
    if (!contestant)
      return contestant.failure();
    contestants.push_back(std::move(*contestant));
  }
  if (Result<Done> measured = measure(contestants, *repeat); !measured)
    return measured;

  Measurement measured = {*contestants[0].model, std::move(contestants[0].rounds), {}};
  if (contestants.size() > 1) {
    Measurement other = {*contestants[1].model, std::move(contestants[1].rounds), {}};
    if (!quiet)
      printComparison(measured, other);
    return writeFiles(args, [&] { return makeComparisonJson(measured, other); }, {});
  }
  // Behind the rounds, which its traffic would disturb.
  if (!quiet || args.has("json") || args.has("trace"))
    measured.rates = MachineRates::measure(measured.model.info.threads);
  if (!quiet)
    printTable(measured);
  return writeFiles(args, [&] { return makeJson(measured); }, [&] { return makeTrace(measured); });
}

} // namespace

int benchMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    Result<Done> done = bench(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
