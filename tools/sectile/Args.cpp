//===- Args.cpp - options of the subcommands --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Args.h"

#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace sectile::tools {

namespace {

const Option *findOption(const Syntax &syntax, std::string_view name, bool isShort) {
  for (const Option &option : syntax.options)
    if (isShort ? option.shortName != '\0' && name == std::string_view(&option.shortName, 1)
                : name == option.name)
      return &option;
  return nullptr;
}

} // namespace

Result<Args> Args::parse(const Syntax &syntax, std::span<char *const> arguments) {
  Args args;
  for (std::string_view word : arguments) {
    if (word == "--")
      break;
    if (word == "--help" || word == "-h") {
      args.help = true;
      return args;
    }
  }

  bool optionsEnded = false;
  bool havePositional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (!optionsEnded && word == "--") {
      optionsEnded = true;
      continue;
    }
    if (optionsEnded || word.size() < 2 || word[0] != '-') {
      if (havePositional)
        return failure(kUsage, "%s expects one %s, but got '%s' and '%s'", syntax.command,
                       syntax.positional, std::string(args.argument).c_str(),
                       std::string(word).c_str());
      args.argument = word;
      havePositional = true;
      continue;
    }

    bool isShort = word[1] != '-';
    size_t equals = word.find('=');
    std::string_view name =
        word.substr(isShort ? 1 : 2, equals == std::string_view::npos ? std::string_view::npos
                                                                      : equals - (isShort ? 1 : 2));
    const Option *option = findOption(syntax, name, isShort);
    if (!option)
      return failure(kUsage, "unknown option '%s'; 'sectile %s --help' lists the options",
                     std::string(word.substr(0, equals)).c_str(), syntax.command);
    if (option->kind == Option::Planned)
      return failure(kUsage, "option '--%s' is not in this version", option->name);
    if (option->kind == Option::Flag) {
      if (equals != std::string_view::npos)
        return failure(kUsage, "option '--%s' takes no value, but got '%s'", option->name,
                       std::string(word.substr(equals + 1)).c_str());
      args.values[option->name];
      continue;
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else {
      if (i + 1 == arguments.size() || strncmp(arguments[i + 1], "--", 2) == 0)
        return failure(kUsage, "option '--%s' expects a value: --%s=%s", option->name, option->name,
                       option->valueName);
      value = arguments[++i];
    }
    std::vector<std::string_view> &given = args.values[option->name];
    if (option->kind == Option::Value && !given.empty())
      return failure(kUsage, "option '--%s' expects one value, but got '%s' and '%s'", option->name,
                     std::string(given[0]).c_str(), std::string(value).c_str());
    given.push_back(value);
  }
  if (!havePositional)
    return failure(kUsage, "%s expects a %s; see 'sectile %s --help'", syntax.command,
                   syntax.positional, syntax.command);
  return args;
}

std::optional<std::string_view> Args::value(std::string_view name) const {
  auto found = values.find(name);
  if (found == values.end() || found->second.empty())
    return std::nullopt;
  return found->second.front();
}

std::vector<std::string_view> Args::list(std::string_view name) const {
  auto found = values.find(name);
  return found == values.end() ? std::vector<std::string_view>() : found->second;
}

Result<std::optional<int64_t>> Args::number(std::string_view name, int64_t least,
                                            int64_t most) const {
  std::optional<std::string_view> text = value(name);
  if (!text)
    return std::optional<int64_t>();
  std::optional<int64_t> number = parseInteger(*text);
  if (!number || *number < least || *number > most)
    return failure(kUsage,
                   "option '--%s' expects a number from %" PRId64 " to %" PRId64 ", but got '%s'",
                   std::string(name).c_str(), least, most, std::string(*text).c_str());
  return number;
}

void printHelp(const Syntax &syntax) {
  printf("usage: sectile %s %s [options]\n\n%s\n\noptions:\n", syntax.command, syntax.positional,
         syntax.summary);
  for (const Option &option : syntax.options) {
    if (option.kind == Option::Planned)
      continue;
    std::string left = std::string("--") + option.name;
    if (option.valueName)
      left += std::string("=") + option.valueName;
    if (option.shortName)
      left += std::string(", -") + option.shortName + " " + option.valueName;
    // A long name stands on a line of its own.
    printf("  %-28s", left.c_str());
    if (left.size() > 26)
      printf("\n%30s", "");
    for (const char *c = option.help; *c; ++c)
      *c == '\n' ? printf("\n%30s", "") : putchar(*c);
    putchar('\n');
  }
  printf("  %-28s%s\n", "--help", "show this text");
}

int runCommand(const Syntax &syntax, std::span<char *const> arguments,
               Result<int> (*work)(const Args &args)) {
  Result<Args> args = Args::parse(syntax, arguments);
  if (!args)
    return report(args.failure());
  if (args->wantsHelp()) {
    printHelp(syntax);
    return kSuccess;
  }
  Result<int> status = work(*args);
  return status ? *status : report(status.failure());
}

std::optional<int64_t> parseInteger(std::string_view text) {
  int64_t value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::optional<double> parseDouble(std::string_view text) {
  double value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

} // namespace sectile::tools
