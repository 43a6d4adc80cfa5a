//===- Codegen.h - object code and shared objects ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From functions on native vectors (what cpu-expand-math leaves) to ELF objects
// and from those to a shared object, all in this process: neither a compiler
// nor a linker has to be installed.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_CODEGEN_H
#define SECTILE_CODEGEN_CODEGEN_H

#include "sectile/Target/CpuLevel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>
#include <vector>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace sectile {

/// Instructions in an innermost loop, or several, counted in optimised LLVM IR.
struct LoopStats {
  /// Instructions that take or give vectors.
  uint32_t vectorOps = 0;
  /// Arithmetic and stores on scalars that are data, not addresses or loop control.
  uint32_t scalarOps = 0;
};

/// The innermost loops of a function.
struct FunctionStats {
  LoopStats total;
  std::vector<LoopStats> loops;
};

struct ObjectCode {
  /// The ELF relocatable object.
  std::string elf;
  /// Text, where it was asked for.
  std::string assembly, llvmText;
  /// By function, suffix included.
  llvm::StringMap<FunctionStats> stats;
};

struct CodegenOptions {
  /// Appended to the name of every function that the module defines.
  std::string symbolSuffix;
  bool emitAssembly = false;
  bool emitLLVM = false;
  /// Functions are visible to users of the shared object; otherwise only inside it.
  bool exportFunctions = false;
  /// Threads to compile with, where there is more than one module; 0: as many as there are cores.
  unsigned threads = 0;
  /// Changes the translated module before it is optimised; null: nothing does. For tests, of levels
  /// that the machine lacks.
  void (*prepare)(llvm::Module &module) = nullptr;
};

/// Lowers `module` to the LLVM dialect in place: func, scf, cf, arith, math, vector and ub are
/// replaced. An operation without a lowering is an error at its location.
llvm::LogicalResult lowerToLLVM(mlir::ModuleOp module);

/// A module translated to LLVM IR, with the context that owns it.
class TranslatedModule;
struct TranslatedModuleDeleter {
  void operator()(TranslatedModule *module) const;
};
using TranslatedModulePtr = std::unique_ptr<TranslatedModule, TranslatedModuleDeleter>;

/// First half of compileToObject: everything that needs the module's MLIRContext.
llvm::FailureOr<TranslatedModulePtr> translateForLevel(mlir::ModuleOp module, const CpuLevel &level,
                                                       const CodegenOptions &options);
/// Instructions of `module`, by which time and memory of compiling it grow.
size_t countInstructions(const TranslatedModule &module);
/// Second half, for any thread. On failure `error` holds a message.
llvm::FailureOr<ObjectCode> compileTranslated(TranslatedModule &module, std::string &error);

/// Compiles `module` (any mixture that lowerToLLVM takes) for `level`. The module is lowered in
/// place. Symbols it declares but does not define stay undefined, except that calls of library
/// functions other than memcpy, memmove and memset are an error.
llvm::FailureOr<ObjectCode> compileToObject(mlir::ModuleOp module, const CpuLevel &level,
                                            const CodegenOptions &options = {});

/// Makes LLVM's parts for all hosts known; as often as one likes, from any thread.
void initialiseCodeTargets();

/// LLVM's machine for `level`.
llvm::FailureOr<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine(const CpuLevel &level,
                                                                        mlir::Location loc);

/// Renames symbols of the ELF object `elf`: `names` maps old names to new ones. On failure `error`
/// holds a message.
llvm::LogicalResult renameSymbols(std::string &elf,
                                  llvm::ArrayRef<std::pair<std::string, std::string>> names,
                                  std::string &error);

/// Reports errors of functions that have no operation at hand.
using ErrorEmitter = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// A section that the objects declare with its full size but without bytes (read-only, allocated,
/// NOBITS), for what is too large to pass through objects and linker. Its bytes are written once,
/// behind what the linker wrote.
struct LateSection {
  llvm::StringRef name;
  uint64_t bytes = 0;
  /// Writes exactly `bytes`. The stream keeps its first error.
  llvm::function_ref<void(llvm::raw_ostream &)> write;
  /// The hash of the bytes (XXH3-64, seed 0) is stored at this offset of this exported symbol.
  llvm::StringRef hashSymbol;
  uint64_t hashOffset = 0;
};

/// Links object files into the shared object `output`, which is written beside its final name
/// and renamed, so that a failure leaves nothing or what was there before. Undefined symbols
/// other than memcpy, memmove and memset are errors. Not thread safe (lld has global state).
llvm::LogicalResult linkShared(llvm::ArrayRef<std::string> objects, llvm::StringRef output,
                               ErrorEmitter emitError, const LateSection *late = nullptr);

/// Links object files into the one object `output`, in which only what any of them exports is
/// visible: hidden symbols become local, so that several such objects fit into one program.
/// Undefined symbols stay. Not thread safe.
llvm::LogicalResult linkRelocatable(llvm::ArrayRef<std::string> objects, llvm::StringRef output,
                                    ErrorEmitter emitError);

} // namespace sectile

#endif // SECTILE_CODEGEN_CODEGEN_H
