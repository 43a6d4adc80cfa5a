//===- Machine.cpp - lanes as fibers, and where they meet -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "MemoryCounter.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <sys/mman.h>

using namespace sectile::emulator;

thread_local Machine *sectile::emulator::activeMachine = nullptr;

// Switches stacks: stores the current one in *from and continues on `to`. Only what the C calling
// convention makes the callee keep is saved.
extern "C" void sectile_emulator_switch(void **from, void *to);
#if defined(__x86_64__)
asm(R"(
.text
.globl sectile_emulator_switch
.hidden sectile_emulator_switch
.type sectile_emulator_switch,@function
sectile_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size sectile_emulator_switch,.-sectile_emulator_switch
)");
static void *prepareStack(char *top, void (*entry)()) {
  // After the jump to `entry` the stack is as after a call: 8 below a multiple of 16.
  auto *words = reinterpret_cast<void **>(top) - 1;
  words[0] = nullptr;
  words[-1] = reinterpret_cast<void *>(entry);
  return static_cast<void *>(words - 7);
}
#elif defined(__aarch64__)
asm(R"(
.text
.globl sectile_emulator_switch
.hidden sectile_emulator_switch
.type sectile_emulator_switch,@function
sectile_emulator_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size sectile_emulator_switch,.-sectile_emulator_switch
)");
static void *prepareStack(char *top, void (*entry)()) {
  auto *words = reinterpret_cast<void **>(top - 160);
  words[11] = reinterpret_cast<void *>(entry);
  return words;
}
#else
#error "the emulator has no context switch for this architecture"
#endif

// Each stack begins with a page that traps. Their tops are shifted against each other: equal
// addresses modulo 4096 would fall into the same sets of the first cache.
static constexpr uint64_t kPage = 4096, kStack = kStackBytes, kShift = 320;

