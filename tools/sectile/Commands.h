//===- Commands.h - the subcommands -----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_COMMANDS_H
#define SECTILE_TOOLS_SECTILE_COMMANDS_H

#include <span>

namespace sectile::tools {

/// Runs a subcommand on the arguments after its name; returns the exit status.
using CommandMain = int (*)(std::span<char *const> arguments);

/// One row of the table in main.cpp.
struct Command {
  const char *name;
  const char *summary; ///< one line for `sectile --help`
  CommandMain main;
};

int checkMain(std::span<char *const> arguments);
int compileMain(std::span<char *const> arguments);
int runMain(std::span<char *const> arguments);
int benchMain(std::span<char *const> arguments);
/// Of packages alone.
int inspectMain(std::span<char *const> arguments);
/// Of packages and files of weights.
int inspectFileMain(std::span<char *const> arguments);
int layoutMain(std::span<char *const> arguments);
int quantizeMain(std::span<char *const> arguments);
int verifyMain(std::span<char *const> arguments);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_COMMANDS_H
