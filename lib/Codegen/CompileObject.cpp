//===- CompileObject.cpp - LLVM IR to an ELF object -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopStats.h"
#include "sectile/Codegen/Codegen.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;
using namespace sectile;

/// What every function we generate has in common.
static void setFunctionAttributes(llvm::Module &module, const CpuLevel &level,
                                  const CodegenOptions &options) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("target-cpu", level.cpu);
    function.addFnAttr("tune-cpu", level.tuneCpu);
    if (!level.features.empty())
      function.addFnAttr("target-features", level.features);
    function.addFnAttr("prefer-vector-width", std::to_string(level.vectorBytes * 8));
    function.addFnAttr("min-legal-vector-width", std::to_string(level.vectorBytes * 8));
    if (!function.hasLocalLinkage()) {
      function.setName(function.getName() + options.symbolSuffix);
      if (!options.exportFunctions)
        function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    }
    function.setDSOLocal(true);
  }
}

/// The code is emitted in its final shape: vectors, unrolled bodies, hoisted addresses. What is
/// left to LLVM is clean-up, strength reduction and instruction selection; its own vectorisers
/// would only spend time.
static constexpr llvm::StringLiteral kPipeline =
    "function(lower-expect,simplifycfg,sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
    "loop-mssa(loop-rotate<header-duplication>,licm),simplifycfg,"
    "loop(indvars,loop-deletion),gvn,instcombine<no-verify-fixpoint>,loop-mssa(licm),adce,"
    "simplifycfg)";

static LogicalResult optimise(llvm::Module &module, llvm::TargetMachine &machine,
                              std::string &message) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  llvm::ModulePassManager passes;
  if (llvm::Error error = builder.parsePassPipeline(passes, kPipeline)) {
    message = "expects LLVM to have the passes of its pipeline, but got: " +
              llvm::toString(std::move(error));
    return failure();
  }
  passes.run(module, modules);
  return success();
}

static LogicalResult emitFile(llvm::Module &module, llvm::TargetMachine &machine,
                              llvm::CodeGenFileType type, std::string &out, std::string &message) {
  SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type)) {
    message = "expects a target that can emit files, but got " + machine.getTargetTriple().str();
    return failure();
  }
  passes.run(module);
  out.assign(buffer.begin(), buffer.end());
  return success();
}

/// Library calls that LLVM made up are slow where they work and missing where they do not.
static LogicalResult checkUndefined(StringRef elf, const llvm::StringSet<> &declared,
                                    bool mayCallHelpers, std::string &message) {
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(elf, "object"),
                                                              /*InitContent=*/true);
  if (!object) {
    message = "expects an ELF object, but got: " + llvm::toString(object.takeError());
    return failure();
  }
  for (const llvm::object::SymbolRef &symbol : (*object)->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name) {
      message = "expects a readable symbol table, but got: " +
                llvm::toString(llvm::joinErrors(flags.takeError(), name.takeError()));
      return failure();
    }
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined) || name->empty() ||
        declared.contains(*name) || *name == "memcpy" || *name == "memset" || *name == "memmove" ||
        (mayCallHelpers && name->starts_with("__aeabi_")))
      continue;
    message = ("expects no library calls, but the code calls '" + *name + "'").str();
    return failure();
  }
  return success();
}

/// LLVM contexts are not shared: modules are compiled on several threads.
class sectile::TranslatedModule {
public:
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
  llvm::StringSet<> declared;
  CodegenOptions options;
  bool mayCallHelpers;
};

void TranslatedModuleDeleter::operator()(TranslatedModule *module) const { delete module; }

FailureOr<TranslatedModulePtr> sectile::translateForLevel(ModuleOp module, const CpuLevel &level,
                                                          const CodegenOptions &options) {
  Location loc = module.getLoc();
  if (failed(lowerToLLVM(module)))
    return failure();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);
  TranslatedModulePtr result(new TranslatedModule);
  result->options = options;
  result->mayCallHelpers = level.mayCallHelpers;
  result->module = translateModuleToLLVMIR(module, result->context, "sectile");
  if (!result->module)
    return mlir::emitError(loc, "expects IR that translates to LLVM");
  auto machine = makeTargetMachine(level, loc);
  if (failed(machine))
    return failure();
  result->machine = std::move(*machine);
  result->module->setTargetTriple(result->machine->getTargetTriple());
  result->module->setDataLayout(result->machine->createDataLayout());
  result->module->setPICLevel(llvm::PICLevel::BigPIC);
  if (options.prepare)
    options.prepare(*result->module);
  for (const llvm::GlobalValue &value : result->module->global_values())
    if (value.isDeclaration())
      result->declared.insert(value.getName());
  setFunctionAttributes(*result->module, level, options);
  std::string problem;
  llvm::raw_string_ostream problemStream(problem);
  if (llvm::verifyModule(*result->module, &problemStream))
    return mlir::emitError(loc, "expects valid LLVM IR, but got: ") << problem;
  return result;
}

size_t sectile::countInstructions(const TranslatedModule &module) {
  return module.module->getInstructionCount();
}

FailureOr<ObjectCode> sectile::compileTranslated(TranslatedModule &translated, std::string &error) {
  llvm::Module &module = *translated.module;
  if (failed(optimise(module, *translated.machine, error)))
    return failure();
  ObjectCode code;
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      code.stats[function.getName()] = countInnermostLoops(function);
  if (translated.options.emitLLVM) {
    llvm::raw_string_ostream stream(code.llvmText);
    module.print(stream, nullptr);
  }
  // Emitting consumes the module's state, so text is made from a copy.
  if (translated.options.emitAssembly) {
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    if (failed(emitFile(*copy, *translated.machine, llvm::CodeGenFileType::AssemblyFile,
                        code.assembly, error)))
      return failure();
  }
  if (failed(emitFile(module, *translated.machine, llvm::CodeGenFileType::ObjectFile, code.elf,
                      error)) ||
      failed(checkUndefined(code.elf, translated.declared, translated.mayCallHelpers, error)))
    return failure();
  return code;
}

FailureOr<ObjectCode> sectile::compileToObject(ModuleOp module, const CpuLevel &level,
                                               const CodegenOptions &options) {
  FailureOr<TranslatedModulePtr> translated = translateForLevel(module, level, options);
  if (failed(translated))
    return failure();
  std::string error;
  FailureOr<ObjectCode> code = compileTranslated(**translated, error);
  if (failed(code))
    return module.emitError(error);
  return code;
}
