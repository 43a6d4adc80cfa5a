//===- PlaceConversions.cpp - where layouts meet ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once every value has a layout, each op gets the one that its own input or result
// costs nothing in, and a tile.convert_layout where its neighbours have another.
//
//===----------------------------------------------------------------------===//

#include "ChooseLayouts.h"
#include "GroupProducts.h"
#include "Passes.h"

#include "sectile/Layout/Access.h"
#include "sectile/Target/MatrixTiling.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::DistributedLayout;

void tile::setLayout(Value value, const DistributedLayout &layout) {
  auto type = cast<RankedTensorType>(value.getType());
  value.setType(RankedTensorType::get(type.getShape(), type.getElementType(),
                                      LayoutAttr::get(type.getContext(), layout)));
}

namespace {
class ConversionPlacer {
public:
  ConversionPlacer(const target::GpuTarget &target, Threads threads)
      : target(target), threads(threads) {}

  void place(Operation *op);

private:
  Value convertTo(OpBuilder &builder, Location loc, Value value, const DistributedLayout &layout);
  bool wastesSectors(const DistributedLayout &layout, const DistributedLayout &natural,
                     const BlockedForm &form, int64_t elementBytes, layout::AccessKind kind);

  const target::GpuTarget &target;
  Threads threads;
};
} // namespace

Value ConversionPlacer::convertTo(OpBuilder &builder, Location loc, Value value,
                                  const DistributedLayout &layout) {
  auto type = cast<RankedTensorType>(value.getType());
  DistributedLayout source = LayoutAttr::of(type).getLayout();
  auto target = RankedTensorType::get(type.getShape(), type.getElementType(),
                                      LayoutAttr::get(type.getContext(), layout));
  if (target == type)
    return value;
  static constexpr StringLiteral kWays[] = {"nothing", "a renaming of registers",
                                            "shuffles between lanes", "shared memory",
                                            "shared memory of the cluster"};
  auto conversion = layout::convert(source, layout);
  StringRef way = conversion ? StringRef(kWays[static_cast<size_t>(conversion->movement)])
                             : StringRef("shared memory");
  remark::missed(loc, remark::RemarkOpts::name("conversion").category("tile-assign-layouts"))
      << remark::add("two layouts meet, which takes {0}: ", way)
      << remark::metric("from", source.str()) << remark::metric("to", layout.str());
  return ConvertLayoutOp::create(builder, loc, target, value);
}

/// Whether a transfer in `layout` moves more than twice the sectors that it moves in `natural`: the
/// way through shared memory then is the shorter one. Rows are taken to begin at sectors.
bool ConversionPlacer::wastesSectors(const DistributedLayout &layout,
                                     const DistributedLayout &natural, const BlockedForm &form,
                                     int64_t elementBytes, layout::AccessKind kind) {
  SmallVector<int64_t> shape(layout.shape().begin(), layout.shape().end());
  std::vector<std::vector<layout::MemoryDigit>> digits(shape.size() + 1);
  digits.back() = {{elementBytes * 8, 1}};
  int64_t stride = elementBytes * 8;
  for (unsigned dim : form.order) {
    digits[dim] = {{shape[dim], stride}};
    stride = llvm::alignTo(stride * shape[dim], target.access.sectorBytes * 8);
  }
  auto memory =
      layout::MemoryLayout::create({shape.begin(), shape.end()}, elementBytes * 8, digits);
  if (!memory)
    return false;
  auto taken = layout::countAccess(layout, *memory, kind, target.access);
  auto least = layout::countAccess(natural, *memory, kind, target.access);
  return taken && least && taken->sectors > 2 * least->sectors;
}

