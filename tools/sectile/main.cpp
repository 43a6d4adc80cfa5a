//===- main.cpp - the sectile program ---------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Device.h"

#include "Result.h"
#include "sectile/Target/GpuTarget.h"

#include "sectile/sectile.h"

#include <cinttypes>
#include <cstdio>
#include <string_view>

using namespace sectile;
using namespace sectile::tools;

namespace {

constexpr Command kCommands[] = {
    {"compile", "compile a model ahead of time to a package", compileMain},
    {"check", "list every node of a model that cannot be compiled", checkMain},
    {"run", "run a package on given or random inputs", runMain},
    {"bench", "measure a package, kernel by kernel", benchMain},
    {"inspect", "show what a package or a file of weights contains", inspectFileMain},
    {"layout", "show where the elements of a tile live", layoutMain},
    {"quantize", "round a model's weights to a number format", quantizeMain},
    {"verify", "execute a model before and after every pass", verifyMain},
};

/// Subcommands of later versions: known, and refused.
constexpr const char *kPlanned[] = {"tune"};

void printUsage(FILE *out) {
  fprintf(out, "usage: sectile COMMAND [arguments]\n\ncommands:\n");
  for (const Command &command : kCommands)
    fprintf(out, "  %-16s%s\n", command.name, command.summary);
  fprintf(out, "\n'sectile COMMAND --help' describes a command.\n\n"
               "  --version       show the version\n"
               "  --list-targets  show what packages can be compiled for\n"
               "  --help          show this text\n\n"
               "exit status: 0 success, 1 input refused or not supported, 2 usage,\n"
               "  3 mismatch, 4 environment (device, CPU, memory, disk), 70 internal error\n");
}

void printTargets() {
  printf(
      "cpu     --host=x86_64-linux         levels sse4 (x86-64-v2), avx2 (v3), avx512 (v4),\n"
      "                                    avx512vnni (v4 with VNNI and VBMI)\n"
      "        --host=aarch64-linux        level neon (Armv8.0-A)\n"
      "        --host=thumbv7em-none-eabi  levels cortex-m4 (no floating-point unit), cortex-m4f,\n"
      "                                    cortex-m7 (double precision too); --emit=static only\n");
  for (const target::GpuTarget &target : target::allGpuTargets())
    printf("%-7s %s, warps of %" PRId64 ", %" PRId64 " threads of %" PRId64
           " registers to a core; %s\n",
           std::string(target.name).c_str(),
           target.family == target::GpuFamily::Amd ? "AMD" : "NVIDIA", target.threadsPerWarp,
           target.warpsPerCore * target.threadsPerWarp,
           target.registersPerCore / (target.warpsPerCore * target.threadsPerWarp),
           target.family == target::GpuFamily::Amd ? "a code object"
                                                   : "PTX, a cubin where ptxas is found");
}

int runCommand(int argc, char **argv) {
  if (argc < 2) {
    printUsage(stderr);
    return kUsage;
  }
  std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    printUsage(stdout);
    return kSuccess;
  }
  if (name == "--version") {
    printf("sectile %s\n", sectile_version());
    return kSuccess;
  }
  if (name == "--list-targets") {
    printTargets();
    return kSuccess;
  }
  for (const Command &command : kCommands)
    if (name == command.name)
      return command.main(std::span(argv + 2, argv + argc));
  for (const char *planned : kPlanned)
    if (name == planned)
      return report(failure(kUsage, "command '%s' is not in this version", planned));
  return report(
      failure(kUsage, "unknown command '%s'; 'sectile --help' lists the commands", argv[1]));
}

} // namespace

int main(int argc, char **argv) {
  emulatorMaker = makeEmulator;
  return runProgram(argc, argv, runCommand);
}
