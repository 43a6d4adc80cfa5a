//===- WarpGroup.cpp - products of four warps -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": "Register
// Fragments", "Shared Memory Matrix Layout", "Strides", "Matrix Descriptor
// Format", "Async Proxy", wgmma.mma_async, wgmma.fence, wgmma.commit_group and
// wgmma.wait_group.
//
// A product reads shared memory and writes registers at any time between its
// wgmma.mma_async and the end of a wait for its group. Here it does both at once;
// until the wait, nobody may write what it reads or touch its registers, and what
// it read must have been ready, which is what is checked. Each warp computes its
// 16 rows by itself, and the four of a group must go the same way.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "MemoryCounter.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cstring>
#include <limits>

using namespace sectile::emulator;

static constexpr uint64_t kPiece = 16;
static constexpr uint32_t kGroupWarps = 4;

/// A pointer that a kernel passed as a number.
template <typename T>
static T *toPointer(uint64_t operand) {
  return reinterpret_cast<T *>(operand); // NOLINT(performance-no-int-to-ptr)
}

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

/// "Matrix Descriptor Format": bits 0-13 start address, 16-29 leading dimension byte offset, 32-45
/// stride dimension byte offset, each of them without its lowest 4 bits; 49-51 base offset; 62-63
/// swizzle: 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes.
MatrixDescriptor::MatrixDescriptor(uint64_t bits) {
  auto field = [&](unsigned first, unsigned count) {
    return bits >> first & ((uint64_t(1) << count) - 1);
  };
  start = field(0, 14) << 4;
  leadingBytes = field(16, 14) << 4;
  strideBytes = field(32, 14) << 4;
  baseOffset = field(49, 3);
  constexpr uint64_t kRowBytes[] = {16, 128, 64, 32};
  rowBytes = kRowBytes[field(62, 2)];
  hasUnknownBits = field(14, 2) || field(30, 2) || field(46, 3) || field(52, 10);
}

std::string MatrixDescriptor::whyNot(bool isTransposed) const {
  if (hasUnknownBits)
    return "bits are set that mean nothing";
  if (rowBytes == kPiece)
    return baseOffset ? "a base offset means nothing without a swizzle" : "";
  // The pattern repeats after 8 rows, and begins at a multiple of that unless the base offset says
  // where: (address >> 7) & 7.
  uint64_t within = start % (8 * rowBytes);
  uint64_t expected = within >> 7;
  if (expected != baseOffset)
    return "it begins " + std::to_string(within) +
           " bytes into the pattern, but its base offset is " + std::to_string(baseOffset);
  if (!isTransposed && start % rowBytes + 2 * kPiece > rowBytes)
    return "32 bytes of k from byte " + std::to_string(start % rowBytes) +
           " on do not lie in a row of " + std::to_string(rowBytes);
  return "";
}

