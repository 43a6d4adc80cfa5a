//===- Emulator.h - execution of GPU kernels on the host -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Executes kernels in the form they have right before LLVM IR, the LLVM dialect
// with NVVM or ROCDL ops, and reports what a GPU would leave undefined. docs/emulator.md
// says what is checked and what is not.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_EMULATOR_EMULATOR_H
#define SECTILE_EMULATOR_EMULATOR_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace sectile::emulator {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

enum class FindingKind : uint8_t {
  Race,             ///< two accesses to a byte, one a write, that nothing orders
  OutOfBounds,      ///< of every buffer, of a shared variable, or not of the pointer's space
  Uninitialized,    ///< a read of bytes that nobody wrote
  Misaligned,       ///< an address that its access' alignment does not divide
  DivergentBarrier, ///< lanes of a warp that do not execute one and the same barrier
  InvalidMask,      ///< a lane that is not in its own mask, or reads a lane outside of it
  Unfenced,         ///< a matrix product that no fence orders with what it reads or overwrites
  Descriptor,       ///< a descriptor of a matrix that makes no sense, or differs between warps
  DivergentGroup,   ///< warps of a group that do not execute the same products
  Deadlock,         ///< every remaining lane waits
};

llvm::StringRef toString(FindingKind kind);

/// One finding, of the first lane that it was seen in.
struct Finding {
  FindingKind kind;
  std::string kernel, location;
  Dim3 block, thread;
  /// The buffer or shared variable and the byte in it; empty where no memory is concerned.
  std::string buffer;
  int64_t offset = 0;
  /// The other access of a race: location and coordinates; empty for every other kind.
  std::string otherLocation;
  Dim3 otherBlock, otherThread;
  /// What else there is to say: who waits for what, what was expected.
  std::string detail;
  /// How often the same was found at the same place.
  uint64_t occurrences = 1;

  std::string text() const;
};

/// Executed ops, one for each lane.
struct Counts {
  uint64_t loads = 0, stores = 0, atomics = 0, collectives = 0, barriers = 0;
};

/// What the warps' requests of one op at one location took of memory, in all blocks. A request is
/// one execution of the op by a warp; lanes of a diverged warp are matched by how often each has
/// been there.
struct MemoryCount {
  std::string kernel, location;
  /// "load", "store", "atomic", "ldmatrix", "wgmma", "cp.async"; the latter has a row for each of
  /// its sides.
  std::string op;
  bool isShared = false;
  /// That a lane accesses at most.
  uint32_t bytes = 0;
  uint64_t requests = 0;
  /// Of global memory: sectors of 32 bytes that requests touch, and that they would touch if what
  /// each one accesses were dense.
  uint64_t sectors = 0, leastSectors = 0;
  /// Of shared memory: the groups of lanes that are served together, and the turns that banks take
  /// for them, at least one for each.
  uint64_t phases = 0, turns = 0;

  uint64_t conflicts() const { return turns - phases; }
  /// Adds what the same op took elsewhere.
  MemoryCount &operator+=(const MemoryCount &other);
  std::string text() const;
};

struct Report {
  std::vector<Finding> findings;
  Counts counts;
  /// Where `LaunchOptions::countMemory` asks for it, in the order of the kernel's text.
  std::vector<MemoryCount> memory;
};

/// An argument of a kernel: the bytes of its value.
class Argument {
public:
  template <typename T>
  Argument(T value) {
    const auto *first = reinterpret_cast<const char *>(&value);
    bytes.assign(first, first + sizeof(T));
  }
  std::vector<char> bytes;
};

struct LaunchOptions {
  Dim3 grid, block;
  uint64_t dynamicSharedBytes = 0;
  bool checkRaces = true;
  bool countMemory = false;
  /// Lanes run in this order between meeting points: 0 ascending, otherwise by a seeded generator.
  uint32_t orderSeed = 0;
};

class Machine;
struct Program;

class Emulator {
public:
  /// Compiles every kernel of `module` (functions with `nvvm.kernel` or `rocdl.kernel`, directly in
  /// it or in one `gpu.module`) for the host. Reports on each op that has no meaning here, with its
  /// name, its kernel and the reason. `module` is not changed.
  static mlir::FailureOr<std::unique_ptr<Emulator>> load(mlir::ModuleOp module);
  ~Emulator();

  /// Global memory of that many uninitialised bytes, aligned to 256, that lives as long as this.
  void *allocate(llvm::StringRef name, uint64_t bytes);
  /// The same, holding `data`.
  void *allocate(llvm::StringRef name, llvm::ArrayRef<char> data);
  template <typename T>
  T *allocate(llvm::StringRef name, const std::vector<T> &data) {
    return static_cast<T *>(
        allocate(name, llvm::ArrayRef<char>(reinterpret_cast<const char *>(data.data()),
                                            data.size() * sizeof(T))));
  }

  /// Makes memory of the host, which must outlive its use, global memory as well, holding what it
  /// holds. Races with it are found where `tracks` says so.
  void map(llvm::StringRef name, void *data, uint64_t bytes, bool tracks);
  /// Undoes every `map`.
  void unmapAll();

  /// Runs `kernel` on the calling thread, block by block. An error where the launch itself is
  /// wrong: no such kernel, wrong arguments, more threads or shared memory than there is.
  llvm::Expected<Report> launch(llvm::StringRef kernel, const LaunchOptions &options,
                                llvm::ArrayRef<Argument> arguments);

private:
  Emulator();
  std::unique_ptr<Machine> machine;
  std::unique_ptr<Program> program;
};

} // namespace sectile::emulator

#endif // SECTILE_EMULATOR_EMULATOR_H
