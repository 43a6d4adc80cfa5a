//===- StaticHeader.cpp - the C header of static output ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names and messages come from the model, which may be hostile: none of them
// leaves the comment or the string it is printed in.
//
//===----------------------------------------------------------------------===//

#include "Package.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace sectile;

std::string sectile::getStaticName(StringRef output) {
  std::string name;
  for (char c : llvm::sys::path::filename(output))
    name += llvm::isAlnum(c) ? c : '_';
  return name.empty() || !llvm::isAlpha(name[0]) ? "m" + name : name;
}

namespace {

/// `text` as it may stand in a comment.
std::string inComment(StringRef text) {
  std::string safe;
  for (char c : text) {
    if (c == '/' && !safe.empty() && safe.back() == '*')
      safe += ' ';
    safe += llvm::isPrint(c) && c != '\\' ? c : '?';
  }
  return safe;
}

/// `text` as a string literal; a question mark could begin a trigraph.
std::string asLiteral(StringRef text) {
  std::string literal = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\' || c == '?')
      literal += '\\';
    literal += llvm::isPrint(c) || c == '?' ? c : ' ';
  }
  return literal + "\"";
}

/// How C sees elements of a tensor, and what they are called.
std::pair<std::string, std::string> getElement(const PlannedTensor &tensor) {
  Type type = tensor.type.getElementType();
  // Floats that C has no type for are their bits.
  if (type.isF32())
    return {"float", "f32"};
  if (type.isF64())
    return {"double", "f64"};
  if (type.isInteger(1))
    return {"uint8_t", "bool, 0 or 1"};
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  std::string storage = "int" + std::to_string(std::max(8U, bits)) + "_t";
  if (isa<FloatType>(type)) {
    std::string name;
    llvm::raw_string_ostream(name) << type;
    return {"u" + storage, name + " as bits"};
  }
  // As the model declares them; codes of floats are bytes of no sign.
  StringRef dtype = tensor.dtype;
  if (dtype.starts_with("float"))
    return {"u" + storage, inComment(dtype) + " as bits"};
  bool isUnsigned = dtype.starts_with("u");
  return {(isUnsigned ? "u" : "") + storage, (isUnsigned ? "u" : "i") + std::to_string(bits)};
}

class HeaderWriter {
public:
  HeaderWriter(const StaticInterface &interface, StringRef name)
      : interface(interface), name(name), upper(name.upper()), out(text) {}

  std::string write(StringRef modelName, const CpuLevel &level, StringRef options) {
    out << "/* Model '" << inComment(modelName)
        << "' as a C function. Written by sectile 0.1.0 for " << level.host << ", level "
        << level.name;
    if (!options.empty())
      out << ",\n * with " << inComment(options);
    out << ".\n *\n"
        << " * The function uses no heap and keeps no state: several threads may be in it, each "
           "with "
           "an\n * arena of its own. The object beside this file needs memcpy, memset and memmove";
    if (level.mayCallHelpers)
      out << ", and\n * perhaps helpers for arithmetic of its compiler's library (__aeabi_*, in "
             "libgcc or\n * compiler-rt)";
    out << ". */\n#ifndef " << upper << "_SECTILE_H\n#define " << upper
        << "_SECTILE_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef "
           "__cplusplus\nextern \"C\" {\n#endif\n\n";
    writeArena();
    for (auto [tensor, planned] : llvm::zip_equal(interface.inputs, interface.model.inputs))
      writeTensor("Input", tensor, planned);
    for (auto [number, tensor] : llvm::enumerate(interface.outputs))
      writeTensor("Output", tensor, interface.model.outputs[number]);
    writeStatuses();
    if (!interface.arenaBytes)
      writeSizes();
    writeRun();
    out << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << upper << "_SECTILE_H */\n";
    return std::move(text);
  }

private:
  void writeArena() {
    out << "/** The arena: memory that the function works in. What it holds is of no use to "
           "anybody "
           "else,\n * and is not kept from one call to the next. */\n#define "
        << upper << "_ARENA_ALIGNMENT " << kStaticAlignment << "\n";
    if (interface.arenaBytes) {
      // At least one byte, so that an array of that size is one.
      out << "#define " << upper << "_ARENA_BYTES " << std::max<int64_t>(*interface.arenaBytes, 1)
          << "\n";
    }
    out << "\n";
  }

  void writeTensor(StringRef role, const StaticTensor &tensor, const PlannedTensor &planned) {
    auto [type, element] = getElement(planned);
    out << "/** " << role << " '" << inComment(planned.name) << "': " << element << " ["
        << inComment(llvm::join(planned.dims, ", ")) << "], row-major. */\n";
    std::string prefix = upper + "_" + StringRef(tensor.name).upper();
    ArrayRef<int64_t> shape = planned.type.getShape();
    out << "#define " << prefix << "_RANK " << shape.size() << "\n";
    for (auto [dim, extent] : llvm::enumerate(shape))
      if (!ShapedType::isDynamic(extent))
        out << "#define " << prefix << "_DIM" << dim << " " << extent << "\n";
    if (planned.type.hasStaticShape())
      out << "#define " << prefix << "_ELEMENTS " << planned.type.getNumElements() << "\n";
    out << "\n";
  }

