//===- FormViews.cpp - leave movement that memory can express to the memory plan -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Works on the numbers that graph-fuse gave out: an op without one stays in the
// host program. Example, of two products that are concatenated:
//
//   %a = matmul {group 0}                     %a = matmul {group 0}
//   %b = matmul {group 1}               ->    %b = matmul {group 1}
//   %c = concat %a, %b {group 2}              %c = concat %a, %b
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "dialects/Graph/IR/Alias.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHFORMVIEWSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

/// Whether the slice keeps the elements of its last dimension side by side.
static bool isWindow(tensor::ExtractSliceOp op) {
  int64_t rank = op.getSourceType().getRank();
  return op.hasUnitStride() && (rank == 0 || !op.getDroppedDims().test(rank - 1));
}

/// Whether the host program can hold `tensor`: fills and empty tensors exist inside kernels only.
static bool hasMemory(Value tensor) {
  Operation *def = tensor.getDefiningOp();
  return !def || def->hasAttr(graph::kGroupAttr) || def->hasTrait<OpTrait::ConstantLike>() ||
         isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp, tensor::ExtractSliceOp,
             tensor::ConcatOp, graph::ChooseOp, graph::LoopOp>(def);
}

static bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
}

namespace {

class ViewFormer {
public:
  explicit ViewFormer(func::FuncOp func) : func(func), aliases(graph::getAliases(func)) {}

  void run() {
    llvm::MapVector<int64_t, SmallVector<Operation *>> groups;
    formFrames();
    for (Operation &op : func.getBody().front())
      if (std::optional<int64_t> number = getGroup(&op)) {
        groups[*number].push_back(&op);
        next = std::max(next, *number + 1);
      }
    // A group that is taken apart leaves groups that may be taken apart again.
    SmallVector<SmallVector<Operation *>> work;
    for (auto &[number, ops] : groups)
      work.push_back(std::move(ops));
    while (!work.empty()) {
      SmallVector<Operation *> ops = work.pop_back_val();
      if (isView(ops)) {
        for (Operation *op : ops)
          leaveToPlan(op, "its elements stay where they are");
        continue;
      }
      Operation *last = ops.back();
      if (auto concat = dyn_cast<tensor::ConcatOp>(last); concat && saves(concat, ops)) {
        leaveToPlan(concat, "its operands are written in place");
        ops.pop_back();
        for (SmallVector<Operation *> &part : regroup(ops))
          work.push_back(std::move(part));
      }
    }
  }

private:
  static std::optional<int64_t> getGroup(Operation *op) {
    auto number = op->getAttrOfType<IntegerAttr>(graph::kGroupAttr);
    return number ? std::optional(number.getInt()) : std::nullopt;
  }

  /// Pads without a group become concatenations with what is around their sources, dimension by
  /// dimension; each piece is a kernel that writes one value.
  void formFrames() {
    for (Operation &op : func.getBody().front())
      if (std::optional<int64_t> number = getGroup(&op))
        next = std::max(next, *number + 1);
    for (Operation &op : llvm::make_early_inc_range(func.getBody().front())) {
      auto pad = dyn_cast<tensor::PadOp>(op);
      if (!pad || getGroup(pad) || !pad.getResultType().hasStaticShape() ||
          !pad.getSourceType().hasStaticShape() || !pad.getConstantPaddingValue() ||
          !hasMemory(pad.getSource()))
        continue;
      OpBuilder builder(pad);
      Value inner = pad.getSource();
      SmallVector<int64_t> shape(pad.getSourceType().getShape());
      // Innermost dimensions first: the pieces of the outer ones are the larger and simpler.
      for (int64_t dim = pad.getResultType().getRank(); dim-- > 0;) {
        int64_t low = pad.getStaticLow()[dim], high = pad.getStaticHigh()[dim];
        if (low == 0 && high == 0)
          continue;
        SmallVector<Value> parts;
        if (low != 0)
          parts.push_back(makeSide(builder, pad, shape, dim, low));
        parts.push_back(inner);
        if (high != 0)
          parts.push_back(makeSide(builder, pad, shape, dim, high));
        inner = tensor::ConcatOp::create(builder, pad.getLoc(), dim, parts);
        shape[dim] += low + high;
      }
      leaveToPlan(pad, "its source is written inside it");
      pad.getResult().replaceAllUsesWith(inner);
      pad.erase();
    }
  }

