//===- Package.h - the parts of a package beside its code -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_PACKAGE_H
#define SECTILE_LIB_COMPILER_PACKAGE_H

#include "sectile/Codegen/Kernels.h"
#include "sectile/Conversion/StaticHost.h"

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
  /// By kernel.
  std::vector<KernelFacts> facts;
  llvm::StringMap<FunctionStats> stats;
};

/// A form of a device's kernels (enum sectile_abi_image_kind), in a file.
struct DeviceImage {
  uint32_t kind;
  std::string path;
  uint64_t bytes;
};

/// What a launch of a kernel on a device takes; -1 where nobody could tell.
struct DeviceKernel {
  int32_t threads = 1, registers = -1;
  int64_t sharedBytes = 0, spillBytes = -1;
  /// Of `sharedBytes`, what the launch gives.
  int64_t launchSharedBytes = 0;
  /// A letter for each argument: 'b' for a buffer, 'i' for an integer.
  std::string arguments;
};

/// All that a package holds for one target.
struct CompiledTarget {
  /// "cpu" or a device.
  std::string name;
  /// Appended to the names of its host program.
  std::string hostSuffix;
  std::vector<KernelSummary> kernels;
  /// Of a device: one, with the facts that its kernels tell the host.
  std::vector<CompiledLevel> levels;
  std::vector<DeviceImage> images;
  std::vector<DeviceKernel> deviceKernels;
  /// Where its constants begin.
  uint64_t constantsOffset = 0;
};

/// A run of constants in a file of its own, see sectile_abi_piece.
struct Piece {
  uint64_t offset = 0, bytes = 0, hash = 0;
  std::string name;
};

/// The constants of a package.
struct PackageConstants {
  uint64_t bytes = 0;
  /// The folder beside the package that holds them in pieces; empty: they are in the package, and
  /// their hash is left 0.
  std::string folder;
  std::vector<Piece> pieces;
};

/// The section of constants: the descriptor's object declares it, linkShared fills it.
inline constexpr llvm::StringLiteral kConstantsSection = ".sectile.constants";

/// The descriptor as assembly text; see sectile/Package/Abi.h for what it lays out.
std::string writeDescriptor(const PlannedInterface &interface,
                            llvm::ArrayRef<CompiledTarget> targets, llvm::StringRef modelName,
                            llvm::StringRef options, const PackageConstants &constants);

/// What the names of static output begin with, as the file that it is written to is called.
std::string getStaticName(llvm::StringRef output);

/// The header of static output: what functions NAME_run and NAME_sizes take and return.
std::string writeStaticHeader(const StaticInterface &interface, llvm::StringRef name,
                              llvm::StringRef modelName, const CpuLevel &level,
                              llvm::StringRef options);

/// The constants of static output as assembly text, from file `constantsFile` of `constantsBytes`
/// bytes (none if 0).
std::string writeStaticConstants(const CpuLevel &level, llvm::StringRef constantsFile,
                                 uint64_t constantsBytes);

/// `.incbin` of the file at `path`, as a line of assembly.
std::string includeBytes(llvm::StringRef path);

/// Assembles `text` to an ELF object for `level`'s architecture.
llvm::FailureOr<std::string> assemble(llvm::StringRef text, const CpuLevel &level,
                                      mlir::Location loc);

/// The elements of a constant in row-major order, as memory holds them. `storage` keeps them where
/// the attribute's own bytes differ.
llvm::ArrayRef<char> getRawBytes(mlir::ElementsAttr value, std::string &storage);

/// Writes constants, packed as planned, from the first one's offset, and pads them to `bytes`.
void writeConstants(llvm::ArrayRef<PlannedConstant> constants, uint64_t bytes,
                    llvm::raw_ostream &out);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_PACKAGE_H
