//===- SectileTest.cpp - the program as a whole -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Program.h"

using namespace sectile::test;

namespace {

TEST(Sectile, DescribesItself) {
  ProgramResult result = runProgram({"--version"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out.rfind("sectile ", 0), 0u) << result.out;
  result = runProgram({"--list-targets"});
  EXPECT_EQ(result.status, 0);
  expectContains(result.out, "cpu");
  for (const char *level : {"x86_64-linux", "sse4", "avx2", "avx512", "avx512vnni", "aarch64-linux",
                            "neon", "thumbv7em-none-eabi", "cortex-m4", "cortex-m4f", "cortex-m7"})
    expectContains(result.out, level);
  result = runProgram({"--help"});
  EXPECT_EQ(result.status, 0);
  for (const char *command : {"run", "bench", "inspect"}) {
    expectContains(result.out, command);
    ProgramResult help = runProgram({command, "--help"});
    EXPECT_EQ(help.status, 0);
    expectContains(help.out, std::string("usage: sectile ") + command + " PACKAGE");
  }
}

TEST(Sectile, RefusesWhatItDoesNotKnow) {
  expectError(runProgram({}), 2, "usage: sectile COMMAND");
  expectError(runProgram({"frobnicate"}), 2, "unknown command 'frobnicate'");
  expectError(runProgram({"tune", "x"}), 2, "command 'tune' is not in this version");
  expectError(runProgram({"run"}), 2, "run expects a PACKAGE");
  expectError(runProgram({"run", packagePath("add"), "--wrong"}), 2, "unknown option '--wrong'");
  expectError(runProgram({"run", packagePath("add"), "--sanitize=races"}), 2,
              "option '--sanitize' is for --device=emulator:ARCH");
}

TEST(Sectile, ReportsAFullStandardOutput) {
  ProgramOptions full;
  full.output = "/dev/full";
  expectError(runProgram({"--help"}, full), 4, "cannot write to standard output");
}

TEST(Sectile, MapsFailuresToExitStatuses) {
  for (const char *command : {"run", "bench", "inspect"}) {
    SCOPED_TRACE(command);
    expectError(runProgram({command, "/nowhere"}), 1, "cannot open package '/nowhere'");
    expectError(runProgram({command, packagePath("bad-magic")}), 1, "expected magic number");
    expectError(runProgram({command, packagePath("bad-abi")}), 4, "package has ABI version 2");
    ProgramOptions level;
    level.environment = {"SECTILE_CPU_LEVEL=future"};
    expectError(runProgram({command, packagePath("levels")}, level), 4,
                "this CPU lacks feature 60");
    level.environment = {"SECTILE_CPU_LEVEL=avx9"};
    expectError(runProgram({command, packagePath("levels")}, level), 2,
                "the package has only any, base, future");
  }
}

} // namespace
