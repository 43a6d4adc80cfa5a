//===- BenchTest.cpp - sectile bench ----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Program.h"

#include <algorithm>
#include <cmath>
#include <sstream>

using namespace sectile::test;

namespace {

/// The first number after `key` in `text`, from `from` on.
double numberAfter(const std::string &text, const std::string &key, size_t from = 0) {
  size_t at = text.find(key, from);
  EXPECT_NE(at, std::string::npos) << key << " in " << text;
  return at == std::string::npos ? NAN : std::stod(text.substr(at + key.size()));
}

TEST(Bench, WritesMeasurements) {
  TemporaryFolder folder;
  ProgramResult result =
      runProgram({"bench", packagePath("add"), "--dims=n=100000", "--repeat=25", "--threads=2",
                  "--json", folder.path("bench.json"), "--quiet"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "");
  std::string json = readWhole(folder.path("bench.json"));
  double least = numberAfter(json, "\"min_us\": "), median = numberAfter(json, "\"median_us\": ");
  EXPECT_GT(least, 0);
  EXPECT_LE(least, median);
  EXPECT_LE(median, numberAfter(json, "\"p90_us\": "));
  EXPECT_EQ(numberAfter(json, "\"threads\": "), 2);
  EXPECT_EQ(numberAfter(json, "\"repeat\": "), 25);
  EXPECT_GT(numberAfter(json, "\"host_us\": "), 0);
  expectContains(json, "\"level\": \"base\"");
  size_t kernels = json.find("\"kernels\": [");
  expectContains(json.substr(kernels), "\"name\": \"add\"");
  expectContains(json.substr(kernels), "\"nodes\": \"/layer/Add\"");
  EXPECT_LT(numberAfter(json, "\"median_us\": ", kernels), median);
  EXPECT_EQ(numberAfter(json, "\"bytes\": ", kernels), 1200000);
  EXPECT_EQ(numberAfter(json, "\"operations\": ", kernels), 100000);
  EXPECT_EQ(numberAfter(json, "\"launches\": ", kernels), 1);
}

TEST(Bench, RunsTwoPackagesInTurns) {
  TemporaryFolder folder;
  ProgramResult result =
      runProgram({"bench", packagePath("add"), "--against", packagePath("add"), "--dims=n=100000",
                  "--repeat=7", "--json", folder.path("both.json")});
  EXPECT_EQ(result.status, 0) << result.err;
  expectContains(result.out, "medians of 7 rounds in turns");
  expectContains(result.out, "\nadd ");
  expectContains(result.out, "\ntotal ");
  std::string json = readWhole(folder.path("both.json"));
  EXPECT_EQ(numberAfter(json, "\"repeat\": "), 7);
  size_t kernels = json.find("\"kernels\": [");
  for (size_t from : {size_t(0), kernels}) {
    EXPECT_GT(numberAfter(json, "\"median_us\": ", from), 0);
    EXPECT_GT(numberAfter(json, "\"against_median_us\": ", from), 0);
    EXPECT_GT(numberAfter(json, "\"ratio\": ", from), 0);
  }
  result = runProgram(
      {"bench", packagePath("add"), "--against", packagePath("work"), "--dims=n=5", "--repeat=2"});
  EXPECT_EQ(result.status, 2) << result.err; // the other one has no symbol n
  result = runProgram({"bench", packagePath("add"), "--against", "absent.stp", "--dims=n=5"});
  EXPECT_EQ(result.status, 1);
  expectContains(result.err, "absent.stp");
  result = runProgram({"bench", packagePath("add"), "--against", packagePath("add"),
                       "--trace=" + folder.path("t.json"), "--dims=n=5"});
  EXPECT_EQ(result.status, 2);
  expectContains(result.err, "--trace goes without --against");
}

TEST(Bench, PrintsRowsThatSumToTheTotal) {
  ProgramResult result = runProgram(
      {"bench", packagePath("work"), "--repeat=5", "--input=launches=random:1", "--dims=k=50"});
  EXPECT_EQ(result.status, 0) << result.err;
  // Each row: name, launches, microseconds.
  auto row = [&](const std::string &name) {
    size_t at = result.out.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << result.out;
    std::istringstream words(result.out.substr(at + 1));
    std::string label;
    int64_t launches = -1;
    double time = NAN;
    words >> label >> launches >> time;
    return std::pair(launches, time);
  };
  EXPECT_EQ(row("work").first, 50);
  EXPECT_NEAR(row("work").second + row("host").second, row("total").second, 0.021);
  expectContains(result.out, "/w");
}

TEST(Bench, StatesOneRunWhoseKernelsAndHostSumToItsTotal) {
  TemporaryFolder folder;
  std::string out = folder.path("bench.json");
  ProgramResult result = runProgram({"bench", packagePath("work"), "--repeat=5", "--quiet",
                                     "--input=launches=random:1", "--dims=k=50", "--json", out});
  EXPECT_EQ(result.status, 0) << result.err;
  std::string json = readWhole(out);
  size_t run = json.find("\"run\": {"), kernels = json.find("\"kernels\": [");
  double total = numberAfter(json, "\"total_us\": ", run);
  EXPECT_EQ(total, numberAfter(json, "\"median_us\": "));
  double host = numberAfter(json, "\"host_us\": ", run);
  EXPECT_NEAR(host + numberAfter(json, "\"run_us\": ", kernels), total, 0.002);
  EXPECT_GT(numberAfter(json, "\"gflops\": "), 0);
  EXPECT_GT(numberAfter(json, "\"bound_us\": ", kernels), 0);
  expectContains(json.substr(kernels), "\"shapes\": ");
}

TEST(Bench, TracesTheMedianRound) {
  TemporaryFolder folder;
  std::string out = folder.path("trace.json");
  ProgramResult result = runProgram({"bench", packagePath("work"), "--repeat=5",
                                     "--input=launches=random:1", "--dims=k=3", "--trace", out});
  EXPECT_EQ(result.status, 0) << result.err;
  std::string trace = readWhole(out);
  expectContains(trace, "\"traceEvents\": [");
  expectContains(trace, "\"nodes\": \"/w\"");
  // Slices follow each other without gaps from 0 to the round's end.
  double end = 0;
  int slices = 0, launches = 0;
  for (size_t at = trace.find("\"ph\": \"X\""); at != std::string::npos;
       at = trace.find("\"ph\": \"X\"", at + 1)) {
    EXPECT_NEAR(numberAfter(trace, "\"ts\": ", at), end, 0.002);
    end += numberAfter(trace, "\"dur\": ", at);
    launches += numberAfter(trace, "\"tid\": ", at) == 1;
    ++slices;
  }
  EXPECT_EQ(launches, 3);
  EXPECT_EQ(slices, 7);
  EXPECT_NEAR(end, numberAfter(result.out, "median "), 0.02);
}

TEST(Bench, RunsLongEnoughByItself) {
  TemporaryFolder folder;
  ProgramResult result =
      runProgram({"bench", packagePath("empty"), "--quiet", "--json=" + folder.path("x")});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(numberAfter(readWhole(folder.path("x")), "\"repeat\": "), 1000);
}

TEST(Bench, RefusesBadOptions) {
  expectError(runProgram({"bench", packagePath("empty"), "--repeat=0"}), 2,
              "option '--repeat' expects a number from 1");
  expectError(runProgram({"bench", packagePath("empty"), "--json=/nowhere/x"}), 4,
              "cannot write '/nowhere/x'");
  expectError(runProgram({"bench", packagePath("empty"), "--trace=/nowhere/x"}), 4,
              "cannot write '/nowhere/x'");
}

} // namespace
