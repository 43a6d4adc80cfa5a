//===- InspectTest.cpp - sectile inspect ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Program.h"

using namespace sectile::test;

namespace {

TEST(Inspect, PrintsTables) {
  ProgramResult result = runProgram({"inspect", packagePath("add")});
  EXPECT_EQ(result.status, 0) << result.err;
  expectContains(result.out, "model      add\n");
  expectContains(result.out, "  a  f32[n]\n");
  expectContains(result.out, "base (in use)");
  expectContains(result.out, "75.0%");
  expectContains(result.out, "  add           base  100.0%, 0.0%\n");
  expectContains(result.out, "f32[?] + f32[?] | block = [64] | /layer/Add");
  result = runProgram({"inspect", packagePath("cache")});
  expectContains(result.out,
                 "present  f32[heads,past + 1,2]  in place: past -> present, dimension 1 has "
                 "capacity 4");
  result = runProgram({"inspect", packagePath("levels")});
  expectContains(result.out, "future (not on this CPU)");
}

TEST(Inspect, PrintsJson) {
  ProgramResult result = runProgram({"inspect", packagePath("add"), "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  expectContains(result.out, "\"vector_share\": 0.7500");
  expectContains(result.out, "\"scalar_ops\": 1\n");
  expectContains(result.out, "\"symbols\": [\n    \"n\"\n  ]");
  result = runProgram({"inspect", packagePath("gather"), "--json"});
  expectContains(result.out, "\"constants_bytes\": 20");
  expectContains(result.out, "\"vector_share\": null");
}

TEST(Inspect, VerifiesConstants) {
  ProgramResult result = runProgram({"inspect", packagePath("gather"), "--verify"});
  EXPECT_EQ(result.status, 0) << result.err;
  expectContains(result.out, "constants agree with their hash");

  TemporaryFolder folder;
  std::string package = folder.write("m.stpk", readWhole(packagePath("weights")));
  folder.write("weights.bin", "\1\2\3\4\5\6\7\10");
  EXPECT_EQ(runProgram({"inspect", package, "--verify"}).status, 0);
  folder.write("weights.bin", "\1\2\3\4\5\6\7\11");
  EXPECT_EQ(runProgram({"inspect", package}).status, 0);
  expectError(runProgram({"inspect", package, "--verify"}), 3, "expected XXH3-64 16f217ea16232297");
}

} // namespace
