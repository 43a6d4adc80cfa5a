//===- AllocateShared.cpp - the pass tile-allocate-shared --- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An alloc is needed from the first op of the kernel's body that uses it, or
// holds what does, to the last one: loops are one op. Those that are never needed
// together may have the same place. The largest are placed first, each at the
// lowest byte where nothing else is in its way.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"

#include "sectile/Layout/MemoryLayout.h"
#include "sectile/Target/GpuTarget.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

namespace sectile::tile {
#define GEN_PASS_DEF_TILEALLOCATESHAREDPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

int64_t tile::getSharedAlignment(AllocOp alloc) {
  int64_t alignment = kSharedAlignment;
  if (auto placement = alloc->getAttrOfType<StringAttr>(kPlacementAttr))
    if (auto memory = layout::MemoryLayout::parse(placement.getValue()))
      for (const layout::Swizzle &swizzle : memory->swizzles())
        alignment = std::max(alignment, swizzle.period());
  // Beyond this, no instruction knows of it.
  return std::min<int64_t>(alignment, 1024);
}

std::optional<int64_t> tile::getSharedBytes(AllocOp alloc) {
  ViewType type = alloc.getType();
  if (type.getNumDynamicDims() != 0)
    return std::nullopt;
  if (auto placement = alloc->getAttrOfType<StringAttr>(kPlacementAttr)) {
    auto memory = layout::MemoryLayout::parse(placement.getValue());
    return memory ? std::optional(memory->sizeBits() / 8) : std::nullopt;
  }
  if (type.getPackedBits() != 0)
    return ShapedType::getNumElements(getMemoryShape(type.getShape(), type.getMemory())) *
           type.getElementBytes();
  // The span of the box; strides beyond row-major ones leave gaps.
  SmallVector<int64_t> box = getPhysicalShape(type.getShape(), type.getPhysicalMap());
  ArrayRef<int64_t> strides =
      type.getMemory() ? type.getMemory().getStrides() : ArrayRef<int64_t>();
  if (strides.empty())
    return ShapedType::getNumElements(box) * type.getElementBytes();
  int64_t elements = 1;
  for (auto [extent, stride] : llvm::zip_equal(box, strides))
    elements += (extent - 1) * stride;
  return elements * type.getElementBytes();
}

namespace {
struct Need {
  AllocOp alloc;
  int64_t bytes, first, last, offset = 0;
};
} // namespace

namespace {
/// Where the ops of a kernel's body stand; those inside of an op, where it does.
class Timeline {
public:
  explicit Timeline(Block *body) : body(body) {
    for (Operation &op : *body) {
      auto position = static_cast<int64_t>(positions.size());
      positions[&op] = position;
      op.walk([&](WaitCopiesOp wait) {
        if (wait.getPending() == 0 && (waits.empty() || waits.back() != position))
          waits.push_back(position);
      });
    }
  }
  int64_t positionOf(Operation *op) const {
    return positions.lookup(body->findAncestorOpInBlock(*op));
  }
  /// Where all copies that were begun at `position` have ended for certain.
  int64_t endOfCopies(int64_t position) const {
    const auto *wait = llvm::lower_bound(waits, position);
    return wait == waits.end() ? static_cast<int64_t>(positions.size()) : *wait;
  }

private:
  Block *body;
  llvm::DenseMap<Operation *, int64_t> positions;
  SmallVector<int64_t> waits;
};
} // namespace

static void extend(Need &need, Value value, const Timeline &timeline) {
  for (Operation *user : value.getUsers()) {
    int64_t position = timeline.positionOf(user);
    need.first = std::min(need.first, position);
    need.last = std::max(need.last, position);
    if (auto store = dyn_cast<StoreOp>(user); store && store->hasAttr(kAsyncAttr))
      need.last = std::max(need.last, timeline.endOfCopies(position));
    if (auto window = dyn_cast<ViewOp>(user))
      extend(need, window.getResult(), timeline);
  }
}

namespace {
struct AllocateSharedPass : tile::impl::TileAllocateSharedPassBase<AllocateSharedPass> {
  using TileAllocateSharedPassBase::TileAllocateSharedPassBase;

  void runOnOperation() override {
    KernelOp kernel = getOperation();
    FailureOr<KernelDevice> device = getKernelDevice(kernel);
    if (failed(device))
      return signalPassFailure(); // an error says why
    const target::GpuTarget *target = device->target;
    Block *body = &kernel.getBody().front();
    Timeline timeline(body);
    SmallVector<Need> needs;
    for (auto alloc : body->getOps<AllocOp>()) {
      std::optional<int64_t> bytes = getSharedBytes(alloc);
      if (!bytes)
        continue; // tile-to-simt says why not
      Need need{alloc, *bytes, INT64_MAX, -1};
      extend(need, alloc.getResult(), timeline);
      needs.push_back(need);
    }
    llvm::sort(needs, [](const Need &a, const Need &b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : a.alloc->isBeforeInBlock(b.alloc);
    });
    int64_t all = 0, sum = 0;
    for (size_t i = 0; i < needs.size(); ++i) {
      Need &need = needs[i];
      bool isFree = false;
      while (!isFree) {
        isFree = true;
        for (const Need &other : ArrayRef(needs).take_front(i))
          if (other.first <= need.last && need.first <= other.last &&
              other.offset < need.offset + need.bytes && need.offset < other.offset + other.bytes) {
            need.offset = static_cast<int64_t>(
                llvm::alignTo(other.offset + other.bytes, getSharedAlignment(need.alloc)));
            isFree = false;
          }
      }
      need.alloc->setAttr(kOffsetAttr, Builder(kernel).getI64IntegerAttr(need.offset));
      all = std::max(all, need.offset + need.bytes);
      sum += need.bytes;
    }
    if (all > target->sharedBytesPerBlock) {
      kernel.emitOpError("'") << kernel.getSymName() << "' expects at most "
                              << target->sharedBytesPerBlock << " bytes of shared memory on "
                              << target->name << ", but its tiles need " << all
                              << "; a schedule with smaller tiles or fewer stages avoids this";
      return signalPassFailure();
    }
    if (!needs.empty())
      remark::passed(kernel.getLoc(),
                     remark::RemarkOpts::name("placed").category("tile-allocate-shared"))
          << remark::add("needs ") << remark::metric("bytes", all)
          << remark::add(" of shared memory for tiles of {0}", sum);
  }
};
} // namespace
