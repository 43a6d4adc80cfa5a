//===- Descriptor.cpp - the package descriptor, as assembly -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The descriptor is a tree of C structures full of pointers. As assembly text
// it is a list of .quad and .long directives in the order of the structures'
// members, which the static assertions below hold to the header.
//
//===----------------------------------------------------------------------===//

#include "Package.h"

#include "sectile/Codegen/Hashing.h"
#include "sectile/Package/Abi.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Endian.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace sectile;

static_assert(sizeof(sectile_abi_tensor) == 32 && sizeof(sectile_abi_kernel) == 32 &&
                  sizeof(sectile_abi_kernel_code) == 40 && sizeof(sectile_abi_level) == 24 &&
                  sizeof(sectile_abi_target) == 48 && sizeof(sectile_abi_alias) == 24 &&
                  sizeof(sectile_package_descriptor) == 192 && sizeof(sectile_abi_loop) == 8 &&
                  sizeof(sectile_abi_image) == 24 && sizeof(sectile_abi_device_kernel) == 24 &&
                  sizeof(sectile_abi_device) == 32 && sizeof(sectile_abi_piece) == 32,
              "the directives below follow the structures member by member");

namespace {

class Writer {
public:
  Writer() : out(text) {}

  std::string finish() { return data + strings; }

