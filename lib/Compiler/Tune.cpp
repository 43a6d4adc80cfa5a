//===- Tune.cpp - the search for schedules ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Coordinate descent, of all kernels at a time. A round compiles the model with one untried
// schedule for each kernel, and runs it in turns with the best one so far; each kernel keeps what
// was faster. Who wins by luck in one round loses in the last: there the outcome runs against what
// the cost model had chosen, and kernels that are not faster get that back.
//
//===----------------------------------------------------------------------===//

#include "Tune.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Conversion/ChooseSchedule.h"
#include "sectile/Conversion/GraphToTile.h"
#include "sectile/Report/Remarks.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

using namespace mlir;
using namespace sectile;

namespace {

/// Part of a run below which a kernel is not worth a search.
constexpr double kLeastShare = 0.005;
/// What a schedule must gain to take another's place, beside what the same code differs by from
/// itself.
constexpr double kLeastGain = 0.03;
/// Microseconds of a comparison, and its rounds.
constexpr double kMeasureMicroseconds = 3e5;
constexpr unsigned kLeastRounds = 7, kMostRounds = 200;

/// What a kernel's search has seen.
struct Search {
  graph::KernelOp kernel;
  StringRef name;
  tile::ScheduleAttr first, best; ///< the model's, the fastest
  ScheduleLimits limits;          ///< of `best`
  SmallVector<tile::ScheduleAttr> tried;
  unsigned nextMove = 0;
  /// Whether a move of this pass over all of them was an improvement.
  bool hasImproved = false;
  double noise = 0; ///< what the same code differed by from itself
  double gain = 1;  ///< time of `best` as a part of that of `first`, at the end

  // The schedule of the round.
  tile::ScheduleAttr trial;
  ScheduleLimits trialLimits;
};

/// A change of one number of a schedule.
using Move = void (*)(ScheduleLimits &);
template <int64_t N>
void setVectors(ScheduleLimits &limits) {
  limits.vectors = N;
}
template <int64_t N>
void setRows(ScheduleLimits &limits) {
  limits.rows = N;
}
template <int Numerator, int Denominator>
void scaleBlocks(ScheduleLimits &limits) {
  limits.blockScale *= double(Numerator) / Denominator;
}
constexpr Move kMoves[] = {
    scaleBlocks<1, 2>, scaleBlocks<2, 1>, setVectors<1>,     setVectors<2>,    setVectors<3>,
    setVectors<4>,     setRows<14>,       setRows<12>,       setRows<8>,       setRows<6>,
    setRows<5>,        setRows<4>,        setRows<3>,        setRows<2>,       setRows<1>,
    scaleBlocks<1, 4>, scaleBlocks<4, 1>, scaleBlocks<1, 2>, scaleBlocks<2, 1>};

class Tuner {
  using Clock = TuningOptions::Clock;

public:
  Tuner(const GraphToTilePassOptions &options, const TuningOptions &tuning, unsigned buildsLeft,
        StringRef folder, function_ref<LogicalResult(const Schedules &, StringRef)> build)
      : options(options), tuning(tuning), buildsLeft(buildsLeft), deadline(tuning.deadline),
        folder(folder), build(build) {}

  Schedules run(ModuleOp module) {
    listen(false);
    search(module);
    listen(true);
    for (const Search &search : searches)
      if (search.best != search.first)
        report(search);
    if (tuning.summary)
      *tuning.summary = summary;
    return getChanged();
  }

private:
  void search(ModuleOp module) {
    Clock::time_point begin = Clock::now();
    if (begin > deadline || failed(collect(module)))
      return;
    const std::string original = pathOf("first"), best = pathOf("best"), trial = pathOf("trial");
    if (failed(build({}, original)))
      return fail("a package to be measured cannot be made");
    deadline -= buildsLeft * (Clock::now() - begin);
    // The same against itself: what counts, and what is noise.
    std::optional<ComparedTimes> times = compare(original, original, kLeastRounds);
    if (!times)
      return;
    Clock::duration lastRound = Clock::now() - begin;
    double total = std::max(times->total.time, 1.0);
    auto rounds = static_cast<unsigned>(
        std::clamp<double>(kMeasureMicroseconds / total, kLeastRounds, kMostRounds));
    llvm::erase_if(searches, [&](Search &search) {
      ComparedTime time = times->kernels.lookup(search.name);
      search.noise = std::abs(time.ratio - 1);
      return time.time < kLeastShare * total;
    });
    bool hasChanged = false;
    // Twice, since the last comparison takes its time too.
    while ((begin = Clock::now()) + 2 * lastRound < deadline && chooseTrials()) {
      if (failed(build(getTrials(), trial)))
        return fail("a package to be measured cannot be made");
      times = compare(hasChanged ? best : original, trial, rounds);
      if (!times && summary.error.empty())
        break; // no time
      if (!times)
        return fail(summary.error);
      if (keepWinners(*times)) {
        hasChanged = true;
        if (failed(build(getChanged(), best)))
          return fail("a package to be measured cannot be made");
      }
      lastRound = Clock::now() - begin;
    }
    if (hasChanged)
      confirm(original, best, 2 * rounds);
  }

