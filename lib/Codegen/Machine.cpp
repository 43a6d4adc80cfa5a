//===- Machine.cpp - LLVM's machines of our hosts ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Codegen.h"

#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace sectile;

// Programs that carry LLVM inside have only these: SECTILE_CODE_TARGETS of cmake/SectileMLIR.cmake.
#define INITIALISE_TARGET(NAME)                                                                    \
  do {                                                                                             \
    LLVMInitialize##NAME##TargetInfo();                                                            \
    LLVMInitialize##NAME##Target();                                                                \
    LLVMInitialize##NAME##TargetMC();                                                              \
    LLVMInitialize##NAME##AsmPrinter();                                                            \
    LLVMInitialize##NAME##AsmParser();                                                             \
  } while (false)

void sectile::initialiseCodeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    INITIALISE_TARGET(AArch64);
    INITIALISE_TARGET(ARM);
    INITIALISE_TARGET(X86);
  });
}

FailureOr<std::unique_ptr<llvm::TargetMachine>> sectile::makeTargetMachine(const CpuLevel &level,
                                                                           Location loc) {
  initialiseCodeTargets();
  const CpuHost &host = level.getHost();
  llvm::Triple triple(host.triple);
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return emitError(loc, "expects LLVM to know target ") << host.triple << ", but got: " << error;
  auto relocation = host.isPositionIndependent ? llvm::Reloc::PIC_ : llvm::Reloc::Static;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, level.cpu, level.features, llvm::TargetOptions(),
                                  relocation, std::nullopt, llvm::CodeGenOptLevel::Default));
}