  /// Starts an object at a fresh local label, and returns the label.
  std::string begin() {
    std::string label = ".Lobject" + std::to_string(next++);
    out << label << ":\n";
    return label;
  }
  void quad(uint64_t value) { out << "\t.quad " << value << "\n"; }
  void quad(const std::string &symbol) { out << "\t.quad " << symbol << "\n"; }
  void word(uint32_t value) { out << "\t.long " << value << "\n"; }
  void directive(StringRef line) { out << line << "\n"; }
  /// A pointer to a string constant; equal strings share one.
  void string(StringRef value) {
    auto [it, isNew] = pool.try_emplace(value, ".Lstring" + std::to_string(pool.size()));
    if (isNew) {
      strings += it->second + ":\n\t.asciz \"";
      for (unsigned char c : value) {
        // Octal escapes keep every byte as it is.
        char escaped[5];
        snprintf(escaped, sizeof(escaped), "\\%03o", c);
        strings += escaped;
      }
      strings += "\"\n";
    }
    quad(it->second);
  }
  /// What was written since the last call, moved before everything that refers to it.
  void flush() {
    data += text;
    text.clear();
  }

private:
  std::string text;
  llvm::raw_string_ostream out;
  std::string data, strings = "\t.section .rodata.sectile,\"a\",%progbits\n";
  llvm::StringMap<std::string> pool;
  unsigned next = 0;
};

uint32_t getDtype(const PlannedTensor &tensor) {
  Type type = tensor.type.getElementType();
  // Floats whose elements are held as codes are bytes of no sign.
  StringRef dtype = tensor.dtype;
  bool isUnsigned = dtype.starts_with("u") || dtype.starts_with("float");
  if (type.isF32())
    return SECTILE_ABI_F32;
  if (type.isF64())
    return SECTILE_ABI_F64;
  if (type.isF16())
    return SECTILE_ABI_F16;
  if (type.isBF16())
    return SECTILE_ABI_BF16;
  if (isa<Float8E4M3FNType>(type))
    return SECTILE_ABI_F8E4M3FN;
  if (isa<Float8E4M3FNUZType>(type))
    return SECTILE_ABI_F8E4M3FNUZ;
  if (isa<Float8E5M2Type>(type))
    return SECTILE_ABI_F8E5M2;
  if (isa<Float8E5M2FNUZType>(type))
    return SECTILE_ABI_F8E5M2FNUZ;
  switch (type.isIndex() ? 64 : type.getIntOrFloatBitWidth()) {
  case 1:
    return SECTILE_ABI_BOOL;
  case 8:
    return isUnsigned ? SECTILE_ABI_U8 : SECTILE_ABI_I8;
  case 16:
    return isUnsigned ? SECTILE_ABI_U16 : SECTILE_ABI_I16;
  case 32:
    return isUnsigned ? SECTILE_ABI_U32 : SECTILE_ABI_I32;
  default:
    return isUnsigned ? SECTILE_ABI_U64 : SECTILE_ABI_I64;
  }
}

std::string quoted(StringRef symbol) { return ("\"" + symbol + "\"").str(); }

/// Arrays that an array of structures points to come first; these return the label of each.
std::string writeTensors(Writer &writer, ArrayRef<PlannedTensor> tensors) {
  SmallVector<std::pair<std::string, std::string>> arrays;
  for (const PlannedTensor &tensor : tensors) {
    std::string dims = writer.begin();
    for (int64_t extent : tensor.type.getShape())
      writer.quad(ShapedType::isDynamic(extent) ? ~uint64_t(0) : uint64_t(extent));
    std::string exprs = writer.begin();
    for (const std::string &expr : tensor.dims)
      writer.string(expr);
    arrays.push_back({dims, exprs});
  }
  std::string label = writer.begin();
  for (auto [tensor, array] : llvm::zip_equal(tensors, arrays)) {
    writer.string(tensor.name);
    writer.word(getDtype(tensor));
    writer.word(tensor.type.getRank());
    writer.quad(array.first);
    writer.quad(array.second);
  }
  return label;
}

std::string writeKernelCode(Writer &writer, ArrayRef<KernelSummary> kernels,
                            const CompiledLevel &level, bool isDevice) {
  SmallVector<std::string> messages;
  for (const KernelFacts &facts : level.facts) {
    messages.push_back(writer.begin());
    for (const std::string &text : facts.failures)
      writer.string(text);
  }
  std::string label = writer.begin();
  for (auto [number, kernel] : llvm::enumerate(kernels)) {
    std::string run = kernel.name + cpu::kRunSuffix.str() + level.symbolSuffix;
    writer.quad(quoted(kernel.name + cpu::kInfoSuffix.str() + level.symbolSuffix));
    if (isDevice)
      writer.quad(uint64_t(0));
    else
      writer.quad(quoted(run));
    writer.quad(messages[number]);
    writer.word(level.facts[number].failures.size());
    LoopStats stats = level.stats.lookup(run).total;
    writer.word(stats.vectorOps);
    writer.word(stats.scalarOps);
    writer.word(0);
  }
  return label;
}

/// The tables `loops` and `loop_ends`.
std::pair<std::string, std::string> writeLoops(Writer &writer, ArrayRef<CompiledTarget> targets) {
  SmallVector<uint32_t> ends;
  uint32_t end = 0;
  std::string loops = writer.begin();
  for (const CompiledTarget &target : targets)
    for (const CompiledLevel &level : target.levels)
      for (const KernelSummary &kernel : target.kernels) {
        auto it = level.stats.find(kernel.name + cpu::kRunSuffix.str() + level.symbolSuffix);
        if (it != level.stats.end())
          for (const LoopStats &loop : it->second.loops) {
            writer.word(loop.vectorOps);
            writer.word(loop.scalarOps);
            ++end;
          }
        ends.push_back(end);
      }
  std::string table = writer.begin();
  for (uint32_t value : ends)
    writer.word(value);
  writer.directive("\t.p2align 3");
  return {loops, table};
}

/// Tables that a target's entry points to.
struct TargetTables {
  std::string kernels, levels, images, deviceKernels, launchShared, arguments;
};

TargetTables writeTables(Writer &writer, const CompiledTarget &target) {
  TargetTables tables;
  tables.kernels = writer.begin();
  for (const KernelSummary &kernel : target.kernels) {
    writer.string(kernel.name);
    writer.string(kernel.nodes);
    writer.string(kernel.description);
    writer.string(kernel.schedule);
  }
  SmallVector<std::string> codes, data;
  for (const CompiledLevel &level : target.levels)
    codes.push_back(writeKernelCode(writer, target.kernels, level, !target.images.empty()));
  tables.levels = writer.begin();
  for (auto [level, code] : llvm::zip_equal(target.levels, codes)) {
    writer.string(level.level->name);
    writer.quad(level.level->requiredFeatures);
    writer.quad(code);
  }
  for (const DeviceImage &image : target.images) {
    data.push_back(writer.begin());
    writer.directive(StringRef(includeBytes(image.path)).rtrim());
    writer.directive("\t.byte 0\n\t.p2align 4"); // text ends there
  }
  tables.images = writer.begin();
  for (auto [image, label] : llvm::zip_equal(target.images, data)) {
    writer.word(image.kind);
    writer.word(0);
    writer.quad(label);
    writer.quad(image.bytes);
  }
  tables.deviceKernels = writer.begin();
  for (const DeviceKernel &kernel : target.deviceKernels) {
    writer.word(kernel.threads);
    writer.word(kernel.registers);
    writer.quad(kernel.sharedBytes);
    writer.quad(kernel.spillBytes);
  }
  tables.launchShared = writer.begin();
  for (const DeviceKernel &kernel : target.deviceKernels)
    writer.quad(kernel.launchSharedBytes);
  tables.arguments = writer.begin();
  for (const DeviceKernel &kernel : target.deviceKernels)
    writer.string(kernel.arguments);
  return tables;
}

/// XXH3-64 of the hashes of all pieces; 0 where there are none.
uint64_t hashOf(ArrayRef<Piece> pieces) {
  Hasher hasher;
  for (const Piece &piece : pieces) {
    char bytes[8];
    llvm::support::endian::write64le(bytes, piece.hash);
    hasher.update(bytes, sizeof bytes);
  }
  return pieces.empty() ? 0 : hasher.digest();
}

} // namespace

std::string sectile::includeBytes(StringRef path) {
  std::string text = "\t.incbin \"";
  for (char c : path) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + "\"\n";
}