  std::string pathOf(StringRef name) const {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, name);
    return path.str().str();
  }

  void listen(bool listens) {
    if (tuning.onTrials)
      tuning.onTrials(!listens);
  }

  void fail(StringRef message) {
    summary.error = message.str();
    for (Search &search : searches)
      search.best = search.first;
  }

  LogicalResult collect(ModuleOp module) {
    for (auto kernel : module.getOps<graph::KernelOp>()) {
      FailureOr<tile::ScheduleAttr> schedule = chooseSchedule(kernel, options);
      if (failed(schedule)) {
        fail("a kernel has no schedule");
        return failure();
      }
      Search &search = searches.emplace_back();
      search.kernel = kernel;
      search.name = kernel.getSymName();
      search.first = search.best = *schedule;
      search.tried.push_back(*schedule);
    }
    return success();
  }

  /// Gives each kernel a schedule that it has not had; false if no kernel has any left.
  bool chooseTrials() {
    unsigned numTrials = 0;
    for (Search &search : searches)
      numTrials += chooseTrial(search);
    summary.schedules += numTrials;
    return numTrials != 0;
  }

  bool chooseTrial(Search &search) {
    search.trial = search.best;
    while (true) {
      if (search.nextMove == std::size(kMoves)) {
        if (!search.hasImproved)
          return false;
        search.nextMove = 0;
        search.hasImproved = false;
      }
      search.trialLimits = search.limits;
      kMoves[search.nextMove++](search.trialLimits);
      FailureOr<tile::ScheduleAttr> schedule =
          chooseSchedule(search.kernel, options, search.trialLimits);
      if (failed(schedule) || llvm::is_contained(search.tried, *schedule))
        continue;
      search.tried.push_back(*schedule);
      search.trial = *schedule;
      return true;
    }
  }

  Schedules getTrials() const {
    Schedules schedules;
    for (const Search &search : searches)
      if (search.trial != search.first)
        schedules[search.name] = search.trial;
    return schedules;
  }

  Schedules getChanged() const {
    Schedules schedules;
    for (const Search &search : searches)
      if (search.best != search.first)
        schedules[search.name] = search.best;
    return schedules;
  }

  /// Whether any kernel has a faster schedule now.
  bool keepWinners(const ComparedTimes &times) {
    bool hasWinner = false;
    for (Search &search : searches) {
      if (search.trial == search.best)
        continue;
      if (times.kernels.lookup(search.name).ratio > 1 - std::max(kLeastGain, search.noise))
        continue;
      search.best = search.trial;
      search.limits = search.trialLimits;
      search.hasImproved = hasWinner = true;
    }
    return hasWinner;
  }

  /// Holds the outcome against the model's choices.
  void confirm(StringRef original, StringRef best, unsigned rounds) {
    std::optional<ComparedTimes> times = compare(original, best, rounds);
    if (!times)
      return fail(summary.error);
    summary.before = summary.after = times->total.time;
    for (Search &search : searches) {
      if (search.best == search.first)
        continue;
      ComparedTime time = times->kernels.lookup(search.name);
      if (time.ratio <= 1 - std::max(kLeastGain, search.noise) / 2) {
        search.gain = time.ratio;
        summary.after -= (1 - time.ratio) * time.time;
      } else {
        search.best = search.first;
      }
    }
  }

  void report(const Search &search) {
    ++summary.kernels;
    if (auto remark = remark::passed(search.kernel->getLoc(),
                                     remark::RemarkOpts::name("measured").category("tile-tuning")))
      remark << remark::metric(kKernelRemarkKey, search.name.str())
             << remark::metric(kLevelRemarkKey, options.level)
             << llvm::formatv("{0} schedules measured: this one takes {1:f2} of the time of the "
                              "model's choice",
                              search.tried.size() - 1, search.gain)
                    .str();
  }

  std::optional<ComparedTimes> compare(StringRef path, StringRef other, unsigned rounds) {
    std::chrono::duration<double> left = deadline - Clock::now();
    if (left.count() <= 0 || (tuning.isInterrupted && tuning.isInterrupted()))
      return std::nullopt;
    llvm::Expected<ComparedTimes> times = tuning.measure(path, other, rounds, left.count());
    if (times)
      return std::move(*times);
    summary.error = llvm::toString(times.takeError());
    return std::nullopt;
  }

  const GraphToTilePassOptions &options;
  const TuningOptions &tuning;
  unsigned buildsLeft;
  Clock::time_point deadline;
  StringRef folder;
  function_ref<LogicalResult(const Schedules &, StringRef)> build;
  std::vector<Search> searches;
  TuningSummary summary;
};

} // namespace

Schedules sectile::tuneSchedules(ModuleOp module, const GraphToTilePassOptions &options,
                                 const TuningOptions &tuning, unsigned buildsLeft, StringRef folder,
                                 function_ref<LogicalResult(const Schedules &, StringRef)> build) {
  return Tuner(options, tuning, buildsLeft, folder, build).run(module);
}
