//===- LinkRelocatable.cpp - objects to one object --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Codegen.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ELF/ELFConfig.h"
#include "llvm/ObjCopy/ELF/ELFObjcopy.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace sectile;

LogicalResult sectile::linkRelocatable(ArrayRef<std::string> objects, StringRef output,
                                       ErrorEmitter emitError) {
  SmallString<128> temporary;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(output + ".tmp-%%%%%%", temporary))
    return emitError() << "cannot write '" << output << "': " << code.message();
  llvm::scope_exit cleanUp([&] { (void)llvm::sys::fs::remove(temporary); });
  std::string temporaryName(temporary);
  SmallVector<const char *> args = {"ld.lld", "-r",          "-o",         temporaryName.c_str(),
                                    "-z",     "noexecstack", "--threads=1"};
  for (const std::string &object : objects)
    args.push_back(object.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result = lld::lldMain(args, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0 || !result.canRunAgain)
    return emitError() << "cannot link '" << output << "': " << StringRef(messages).trim();

  auto buffer = llvm::MemoryBuffer::getFile(temporary, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return emitError() << "cannot read '" << temporary << "': " << buffer.getError().message();
  auto object = llvm::object::ObjectFile::createELFObjectFile((*buffer)->getMemBufferRef());
  if (!object)
    return emitError() << "expects an ELF object, but got: " << llvm::toString(object.takeError());
  llvm::objcopy::CommonConfig common;
  llvm::objcopy::ELFConfig elf;
  elf.LocalizeHidden = true;
  std::error_code code;
  llvm::raw_fd_ostream out(output, code);
  if (!code) {
    llvm::Error failure = llvm::objcopy::elf::executeObjcopyOnBinary(
        common, elf, cast<llvm::object::ELFObjectFileBase>(**object), out);
    out.close();
    code = out.error();
    out.clear_error();
    if (failure)
      return emitError() << "cannot write '" << output
                         << "': " << llvm::toString(std::move(failure));
  }
  if (code)
    return emitError() << "cannot write '" << output << "': " << code.message();
  return success();
}
