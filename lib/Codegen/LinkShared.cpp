//===- LinkShared.cpp - objects to a shared object, with lld ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LateSection.h"
#include "sectile/Codegen/Codegen.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace sectile;

namespace {
/// A linker script that gives the section a segment of its own, the last one.
struct ScriptFile {
  SmallString<128> path;

  ~ScriptFile() {
    if (!path.empty())
      (void)llvm::sys::fs::remove(path); // a temporary that stays harms nobody
  }
  std::error_code write(StringRef output, const LateSection &late) {
    int file;
    if (std::error_code code = llvm::sys::fs::createUniqueFile(output + ".ld-%%%%%%", file, path))
      return code;
    llvm::raw_fd_ostream out(file, /*shouldClose=*/true);
    out << "SECTIONS { " << late.name << " : { *(" << late.name << ") } } INSERT AFTER .bss;\n";
    out.close();
    std::error_code code = out.error();
    out.clear_error();
    return code;
  }
};
} // namespace

LogicalResult sectile::linkShared(ArrayRef<std::string> objects, StringRef output,
                                  ErrorEmitter emitError, const LateSection *late) {
  // Beside the output, since a rename does not cross file systems.
  SmallString<128> temporary;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(output + ".tmp-%%%%%%", temporary))
    return emitError() << "cannot write '" << output << "': " << code.message();
  llvm::scope_exit cleanUp([&] { (void)llvm::sys::fs::remove(temporary); });

  std::string temporaryName(temporary);
  // memcpy and its like come from the libc of whoever loads the object; all else is an error of
  // ours, which checkUndefined has caught per object. --threads=1: two cores do not make it faster.
  SmallVector<const char *> args = {"ld.lld",
                                    "-shared",
                                    "-o",
                                    temporaryName.c_str(),
                                    "-z",
                                    "noexecstack",
                                    "-z",
                                    "now",
                                    "-z",
                                    "separate-code",
                                    "--hash-style=gnu",
                                    "--build-id=none",
                                    "--gc-sections",
                                    "--threads=1",
                                    "--unresolved-symbols=ignore-all"};
  for (const std::string &object : objects)
    args.push_back(object.c_str());
  ScriptFile script;
  if (late) {
    if (std::error_code code = script.write(output, *late))
      return emitError() << "cannot write '" << output << "': " << code.message();
    args.append({"-T", script.path.c_str()});
  }
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result = lld::lldMain(args, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0 || !result.canRunAgain)
    return emitError() << "cannot link '" << output << "': " << StringRef(messages).trim();
  if (late)
    if (failed(fillSection(temporary, *late, output, emitError)))
      return failure();
  // mkstemp makes files private; a package is as readable as any output.
  unsigned mask = llvm::sys::fs::getUmask();
  auto permissions = static_cast<llvm::sys::fs::perms>(0777 & ~mask);
  std::error_code code = llvm::sys::fs::setPermissions(temporary, permissions);
  if (!code)
    code = llvm::sys::fs::rename(temporary, output);
  if (code)
    return emitError() << "cannot write '" << output << "': " << code.message();
  cleanUp.release();
  return success();
}
