//===- ArgsTest.cpp - options of the subcommands ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Args.h"

#include <gtest/gtest.h>

using namespace sectile::tools;

namespace {

constexpr Option kOptions[] = {
    {"input", Option::List, "X", "inputs"},           {"threads", Option::Value, "N", "threads"},
    {"output", Option::Value, "FILE", "output", 'o'}, {"quiet", Option::Flag, nullptr, "quiet"},
    {"trace", Option::Planned, nullptr, nullptr},
};
constexpr Syntax kSyntax = {"test", "Tests.", "PACKAGE", kOptions};

Result<Args> parse(std::vector<std::string> words) {
  static std::vector<std::string> kept;
  kept = std::move(words);
  static std::vector<char *> pointers;
  pointers.clear();
  for (std::string &word : kept)
    pointers.push_back(word.data());
  return Args::parse(kSyntax, pointers);
}

void expectUsage(const std::vector<std::string> &words, const std::string &message) {
  Result<Args> args = parse(words);
  ASSERT_FALSE(args);
  EXPECT_EQ(args.failure().status, kUsage);
  EXPECT_EQ(args.failure().message, message);
}

TEST(Args, ParsesBothForms) {
  Result<Args> args = parse({"--input=a=1", "p", "--input", "b=2", "--threads", "4", "--quiet"});
  ASSERT_TRUE(args) << args.failure().message;
  EXPECT_EQ(args->positional(), "p");
  EXPECT_EQ(args->list("input"), (std::vector<std::string_view>{"a=1", "b=2"}));
  EXPECT_EQ(args->value("threads"), "4");
  EXPECT_EQ(args->number("threads", 1, 8)->value_or(0), 4);
  EXPECT_TRUE(args->has("quiet"));
  EXPECT_FALSE(args->value("output"));
  EXPECT_FALSE(args->number("output", 0, 1)->has_value());
}

TEST(Args, ParsesShortNamesAndEnd) {
  Result<Args> args = parse({"-o", "-", "--", "--quiet"});
  ASSERT_TRUE(args) << args.failure().message;
  EXPECT_EQ(args->value("output"), "-");
  EXPECT_EQ(args->positional(), "--quiet");
  EXPECT_FALSE(args->has("quiet"));
  EXPECT_EQ(parse({"p", "-o=x"})->value("output"), "x");
  EXPECT_EQ(parse({"p", "--threads="})->value("threads"), "");
}

TEST(Args, HelpNeedsNothingElse) { EXPECT_TRUE(parse({"--wrong", "--help"})->wantsHelp()); }

TEST(Args, RefusesWhatItDoesNotKnow) {
  expectUsage({"p", "--thread=1"}, "unknown option '--thread'; 'sectile test --help' lists the "
                                   "options");
  expectUsage({"p", "-x"}, "unknown option '-x'; 'sectile test --help' lists the options");
  expectUsage({"p", "--trace=x"}, "option '--trace' is not in this version");
  expectUsage({"p", "--quiet=yes"}, "option '--quiet' takes no value, but got 'yes'");
  expectUsage({"p", "--threads"}, "option '--threads' expects a value: --threads=N");
  expectUsage({"p", "--threads", "--quiet"}, "option '--threads' expects a value: --threads=N");
  expectUsage({"p", "--threads=1", "--threads=2"},
              "option '--threads' expects one value, but got '1' and '2'");
  expectUsage({"p", "q"}, "test expects one PACKAGE, but got 'p' and 'q'");
  expectUsage({"--quiet"}, "test expects a PACKAGE; see 'sectile test --help'");
}

TEST(Args, ChecksNumbers) {
  for (const char *text : {"0", "9", "x", "4x", "", "99999999999999999999", " 4"}) {
    Result<Args> args = parse({"p", std::string("--threads=") + text});
    Result<std::optional<int64_t>> number = args->number("threads", 1, 8);
    ASSERT_FALSE(number);
    EXPECT_EQ(number.failure().message,
              "option '--threads' expects a number from 1 to 8, but got '" + std::string(text) +
                  "'");
  }
}

TEST(Args, ParsesNumbersAsAWhole) {
  EXPECT_EQ(parseInteger("-12"), -12);
  EXPECT_EQ(parseDouble("1e-3"), 1e-3);
  EXPECT_FALSE(parseDouble("inf"));
  EXPECT_FALSE(parseDouble("1e-3x"));
}

} // namespace
