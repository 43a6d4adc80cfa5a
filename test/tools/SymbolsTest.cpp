//===- SymbolsTest.cpp - sizes of dynamic dimensions ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Symbols.h"

#include <gtest/gtest.h>

using namespace sectile::tools;

namespace {

const SymbolValues kValues = {{"batch", 2}, {"seq", 7}, {"mod2", 5}};

void expectValue(const char *expression, int64_t value) {
  Result<int64_t> result = evaluate(expression, kValues);
  ASSERT_TRUE(result) << result.failure().message;
  EXPECT_EQ(*result, value) << expression;
}

void expectFailure(const std::string &expression, ExitStatus status, const std::string &part) {
  Result<int64_t> result = evaluate(expression, kValues);
  ASSERT_FALSE(result) << expression;
  EXPECT_EQ(result.failure().status, status);
  EXPECT_NE(result.failure().message.find(part), std::string::npos) << result.failure().message;
}

TEST(Symbols, EvaluatesExpressions) {
  expectValue("768", 768);
  expectValue("2*seq+1", 15);
  expectValue("1 + 2 * seq - batch", 13);
  expectValue("(seq + 1) * batch", 16);
  expectValue("seq floordiv 2", 3);
  expectValue("seq ceildiv 2", 4);
  expectValue("-seq floordiv 2", -4);
  expectValue("-seq ceildiv 2", -3);
  expectValue("-seq mod 4", 1);
  expectValue("min(seq, batch * 4) - max(1, batch)", 5);
  expectValue("mod2 mod 2", 1);
}

TEST(Symbols, RefusesWhatIsNoExpression) {
  expectFailure("heads", kUsage, "give the size of 'heads' with --dims=heads=N");
  for (const char *bad : {"", "+", "1 +", "(1", "1)", "1 2", "seq seq", "min(1)", "max(1,2",
                          "2 $ 3", "seq mod 0", "seq floordiv -1", "mod"})
    EXPECT_FALSE(evaluate(bad, kValues)) << bad;
  expectFailure("9223372036854775807 + 1", kRefused, "exceeds 64 bits");
  expectFailure("9223372036854775807 * 2", kRefused, "exceeds 64 bits");
  expectFailure("99999999999999999999", kRefused, "exceeds 64 bits");
  expectFailure(std::string(100000, '('), kRefused, "nested too deeply");
  expectFailure(std::string(100000, '-'), kRefused, "nested too deeply");
}

TEST(Symbols, ParsesDims) {
  SymbolValues values;
  ASSERT_TRUE(parseDims("batch=2,seq=0", {"batch", "seq"}, values));
  EXPECT_EQ(values, (SymbolValues{{"batch", 2}, {"seq", 0}}));
  for (const char *bad : {"batch", "batch=", "batch=x", "batch=-1", "heads=1", "batch=1,batch=1",
                          ",batch=1", "batch=99999999999999999999"}) {
    SymbolValues fresh;
    Result<Done> result = parseDims(bad, {"batch", "seq"}, fresh);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.failure().status, kUsage);
  }
}

TEST(Symbols, KnowsPlainNames) {
  EXPECT_TRUE(isSymbol("seq_2"));
  EXPECT_FALSE(isSymbol("2"));
  EXPECT_FALSE(isSymbol("seq + 1"));
  EXPECT_FALSE(isSymbol(""));
}

} // namespace
