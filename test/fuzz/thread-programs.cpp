//===- thread-programs.cpp - tile programs as threads, emulated ----- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// thread-programs [--first=N] [--count=N] [--seconds=N] [--print=SEED] [--target=NAME] [--code]
//
// As tile-programs, for GPUs: each seed's program gets layouts, becomes the program of
// a thread and is executed by the emulator, with 1 to 8 warps. Results must lie within
// the interpreter's bounds, and the emulator must find nothing: no race, no access out
// of bounds, no read of what was never written, no misaligned one. Programs with ops
// that are refused are skipped.
//
//===----------------------------------------------------------------------===//

#include "Reference.h"
#include "Threads.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <cstdio>

using namespace sectile;
using namespace sectile::test;

static llvm::cl::opt<uint64_t> first("first", llvm::cl::desc("the first seed"), llvm::cl::init(0));
static llvm::cl::opt<uint64_t> count("count", llvm::cl::desc("programs at most"),
                                     llvm::cl::init(UINT64_MAX));
static llvm::cl::opt<double> seconds("seconds", llvm::cl::desc("time to spend"),
                                     llvm::cl::init(60));
static llvm::cl::opt<int64_t> printed("print", llvm::cl::desc("prints a seed's program"),
                                      llvm::cl::init(-1));
static llvm::cl::opt<std::string> device("target", llvm::cl::desc("the device"),
                                         llvm::cl::init("sm_80"));

static llvm::cl::opt<bool>
    writesCode("code",
               llvm::cl::desc("write code too: PTX, assembled where ptxas is, or a code object"));
static llvm::cl::alias writesPtx("ptx", llvm::cl::desc("the same"), llvm::cl::aliasopt(writesCode));

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv); // a crash names the seed and the place
  llvm::cl::ParseCommandLineOptions(argc, argv, "tile programs as threads, emulated\n");
  if (printed >= 0) {
    fputs(generate(static_cast<uint64_t>(printed)).print().c_str(), stdout);
    return 0;
  }
  // lld, which links code objects, forgets what options were given.
  const std::string target = device;
  const bool isCompiled = writesCode;
  return checkSeeds(first, count, seconds, [&](const TileProgram &program, uint64_t seed) {
    Reference reference = interpret(program, seed);
    if (reference.finding.kind != Finding::Good)
      return reference.finding;
    int64_t blocks = 1;
    for (int64_t extent : program.grid)
      blocks *= extent;
    static constexpr int64_t kWarps[] = {1, 2, 4, 8};
    return runThreads(reference, target, kWarps[seed % 4], blocks, static_cast<uint32_t>(seed),
                      {.writesCode = isCompiled, .stages = static_cast<int64_t>(seed / 4 % 5)});
  });
}