  /// A tensor of the padding value in a group of its own: `shape`, but `extent` along `dim`.
  Value makeSide(OpBuilder &builder, tensor::PadOp pad, ArrayRef<int64_t> shape, int64_t dim,
                 int64_t extent) {
    SmallVector<int64_t> own(shape);
    own[dim] = extent;
    Location loc = pad.getLoc();
    Value empty = tensor::EmptyOp::create(builder, loc, own, pad.getResultType().getElementType());
    SmallVector<utils::IteratorType> loops(own.size(), utils::IteratorType::parallel);
    auto fill = linalg::GenericOp::create(builder, loc, empty.getType(), ValueRange(), empty,
                                          builder.getMultiDimIdentityMap(own.size()), loops,
                                          [&](OpBuilder &inner, Location where, ValueRange) {
                                            linalg::YieldOp::create(inner, where,
                                                                    pad.getConstantPaddingValue());
                                          });
    fill->setAttr(graph::kGroupAttr, builder.getI64IntegerAttr(next++));
    return fill.getResult(0);
  }

  void leaveToPlan(Operation *op, StringRef why) {
    op->removeAttr(graph::kGroupAttr);
    remark::passed(op->getLoc(), remark::RemarkOpts::name("view").category("graph-form-views"))
        << why;
  }

  static bool isReturned(Operation *op) {
    return llvm::any_of(op->getUsers(), llvm::IsaPred<func::ReturnOp>);
  }

  bool isView(ArrayRef<Operation *> ops) {
    bool slices = false, returned = false;
    for (Operation *op : ops) {
      auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
      if ((!isReshape(op) && !(slice && isWindow(slice))) || !hasMemory(op->getOperand(0)))
        return false;
      slices |= static_cast<bool>(slice);
      returned |= isReturned(op);
    }
    return !(slices && returned);
  }

  /// Whether writing `concat` in place saves what its group would copy.
  bool saves(tensor::ConcatOp concat, ArrayRef<Operation *> ops) {
    if (!llvm::all_of(concat.getInputs(), hasMemory))
      return false;
    if (appends(concat))
      return true;
    return llvm::any_of(concat.getInputs(), [&](Value operand) {
      Operation *def = operand.getDefiningOp();
      return def && !llvm::is_contained(ops, def) && getGroup(def) && operand.hasOneUse();
    });
  }

  /// Whether `concat` is a result that shares the buffer of its first operand.
  bool appends(tensor::ConcatOp concat) {
    auto input = dyn_cast<BlockArgument>(concat.getInputs().front());
    Operation *terminator = func.getBody().front().getTerminator();
    return input && llvm::any_of(aliases, [&](const graph::Alias &alias) {
             return terminator->getOperand(alias.output) == concat.getResult() &&
                    alias.input == input.getArgNumber() &&
                    alias.dim == static_cast<int64_t>(concat.getDim());
           });
  }

  /// Gives each op of what was a group the number that all its users have, or a new one.
  SmallVector<SmallVector<Operation *>> regroup(ArrayRef<Operation *> ops) {
    llvm::MapVector<int64_t, SmallVector<Operation *>> parts;
    llvm::SmallPtrSet<Operation *, 8> done;
    for (Operation *op : llvm::reverse(ops)) {
      std::optional<int64_t> number;
      bool agree = true;
      for (Operation *user : op->getUsers()) {
        if (isa<tensor::DimOp>(user))
          continue;
        std::optional<int64_t> other = done.contains(user) ? getGroup(user) : std::nullopt;
        agree &= other && (!number || number == other);
        number = other;
      }
      if (!agree || !number)
        number = next++;
      op->setAttr(graph::kGroupAttr, Builder(op->getContext()).getI64IntegerAttr(*number));
      done.insert(op);
      parts[*number].insert(parts[*number].begin(), op);
    }
    return llvm::map_to_vector(parts, [](auto &part) { return std::move(part.second); });
  }

  func::FuncOp func;
  SmallVector<graph::Alias> aliases;
  int64_t next = 0;
};

struct GraphFormViewsPass : graph::impl::GraphFormViewsPassBase<GraphFormViewsPass> {
  void runOnOperation() override { ViewFormer(getOperation()).run(); }
};

} // namespace
