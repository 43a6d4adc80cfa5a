//===- main.cpp - sectile-run: packages without a compiler ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Result.h"

#include "sectile/sectile.h"

#include <cstdio>
#include <string_view>

using namespace sectile::tools;

namespace {

constexpr Command kCommands[] = {
    {"run", "run a package on given or random inputs", runMain},
    {"bench", "measure a package, kernel by kernel", benchMain},
    {"inspect", "show what a package contains", inspectMain},
};

int printUsage(FILE *out, int status) {
  fprintf(out, "usage: sectile-run COMMAND [arguments]\n\ncommands:\n");
  for (const Command &command : kCommands)
    fprintf(out, "  %-16s%s\n", command.name, command.summary);
  fprintf(out, "\nThese are the commands of the same names of 'sectile', which compiles too.\n");
  return status;
}

int runCommand(int argc, char **argv) {
  if (argc < 2)
    return printUsage(stderr, kUsage);
  std::string_view name = argv[1];
  if (name == "--help" || name == "-h")
    return printUsage(stdout, kSuccess);
  if (name == "--version") {
    printf("sectile %s\n", sectile_version());
    return kSuccess;
  }
  for (const Command &command : kCommands)
    if (name == command.name)
      return command.main(std::span(argv + 2, argv + argc));
  return report(
      failure(kUsage, "unknown command '%s'; 'sectile-run --help' lists the commands", argv[1]));
}

} // namespace

int main(int argc, char **argv) { return runProgram(argc, argv, runCommand); }
