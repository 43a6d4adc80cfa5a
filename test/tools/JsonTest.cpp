//===- JsonTest.cpp - writing JSON ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Json.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace sectile::tools;

namespace {

TEST(Json, WritesNestedValues) {
  JsonWriter json;
  json.beginObject();
  json.key("a\"b");
  json.string("x\\\n\x01 \xc3\xa9");
  json.key("list");
  json.beginArray();
  json.integer(-1);
  json.number(1.5, 3);
  json.number(NAN, 3);
  json.boolean(true);
  json.beginObject();
  json.endObject();
  json.endArray();
  json.key("none");
  json.null();
  json.endObject();
  EXPECT_EQ(json.text(),
            "{\n  \"a\\\"b\": \"x\\\\\\u000a\\u0001 \xc3\xa9\",\n  \"list\": [\n    -1,\n"
            "    1.500,\n    null,\n    true,\n    {}\n  ],\n  \"none\": null\n}\n");
}

} // namespace