  void writeStatuses() {
    out << "/** Results of the functions. */\nenum {\n";
    auto line = [&](StringRef constant, int32_t value, StringRef meaning) {
      out << "  " << upper << "_" << constant << " = " << value << ", /* " << inComment(meaning)
          << " */\n";
    };
    line("OK", kStaticOk, "success");
    line("ERROR_NULL", kStaticNull, "a pointer to elements is null");
    line("ERROR_ARENA", kStaticArena, "the arena is null, not aligned or too small");
    line("ERROR_EXTENT", kStaticExtent, "an extent is negative");
    line("ERROR_CAPACITY", kStaticCapacity,
         "an extent is beyond the capacity of a buffer that an input and an output share");
    for (auto [number, message] : llvm::enumerate(interface.checks))
      line("ERROR_CHECK_" + std::to_string(number),
           kStaticFirstCheck + static_cast<int32_t>(number), message);
    out << "};\n\n/** X(STATUS, TEXT) for each check of the model: " << upper
        << "_CHECKS(X) makes tables or cases of them. */\n#define " << upper << "_CHECKS(X)";
    for (auto [number, message] : llvm::enumerate(interface.checks))
      out << " \\\n  X(" << upper << "_ERROR_CHECK_" << number << ", " << asLiteral(message) << ")";
    out << "\n\n";
  }

  /// Extents, which come first.
  void addParameters(SmallVectorImpl<std::string> &arguments) {
    for (const std::string &parameter : interface.parameters)
      arguments.push_back("int64_t " + parameter);
  }
  std::string declareTensor(const StaticTensor &tensor, const PlannedTensor &planned,
                            bool isConstant) {
    return (isConstant ? "const " : "") + getElement(planned).first + " *" + tensor.name;
  }
  void declare(StringRef function, ArrayRef<std::string> arguments) {
    out << "int32_t " << name << function << "(" << llvm::join(arguments, ",\n    ") << ");\n";
  }

  void writeSizes() {
    out << "/** Bytes of the arena that " << name
        << "_run needs for these sizes, and the extents of outputs that\n * depend on them. "
           "Pointers to results may be null. */\n";
    SmallVector<std::string> arguments;
    addParameters(arguments);
    for (unsigned input : interface.dataInputs)
      arguments.push_back(
          declareTensor(interface.inputs[input], interface.model.inputs[input], true));
    arguments.push_back("size_t *arena_bytes");
    for (auto [tensor, planned] : llvm::zip_equal(interface.outputs, interface.model.outputs))
      if (!planned.type.hasStaticShape())
        arguments.push_back("int64_t " + tensor.name + "_extents[" +
                            std::to_string(planned.type.getRank()) + "]");
    declare("_sizes", arguments);
    out << "\n";
  }

  void writeRun() {
    out << "/** Runs the model. Tensors are aligned to their elements and do not overlap each "
           "other "
           "or the\n * arena";
    for (auto [number, input] : llvm::enumerate(interface.sharedInput))
      if (input >= 0) {
        out << ";\n * output '" << inComment(interface.model.outputs[number].name)
            << "' is written to the buffer of '" << interface.inputs[input].name << "'";
        for (const graph::Alias &alias : interface.model.aliases)
          if (alias.output == number && alias.capacity >= 0)
            out << ", which is laid out\n * for an extent of " << alias.capacity << " in dimension "
                << alias.dim;
      }
    for (unsigned output : interface.decidedOutputs)
      out << ";\n * the extents of output '" << inComment(interface.model.outputs[output].name)
          << "' are stored (unless that pointer is null): " << name
          << "_sizes tells\n * their bound, which its buffer has room for";
    out << ". After an error the contents of outputs are undefined. */\n";
    SmallVector<std::string> arguments;
    addParameters(arguments);
    for (auto [number, tensor] : llvm::enumerate(interface.inputs)) {
      bool isShared = llvm::is_contained(interface.sharedInput, static_cast<int>(number));
      arguments.push_back(declareTensor(tensor, interface.model.inputs[number], !isShared));
    }
    for (auto [number, tensor] : llvm::enumerate(interface.outputs))
      if (interface.sharedInput[number] < 0)
        arguments.push_back(declareTensor(tensor, interface.model.outputs[number], false));
    for (unsigned output : interface.decidedOutputs)
      arguments.push_back("int64_t " + interface.outputs[output].name + "_extents[" +
                          std::to_string(interface.model.outputs[output].type.getRank()) + "]");
    arguments.push_back("void *arena");
    if (!interface.arenaBytes)
      arguments.push_back("size_t arena_bytes");
    declare("_run", arguments);
  }

  const StaticInterface &interface;
  StringRef name;
  std::string upper;
  std::string text;
  llvm::raw_string_ostream out;
};

} // namespace

std::string sectile::writeStaticHeader(const StaticInterface &interface, StringRef name,
                                       StringRef modelName, const CpuLevel &level,
                                       StringRef options) {
  return HeaderWriter(interface, name).write(modelName, level, options);
}

std::string sectile::writeStaticConstants(const CpuLevel &level, StringRef constantsFile,
                                          uint64_t constantsBytes) {
  std::string text = level.getHost().directives.str();
  if (constantsBytes == 0)
    return text;
  std::string symbol = kStaticConstants.str();
  return text + "\t.section .rodata.sectile,\"a\",%progbits\n\t.p2align 6\n\t.globl " + symbol +
         "\n\t.hidden " + symbol + "\n\t.type " + symbol + ",%object\n" + symbol + ":\n" +
         includeBytes(constantsFile) + "\t.size " + symbol + ", . - " + symbol + "\n";
}