/// The op's own input or result has the layout that costs it nothing.
void ConversionPlacer::place(Operation *op) {
  OpBuilder builder(op);
  auto convertResult = [&](Value result, const DistributedLayout &natural) {
    DistributedLayout wanted = LayoutAttr::of(result.getType()).getLayout();
    if (natural == wanted)
      return;
    setLayout(result, natural);
    builder.setInsertionPointAfter(op);
    Value converted = convertTo(builder, op->getLoc(), result, wanted);
    result.replaceAllUsesExcept(converted, converted.getDefiningOp());
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](LoadOp load) {
        if (!isTile(load.getResult()) || !load.getIndices().empty() || !hasOwnElements(load))
          return;
        BlockedForm form =
            getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
        DistributedLayout natural = makeBlocked(load.getTileShape(), form, threads);
        if (wastesSectors(LayoutAttr::of(load.getType()).getLayout(), natural, form,
                          load.getView().getType().getElementBytes(), layout::AccessKind::Load))
          convertResult(load.getResult(), natural);
      })
      .Case([&](StoreOp store) {
        if (!isTile(store.getValue()) || !store.getIndices().empty())
          return;
        BlockedForm form =
            getAccessForm(store.getTileShape(), store.getView(), store.getMap(), threads, target);
        DistributedLayout natural = makeBlocked(store.getTileShape(), form, threads);
        if (wastesSectors(LayoutAttr::of(store.getValue().getType()).getLayout(), natural, form,
                          store.getView().getType().getElementBytes(), layout::AccessKind::Store))
          store.getValueMutable().set(convertTo(builder, op->getLoc(), store.getValue(), natural));
      })
      .Case([&](DotOp dot) {
        auto name = dot->getAttrOfType<StringAttr>(kInstructionAttr);
        if (!name)
          return;
        const auto &instruction = *target::findMatrixInstruction(name.getValue());
        DistributedLayout accumulator = LayoutAttr::of(dot.getType()).getLayout();
        if (instruction.takesMemory) {
          // Its sides stay where their loads have them, for tile-stage-operands.
          if (!accumulator.dividedBy(fragment(instruction, target::Operand::Accumulator)))
            useRegisters(dot, target);
          return;
        }
        int64_t k = shapeOf(dot.getLhs())[1];
        auto a = target::getSideLayout(instruction, target::Operand::A, accumulator, k);
        auto b = target::getSideLayout(instruction, target::Operand::B, accumulator, k);
        if (!a || !b) { // another product decided on the accumulator
          dot->removeAttr(kInstructionAttr);
          return;
        }
        dot.getLhsMutable().set(convertTo(builder, op->getLoc(), dot.getLhs(), *a));
        dot.getRhsMutable().set(convertTo(builder, op->getLoc(), dot.getRhs(), *b));
      })
      .Case([&](ReduceOp reduce) {
        for (auto [input, result] : llvm::zip_equal(reduce.getInputs(), reduce.getResults()))
          if (isTile(result))
            convertResult(
                result, withoutDims(LayoutAttr::of(input.getType()).getLayout(), reduce.getDims()));
        // All tiles of a reduction are combined together.
        DistributedLayout first = LayoutAttr::of(reduce.getInputs()[0].getType()).getLayout();
        builder.setInsertionPoint(op);
        for (OpOperand &input : reduce->getOpOperands())
          input.set(convertTo(builder, op->getLoc(), input.get(), first));
      })
      .Case([&](BroadcastOp broadcast) {
        if (!isTile(broadcast.getSource()))
          return;
        DistributedLayout needed =
            withoutDims(LayoutAttr::of(broadcast.getType()).getLayout(), broadcast.getDims());
        broadcast.getSourceMutable().set(
            convertTo(builder, op->getLoc(), broadcast.getSource(), needed));
      })
      .Case([&](TransposeOp transpose) {
        SmallVector<unsigned> perm(transpose.getPerm());
        convertResult(transpose.getResult(),
                      LayoutAttr::of(transpose.getSource().getType()).getLayout().transposed(perm));
      })
      .Case([&](ReshapeOp reshape) {
        if (!isTile(reshape.getSource()) || !isTile(reshape.getResult()))
          return;
        ArrayRef<int64_t> shape = shapeOf(reshape.getResult());
        auto natural = LayoutAttr::of(reshape.getSource().getType())
                           .getLayout()
                           .reshaped({shape.begin(), shape.end()});
        if (natural)
          convertResult(reshape.getResult(), *natural);
      });
}

void tile::placeConversions(KernelOp kernel, const target::GpuTarget &target, Threads threads) {
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) { ops.push_back(op); });
  ConversionPlacer placer(target, threads);
  for (Operation *op : ops)
    placer.place(op);
}
