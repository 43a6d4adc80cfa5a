//===- Package.h - the parts of a package beside its code -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_PACKAGE_H
#define SECTILE_LIB_COMPILER_PACKAGE_H

#include "sectile/Codegen/Kernels.h"
#include "sectile/Conversion/Host.h"

#include <string>
#include <vector>

namespace sectile {

/// What reports show of one kernel.
struct KernelSummary {
  std::string name, nodes, description, schedule;
};

/// One instruction-set level of the package's code.
struct CompiledLevel {
  const CpuLevel *level;
  std::string symbolSuffix;
  /// By kernel: messages of its checks.
  std::vector<std::vector<std::string>> failures;
  llvm::StringMap<FunctionStats> stats;
};

/// The section of constants: the descriptor's object declares it, linkShared fills it.
inline constexpr llvm::StringLiteral kConstantsSection = ".sectile.constants";

/// The descriptor as assembly text; see sectile/Package/Abi.h for what it lays out. There are
/// `constantsBytes` bytes of constants, whose hash is left 0.
std::string writeDescriptor(const PlannedInterface &interface,
                            llvm::ArrayRef<KernelSummary> kernels,
                            llvm::ArrayRef<CompiledLevel> levels, llvm::StringRef modelName,
                            llvm::StringRef options, uint64_t constantsBytes);

/// Assembles `text` to an ELF object for `level`'s architecture.
llvm::FailureOr<std::string> assemble(llvm::StringRef text, const CpuLevel &level,
                                      mlir::Location loc);

/// Writes the section of constants, packed as planned and padded to `bytes`.
void writeConstants(llvm::ArrayRef<PlannedConstant> constants, uint64_t bytes,
                    llvm::raw_ostream &out);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_PACKAGE_H