/// "Strides". K-major, without a swizzle: leading from the first 16 bytes of a row to the next,
/// stride from 8 rows to the next. With one: stride alike, pieces follow each other. MN-major,
/// without a swizzle: leading from 8 rows of k to the next, stride from 16 bytes to the next. With
/// one: leading from one row's bytes to the next that many, stride from 8 rows of k to the next.
uint64_t MatrixDescriptor::addressOf(uint64_t row, uint64_t piece, bool isTransposed) const {
  uint64_t perRow = rowBytes / kPiece, address = start + row % 8 * rowBytes;
  if (rowBytes == kPiece)
    return address + row / 8 * (isTransposed ? leadingBytes : strideBytes) +
           piece * (isTransposed ? strideBytes : leadingBytes);
  if (isTransposed)
    address += row / 8 * strideBytes + piece / perRow * leadingBytes + piece % perRow * kPiece;
  else
    address += row / 8 * strideBytes + piece * kPiece;
  // Bits from 7 on, counted from where the pattern begins, are XORed into those from 4 on.
  uint64_t line = (address >> 7) - baseOffset;
  return address ^ (line & (perRow - 1)) << 4;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// decode() by table for types of at most 16 bits.
static double decodeFast(MatrixElement type, uint32_t bits) {
  static std::vector<double> tables[size_t(MatrixElement::E5M2) + 1];
  if (bitsOf(type) > 16)
    return decode(type, bits);
  std::vector<double> &table = tables[static_cast<size_t>(type)];
  if (table.empty()) {
    table.resize(size_t(1) << bitsOf(type));
    for (size_t i = 0; i < table.size(); ++i)
      table[i] = decode(type, i);
  }
  return table[bits & (table.size() - 1)];
}

/// The variable that a piece lies in must be one, and hold something that this warp may read
/// through the async proxy. `site` is of the read.
bool Machine::checkPiece(Warp &warp, uint64_t offset, uint32_t site) {
  bool isInside = offset + kPiece <= sharedRegion.bytes;
  if (isInside && offset < staticShared) {
    isInside = false;
    for (const SharedVariable &variable : sharedVariables)
      isInside |= offset >= variable.offset && offset + kPiece <= variable.offset + variable.bytes;
  }
  if (!isInside) {
    report(FindingKind::OutOfBounds, site, "16 bytes of a matrix lie outside of every variable",
           &sharedRegion, static_cast<int64_t>(offset));
    return false;
  }
  if (hasCopies)
    checkCopies(offset, kPiece, site);
  for (uint64_t i = offset; i < offset + kPiece; ++i) {
    if (!sharedRegion.initialized[i]) {
      report(FindingKind::Uninitialized, site, "some bytes of a matrix were never written",
             &sharedRegion, static_cast<int64_t>(i));
      break;
    }
    if (!options.checkRaces)
      continue;
    Stamp write = sharedRegion.cells[i].write;
    uint32_t writer = write >> 17 & 0x3ff;
    bool isOwn = writer / warpSize == warp.lanes->index / warpSize;
    if (!isOwn && !isKnown(write, false, /*isShared=*/true)) {
      report(FindingKind::Race, site, {}, &sharedRegion, static_cast<int64_t>(i), write);
      break;
    }
    if (!unfencedBy[i])
      continue;
    // Whoever reads may make the fence as well, behind what orders it with the writer.
    bool isFenced = true;
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      isFenced &= write >> 44 < warp.lanes[lane].registers.fencedKnowing;
    if (!isFenced) {
      report(FindingKind::Unfenced, site,
             "no fence.proxy.async stands between this read of shared memory and the write",
             &sharedRegion, static_cast<int64_t>(i), write);
      break;
    }
  }
  return true;
}

/// Reads a side into `values`, of [rows, k]; `firstRow` is the warp's first one of A.
void Machine::readSide(Warp &warp, uint64_t bits, const GroupMatrixOp &op, bool isLeft,
                       uint32_t site, GroupProduct &product, std::vector<double> &values) {
  MatrixDescriptor descriptor(bits);
  MatrixElement type = isLeft ? op.a : op.b;
  bool isTransposed = isLeft ? op.isTransposedA : op.isTransposedB;
  int count = isLeft ? 16 : op.n, bytes = bytesOf(type), perPiece = int(kPiece) / bytes;
  int firstRow = isLeft ? int(warp.lanes->index / warpSize % kGroupWarps) * 16 : 0;
  values.assign(size_t(count) * op.k, 0);
  if (std::string reason = descriptor.whyNot(isTransposed); !reason.empty())
    report(FindingKind::Descriptor, site, reason);
  // Eight rows of pieces at a time, as they are read.
  int rows = isTransposed ? op.k : count, pieces = isTransposed ? count / perPiece : 2;
  int lane = 0;
  for (int block = 0; block < rows; block += 8)
    for (int piece = 0; piece < pieces; ++piece)
      for (int row = block; row < block + 8; ++row) {
        uint64_t offset =
            descriptor.addressOf(isTransposed ? row : firstRow + row,
                                 isTransposed ? firstRow / perPiece + piece : piece, isTransposed);
        if (counter)
          counter->add(*warp.lanes, warp.lanes->index + lane, offset, kPiece, site, true);
        lane = (lane + 1) % int(warpSize);
        if (!checkPiece(warp, offset, site))
          continue;
        product.pieces.push_back(offset / kPiece);
        for (int i = 0; i < perPiece; ++i) {
          uint32_t element = 0;
          std::memcpy(&element, sharedRegion.data + offset + uint64_t(i) * bytes, bytes);
          int along = piece * perPiece + i;
          values[isTransposed ? size_t(along) * op.k + row : size_t(row) * op.k + along] =
              decodeFast(type, element);
        }
      }
}

/// The number of a step of the warp, which the others of its group must take, too.
void Machine::stepGroup(Warp &warp, const GroupStep &step) {
  uint32_t number = warp.lanes->index / warpSize, group = number / kGroupWarps;
  if (warps.size() < (group + 1) * kGroupWarps)
    report(FindingKind::DivergentGroup, step.site, "expects groups of four whole warps");
  if (groupSteps.size() <= group)
    groupSteps.resize(group + 1);
  std::vector<GroupStep> &steps = groupSteps[group];
  uint32_t index = warp.products.steps++;
  if (index == steps.size())
    steps.push_back(step);
  else if (steps[index].site != step.site)
    report(FindingKind::DivergentGroup, step.site,
           "another warp of the group is at " + sites[steps[index].site].location);
  else if (!(steps[index] == step))
    report(FindingKind::Descriptor, step.site, "warps of the group have different descriptors");
}

void Machine::checkRegisters(Warp &warp, uint32_t variant, uint32_t site) {
  const GroupMatrixOp &op = groupMatrices[variant];
  WarpProducts &products = warp.products;
  products.last.resize(std::max<size_t>(products.last.size(), op.registers + 1));
  WarpProducts::Last &last = products.last[op.registers];
  LaneRegisters &first = warp.lanes->registers;
  bool isFenced = true;
  for (uint32_t i = 0; i < warpSize; ++i) {
    const LaneRegisters &lane = warp.lanes[i].registers;
    uint64_t accessed = op.registers < lane.accessed.size() ? lane.accessed[op.registers] : 0;
    isFenced &= lane.fence > accessed;
  }
  if (!isFenced)
    report(FindingKind::Unfenced, site,
           first.fence ? "no wgmma.fence stands between this product and an access to its registers"
                       : "no wgmma.fence stands before the first product");
  if (last.when && !groupMatrices[last.op].hasShapeOf(op) && first.fence < last.when)
    report(FindingKind::Unfenced, site,
           "no wgmma.fence stands between products of different shapes in the same registers");
  last = {variant, ++first.now};
}

void Machine::beginGroupProduct(Warp &warp, const Meeting &meeting) {
  const GroupMatrixOp &op = groupMatrices[meeting.variant];
  Lane *arrived = current;
  current = warp.lanes; // the warp's reads are its first lane's
  uint32_t site = current->site;
  const uint64_t *in[32];
  for (uint32_t i = 0; i < warpSize; ++i)
    in[i] = toPointer<const uint64_t>(warp.lanes[i].operands[0]);
  for (uint32_t i = 1; i < warpSize; ++i)
    if (in[i][0] != in[0][0] || in[i][1] != in[0][1]) {
      report(FindingKind::Descriptor, site, "lanes of the warp have different descriptors");
      break;
    }
  stepGroup(warp, {site, in[0][0], in[0][1]});
  checkRegisters(warp, meeting.variant, site);
  GroupProduct product{op.registers, site, warp.products.groups, {}};
  std::vector<double> a, b;
  readSide(warp, in[0][0], op, /*isLeft=*/true, site, product, a);
  readSide(warp, in[0][1], op, /*isLeft=*/false, site + 1, product, b);
  for (uint32_t piece : product.pieces)
    ++readsUnderWay[piece];
  warp.products.underWay.push_back(std::move(product));
  current = arrived;
  double sign = op.negatesA != op.negatesB ? -1 : 1;
  for (int lane = 0; lane < 32; ++lane) {
    auto *out = toPointer<uint64_t>(warp.lanes[lane].operands[1]);
    for (int i = 0; i < op.countSums(); ++i) {
      // "Register Fragments", D: row = groupID, + 8 for i with bit 1; col = 8 (i / 4) +
      // 2 threadID_in_group + (i & 1).
      int row = (lane >> 2) + (i & 2 ? 8 : 0), column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
      const double *left = &a[size_t(row) * op.k], *right = &b[size_t(column) * op.k];
      double sum = 0;
      for (int step = 0; step < op.k; ++step)
        sum += left[step] * right[step];
      sum *= sign;
      auto before = static_cast<uint32_t>(in[lane][2 + i]);
      if (isInteger(op.a)) {
        auto whole = static_cast<int64_t>(sum);
        if (op.addsToSums)
          whole += static_cast<int32_t>(before);
        if (op.saturates)
          whole = std::clamp<int64_t>(whole, std::numeric_limits<int32_t>::min(),
                                      std::numeric_limits<int32_t>::max());
        out[i] = static_cast<uint32_t>(whole);
      } else {
        if (op.addsToSums)
          sum += llvm::bit_cast<float>(before);
        out[i] = llvm::bit_cast<uint32_t>(static_cast<float>(sum));
      }
    }
  }
}

void Machine::waitForProducts(Warp &warp, uint32_t pending) {
  WarpProducts &products = warp.products;
  const Lane *reader = warp.lanes;
  auto isDone = [&](const GroupProduct &product) {
    return product.group + pending < products.groups;
  };
  for (const GroupProduct &product : products.underWay) {
    if (!isDone(product))
      continue;
    Stamp mine = uint64_t(time) << 44 | uint64_t(blockIndex) << 27 | uint64_t(reader->index) << 17 |
                 uint64_t(product.site) << 1;
    for (uint32_t piece : product.pieces) {
      --readsUnderWay[piece];
      if (!options.checkRaces)
        continue;
      // It was read up to now.
      for (uint64_t i = piece * kPiece; i < (piece + 1) * kPiece; ++i)
        for (Stamp &read : sharedRegion.cells[i].reads)
          if (!read || (read >> 17 & 0x3ff) == reader->index || read >> 44 < reader->knows) {
            read = mine;
            break;
          }
    }
  }
  std::erase_if(products.underWay, isDone);
}

void Machine::performOfGroup(Warp &warp, const Meeting &meeting) {
  if (!needsAll(warp, meeting)) // ".aligned"
    return;
  if (meeting.op == Collective::GroupMatrix)
    return beginGroupProduct(warp, meeting);
  stepGroup(warp, {warp.lanes->site, 0, 0});
  switch (meeting.op) {
  case Collective::GroupFence:
    for (uint32_t i = 0; i < warpSize; ++i) {
      LaneRegisters &lane = warp.lanes[i].registers;
      lane.fence = ++lane.now;
    }
    return;
  case Collective::GroupCommit:
    ++warp.products.groups;
    return;
  default:
    return waitForProducts(warp, meeting.variant);
  }
}

void Machine::touchRegisters(uint32_t registers, uint32_t site) {
  LaneRegisters &own = current->registers;
  own.accessed.resize(std::max<size_t>(own.accessed.size(), registers + 1));
  own.accessed[registers] = ++own.now;
  for (const GroupProduct &product : current->warp->products.underWay)
    if (product.registers == registers) {
      report(FindingKind::Race, site,
             "registers of the product at " + sites[product.site].location +
                 " are accessed before a wait for it");
      return;
    }
}

//===----------------------------------------------------------------------===//
// Proxies
//===----------------------------------------------------------------------===//

void Machine::fenceProxies() {
  LaneRegisters &own = current->registers;
  for (auto [offset, bytes] : own.unfenced)
    for (uint32_t i = offset; i < offset + bytes; ++i)
      if (unfencedBy[i] == current->index + 1)
        unfencedBy[i] = 0;
  own.unfenced.clear();
  own.fencedKnowing = current->knows;
}

void Machine::noteSharedWrite(uint64_t offset, uint64_t bytes, uint32_t site) {
  for (uint64_t piece = offset / kPiece; piece <= (offset + bytes - 1) / kPiece; ++piece)
    if (readsUnderWay[piece]) {
      report(FindingKind::Race, site,
             "a product that reads it is under way, which nobody waited for", &sharedRegion,
             static_cast<int64_t>(offset));
      break;
    }
  std::fill_n(&unfencedBy[offset], bytes, current->index + 1);
  current->registers.unfenced.push_back(
      {static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes)});
}

void Machine::beginGroups() {
  if (groupMatrices.empty())
    return;
  unfencedBy.assign(sharedRegion.bytes, 0);
  readsUnderWay.assign(sharedRegion.bytes / kPiece + 1, 0);
  groupSteps.clear();
}

/// At a block's end the warps of a group have taken as many steps.
void Machine::endGroups() {
  for (size_t i = 0; i < warps.size() && !groupSteps.empty(); ++i) {
    size_t group = i / kGroupWarps;
    if (group >= groupSteps.size() || groupSteps[group].empty())
      continue;
    uint32_t steps = warps[i].products.steps;
    if (steps < groupSteps[group].size())
      report(FindingKind::DivergentGroup, groupSteps[group][steps].site,
             "warp " + std::to_string(i) + " of the group does not execute it", nullptr, 0, 0,
             warps[i].lanes);
  }
}
