//===- GpuModule.cpp - kernels through a back end of LLVM -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuModule.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/ROCDL/ROCDLToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace sectile;

static void initialiseTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
  });
}

std::string sectile::runGuarded(function_ref<void()> body) {
  std::string reason;
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext recovery;
  bool isDone = recovery.RunSafely([&] {
    llvm::ScopedFatalErrorHandler handler(
        [](void *user, const char *message, bool) {
          *static_cast<std::string *>(user) = message;
          llvm::CrashRecoveryContext::GetCurrent()->HandleExit(1);
        },
        &reason);
    body();
  });
  llvm::CrashRecoveryContext::Disable();
  if (!isDone && reason.empty())
    reason = "LLVM's back end failed with signal " + std::to_string(recovery.RetCode - 128);
  return reason;
}

FailureOr<SmallVector<char, 0>>
sectile::compileGpuModule(ModuleOp module, const target::GpuTarget &target,
                          llvm::CodeGenFileType fileType,
                          function_ref<void(llvm::Module &)> prepare) {
  auto fail = [&](const Twine &reason) {
    return module.emitError() << "expects code for " << target.name.data()
                              << ", but got: " << reason;
  };
  initialiseTargets();
  llvm::Triple triple{llvm::StringRef(target.triple)};
  std::string error;
  const llvm::Target *backEnd = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backEnd)
    return fail(error);
  llvm::TargetOptions options;
  // Sums and products that may be contracted say so themselves.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  std::unique_ptr<llvm::TargetMachine> machine(
      backEnd->createTargetMachine(triple, target.processor, target.features, options, std::nullopt,
                                   std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerNVVMDialectTranslation(*module.getContext());
  registerROCDLDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  std::string unsupported;
  context.setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo *info, void *user) {
        if (info->getSeverity() != llvm::DS_Error)
          return;
        llvm::raw_string_ostream out(*static_cast<std::string *>(user));
        llvm::DiagnosticPrinterRawOStream printer(out);
        info->print(printer);
      },
      &unsupported);
  // Some ops of NVVM are assembly to LLVM.
  OwningOpRef<ModuleOp> expanded(cast<ModuleOp>(module->clone()));
  PassManager expansion(module.getContext());
  expansion.addPass(createConvertNVVMToLLVMPass());
  if (target.family == target::GpuFamily::Nvidia && failed(expansion.run(*expanded)))
    return fail("NVVM's assembly cannot be written");
  std::unique_ptr<llvm::Module> ir = translateModuleToLLVMIR(*expanded, context);
  if (!ir)
    return fail("the kernels cannot be translated to LLVM IR");
  ir->setDataLayout(machine->createDataLayout());
  ir->setTargetTriple(triple);
  if (prepare)
    prepare(*ir);

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  std::string reason = runGuarded([&] {
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(*ir, modules);
  });
  if (!reason.empty())
    return fail(reason);

  std::string message;
  llvm::raw_string_ostream messages(message);
  if (llvm::verifyModule(*ir, &messages))
    return fail(message);
  SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, fileType))
    return fail("the back end writes no such file");
  reason = runGuarded([&] { passes.run(*ir); });
  if (reason.empty())
    reason = unsupported;
  if (!reason.empty())
    return fail(reason);
  return std::move(text);
}
