//===- Machine.h - lanes, warps and blocks as fibers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_MACHINE_H
#define SECTILE_LIB_EMULATOR_MACHINE_H

#include "Matrix.h"
#include "WarpGroup.h"
#include "WaveMatrix.h"

#include "sectile/Emulator/Emulator.h"

#include "llvm/ADT/DenseMap.h"

#include <cstdlib>

namespace sectile::emulator {

/// A place in a kernel that the machine is called from.
struct Site {
  std::string kernel, location;
  uint32_t bytes = 0, align = 1;
  uint8_t space = 0;
  bool read = false, write = false, atomic = false;
  /// Which of an op's variants: what lanes must agree on to meet.
  uint32_t variant = 0;
  /// What the access is called where memory is counted, and the lanes that make it.
  const char *op = "load";
  uint32_t members = ~0u;
};

enum class Collective : uint8_t {
  Shuffle,
  Vote,
  MatchAny,
  MatchAll,
  Redux,
  SyncWarp,
  Elect,
  Matrix,
  LoadMatrix,
  GroupMatrix,
  GroupFence,
  GroupCommit,
  GroupWait,
  // Of AMD.
  Permute,
  Swizzle,
  Dpp,
  Ballot,
  WaveMatrix,
};
/// The lane that lane `lane` reads by a DPP control, or nothing if that one is not there; and
/// whether the control is one that all processors have.
std::optional<uint32_t> dppSource(uint32_t control, uint32_t lane);
bool isDppControl(uint32_t control);
/// The lane that ds_swizzle reads by an offset; nothing if the mode is not emulated.
std::optional<uint32_t> swizzleSource(uint32_t offset, uint32_t lane);

/// Variants of collectives, in the order of the NVVM dialect's attributes.
enum ShuffleKind : uint32_t { Bfly, Up, Down, Idx };
enum VoteKind : uint32_t { Any, All, Ballot, Uni };
enum class ReduxKind : uint32_t { Add, And, Max, Min, Or, UMax, UMin, Xor };
enum class BarrierKind : uint32_t { Plain, Popc, And, Or };

/// Who accessed a byte last: [time 20][block 17][lane 10][site 16][atomic 1], never 0.
using Stamp = uint64_t;

/// One bit for each lane of a warp, which has at most kMaxWarp.
using LaneMask = uint64_t;
constexpr uint32_t kMaxWarp = 64;
constexpr LaneMask laneBit(uint32_t lane) { return LaneMask(1) << lane; }

/// What is known of a byte. Two readers are enough: a third one that nothing orders with either
/// races with the same writers.
struct Cell {
  Stamp write = 0, reads[2] = {0, 0};
};

/// From calloc, so that pages nobody touches cost nothing.
using CellArray = std::unique_ptr<Cell[], decltype(&std::free)>;
CellArray makeCells(uint64_t bytes);

/// Global memory, or a block's shared memory.
struct Region {
  std::string name;
  std::unique_ptr<char, decltype(&std::free)> owned{nullptr, &std::free};
  char *data = nullptr;
  uint64_t bytes = 0;
  /// Null where everything is: memory of the host.
  std::unique_ptr<uint8_t[]> initialized;
  /// Null where races are not looked for.
  CellArray cells{nullptr, &std::free};
  /// Whether unmapRegions drops it.
  bool isMapped = false;
};

struct SharedVariable {
  std::string name;
  uint64_t offset, bytes;
};

struct Warp;
struct Stacks;
class MemoryCounter;

/// What a lane has begun to copy and not waited for.
struct AsyncCopy {
  char *to;
  /// Null where nothing may be read.
  const char *from;
  uint32_t bytes, read, site, group;
};

struct Lane {
  void *stack = nullptr;
  Warp *warp = nullptr;
  uint32_t index = 0, lane = 0;
  Dim3 thread;
  /// Everything that any lane of the block did before this time is ordered before what follows.
  uint32_t knows = 0;
  /// The same for single lanes, by their index; empty until a part of the block synchronises.
  std::vector<uint32_t> knowsLane;
  /// The meeting that it waits in.
  uint32_t site = 0;
  /// Of lanes; of a barrier, its number.
  LaneMask mask = 0;
  uint64_t operands[3] = {}, result = 0;
  std::vector<AsyncCopy> copies;
  /// Groups that it has committed.
  uint32_t groups = 0;
  LaneRegisters registers;
};

struct Meeting {
  Collective op;
  uint32_t variant;
  LaneMask mask, arrived;
};

struct Warp {
  Lane *lanes = nullptr;
  LaneMask present = 0, exited = 0, runnable = 0;
  std::vector<Meeting> meetings;
  WarpProducts products;
};

struct Barrier {
  std::vector<Lane *> waiting;
  uint32_t expected = 0;
};

constexpr uint64_t kMaxShared = 232448; // sm_90: 227 KiB per block, CUDA C++ Programming Guide,
                                        // "Technical Specifications per Compute Capability"
constexpr uint64_t kMaxLds =
    65536; // of a work-group on CDNA 2, CDNA 3 and RDNA 3: the manuals, "LDS"
constexpr uint64_t kStackBytes = 256 * 1024;
constexpr uint32_t kMaxBlocks = 1 << 17; // as many as stamps tell apart
constexpr uint32_t kMaxThreads = 1024, kBarriers = 16;

class Machine {
public:
  Machine();
  ~Machine();

