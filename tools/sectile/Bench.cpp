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
    {"device", Option::Value, "DEVICE",
     "cpu, or a GPU: cuda, hip, cuda:N, hip:N. There each launch is waited for, its time is what "
     "the\n"
     "device measured, and a round copies inputs and outputs"},
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

Result<std::vector<Round>> measure(Session &session, Recorder &recorder, size_t numKernels,
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
    Round &round = recorder.round;
    round.kernels.assign(numKernels, {});
    round.launches.clear(); // and keeps their room: no allocation while measuring
    round.begin = now();
    if (Result<Done> done = session.run(); !done)
      return done.failure();
    round.nanoseconds = now() - round.begin;
    if (i >= 0)
      rounds.push_back(round);
  }
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
  Result<Model> model =
      Model::load(std::string(args.positional()), static_cast<uint32_t>(threads->value_or(0)),
                  choice->target, {}, choice->name);
  if (!model)
    return model.failure();

  Recorder recorder;
  recorder.keepsLaunches = args.value("trace").has_value();
  sectile_context_options options = {};
  options.size = sizeof options;
  options.kernel_hook = recordLaunch;
  options.kernel_hook_user = &recorder;
  Result<Session> session =
      Session::open(*model, args.list("input"), args.value("dims"), options, quiet);
  if (!session)
    return session.failure();
  Result<std::vector<Round>> rounds = measure(*session, recorder, model->kernels.size(), *repeat);
  if (!rounds)
    return rounds.failure();

  // Behind the rounds, which its traffic would disturb.
  Measurement measured = {*model, std::move(*rounds), {}};
  std::optional<std::string_view> json = args.value("json"), trace = args.value("trace");
  if (!quiet || json || trace)
    measured.rates = MachineRates::measure(model->info.threads);
  if (!quiet)
    printTable(measured);
  OutputFiles files;
  if (json)
    if (Result<Done> written = files.write(std::string(*json), makeJson(measured)); !written)
      return written;
  if (trace)
    if (Result<Done> written = files.write(std::string(*trace), makeTrace(measured)); !written)
      return written;
  return files.commit();
}

} // namespace

int benchMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    Result<Done> done = bench(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