std::string sectile::writeDescriptor(const PlannedInterface &interface,
                                     ArrayRef<CompiledTarget> targets, StringRef modelName,
                                     StringRef options, const PackageConstants &constants) {
  bool isInside = constants.bytes != 0 && constants.pieces.empty();
  Writer writer;
  writer.directive("\t.section .data.rel.ro,\"aw\",%progbits\n\t.p2align 4");
  std::string inputs = writeTensors(writer, interface.inputs);
  std::string outputs = writeTensors(writer, interface.outputs);
  std::string symbols = writer.begin();
  for (const std::string &symbol : interface.symbols)
    writer.string(symbol);

  std::string aliases = writer.begin();
  for (const graph::Alias &alias : interface.aliases) {
    writer.word(alias.input);
    writer.word(alias.output);
    writer.word(alias.dim);
    writer.word(0);
    writer.quad(alias.capacity);
  }

  SmallVector<TargetTables> tables;
  for (const CompiledTarget &target : targets)
    tables.push_back(writeTables(writer, target));
  auto [loops, loopEnds] = writeLoops(writer, targets);
  std::string targetTable = writer.begin();
  for (auto [target, own] : llvm::zip_equal(targets, tables)) {
    writer.string(target.name);
    writer.word(target.kernels.size());
    writer.word(target.levels.size());
    writer.quad(own.kernels);
    writer.quad(own.levels);
    writer.quad(quoted(kHostPrepare.str() + target.hostSuffix));
    writer.quad(quoted(kHostRun.str() + target.hostSuffix));
  }
  std::string deviceTable = writer.begin();
  for (auto [target, own] : llvm::zip_equal(targets, tables)) {
    writer.word(target.images.size());
    writer.word(target.images.empty() ? 0 : 1); // its host program calls for memory
    writer.quad(own.images);
    writer.quad(own.deviceKernels);
    writer.quad(target.constantsOffset);
  }
  auto writeOfDevices = [&](std::string TargetTables::*table) {
    std::string label = writer.begin();
    for (auto [target, own] : llvm::zip_equal(targets, tables))
      if (target.deviceKernels.empty())
        writer.quad(uint64_t(0));
      else
        writer.quad(own.*table);
    return label;
  };
  std::string launchShared = writeOfDevices(&TargetTables::launchShared);
  std::string arguments = writeOfDevices(&TargetTables::arguments);

  std::string pieces = writer.begin();
  for (const Piece &piece : constants.pieces) {
    writer.quad(piece.offset);
    writer.quad(piece.bytes);
    writer.quad(piece.hash);
    writer.string(piece.name);
  }

  writer.directive("\t.globl " SECTILE_PACKAGE_SYMBOL "\n\t.type " SECTILE_PACKAGE_SYMBOL
                   ",%object\n" SECTILE_PACKAGE_SYMBOL ":");
  writer.word(SECTILE_PACKAGE_MAGIC);
  writer.word(SECTILE_PACKAGE_ABI);
  writer.quad(sizeof(sectile_package_descriptor));
  writer.string("sectile 0.1.0");
  writer.string(modelName);
  writer.string(options);
  for (uint64_t count :
       {interface.inputs.size(), interface.outputs.size(), interface.symbols.size(), targets.size(),
        interface.aliases.size(), size_t(0) /*reserved*/})
    writer.word(count);
  writer.quad(inputs);
  writer.quad(outputs);
  writer.quad(symbols);
  writer.quad(targetTable);
  writer.quad(aliases);
  if (isInside)
    writer.quad(".Lconstants");
  else
    writer.quad(uint64_t(0));
  writer.quad(constants.bytes);
  writer.quad(hashOf(constants.pieces));
  if (constants.pieces.empty())
    writer.quad(uint64_t(0));
  else
    writer.string(constants.folder);
  writer.quad(loops);
  writer.quad(loopEnds);
  writer.quad(deviceTable);
  writer.quad(pieces);
  writer.quad(constants.pieces.size());
  writer.quad(launchShared);
  writer.quad(arguments);
  writer.directive("\t.size " SECTILE_PACKAGE_SYMBOL ", . - " SECTILE_PACKAGE_SYMBOL);
  writer.flush();
  std::string text = writer.finish();
  if (isInside) {
    text += "\t.section " + kConstantsSection.str() + ",\"a\",%nobits\n\t.p2align 12\n";
    text += ".Lconstants:\n\t.skip " + std::to_string(constants.bytes) + "\n";
    // The place that the section is put behind exists only if something lies there.
    text += "\t.section .bss.end,\"awR\",%nobits\n\t.skip 1\n";
  }
  return text;
}

FailureOr<std::string> sectile::assemble(StringRef text, const CpuLevel &level, Location loc) {
  FailureOr<std::unique_ptr<llvm::TargetMachine>> machine = makeTargetMachine(level, loc);
  if (failed(machine))
    return failure();
  llvm::LLVMContext context;
  llvm::Module module("descriptor", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  module.setModuleInlineAsm(text);
  SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return emitError(loc, "expects a target that can emit objects, but got ")
           << level.getHost().triple;
  passes.run(module);
  return std::string(buffer.begin(), buffer.end());
}
