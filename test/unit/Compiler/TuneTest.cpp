//===- TuneTest.cpp - the search for schedules ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packages are lists of schedules here, and their times functions of the schedules: what the
// search makes of them is known.
//
//===----------------------------------------------------------------------===//

#include "Tune.h"

#include "sectile/Conversion/ChooseSchedule.h"
#include "sectile/Conversion/GraphToTile.h"
#include "sectile/Registration/Registration.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

using namespace mlir;
using namespace sectile;

namespace {

constexpr const char *kModel = R"mlir(
graph.kernel @product(%x: tensor<96x64xf32>, %w: tensor<64x256xf32>) -> tensor<96x256xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x256xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x256xf32>) -> tensor<96x256xf32>
  %y = linalg.matmul ins(%x, %w : tensor<96x64xf32>, tensor<64x256xf32>)
       outs(%f : tensor<96x256xf32>) -> tensor<96x256xf32>
  graph.return %y : tensor<96x256xf32>
}
graph.kernel @sum(%x: tensor<96x256xf32>) -> tensor<96x256xf32> {
  %e = tensor.empty() : tensor<96x256xf32>
  %y = linalg.map { arith.addf } ins(%x, %x : tensor<96x256xf32>, tensor<96x256xf32>)
                                 outs(%e : tensor<96x256xf32>)
  graph.return %y : tensor<96x256xf32>
}
graph.kernel @small(%x: tensor<96x256xf32>) -> tensor<96x256xf32> {
  %e = tensor.empty() : tensor<96x256xf32>
  %y = linalg.map { arith.mulf } ins(%x, %x : tensor<96x256xf32>, tensor<96x256xf32>)
                                 outs(%e : tensor<96x256xf32>)
  graph.return %y : tensor<96x256xf32>
}
)mlir";

/// Rows and columns of a register tile, and columns of a block.
struct Sizes {
  int64_t rows, columns, block;
};

class Tuning : public testing::Test {
protected:
  Tuning() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context = std::make_unique<MLIRContext>(registry);
    context->loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(kModel, context.get());
    options.level = "avx2";
    options.lanes = 8;
    options.registers = 16;
    tuning.deadline = TuningOptions::Clock::now() + std::chrono::hours(1);
    tuning.summary = &summary;
    tuning.measure = [&](StringRef path, StringRef other, unsigned rounds,
                         double) -> llvm::Expected<ComparedTimes> {
      ++numComparisons;
      if (failAt == numComparisons)
        return llvm::createStringError("no such device");
      ComparedTimes times;
      for (auto kernel : module->getOps<graph::KernelOp>()) {
        StringRef name = kernel.getSymName();
        double time = timeOf(path, name);
        times.kernels[name] = {time, timeOf(other, name) / time};
        times.total.time += time;
      }
      EXPECT_GE(rounds, 7u);
      return times;
    };
  }

  tile::ScheduleAttr lookup(StringRef path, StringRef kernel) {
    EXPECT_TRUE(packages.count(path.str())) << path.str() << " was not built";
    const Schedules &schedules = packages[path.str()];
    if (auto it = schedules.find(kernel); it != schedules.end())
      return it->second;
    return *chooseSchedule(cast<graph::KernelOp>(module->lookupSymbol(kernel)), options);
  }

  static Sizes sizesOf(tile::ScheduleAttr schedule) {
    SmallVector<int64_t> rows = schedule.getSizes("d0"), columns = schedule.getSizes("d1");
    return {rows.empty() ? 1 : rows.back(), columns.back(), columns.front()};
  }

  double timeOf(StringRef path, StringRef kernel) {
    tile::ScheduleAttr schedule = lookup(path, kernel);
    return time(kernel, sizesOf(schedule));
  }

  Schedules tune(unsigned buildsLeft = 1) {
    return tuneSchedules(*module, options, tuning, buildsLeft, "folder",
                         [&](const Schedules &schedules, StringRef path) {
                           EXPECT_TRUE(path.starts_with("folder/"));
                           ++numBuilds;
                           packages[path.str()] = schedules;
                           return failure(numBuilds == failBuildAt);
                         });
  }

  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  GraphToTilePassOptions options;
  TuningOptions tuning;
  TuningSummary summary;
  std::map<std::string, Schedules> packages;
  std::function<double(StringRef, Sizes)> time = [](StringRef, Sizes) { return 1e4; };
  unsigned numBuilds = 0, numComparisons = 0, failAt = 0, failBuildAt = 0;
};