/// The stacks of a block. One kernel runs at a time on a thread of the host, so that all machines
/// of a thread have the same: each guard page is a mapping of its own, of which a process may have
/// 65530.
struct sectile::emulator::Stacks {
  Stacks()
      : begin(static_cast<char *>(mmap(nullptr, kStack * kMaxThreads, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (begin == MAP_FAILED)
      llvm::report_fatal_error("cannot map the emulator's stacks");
    for (uint32_t i = 0; i < kMaxThreads; ++i)
      if (mprotect(begin + i * kStack, kPage, PROT_NONE))
        llvm::report_fatal_error("cannot protect the emulator's stacks");
  }
  ~Stacks() { munmap(begin, kStack * kMaxThreads); }
  char *begin;
};

static std::shared_ptr<Stacks> getStacks() {
  static thread_local std::weak_ptr<Stacks> known;
  std::shared_ptr<Stacks> stacks = known.lock();
  if (!stacks)
    known = stacks = std::make_shared<Stacks>();
  return stacks;
}

Machine::Machine() : sharedStacks(getStacks()), stacks(sharedStacks->begin) {
  // Kernels may keep shared addresses in 32 bits, so they lie in the lowest 4 GiB.
  void *window = MAP_FAILED;
  for (uint64_t hint = 0x20000000; window == MAP_FAILED && hint < 0xf0000000; hint += 0x1000000)
    window = mmap(reinterpret_cast<void *>(hint), // NOLINT(performance-no-int-to-ptr)
                  (kMaxShared + kPage - 1) / kPage * kPage, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (window == MAP_FAILED)
    llvm::report_fatal_error("cannot map the emulator's memory");
  sharedRegion.name = "shared memory";
  sharedRegion.data = static_cast<char *>(window);
  sharedRegion.initialized = std::make_unique<uint8_t[]>(kMaxShared);
  sharedRegion.cells = makeCells(kMaxShared);
  scratch.resize(4096);
}

Machine::~Machine() { munmap(sharedRegion.data, (kMaxShared + kPage - 1) / kPage * kPage); }

Dim3 Machine::threadOf(uint32_t index) const {
  const Dim3 &size = options.block;
  return {index % size.x, index / size.x % size.y, index / size.x / size.y};
}

Dim3 Machine::blockOf(uint32_t index) const {
  const Dim3 &size = options.grid;
  return {index % size.x, index / size.x % size.y, index / size.x / size.y};
}

uint32_t Machine::special(uint32_t which) const {
  const Dim3 dims[4] = {current->thread, options.block, blockId, options.grid};
  if (which < 12)
    return (&dims[which / 3].x)[which % 3];
  uint32_t lane = current->lane, below = (1u << lane % 32) - 1;
  switch (which) {
  case 12:
    return lane;
  case 13:
    return warpSize;
  case 14:
    return current->index / warpSize;
  case 15:
    return warps.size();
  case 16:
    return 1u << lane;
  case 17:
    return below | 1u << lane;
  case 18:
    return below;
  case 19:
    return ~below;
  case 20:
    return ~(below | 1u << lane);
  case 21:
    return options.dynamicSharedBytes;
  default:
    llvm_unreachable("not a special register");
  }
}

Report Machine::run(const LaunchOptions &launch, llvm::StringRef name, void (*function)(void **),
                    void **values) {
  options = launch;
  kernel = name.str();
  entry = function;
  arguments = values;
  result = {};
  outOfTime = false;
  seen.clear();
  random = options.orderSeed;
  // Launches are ordered.
  for (auto &region : regions) {
    if (region->isMapped && region->cells) // mostly pages that nobody touched
      region->cells = makeCells(region->bytes);
    else if (region->cells)
      std::fill_n(region->cells.get(), region->bytes, Cell());
  }
  sharedRegion.bytes = staticShared + options.dynamicSharedBytes;
  counter = options.countMemory ? std::make_unique<MemoryCounter>(sites) : nullptr;
  Machine *outer = std::exchange(activeMachine, this);
  blockIndex = 0;
  for (uint32_t z = 0; z < options.grid.z; ++z)
    for (uint32_t y = 0; y < options.grid.y; ++y)
      for (uint32_t x = 0; x < options.grid.x; ++x, ++blockIndex)
        runBlock({x, y, z});
  activeMachine = outer;
  if (counter)
    result.memory = counter->finish();
  return std::move(result);
}

void Machine::runBlock(Dim3 block) {
  blockId = block;
  time = 1;
  uint32_t count = options.block.x * options.block.y * options.block.z;
  lanes.assign(count, Lane());
  warps.assign((count + warpSize - 1) / warpSize, Warp());
  for (Barrier &barrier : barriers)
    barrier = {};
  std::fill_n(sharedRegion.initialized.get(), sharedRegion.bytes, 0);
  std::fill_n(sharedRegion.cells.get(), sharedRegion.bytes, Cell());
  if (std::exchange(hasCopies, false))
    std::fill_n(underWay.get(), sharedRegion.bytes, 0);
  beginGroups();
  for (uint32_t i = 0; i < count; ++i) {
    Lane &lane = lanes[i];
    lane.warp = &warps[i / warpSize];
    lane.index = i;
    lane.lane = i % warpSize;
    lane.thread = threadOf(i);
    lane.stack = prepareStack(stacks + (i + 1) * kStack - i % 64 * kShift, laneEntry);
    if (lane.lane == 0)
      lane.warp->lanes = &lane;
    lane.warp->present |= laneBit(lane.lane);
    lane.warp->runnable |= laneBit(lane.lane);
  }
  current = &lanes[0];
  sectile_emulator_switch(&scheduler, current->stack);
  if (counter)
    counter->endBlock();
  endGroups();
  // Back here when no lane can run.
  for (Warp &warp : warps)
    if (warp.exited != warp.present)
      return reportDeadlock();
}

void Machine::laneEntry() {
  Machine &machine = *activeMachine;
  machine.entry(machine.arguments);
  machine.exitLane();
}

Lane *Machine::nextLane() {
  auto pick = [&](Warp &warp, uint32_t from) {
    LaneMask set = warp.runnable;
    if (options.orderSeed) {
      random = random * 1664525 + 1013904223;
      from = random >> (32 - llvm::countr_zero(warpSize));
    }
    LaneMask above = set & ~((LaneMask(2) << from) - 1);
    return &warp.lanes[llvm::countr_zero(above ? above : set)];
  };
  if (current->warp->runnable)
    return pick(*current->warp, current->lane);
  size_t own = current->warp - warps.data();
  for (size_t i = 1; i <= warps.size(); ++i)
    if (Warp &warp = warps[(own + i) % warps.size()]; warp.runnable)
      return pick(warp, warpSize - 1);
  return nullptr;
}

/// Lets others run until this lane is runnable again. No frame below may own memory: lanes in a
/// deadlock never come back.
void Machine::leave() {
  Lane *self = current, *next = nextLane();
  if (next == self)
    return;
  current = next ? next : self;
  sectile_emulator_switch(&self->stack, next ? next->stack : scheduler);
}

void Machine::exitLane() {
  Warp &warp = *current->warp;
  warp.exited |= laneBit(current->lane);
  warp.runnable &= ~laneBit(current->lane);
  tryComplete(warp);
  tryBarriers();
  leave();
  llvm_unreachable("a lane that ended was run again");
}

uint32_t Machine::tick() {
  if (time + 1 < 1u << 20)
    return ++time;
  outOfTime |= options.checkRaces;
  options.checkRaces = false;
  return time;
}

/// What any of these lanes did, or knows of, is ordered before what each of them does next.
template <typename Lanes>
void Machine::order(const Lanes &participants) {
  uint32_t now = tick(), base = 0;
  if (!options.checkRaces)
    return;
  std::vector<uint32_t> joined(lanes.size());
  for (const Lane *lane : participants) {
    base = std::max(base, lane->knows);
    for (size_t i = 0; i < lane->knowsLane.size(); ++i)
      joined[i] = std::max(joined[i], lane->knowsLane[i]);
  }
  for (const Lane *lane : participants)
    joined[lane->index] = now;
  for (Lane *lane : participants) {
    lane->knows = base;
    lane->knowsLane = joined;
  }
}

uint64_t Machine::meet(Collective op, LaneMask mask, uint32_t site, uint64_t a, uint64_t b,
                       uint64_t c) {
  Lane &self = *current;
  Warp &warp = *self.warp;
  ++result.counts.collectives;
  self.operands[0] = a;
  self.operands[1] = b;
  self.operands[2] = c;
  self.site = site;
  self.mask = mask;
  self.result = a;
  if (!(mask >> self.lane & 1)) {
    report(FindingKind::InvalidMask, site,
           "the lane is not in its mask 0x" + llvm::utohexstr(mask));
    return a;
  }
  size_t index = 0;
  uint32_t variant = sites[site].variant;
  for (; index < warp.meetings.size(); ++index)
    if (Meeting &meeting = warp.meetings[index];
        meeting.op == op && meeting.mask == mask && meeting.variant == variant)
      break;
  if (index == warp.meetings.size())
    warp.meetings.push_back({op, variant, mask, 0});
  Meeting &meeting = warp.meetings[index];
  meeting.arrived |= laneBit(self.lane);
  warp.runnable &= ~laneBit(self.lane);
  if (meeting.arrived == (mask & warp.present & ~warp.exited))
    complete(warp, index);
  else
    leave();
  return self.result;
}

void Machine::complete(Warp &warp, size_t index) {
  Meeting meeting = warp.meetings[index];
  warp.meetings.erase(warp.meetings.begin() + index);
  perform(warp, meeting);
  // PTX ISA: of the warp's collectives only bar.warp.sync promises an order of memory.
  if (meeting.op == Collective::SyncWarp) {
    llvm::SmallVector<Lane *, kMaxWarp> participants;
    for (uint32_t i = 0; i < warpSize; ++i)
      if (meeting.arrived >> i & 1)
        participants.push_back(&warp.lanes[i]);
    order(participants);
  }
  warp.runnable |= meeting.arrived;
}

void Machine::tryComplete(Warp &warp) {
  for (size_t i = warp.meetings.size(); i-- > 0;)
    if (Meeting &meeting = warp.meetings[i];
        meeting.arrived == (meeting.mask & warp.present & ~warp.exited))
      complete(warp, i);
}

uint32_t Machine::barrier(uint32_t id, uint32_t count, uint32_t predicate, uint32_t site) {
  Lane &self = *current;
  ++result.counts.barriers;
  if (id >= kBarriers || count % warpSize) {
    report(FindingKind::DivergentBarrier, site,
           "expects a barrier below 16 and whole warps, but got barrier " + std::to_string(id) +
               " of " + std::to_string(count) + " threads");
    return 0;
  }
  self.site = site;
  self.mask = id;
  self.operands[0] = predicate;
  Barrier &barrier = barriers[id];
  if (barrier.waiting.empty())
    barrier.expected = count;
  else if (barrier.expected != count)
    report(FindingKind::DivergentBarrier, site,
           "barrier " + std::to_string(id) + " is awaited for " + std::to_string(count) +
               " and for " + std::to_string(barrier.expected) + " threads");
  barrier.waiting.push_back(&self);
  self.warp->runnable &= ~laneBit(self.lane);
  tryBarriers();
  if (!(self.warp->runnable >> self.lane & 1))
    leave();
  return self.result;
}

void Machine::tryBarriers() {
  uint32_t live = 0;
  for (Warp &warp : warps)
    live += llvm::popcount(warp.present & ~warp.exited);
  for (Barrier &barrier : barriers)
    if (!barrier.waiting.empty() &&
        barrier.waiting.size() >= (barrier.expected ? barrier.expected : live))
      release(barrier);
}

void Machine::release(Barrier &barrier) {
  uint32_t set = 0, live = 0;
  for (Warp &warp : warps)
    live += llvm::popcount(warp.present & ~warp.exited);
  bool whole = barrier.waiting.size() == live;
  // PTX ISA, bar/barrier: with .aligned, all threads of a warp execute the same barrier.
  std::vector<Lane *> waiting = std::move(barrier.waiting);
  barrier = {};
  std::vector<Lane *> first(warps.size());
  std::vector<LaneMask> arrived(warps.size());
  for (Lane *lane : waiting) {
    size_t warp = lane->warp - warps.data();
    arrived[warp] |= laneBit(lane->lane);
    if (!first[warp])
      first[warp] = lane;
    else if (first[warp]->site != lane->site)
      report(FindingKind::DivergentBarrier, lane->site,
             "other lanes of the warp wait at " + sites[first[warp]->site].location, nullptr, 0, 0,
             lane);
    set += lane->operands[0] != 0;
  }
  for (size_t i = 0; i < warps.size(); ++i)
    if (first[i] && arrived[i] != warps[i].present)
      report(FindingKind::DivergentBarrier, first[i]->site,
             "lanes 0x" + llvm::utohexstr(warps[i].present & ~arrived[i]) + " of warp " +
                 std::to_string(i) + " do not execute it",
             nullptr, 0, 0, first[i]);
  if (whole) {
    uint32_t now = tick();
    for (Lane *lane : waiting)
      lane->knows = now;
  } else {
    order(waiting);
  }
  for (Lane *lane : waiting) {
    switch (BarrierKind(sites[lane->site].variant)) {
    case BarrierKind::Plain:
      break;
    case BarrierKind::Popc:
      lane->result = set;
      break;
    case BarrierKind::And:
      lane->result = set == waiting.size();
      break;
    case BarrierKind::Or:
      lane->result = set != 0;
      break;
    }
    lane->warp->runnable |= laneBit(lane->lane);
  }
}
