//===- RenameSymbols.cpp - names in finished objects ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "sectile/Codegen/Codegen.h"

#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ELF/ELFConfig.h"
#include "llvm/ObjCopy/ELF/ELFObjcopy.h"
#include "llvm/Object/ELFObjectFile.h"

using namespace mlir;
using namespace sectile;

LogicalResult sectile::renameSymbols(std::string &elf,
                                     ArrayRef<std::pair<std::string, std::string>> names,
                                     std::string &error) {
  llvm::objcopy::CommonConfig common;
  for (const auto &[from, to] : names)
    common.SymbolsToRename[from] = to;
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(elf, "kernel"));
  llvm::Error failed = object.takeError();
  std::string renamed;
  if (!failed) {
    llvm::raw_string_ostream out(renamed);
    failed = llvm::objcopy::elf::executeObjcopyOnBinary(
        common, llvm::objcopy::ELFConfig(), cast<llvm::object::ELFObjectFileBase>(**object), out);
  }
  if (failed) {
    error = "expects an ELF object, but got: " + llvm::toString(std::move(failed));
    return failure();
  }
  elf = std::move(renamed);
  return success();
}
