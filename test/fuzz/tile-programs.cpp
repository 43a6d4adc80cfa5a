//===- tile-programs.cpp - random tile programs, interpreted and compiled -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// tile-programs [--first=N] [--count=N] [--seconds=N] [--print=SEED]
//
// Each seed's program is executed by the interpreter, which bounds what rounding
// may do to each element, and compiled for every level of this processor. Results
// must lie within the bounds, and what the interpreter leaves undefined must be
// left as it was. A program that shows a difference is made smaller. The last line
// is "N passed, N failed, N skipped" (programs).
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "KernelHarness.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <cstdio>
#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::test;

static llvm::cl::opt<uint64_t> first("first", llvm::cl::desc("the first seed"), llvm::cl::init(0));
static llvm::cl::opt<uint64_t> count("count", llvm::cl::desc("programs at most"),
                                     llvm::cl::init(UINT64_MAX));
static llvm::cl::opt<double> seconds("seconds", llvm::cl::desc("time to spend"),
                                     llvm::cl::init(60));
static llvm::cl::opt<int64_t> printed("print", llvm::cl::desc("prints a seed's program"),
                                      llvm::cl::init(-1));

static Finding check(const TileProgram &program, uint64_t seed) {
  Reference reference = interpret(program, seed);
  if (reference.finding.kind != Finding::Good)
    return reference.finding;
  for (const CpuLevel *level : presentLevels()) {
    auto compiled = LoadedKernel::compile(program.print(), "k", *level);
    if (!compiled || !compiled->failures.empty())
      return {Finding::Refused, "not compiled for " + level->name.str()};
    std::vector<void *> addresses;
    std::vector<GuardedBuffer> buffers;
    auto add = [&](size_t bytes, size_t alignment) {
      buffers.emplace_back(std::max<size_t>(bytes, 1), alignment);
      addresses.push_back(buffers.back().data());
      return addresses.back();
    };
    for (size_t i = 0; i < reference.inputs.size(); ++i) {
      const std::vector<char> &bytes = reference.inputs[i];
      std::copy(bytes.begin(), bytes.end(),
                static_cast<char *>(add(bytes.size(), program.views[i].getElementBytes())));
    }
    for (const interp::TensorRef &result : reference.outputs) {
      auto elementBytes = static_cast<size_t>(interp::getElementBytes(*result->format));
      std::memset(add(bytesOf(*result), elementBytes), kUntouched, bytesOf(*result));
    }
    if (int32_t status = compiled->run(addresses, reference.sizes))
      return {Finding::Wrong, "status " + std::to_string(status) + " on " + level->name.str()};
    for (size_t i = 0; i < reference.outputs.size(); ++i) {
      const auto *got = static_cast<const char *>(addresses[reference.inputs.size() + i]);
      if (Finding finding = compareOutput(*reference.outputs[i], got, i, level->name.str());
          finding.kind != Finding::Good)
        return finding;
    }
  }
  return {};
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv); // a crash names the seed and the place
  llvm::cl::ParseCommandLineOptions(argc, argv, "random tile programs, interpreted and compiled\n");
  if (printed >= 0) {
    fputs(generate(static_cast<uint64_t>(printed)).print().c_str(), stdout);
    return 0;
  }
  // Compiling sets options of LLVM, which brings ours back to their defaults.
  const uint64_t begin = first, limit = count;
  const double time = seconds;
  return checkSeeds(begin, limit, time, check);
}
