//===- StaticInterface.cpp - the C function of static output ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/StaticHost.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;

namespace {

/// Words that C or C++ keep for themselves, and names that the header uses.
constexpr llvm::StringLiteral kReserved[] = {"alignas",   "alignof",     "and",
                                             "arena",     "arena_bytes", "asm",
                                             "auto",      "bitand",      "bitor",
                                             "bool",      "break",       "case",
                                             "catch",     "char",        "class",
                                             "compl",     "concept",     "const",
                                             "consteval", "constexpr",   "constinit",
                                             "continue",  "co_await",    "co_return",
                                             "co_yield",  "decltype",    "default",
                                             "delete",    "do",          "double",
                                             "else",      "enum",        "explicit",
                                             "export",    "extern",      "false",
                                             "float",     "for",         "friend",
                                             "goto",      "if",          "inline",
                                             "int",       "long",        "mutable",
                                             "namespace", "new",         "noexcept",
                                             "not",       "nullptr",     "operator",
                                             "or",        "private",     "protected",
                                             "public",    "register",    "reinterpret_cast",
                                             "requires",  "restrict",    "return",
                                             "short",     "signed",      "sizeof",
                                             "static",    "struct",      "switch",
                                             "template",  "this",        "throw",
                                             "true",      "try",         "typedef",
                                             "typeid",    "typename",    "typeof",
                                             "union",     "unsigned",    "using",
                                             "virtual",   "void",        "volatile",
                                             "wchar_t",   "while",       "xor"};

/// Makes C identifiers that differ, in whatever case: macros are made of them.
class Identifiers {
public:
  Identifiers() {
    for (StringRef word : kReserved)
      taken.insert(word);
  }
  std::string make(StringRef text) {
    std::string name;
    for (char c : text)
      name += llvm::isAlnum(c) ? c : '_';
    if (name.empty() || !llvm::isAlpha(name[0]))
      name = "t" + name;
    std::string unique = name;
    for (unsigned number = 2; !taken.insert(StringRef(unique).lower()).second; ++number)
      unique = name + "_" + std::to_string(number);
    return unique;
  }

private:
  llvm::StringSet<> taken;
};

bool isIdentifier(StringRef text) {
  return !text.empty() && !llvm::isDigit(text[0]) &&
         llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

} // namespace

static void nameArguments(StaticInterface &result) {
  Identifiers names;
  // Tensors first: they are what a user knows by name.
  for (const PlannedTensor &tensor : result.model.inputs)
    result.inputs.push_back({names.make(tensor.name), {}});
  for (const PlannedTensor &tensor : result.model.outputs)
    result.outputs.push_back({names.make(tensor.name), {}});
  llvm::StringMap<int> known;
  for (auto [tensor, planned] : llvm::zip_equal(result.inputs, result.model.inputs))
    for (int64_t dim = 0; dim < planned.type.getRank(); ++dim) {
      if (!planned.type.isDynamicDim(dim)) {
        tensor.parameters.push_back(-1);
        continue;
      }
      StringRef text = planned.dims[dim];
      auto [it, isNew] = known.try_emplace(text, static_cast<int>(result.parameters.size()));
      if (isNew)
        result.parameters.push_back(names.make(
            isIdentifier(text) ? text.str() : tensor.name + "_dim" + std::to_string(dim)));
      tensor.parameters.push_back(it->second);
    }
}

/// Statuses of everything that may fail.
static void numberChecks(ModuleOp module, StaticInterface &result) {
  auto next = [&] { return kStaticFirstCheck + static_cast<int32_t>(result.checks.size()); };
  for (StringRef name : {kPrepareFunction, kRunFunction})
    if (auto func = module.lookupSymbol<func::FuncOp>(name))
      func.walk([&](graph::CheckOp check) {
        if (result.hostChecks.try_emplace(check.getMessage(), next()).second)
          result.checks.push_back(check.getMessage().str());
      });
  for (auto kernel : module.getOps<graph::KernelOp>()) {
    result.kernelChecks[kernel.getSymName()] = next();
    auto failures = kernel->getAttrOfType<ArrayAttr>(kFailuresListAttr);
    if (!failures)
      continue;
    std::string nodes;
    if (ArrayAttr names = kernel.getNodesAttr())
      for (auto name : names.getAsRange<StringAttr>())
        nodes += (nodes.empty() ? "" : ",") + name.str();
    for (auto message : failures.getAsRange<StringAttr>())
      result.checks.push_back(message.str() + " (kernel '" + kernel.getSymName().str() +
                              "', nodes " + nodes + ")");
  }
}

StaticInterface sectile::getStaticInterface(ModuleOp module) {
  StaticInterface result;
  result.model = getPlannedInterface(module);
  nameArguments(result);
  result.sharedInput.assign(result.model.outputs.size(), -1);
  for (const graph::Alias &alias : result.model.aliases)
    result.sharedInput[alias.output] = static_cast<int>(alias.input);
  numberChecks(module, result);
  bool hasKnownScratch = true;
  for (auto kernel : module.getOps<graph::KernelOp>())
    if (auto bytes = kernel->getAttrOfType<IntegerAttr>(kScratchBytesAttr))
      result.knownScratchBytes = std::max(result.knownScratchBytes, bytes.getInt());
    else
      hasKnownScratch = false;
  auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
  if (!prepare)
    return result;
  if (auto data = prepare->getAttrOfType<DenseI64ArrayAttr>(kDataInputsAttr))
    for (int64_t number : data.asArrayRef())
      result.dataInputs.push_back(static_cast<unsigned>(number));
  auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
  if (auto decided = run ? run->getAttrOfType<DenseI64ArrayAttr>(kDecidedDimsAttr) : nullptr)
    for (size_t pair = 0; pair < decided.asArrayRef().size(); pair += 2)
      if (auto output = static_cast<unsigned>(decided[pair]);
          !llvm::is_contained(result.decidedOutputs, output))
        result.decidedOutputs.push_back(output);
  bool hasFixedOutputs = llvm::all_of(result.model.outputs, [](const PlannedTensor &tensor) {
    return tensor.type.hasStaticShape();
  });
  APInt arena;
  Operation *end = prepare.getBody().back().getTerminator();
  if (hasKnownScratch && hasFixedOutputs && prepare.getNumArguments() == 0 &&
      matchPattern(end->getOperands().back(), m_ConstantInt(&arena)))
    result.arenaBytes = static_cast<int64_t>(llvm::alignTo(arena.getZExtValue(), kStaticAlignment) +
                                             result.knownScratchBytes);
  return result;
}