  /// Memory of its own, or at `data`, which outlives this.
  Region &addRegion(llvm::StringRef name, uint64_t bytes, char *data = nullptr);
  void setInitialized(Region &region);
  void mapRegion(llvm::StringRef name, uint64_t bytes, char *data, bool tracks);
  void unmapRegions();
  Report run(const LaunchOptions &options, llvm::StringRef kernel, void (*entry)(void **),
             void **arguments);

  std::vector<Site> sites{1};
  std::vector<SharedVariable> sharedVariables;
  /// What the variants of matrix instructions are.
  std::vector<MatrixOp> matrices;
  std::vector<WaveMatrixOp> waveMatrices;
  std::vector<GroupMatrixOp> groupMatrices;
  /// Lanes of a warp.
  uint32_t warpSize = 32;
  bool isAmd = false;
  LaneMask allLanes() const { return ~LaneMask(0) >> (kMaxWarp - warpSize); }
  uint64_t staticShared = 0;
  char *shared() const { return sharedRegion.data; }

  // What kernels call, on the fiber of a lane.
  void *access(char *address, uint64_t bytes, const Site &site, uint32_t id);
  uint64_t meet(Collective op, LaneMask mask, uint32_t site, uint64_t a, uint64_t b, uint64_t c);
  uint32_t barrier(uint32_t id, uint32_t count, uint32_t predicate, uint32_t site);
  uint32_t special(uint32_t which) const;
  /// cp.async: `site` is the write of `bytes` to shared memory, the next one the read of `read`
  /// bytes of global memory.
  void copy(char *to, char *from, uint32_t bytes, uint32_t read, uint32_t site);
  void commitCopies() { ++current->groups; }
  /// Ends all copies of this lane's groups but the last `pending` ones.
  void waitForCopies(uint32_t pending);
  /// This lane reads or writes registers of products.
  void touchRegisters(uint32_t registers, uint32_t site);
  /// fence.proxy.async
  void fenceProxies();

  bool ranOutOfTime() const { return outOfTime; }

private:
  void runBlock(Dim3 block);
  static void laneEntry();
  void leave();
  void exitLane();
  Lane *nextLane();
  void complete(Warp &warp, size_t meeting);
  void perform(Warp &warp, const Meeting &meeting);
  void loadMatrices(Warp &warp, const Meeting &meeting);
  void performOfWave(Warp &warp, const Meeting &meeting);
  bool needsAll(Warp &warp, const Meeting &meeting);
  void performOfGroup(Warp &warp, const Meeting &meeting);
  void beginGroupProduct(Warp &warp, const Meeting &meeting);
  void waitForProducts(Warp &warp, uint32_t pending);
  void stepGroup(Warp &warp, const GroupStep &step);
  void checkRegisters(Warp &warp, uint32_t variant, uint32_t site);
  bool checkPiece(Warp &warp, uint64_t offset, uint32_t site);
  void readSide(Warp &warp, uint64_t bits, const GroupMatrixOp &op, bool isLeft, uint32_t site,
                GroupProduct &product, std::vector<double> &values);
  /// A lane wrote to shared memory where products may read.
  void noteSharedWrite(uint64_t offset, uint64_t bytes, uint32_t site);
  void beginGroups();
  void endGroups();
  void tryComplete(Warp &warp);
  void tryBarriers();
  void release(Barrier &barrier);
  bool isKnown(Stamp stamp, bool atomic, bool isShared) const;
  void checkRace(Region &region, uint64_t offset, const Site &site, uint32_t id, bool isShared);
  Region *findRegion(const char *address);
  std::string nearestRegion(const char *address) const;
  char *stackOf(const Lane &lane) const { return stacks + lane.index * kStackBytes; }
  /// Reports an access to what an asynchronous copy is about to write.
  void checkCopies(uint64_t offset, uint64_t bytes, uint32_t site);
  void report(FindingKind kind, uint32_t site, const std::string &detail = {},
              const Region *region = nullptr, int64_t offset = 0, Stamp other = 0,
              const Lane *who = nullptr);
  template <typename Lanes>
  void order(const Lanes &participants);
  void reportDeadlock();
  Dim3 threadOf(uint32_t index) const;
  Dim3 blockOf(uint32_t index) const;
  uint32_t tick();

  /// Whether a block synchronised more often than stamps can count.
  bool outOfTime = false;
  std::vector<std::unique_ptr<Region>> regions;
  Region sharedRegion;
  /// For each byte of shared memory the copy under way to it, 0 if there is none.
  std::unique_ptr<Stamp[], decltype(&std::free)> underWay{nullptr, &std::free};
  bool hasCopies = false;
  /// Where there are products of warp groups: for each byte of shared memory whose write no
  /// fence.proxy.async follows yet (a lane's index plus 1), and for each 16 bytes how many products
  /// under way read them.
  std::vector<uint16_t> unfencedBy, readsUnderWay;
  /// For each warp group what its warps do in turn.
  std::vector<std::vector<GroupStep>> groupSteps;
  std::unique_ptr<MemoryCounter> counter;
  std::vector<char> scratch;
  std::shared_ptr<Stacks> sharedStacks;
  char *stacks;
  void *scheduler = nullptr;
  std::vector<Lane> lanes;
  std::vector<Warp> warps;
  Barrier barriers[kBarriers];
  Lane *current = nullptr;
  uint32_t time = 1, blockIndex = 0, random = 0;
  Dim3 blockId;
  LaunchOptions options;
  std::string kernel;
  void (*entry)(void **) = nullptr;
  void **arguments = nullptr;
  Report result;
  llvm::DenseMap<uint64_t, size_t> seen;
};

/// The machine that this thread runs.
extern thread_local Machine *activeMachine;

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_MACHINE_H
