//===- Ptxas.cpp - PTX to machine code, by NVIDIA's assembler ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Ptx.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace sectile;

std::string sectile::findPtxas() {
  auto usable = [](const Twine &path) { return sys::fs::can_execute(path); };
  if (const char *given = std::getenv("SECTILE_PTXAS"); given && usable(given))
    return given;
  if (const char *home = std::getenv("CUDA_HOME")) {
    SmallString<128> path(home);
    sys::path::append(path, "bin", "ptxas");
    if (usable(path))
      return path.str().str();
  }
  auto found = sys::findProgramByName("ptxas");
  return found ? *found : std::string();
}

/// The number before `unit` in a line of ptxas, or 0.
static int64_t numberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef before = line.take_front(end).rtrim();
  int64_t number = 0;
  before.substr(before.find_last_not_of("0123456789") + 1).getAsInteger(10, number);
  return number;
}

/// `ptxas -v` writes, for each kernel: "Function properties for K", "N bytes stack frame, N bytes
/// spill stores, N bytes spill loads", "Used N registers, ..., N bytes smem, ...".
static std::vector<KernelResources> readResources(StringRef log) {
  std::vector<KernelResources> kernels;
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines) {
    if (size_t at = line.find("Function properties for "); at != StringRef::npos) {
      kernels.emplace_back();
      kernels.back().kernel = line.substr(at).drop_front(24).trim().str();
    }
    if (kernels.empty())
      continue;
    KernelResources &last = kernels.back();
    if (line.contains("bytes stack frame")) {
      last.stackBytes = numberBefore(line, " bytes stack frame");
      last.spillStoreBytes = numberBefore(line, " bytes spill stores");
      last.spillLoadBytes = numberBefore(line, " bytes spill loads");
    }
    if (line.contains("Used ")) {
      last.registers = numberBefore(line, " registers");
      last.sharedBytes = numberBefore(line, " bytes smem");
    }
  }
  return kernels;
}

/// "ptxas info : (C7514) Potential Performance Loss: wgmma.mma_async instructions are serialized
/// due to ...", "(C7517) warpgroup.wait is injected in around line ... by compiler to allow use of
/// registers defined by GMMA ...": a fence or a wait was missing.
static std::vector<std::string> readLosses(StringRef log) {
  std::vector<std::string> losses;
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("Performance Loss") || line.contains("is injected"))
      losses.push_back(line.trim().str());
  return losses;
}

Expected<Cubin> sectile::assemble(StringRef ptx, const target::GpuTarget &target, StringRef ptxas) {
  SmallString<128> input, output, log;
  scope_exit remove([&] {
    for (StringRef path : {input.str(), output.str(), log.str()})
      if (!path.empty())
        (void)sys::fs::remove(path); // a file that stays is no harm
  });
  int file = 0;
  if (auto error = sys::fs::createTemporaryFile("sectile", "ptx", file, input))
    return createStringError(error, "expects to write a temporary file");
  raw_fd_ostream stream(file, /*shouldClose=*/true);
  stream << ptx;
  stream.close();
  for (auto [path, suffix] : {std::pair(&output, "cubin"), std::pair(&log, "log")})
    if (auto error = sys::fs::createTemporaryFile("sectile", suffix, *path))
      return createStringError(error, "expects to write a temporary file");
  std::string arch = "-arch=" + std::string(target.processor);
  StringRef arguments[] = {ptxas, arch, "-v", "-O3", "-o", output, input};
  std::optional<StringRef> redirects[] = {StringRef(""), log.str(), log.str()};
  std::string message;
  int status = sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &message);
  auto said = MemoryBuffer::getFile(log);
  StringRef text = said ? (*said)->getBuffer() : StringRef();
  if (status != 0)
    return createStringError("expects " + ptxas + " to assemble code for " +
                             StringRef(target.name) + ", but got: " + message + text);
  auto bytes = MemoryBuffer::getFile(output);
  if (!bytes)
    return createStringError(bytes.getError(), "expects ptxas to leave machine code");
  return Cubin{(*bytes)->getBuffer().str(), readResources(text), readLosses(text)};
}
