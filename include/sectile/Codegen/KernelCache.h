//===- KernelCache.h - compiled kernels on disk -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A folder of compiled kernels, each under a hash of all that its code follows
// from, so that a changed model recompiles only what changed. Several processes
// and threads may use a folder at once: entries are written beside their place
// and renamed, read as a whole, and checked; what is damaged is compiled again.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_KERNELCACHE_H
#define SECTILE_CODEGEN_KERNELCACHE_H

#include "sectile/Codegen/Codegen.h"

#include <atomic>
#include <optional>

namespace sectile {

/// What is known of a kernel's code beside it.
struct KernelFacts {
  /// Messages of its checks.
  std::vector<std::string> failures;
  /// Bytes of scratch memory, unless they depend on sizes at run time.
  std::optional<int64_t> scratchBytes;
};

/// One kernel for one level. Its functions are called kCompiledKernelName.run and .info.
struct CompiledKernel {
  /// The ELF relocatable object.
  std::string elf;
  KernelFacts facts;
  /// By function.
  llvm::StringMap<FunctionStats> stats;
};

inline constexpr llvm::StringLiteral kCompiledKernelName = "kernel";

class KernelCache {
public:
  /// A hash of 256 bits, in hexadecimal digits.
  using Key = std::string;

  /// Uses the folder `path`, which is made where it does not exist, and keeps it below about
  /// `mostBytes`. On failure `error` holds a message.
  static std::unique_ptr<KernelCache> open(llvm::StringRef path, uint64_t mostBytes,
                                           std::string &error);
  /// Removes entries that were not used for the longest time where there are more than `mostBytes`.
  ~KernelCache();

  /// The key of what `text` describes, for this build of the compiler.
  Key makeKey(llvm::StringRef text) const;
  /// Nothing if there is no such entry, or none that can be read.
  std::optional<CompiledKernel> lookup(const Key &key);
  /// A failure to write is no error: the kernel is compiled again next time.
  void store(const Key &key, const CompiledKernel &kernel);

  unsigned getNumHits() const { return numHits; }
  unsigned getNumMisses() const { return numMisses; }

private:
  KernelCache(llvm::StringRef path, uint64_t mostBytes, std::string build)
      : path(path), mostBytes(mostBytes), build(std::move(build)) {}
  std::string pathOf(const Key &key) const;

  std::string path;
  uint64_t mostBytes;
  std::string build;
  std::atomic<unsigned> numHits = 0, numMisses = 0;
  std::atomic<bool> hasStored = false;
};

} // namespace sectile

#endif // SECTILE_CODEGEN_KERNELCACHE_H
