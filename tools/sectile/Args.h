//===- Args.h - options of the subcommands ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_ARGS_H
#define SECTILE_TOOLS_SECTILE_ARGS_H

#include "Result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sectile::tools {

/// One option of a subcommand: `--name=VALUE` or `--name VALUE`.
struct Option {
  enum Kind {
    Flag,   ///< takes no value
    Value,  ///< takes a value, given at most once
    List,   ///< takes a value, may be repeated
    Planned ///< refused: "not in this version"
  };
  const char *name; ///< without the dashes
  Kind kind;
  const char *valueName; ///< for the help, e.g. "FILE"; null for flags
  const char *help;
  char shortName = '\0'; ///< also accepted as `-x VALUE` where set
};

/// What a subcommand accepts.
struct Syntax {
  const char *command;    ///< "run"
  const char *summary;    ///< one line: what the subcommand does
  const char *positional; ///< name of the single required argument, e.g. "PACKAGE"
  std::span<const Option> options;
};

/// A parsed command line. Views point into the arguments of main.
class Args {
public:
  /// Parses what follows the subcommand's name. Failures are of status kUsage.
  /// Every command also has `--help`, and "--" ends its options.
  static Result<Args> parse(const Syntax &syntax, std::span<char *const> arguments);

  /// Whether --help was given; nothing else is checked then.
  bool wantsHelp() const { return help; }

  std::string_view positional() const { return argument; }
  bool has(std::string_view name) const { return values.count(name) != 0; }
  /// The value of an option, if it was given.
  std::optional<std::string_view> value(std::string_view name) const;
  /// All values of a repeatable option, in order.
  std::vector<std::string_view> list(std::string_view name) const;
  /// The value of an option as a number in [least, most], if it was given.
  Result<std::optional<int64_t>> number(std::string_view name, int64_t least, int64_t most) const;

private:
  bool help = false;
  std::string_view argument;
  std::map<std::string_view, std::vector<std::string_view>> values;
};

/// Prints usage and options of a subcommand on stdout.
void printHelp(const Syntax &syntax);

/// What every subcommand does around its work: parses the arguments and prints the help, or runs
/// `work` and gives its exit status, or reports its failure.
int runCommand(const Syntax &syntax, std::span<char *const> arguments,
               Result<int> (*work)(const Args &args));

/// The number that `text` is as a whole, in decimal.
std::optional<int64_t> parseInteger(std::string_view text);
/// The finite number that `text` is as a whole.
std::optional<double> parseDouble(std::string_view text);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_ARGS_H