TEST_F(Tuning, FindsWhatIsFastest) {
  // Best with 3 rows of 3 vectors; the model takes 6 rows of 2.
  time = [](StringRef kernel, Sizes sizes) {
    if (kernel == "product")
      return 1e4 *
             (1 + std::abs(double(sizes.rows) - 3) + std::abs(double(sizes.columns) - 24) / 8);
    return 1e4;
  };
  Schedules found = tune();
  ASSERT_EQ(found.size(), 1u);
  Sizes sizes = sizesOf(found["product"]);
  EXPECT_EQ(sizes.rows, 3);
  EXPECT_EQ(sizes.columns, 24);
  EXPECT_EQ(summary.kernels, 1u);
  EXPECT_GT(summary.schedules, 10u);
  EXPECT_LT(summary.after, summary.before);
  EXPECT_EQ(summary.error, "");
}

TEST_F(Tuning, KernelsSearchAtTheSameTime) {
  time = [](StringRef kernel, Sizes sizes) {
    return kernel == "product" ? 1e3 * double(sizes.rows)
                               : 1e3 * std::abs(double(sizes.columns) - 32);
  };
  Schedules found = tune();
  EXPECT_EQ(sizesOf(found["product"]).rows, 1);
  EXPECT_EQ(sizesOf(found["sum"]).columns, 32);
  // Not one round for each schedule.
  EXPECT_LT(numComparisons, summary.schedules);
}

TEST_F(Tuning, KeepsTheModelsChoiceWhereNothingIsFaster) {
  time = [](StringRef, Sizes) { return 1e4; };
  EXPECT_TRUE(tune().empty());
  EXPECT_EQ(summary.kernels, 0u);
  EXPECT_EQ(summary.before, 0);
}

TEST_F(Tuning, LittleIsNoGain) {
  time = [](StringRef, Sizes sizes) { return 1e4 * (1 + 0.001 * double(sizes.rows)); };
  EXPECT_TRUE(tune().empty());
}

TEST_F(Tuning, LuckDoesNotLast) {
  // What comes second is faster, but the last comparison tells the truth: all are equal.
  auto measure = tuning.measure;
  bool lies = true;
  tuning.measure = [&](StringRef path, StringRef other, unsigned rounds, double seconds) {
    lies = path.ends_with("first") && other.ends_with("best") ? false : path != other;
    llvm::Expected<ComparedTimes> times = measure(path, other, rounds, seconds);
    if (lies)
      for (auto &entry : times->kernels)
        entry.second.ratio *= 0.5;
    return times;
  };
  EXPECT_TRUE(tune().empty());
  EXPECT_FALSE(lies);
  EXPECT_EQ(summary.after, summary.before);
}

TEST_F(Tuning, NoiseIsNoGain) {
  // The same package differs by two fifths from itself, and others by no more.
  auto measure = tuning.measure;
  tuning.measure = [&](StringRef path, StringRef other, unsigned rounds, double seconds) {
    llvm::Expected<ComparedTimes> times = measure(path, other, rounds, seconds);
    for (auto &entry : times->kernels)
      entry.second.ratio *= path == other ? 0.6 : 0.65;
    return times;
  };
  EXPECT_TRUE(tune().empty());
  EXPECT_EQ(numComparisons, numBuilds); // none was built for having won
}

TEST_F(Tuning, SmallKernelsAreLeftAlone) {
  time = [](StringRef kernel, Sizes sizes) {
    return kernel == "small" ? double(sizes.columns) / 1e3 : 1e4;
  };
  EXPECT_TRUE(tune().empty());
  for (const auto &[path, schedules] : packages)
    EXPECT_EQ(schedules.count("small"), 0u);
}

TEST_F(Tuning, StopsInTime) {
  tuning.deadline = TuningOptions::Clock::now() - std::chrono::seconds(1);
  EXPECT_TRUE(tune().empty());
  EXPECT_EQ(numComparisons, 0u);
  EXPECT_EQ(summary.schedules, 0u);
  EXPECT_EQ(summary.error, "");
}

TEST_F(Tuning, WhatCannotBeMeasuredChangesNothing) {
  time = [](StringRef, Sizes sizes) { return 1e3 * double(sizes.rows); };
  EXPECT_FALSE(tune().empty());
  unsigned most = numComparisons;
  ASSERT_GT(most, 3u);
  for (failAt = 1; failAt <= most; ++failAt) {
    numComparisons = numBuilds = 0;
    EXPECT_TRUE(tune().empty()) << failAt;
    EXPECT_EQ(summary.error, "no such device") << failAt;
  }
}

TEST_F(Tuning, WhatCannotBeBuiltChangesNothing) {
  time = [](StringRef, Sizes sizes) { return 1e3 * double(sizes.rows); };
  for (failBuildAt = 1; failBuildAt < 4; ++failBuildAt) {
    numComparisons = numBuilds = 0;
    EXPECT_TRUE(tune().empty());
    EXPECT_NE(summary.error, "");
  }
}

} // namespace
