//===- AbsentTargets.cpp - targets that a program does without --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// lld, which links packages, registers all of LLVM's targets and calls LLVM's pipeline for what a
// link-time optimisation might want. It gets nothing but finished objects from us, so programs that
// carry LLVM inside define these functions themselves, in an object that comes before the archives:
// the linker then takes no code of targets we write no code for (76 of 192 MB), and no Polly, which
// Debian's archives call but do not contain.
//
//===----------------------------------------------------------------------===//
#include "llvm/Plugins/PassPlugin.h"
#include "llvm/Support/ErrorHandling.h"

// The declarations that lld has.
#define ABSENT_TARGET(NAME)                                                                        \
  extern "C" void LLVMInitialize##NAME##TargetInfo();                                              \
  extern "C" void LLVMInitialize##NAME##Target();                                                  \
  extern "C" void LLVMInitialize##NAME##TargetMC();                                                \
  extern "C" void LLVMInitialize##NAME##AsmPrinter();                                              \
  extern "C" void LLVMInitialize##NAME##AsmParser();                                               \
  void LLVMInitialize##NAME##TargetInfo() {}                                                       \
  void LLVMInitialize##NAME##Target() {}                                                           \
  void LLVMInitialize##NAME##TargetMC() {}                                                         \
  void LLVMInitialize##NAME##AsmPrinter() {}                                                       \
  void LLVMInitialize##NAME##AsmParser() {}
#include "AbsentTargets.def"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  llvm::report_fatal_error("expects no link-time optimisation");
}
