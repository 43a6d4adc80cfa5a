//===- StageGroupProducts.cpp - products of warp groups in shared memory ------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Instructions of warp groups read memory themselves: their product stays whole, and
// its tiles where they are, placed as descriptors can say it.
//
//===----------------------------------------------------------------------===//

#include "StageOperands.h"

#include "GroupProducts.h"
#include "Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

#include <numeric>

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::DistributedLayout;
using layout::MemoryLayout;

namespace {
struct GroupSide {
  LoadOp load;
  DistributedLayout writer;
  /// Where the instruction wants it.
  MemoryLayout placement;
};
} // namespace

static remark::RemarkOpts remarkOptions(StringRef name) {
  return remark::RemarkOpts::name(name).category("tile-stage-operands");
}

static std::optional<GroupSide> getSide(DotOp dot, unsigned operand,
                                        const target::MatrixInstruction &by,
                                        const target::GpuTarget &target, Threads threads) {
  auto missed = [&](const Twine &reason) {
    remark::missed(dot.getLoc(), remarkOptions("staged"))
        << remark::add("operand {0} is not staged: {1}", operand, reason.str());
    return std::nullopt;
  };
  Value value = dot->getOperand(operand);
  while (auto convert = value.getDefiningOp<ConvertLayoutOp>()) {
    if (!value.hasOneUse())
      return missed("something else uses it too");
    value = convert.getSource();
  }
  auto load = value.getDefiningOp<LoadOp>();
  if (!load)
    return missed("it is computed, not loaded");
  auto loop = dyn_cast<scf::ForOp>(dot->getParentOp());
  if (load->getBlock() != dot->getBlock())
    return missed("it is not loaded by a loop for the product in it");
  ViewType type = load.getView().getType();
  if (!value.hasOneUse() || !load.getIndices().empty() ||
      !isa<BlockArgument>(getRoot(load.getView())) || type.getPackedBits() != 0)
    return missed("it is not a tile of an argument for this product alone");
  if (loop && isWrittenIn(loop, load.getView()))
    return missed("the loop writes what it may read");
  if (!loop)
    for (Operation *next = load->getNextNode(); next != dot; next = next->getNextNode())
      if (isWrittenIn(next, load.getView()))
        return missed("what it may read is written before the product");
  if (std::string reason = whyNotCopied(load, target, threads); !reason.empty())
    return missed(reason);
  BlockedForm form =
      getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
  // As it lies in the argument: what is contiguous there is here.
  SmallVector<int64_t> shape(load.getTileShape());
  bool isKMajor = form.order[0] == (operand == 0 ? 1 : 0);
  auto memory = target::placeSide(by, operand == 0 ? target::Operand::A : target::Operand::B,
                                  {shape.begin(), shape.end()}, isKMajor);
  if (!memory)
    return missed(memory.reason().text);
  // Lanes that store together fill rows below each other where a row has fewer bytes than banks.
  int64_t rowElements = 1;
  for (const layout::Digit &digit : memory->map().digits())
    if (digit.from.axis == form.order[0] && digit.from.stride == 1)
      rowElements = digit.extent;
  form.mostLanes = std::max<int64_t>(rowElements / form.vector, 1);
  return GroupSide{load, makeBlocked(load.getTileShape(), form, threads), *memory};
}

bool tile::stageGroupProduct(DotOp dot, const target::MatrixInstruction &by,
                             const target::GpuTarget &target, Threads threads) {
  SmallVector<GroupSide, 2> sides;
  for (unsigned operand : {0, 1})
    if (std::optional<GroupSide> side = getSide(dot, operand, by, target, threads))
      sides.push_back(std::move(*side));
  if (sides.size() != 2)
    return false;
  OpBuilder builder(dot);
  MLIRContext *context = builder.getContext();
  AffineMapAttr whole = AffineMapAttr::get(builder.getMultiDimIdentityMap(2));
  Block &entryBlock = dot->getParentOfType<KernelOp>().getBody().front();
  SmallVector<Value, 2> memories;
  for (GroupSide &side : sides) {
    ViewType from = side.load.getView().getType();
    SmallVector<int64_t> shape(side.load.getTileShape());
    OpBuilder entry = OpBuilder::atBlockBegin(&entryBlock);
    auto alloc =
        AllocOp::create(entry, side.load.getLoc(),
                        ViewType::get(context, shape, from.getElementType(), {}), ValueRange());
    alloc->setAttr(kPlacementAttr, builder.getStringAttr(side.placement.str()));
    memories.push_back(alloc);
    remark::passed(side.load.getLoc(), remarkOptions("staged"))
        << remark::add("is copied to shared memory: ")
        << remark::metric("placement", side.placement.str())
        << remark::metric("layout", side.writer.str());
  }
  for (auto [side, memory] : llvm::zip_equal(sides, memories)) {
    auto copy = cast<LoadOp>(builder.clone(*side.load));
    auto type = cast<RankedTensorType>(copy.getType());
    copy.getResult().setType(RankedTensorType::get(type.getShape(), type.getElementType(),
                                                   LayoutAttr::get(context, side.writer)));
    auto store = StoreOp::create(builder, side.load.getLoc(), copy.getResult(), memory,
                                 ValueRange(), ValueRange(), ValueRange(), whole, IntegerSetAttr());
    store->setAttr(kAsyncAttr, builder.getUnitAttr());
  }
  Location loc = dot.getLoc();
  CommitCopiesOp::create(builder, loc);
  WaitCopiesOp::create(builder, loc, 0);
  SmallVector<Value, 2> operands;
  for (auto [side, memory] : llvm::zip_equal(sides, memories)) {
    auto type = RankedTensorType::get(side.load.getTileShape(),
                                      side.load.getView().getType().getElementType(),
                                      LayoutAttr::get(context, side.writer));
    auto read = LoadOp::create(builder, loc, type, memory, ValueRange(), ValueRange(), ValueRange(),
                               whole, IntegerSetAttr(), TypedAttr());
    read->setAttr(kInMemoryAttr, builder.getUnitAttr());
    operands.push_back(read);
  }
  auto product = cast<DotOp>(builder.clone(*dot));
  product.getLhsMutable().assign(operands[0]);
  product.getRhsMutable().assign(operands[1]);
  dot.replaceAllUsesWith(product.getResult());
  eraseUnused(dot);
  return true;
}
