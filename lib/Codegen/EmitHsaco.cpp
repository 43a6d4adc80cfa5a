//===- EmitHsaco.cpp - the ROCDL dialect to code objects --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuModule.h"
#include "sectile/Codegen/Hsaco.h"

#include "lld/Common/Driver.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/BinaryFormat/MsgPackDocument.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace sectile;

static void setVersion(llvm::Module &module) {
  module.addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion * 100);
}

FailureOr<std::string> sectile::emitAmdAssembly(ModuleOp module, const target::GpuTarget &target) {
  auto text = compileGpuModule(module, target, llvm::CodeGenFileType::AssemblyFile, setVersion);
  if (failed(text))
    return failure();
  return std::string(text->begin(), text->end());
}

/// Makes a relocatable object a shared one. lld reads and writes files.
static llvm::Expected<std::string> link(ArrayRef<char> object) {
  SmallString<128> input, output;
  llvm::scope_exit remove([&] {
    for (StringRef path : {input.str(), output.str()})
      if (!path.empty())
        (void)llvm::sys::fs::remove(path); // a temporary that stays harms nobody
  });
  int file = 0;
  std::error_code error = llvm::sys::fs::createTemporaryFile("sectile", "o", file, input);
  if (!error) {
    llvm::raw_fd_ostream stream(file, /*shouldClose=*/true);
    stream.write(object.data(), object.size());
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (!error)
    error = llvm::sys::fs::createTemporaryFile("sectile", "hsaco", output);
  if (error)
    return llvm::createStringError("cannot write a temporary file: " + error.message());
  // What is undefined would be found out by the driver only.
  const char *args[] = {"ld.lld",      "-shared", "--no-undefined", "--build-id=none",
                        "--threads=1", "-o",      output.c_str(),   input.c_str()};
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result = lld::lldMain(args, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0 || !result.canRunAgain)
    return llvm::createStringError("the linker refuses: " + StringRef(messages).trim());
  auto buffer = llvm::MemoryBuffer::getFile(output, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read a temporary file: " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

llvm::Expected<std::vector<KernelResources>> sectile::readCodeObject(StringRef bytes) {
  if (!bytes.starts_with(llvm::ELF::ElfMagic))
    return llvm::createStringError("expects an ELF file");
  auto elf = llvm::object::ELF64LEFile::create(bytes);
  if (!elf)
    return elf.takeError();
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  std::vector<KernelResources> kernels;
  for (const auto &section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_NOTE)
      continue;
    llvm::Error error = llvm::Error::success();
    for (const auto &note : elf->notes(section, error)) {
      if (note.getName() != "AMDGPU" || note.getType() != llvm::ELF::NT_AMDGPU_METADATA)
        continue;
      llvm::msgpack::Document document;
      if (!document.readFromBlob(note.getDescAsStringRef(section.sh_addralign), /*Multi=*/false) ||
          !document.getRoot().isMap())
        return llvm::createStringError("the code object's metadata is damaged");
      auto &root = document.getRoot().getMap();
      auto list = root.find("amdhsa.kernels");
      if (list == root.end() || !list->second.isArray())
        continue;
      for (auto &entry : list->second.getArray()) {
        if (!entry.isMap())
          return llvm::createStringError("the code object's metadata is damaged");
        auto &facts = entry.getMap();
        auto count = [&](StringRef key) -> int64_t {
          auto fact = facts.find(key);
          return fact != facts.end() && fact->second.getKind() == llvm::msgpack::Type::UInt
                     ? static_cast<int64_t>(fact->second.getUInt())
                     : 0;
        };
        constexpr int64_t kRegisterBytes = 4;
        KernelResources &kernel = kernels.emplace_back();
        if (auto name = facts.find(".name"); name != facts.end() && name->second.isString())
          kernel.kernel = name->second.getString().str();
        kernel.registers = count(".vgpr_count");
        kernel.scalarRegisters = count(".sgpr_count");
        kernel.stackBytes = count(".private_segment_fixed_size");
        kernel.spillStoreBytes = kRegisterBytes * count(".vgpr_spill_count");
        kernel.sharedBytes = count(".group_segment_fixed_size");
      }
    }
    if (error)
      return std::move(error);
  }
  return kernels;
}

FailureOr<CodeObject> sectile::emitCodeObject(ModuleOp module, const target::GpuTarget &target) {
  auto object = compileGpuModule(module, target, llvm::CodeGenFileType::ObjectFile, setVersion);
  if (failed(object))
    return failure();
  auto fail = [&](llvm::Error error) {
    return module.emitError() << "expects code for " << target.name.data()
                              << ", but got: " << llvm::toString(std::move(error));
  };
  CodeObject result;
  llvm::Expected<std::string> linked = link(*object);
  if (!linked)
    return fail(linked.takeError());
  result.bytes = std::move(*linked);
  auto kernels = readCodeObject(result.bytes);
  if (!kernels)
    return fail(kernels.takeError());
  result.kernels = std::move(*kernels);
  return std::move(result);
}
