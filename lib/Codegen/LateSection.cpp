//===- LateSection.cpp - sections that no linker holds ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are most of a package. Through an object and the linker they would be
// written three times and held in memory twice, which took four fifths of the
// time of compiling BERT-base. Here the linker lays out a section without bytes,
// and they are appended to its output: two headers change.
//
//===----------------------------------------------------------------------===//
#include "LateSection.h"

#include "sectile/Codegen/Hashing.h"

#include "llvm/Object/ELF.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sectile;

namespace {

using Elf = llvm::object::ELF64LEFile;
using ElfType = llvm::object::ELF64LE;

/// The place in the file of what is at `address` in memory.
llvm::Expected<uint64_t> offsetOf(const Elf &elf, uint64_t address) {
  auto headers = elf.program_headers();
  if (!headers)
    return headers.takeError();
  for (const ElfType::Phdr &header : *headers)
    if (header.p_type == llvm::ELF::PT_LOAD && address >= header.p_vaddr &&
        address < header.p_vaddr + header.p_filesz)
      return header.p_offset + (address - header.p_vaddr);
  return llvm::createStringError("no segment holds address 0x%llx", (unsigned long long)address);
}

llvm::Expected<uint64_t> offsetOfSymbol(const Elf &elf, StringRef name) {
  auto sections = elf.sections();
  if (!sections)
    return sections.takeError();
  for (const ElfType::Shdr &section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_DYNSYM)
      continue;
    auto symbols = elf.symbols(&section);
    if (!symbols)
      return symbols.takeError();
    auto strings = elf.getStringTableForSymtab(section, *sections);
    if (!strings)
      return strings.takeError();
    for (const ElfType::Sym &symbol : *symbols) {
      auto symbolName = symbol.getName(*strings);
      if (!symbolName)
        return symbolName.takeError();
      if (*symbolName == name)
        return offsetOf(elf, symbol.st_value);
    }
  }
  return llvm::createStringError("no symbol is called '%s'", name.str().c_str());
}

/// Changes the headers in `image`, a file without the section's bytes, so that they lie where they
/// may be appended; their place.
llvm::Expected<uint64_t> placeSection(llvm::MutableArrayRef<char> image, const Elf &elf,
                                      const LateSection &late) {
  auto at = [&](const void *header) {
    return image.data() + (static_cast<const uint8_t *>(header) - elf.base());
  };
  auto sections = elf.sections();
  if (!sections)
    return sections.takeError();
  auto headers = elf.program_headers();
  if (!headers)
    return headers.takeError();
  for (const ElfType::Shdr &section : *sections) {
    auto name = elf.getSectionName(section);
    if (!name)
      return name.takeError();
    if (*name != late.name)
      continue;
    for (const ElfType::Phdr &header : *headers) {
      if (header.p_type != llvm::ELF::PT_LOAD || header.p_vaddr != section.sh_addr)
        continue;
      if (section.sh_size != late.bytes || header.p_memsz != late.bytes || header.p_filesz != 0 ||
          header.p_flags != llvm::ELF::PF_R)
        return llvm::createStringError("section '%s' shares its segment", name->str().c_str());
      // What is mapped lies at the same place of a page in the file and in memory.
      uint64_t align = header.p_align, skew = header.p_vaddr % align;
      uint64_t offset = llvm::alignTo(image.size() + align - skew, align) - align + skew;
      auto *segment = reinterpret_cast<ElfType::Phdr *>(at(&header));
      segment->p_offset = offset;
      segment->p_filesz = late.bytes;
      auto *filled = reinterpret_cast<ElfType::Shdr *>(at(&section));
      filled->sh_type = llvm::ELF::SHT_PROGBITS;
      filled->sh_offset = offset;
      return offset;
    }
  }
  return llvm::createStringError("no segment holds section '%s'", late.name.str().c_str());
}

} // namespace

LogicalResult sectile::fillSection(StringRef path, const LateSection &late, StringRef output,
                                   ErrorEmitter emitError) {
  auto cannotWrite = [&](std::error_code code) {
    return emitError() << "cannot write '" << output << "': " << code.message();
  };
  auto unexpected = [&](llvm::Error error) {
    return emitError() << "expects a linked file with room for '" << late.name
                       << "', but: " << llvm::toString(std::move(error));
  };
  SmallVector<char, 0> image;
  {
    auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    if (!buffer)
      return cannotWrite(buffer.getError());
    image.assign((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
  }
  // Looks at a copy, since headers of `image` change.
  std::string original(image.begin(), image.end());
  auto elf = Elf::create(original);
  if (!elf)
    return unexpected(elf.takeError());
  auto hashPlace = offsetOfSymbol(*elf, late.hashSymbol);
  if (!hashPlace)
    return unexpected(hashPlace.takeError());
  auto offset = placeSection(image, *elf, late);
  if (!offset)
    return unexpected(offset.takeError());

  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (code)
    return cannotWrite(code);
  out.write(image.data(), image.size());
  out.write_zeros(*offset - image.size());
  {
    HashingStream hashing(out);
    late.write(hashing);
    hashing.flush();
    if (hashing.tell() != late.bytes && !out.has_error()) {
      out.close();
      return emitError() << "expects " << late.bytes << " bytes of '" << late.name
                         << "', but wrote " << hashing.tell();
    }
    char hash[8];
    llvm::support::endian::write64le(hash, hashing.hash());
    if (!out.has_error())
      out.pwrite(hash, sizeof hash, *hashPlace + late.hashOffset);
  }
  out.close();
  if (out.has_error()) {
    code = out.error();
    out.clear_error();
    return cannotWrite(code);
  }
  return success();
}
