//===- MeasurePackages.cpp - two packages measured by a process -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MeasurePackages.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <cmath>

using namespace llvm;

namespace sectile::tools {

/// The text of a file, without what a terminal needs.
static std::string readText(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().trim().str() : std::string();
}

static Expected<ComparedTimes> parseTimes(StringRef text) {
  Expected<json::Value> parsed = json::parse(text);
  if (!parsed)
    return parsed.takeError();
  ComparedTimes times;
  const json::Object *object = parsed->getAsObject();
  const json::Array *kernels = object ? object->getArray("kernels") : nullptr;
  if (!kernels)
    return createStringError("expects measurements of kernels");
  auto timeOf = [](const json::Object &entry) -> ComparedTime {
    return {entry.getNumber("median_us").value_or(0), entry.getNumber("ratio").value_or(1)};
  };
  times.total = timeOf(*object);
  for (const json::Value &entry : *kernels)
    if (const json::Object *kernel = entry.getAsObject())
      times.kernels[kernel->getString("name").value_or("")] = timeOf(*kernel);
  return times;
}

Expected<ComparedTimes> measurePackages(StringRef path, StringRef other, StringRef dims,
                                        unsigned rounds, double seconds) {
  // The program that this is: its own main is a place to find it by where there is no /proc.
  std::string program =
      sys::fs::getMainExecutable("sectile", reinterpret_cast<void *>(&measurePackages));
  std::string json = (path + ".json").str(), log = (path + ".log").str();
  scope_exit remove([&] {
    (void)sys::fs::remove(json);
    (void)sys::fs::remove(log);
  });
  SmallVector<std::string> words = {program,          "bench",
                                    path.str(),       "--against=" + other.str(),
                                    "--json=" + json, "--repeat=" + std::to_string(rounds),
                                    "--quiet"};
  if (!dims.empty())
    words.push_back(("--dims=" + dims).str());
  SmallVector<StringRef> arguments(words.begin(), words.end());
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(log), StringRef(log)};
  std::string message;
  auto limit = static_cast<unsigned>(std::ceil(std::max(seconds, 1.0)));
  int status = sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, limit,
                                   /*MemoryLimit=*/0, &message);
  if (status == 0)
    return parseTimes(readText(json));
  // -2: killed, by us or for a fault of the package.
  if (status < 0)
    return createStringError(StringRef(message).contains("timed out")
                                 ? "measuring took longer than the time that was left"
                                 : "measuring ended early: " + message);
  std::string text = readText(log);
  StringRef reason = text;
  reason.consume_front("sectile: error: ");
  return createStringError(reason);
}

} // namespace sectile::tools
