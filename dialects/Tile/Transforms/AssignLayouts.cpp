//===- AssignLayouts.cpp - the pass tile-assign-layouts ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values that an elementwise op or a loop ties together form a *class* and get
// one layout: that of its strongest anchor. Products are the strongest, then the
// transfer of most bytes. Layouts flow from classes with anchors through
// reductions, broadcasts, transpositions and reshapes, in either direction, to
// those without; what they do not reach gets a row-major one.
//
//     %x = tile.load ...          anchor: 4 neighbours per lane
//     %e = math.exp %x            same class
//     %s = tile.reduce %e [1]     its class without dimension 1
//     %b = tile.broadcast %s [1]  read in the layout that its result has, without dimension 1
//
// Nothing is decided about an op's own input or result beyond its class: where
// they differ a tile.convert_layout goes between (PlaceConversions.cpp).
//
//===----------------------------------------------------------------------===//

#include "ChooseLayouts.h"
#include "GroupProducts.h"
#include "Passes.h"

#include "sectile/Target/MatrixTiling.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sectile::tile {
#define GEN_PASS_DEF_TILEASSIGNLAYOUTSPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::DistributedLayout;

static int64_t elementBytesOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}
static int64_t bytesOf(Value value) {
  return ShapedType::getNumElements(shapeOf(value)) * elementBytesOf(value.getType());
}

/// Ops that cost nothing to repeat: each user has its own, in the layout it wants.
static bool isGenerator(Operation *op) {
  return isa<arith::ConstantOp, CoordOp, MaskOp, tensor::SplatOp>(op) ||
         (isa<BroadcastOp>(op) && !isTile(op->getOperand(0)));
}

namespace {
class LayoutAssigner {
public:
  LayoutAssigner(KernelOp kernel, const target::GpuTarget &target, bool isStrict, bool isFast)
      : kernel(kernel), target(target), isStrict(isStrict), isFast(isFast),
        threads{target.threadsPerWarp, 1} {}

  LogicalResult run();

private:
  LogicalResult chooseWarps();
  void repeatGenerators();
  void collectClasses();
  void tie(Value a, Value b) {
    if (isTile(a) && isTile(b))
      classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
  }
  void *classOf(Value value) { return classes.getOrInsertLeaderValue(value.getAsOpaquePointer()); }
  void anchor(Value value, bool isProduct, int64_t weight, DistributedLayout layout, Operation *op);
  void collectAnchors();
  void propagate();
  bool flow(Operation *op);
  bool offer(Value value, const DistributedLayout &layout, Operation *from, StringRef why);
  DistributedLayout getLayout(Value value) { return decided.find(classOf(value))->second; }
  bool isDecided(Value value) { return decided.contains(classOf(value)); }
  void rewriteTypes();
  const target::MatrixInstruction *chooseInstruction(DotOp dot);
  DistributedLayout chooseAccumulator(DotOp dot);
  remark::RemarkOpts remarkOptions(StringRef name) {
    return remark::RemarkOpts::name(name).category("tile-assign-layouts");
  }

  KernelOp kernel;
  const target::GpuTarget &target;
  bool isStrict, isFast;
  Threads threads;
  llvm::EquivalenceClasses<void *> classes;
  SmallVector<Value> values;
  struct Anchor {
    bool isProduct;
    int64_t weight;
    DistributedLayout layout;
    Operation *op;
  };
  llvm::MapVector<void *, Anchor> anchors;
  llvm::DenseMap<void *, DistributedLayout> decided;
};
} // namespace

//===----------------------------------------------------------------------===//
// Classes and anchors
//===----------------------------------------------------------------------===//

LogicalResult LayoutAssigner::chooseWarps() {
  if (ScheduleAttr schedule = kernel.getScheduleAttr())
    if (Attribute choice = schedule.getChoices().get("warps")) {
      auto warps = dyn_cast<IntegerAttr>(choice);
      int64_t most = target.threadsPerBlock / target.threadsPerWarp;
      if (!warps || warps.getInt() < 1 || warps.getInt() > most ||
          !llvm::isPowerOf2_64(warps.getInt()))
        return kernel.emitOpError("expects choice 'warps' to be a power of two up to ")
               << most << " on " << target.name.data() << ", but got " << choice;
      threads.warps = warps.getInt();
      return success();
    }
  // Codes are few bytes: warps that share columns would only read the rows more often.
  int64_t sums = 0;
  kernel.walk([&](DotOp dot) {
    if (readsOrderedCodes(dot.getRhs()))
      sums = std::max(sums, ShapedType::getNumElements(shapeOf(dot.getAcc())));
  });
  if (sums != 0) {
    constexpr int64_t kLaneSums = 32, kMostWarps = 8;
    int64_t warps = llvm::PowerOf2Ceil(llvm::divideCeil(sums, threads.lanes * kLaneSums));
    threads.warps = std::clamp<int64_t>(warps, 2, kMostWarps);
    return success();
  }
  // Eight elements of the largest tile for each thread hide latency and leave registers; more than
  // 256 threads only wait for each other at barriers.
  constexpr int64_t kMostThreads = 256;
  int64_t most = 1;
  for (Value value : values)
    most = std::max(most, ShapedType::getNumElements(shapeOf(value)));
  threads.warps = std::clamp<int64_t>(
      static_cast<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(most, threads.lanes * 8))), 1,
      kMostThreads / threads.lanes);
  return success();
}

void LayoutAssigner::repeatGenerators() {
  SmallVector<Operation *> generators;
  kernel.walk([&](Operation *op) {
    if (isGenerator(op) && op->getNumResults() == 1 && isTile(op->getResult(0)) && !op->use_empty())
      generators.push_back(op);
  });
  for (Operation *op : generators) {
    OpBuilder builder(op);
    for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(op->getUses())))
      use.set(builder.clone(*op)->getResult(0));
  }
}

void LayoutAssigner::collectClasses() {
  auto add = [&](Value value) {
    if (!isTile(value))
      return;
    values.push_back(value);
    classes.insert(value.getAsOpaquePointer());
  };
  kernel.walk<WalkOrder::PreOrder>([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::for_each(block.getArguments(), add);
    llvm::for_each(op->getResults(), add);
  });
  auto tieAll = [&](ValueRange left, ValueRange right) {
    for (auto [a, b] : llvm::zip_equal(left, right))
      tie(a, b);
  };
  kernel.walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](scf::ForOp loop) {
          tieAll(loop.getInitArgs(), loop.getRegionIterArgs());
          tieAll(loop.getRegionIterArgs(), loop.getResults());
          tieAll(loop.getYieldedValues(), loop.getResults());
        })
        .Case([&](scf::IfOp branch) {
          for (Region &region : branch->getRegions())
            if (!region.empty())
              tieAll(region.front().getTerminator()->getOperands(), branch.getResults());
        })
        .Case([&](scf::WhileOp loop) {
          tieAll(loop.getInits(), loop.getBeforeArguments());
          tieAll(loop.getYieldOp().getOperands(), loop.getBeforeArguments());
          tieAll(loop.getConditionOp().getArgs(), loop.getAfterArguments());
          tieAll(loop.getConditionOp().getArgs(), loop.getResults());
        })
        .Case([&](DotOp dot) { tie(dot.getAcc(), dot.getResult()); })
        .Case([&](LoadOp load) {
          for (Value index : load.getIndices())
            tie(index, load.getResult());
        })
        .Case([&](StoreOp store) {
          for (Value index : store.getIndices())
            tie(index, store.getValue());
        })
        .Case([&](AssertOp check) {
          for (Value value : check.getValues())
            tie(value, check.getCondition());
        })
        .Case<ConvertOp, DequantizeOp, QuantizeOp>([&](Operation *numbers) {
          for (Value operand : numbers->getOperands())
            if (isTile(operand) && shapeOf(operand) == shapeOf(numbers->getResult(0)))
              tie(operand, numbers->getResult(0));
        })
        .Default([&](Operation *) {
          if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
            return;
          for (Value operand : op->getOperands())
            tie(operand, op->getResult(0));
        });
  });
}

void LayoutAssigner::anchor(Value value, bool isProduct, int64_t weight, DistributedLayout layout,
                            Operation *op) {
  void *leader = classOf(value);
  auto *found = anchors.find(leader);
  if (found == anchors.end()) {
    anchors.insert({leader, Anchor{isProduct, weight, std::move(layout), op}});
    return;
  }
  if (std::pair(isProduct, weight) > std::pair(found->second.isProduct, found->second.weight))
    found->second = Anchor{isProduct, weight, std::move(layout), op};
}

/// The matrix instruction for a product, recorded on it; null if multiply-adds are the way: there
/// is none, rounding is prescribed, or most of what it computes would be thrown away.
const target::MatrixInstruction *LayoutAssigner::chooseInstruction(DotOp dot) {
  auto nameOf = [](Type element, bool isUnsigned) -> StringRef {
    if (element.isInteger(8))
      return isUnsigned ? "u8" : "s8";
    return element.isF16()    ? "f16"
           : element.isBF16() ? "bf16"
           : element.isF32()  ? "f32"
           : element.isF64()  ? "f64"
                              : "";
  };
  Type sum = getElementTypeOrSelf(dot.getType());
  // Sums of narrow floats are kept in f32.
  StringRef accumulator = sum.isInteger(32) ? "s32" : sum.isF64() ? "f64" : "f32";
  StringRef a = nameOf(getElementTypeOrSelf(dot.getLhs().getType()), dot.getUnsignedLhs());
  StringRef b = nameOf(getElementTypeOrSelf(dot.getRhs().getType()), dot.getUnsignedRhs());
  int64_t m = shapeOf(dot.getLhs())[0], n = shapeOf(dot.getRhs())[1], k = shapeOf(dot.getLhs())[1];
  bool isKnown = isa<FloatType>(sum) || sum.isInteger(32);
  auto missed = [&](StringRef reason) {
    remark::missed(dot.getLoc(), remarkOptions("instruction"))
        << remark::add("is computed by multiply-adds: {0}", reason);
    return nullptr;
  };
  if (isStrict && isa<FloatType>(sum))
    return missed("matrix instructions round as they like");
  auto find = [&](StringRef a, StringRef b) {
    return target::chooseMatrixInstruction(target.name, {a, b, accumulator}, m, n, k, isFast);
  };
  auto choose = [&](const target::MatrixInstruction &instruction) {
    remark::passed(dot.getLoc(), remarkOptions("instruction"))
        << remark::add("is computed by ")
        << remark::metric("instruction", std::string(instruction.name));
    dot->setAttr(kInstructionAttr, StringAttr::get(dot.getContext(), StringRef(instruction.name)));
    return &instruction;
  };
  if (isKnown && !a.empty() && !b.empty()) {
    auto tiling = chooseGroupTiling(dot, target, {a, b, accumulator}, threads.warps);
    if (tiling)
      return choose(*tiling->instruction);
    if (!tiling.reason().text.empty())
      remark::missed(dot.getLoc(), remarkOptions("group"))
          << remark::add("is not computed by warp groups: {0}", tiling.reason().text);
  }
  const target::MatrixInstruction *found =
      isKnown && !a.empty() && !b.empty() ? find(a, b) : nullptr;
  // Narrow floats are f32 in registers: what multiplies those multiplies them, exactly.
  auto isNarrow = [](Value side) {
    auto type = dyn_cast<FloatType>(getElementTypeOrSelf(side.getType()));
    return type && type.getWidth() <= 32;
  };
  if (!found && accumulator == "f32" && isNarrow(dot.getLhs()) && isNarrow(dot.getRhs()))
    found = find("f32", "f32");
  if (!found)
    return missed("there is no matrix instruction of these types");
  // They are 8 times as fast as multiply-adds at least, where both have f16 inputs.
  constexpr int64_t kMostWaste = 4;
  int64_t executed = static_cast<int64_t>(llvm::alignTo(m, found->m) * llvm::alignTo(n, found->n) *
                                          llvm::alignTo(k, found->k));
  // The order of packed codes is that of the instruction: to multiply-adds they come bit by bit.
  if (executed > kMostWaste * m * n * k && !readsOrderedCodes(dot.getRhs()))
    return missed("the tile fills too little of a matrix instruction");
  return choose(*found);
}

DistributedLayout LayoutAssigner::chooseAccumulator(DotOp dot) {
  ArrayRef<int64_t> shape = shapeOf(dot.getAcc());
  const target::MatrixInstruction *instruction = chooseInstruction(dot);
  if (!instruction)
    return makeProduct(shape[0], shape[1], threads);
  if (!instruction->takesMemory)
    return target::makeAccumulator(*instruction, shape[0], shape[1], threads.warps);
  target::ProductTypes types{instruction->a, instruction->b, instruction->accumulator};
  return target::makeGroupAccumulator(*chooseGroupTiling(dot, target, types, threads.warps),
                                      shape[0], shape[1], threads.warps);
}

void LayoutAssigner::collectAnchors() {
  kernel.walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](DotOp dot) {
          anchor(dot.getResult(), true, bytesOf(dot.getResult()), chooseAccumulator(dot), op);
        })
        .Case([&](LoadOp load) {
          if (!isTile(load.getResult()))
            return;
          BlockedForm form =
              getAccessForm(load.getTileShape(), load.getView(), load.getMap(), threads, target);
          anchor(load.getResult(), false, bytesOf(load.getResult()),
                 makeBlocked(load.getTileShape(), form, threads), op);
        })
        .Case([&](StoreOp store) {
          if (!isTile(store.getValue()))
            return;
          BlockedForm form =
              getAccessForm(store.getTileShape(), store.getView(), store.getMap(), threads, target);
          anchor(store.getValue(), false, bytesOf(store.getValue()),
                 makeBlocked(store.getTileShape(), form, threads), op);
        });
  });
  for (auto &[leader, anchor] : anchors) {
    decided.try_emplace(leader, anchor.layout);
    remark::passed(anchor.op->getLoc(), remarkOptions("anchor"))
        << remark::add("'{0}' decides on ", anchor.op->getName().getStringRef())
        << remark::metric("layout", anchor.layout.str());
  }
}

//===----------------------------------------------------------------------===//
// Flow to classes without anchors
//===----------------------------------------------------------------------===//

bool LayoutAssigner::offer(Value value, const DistributedLayout &layout, Operation *from,
                           StringRef why) {
  if (!isTile(value) || isDecided(value))
    return false;
  decided.try_emplace(classOf(value), layout);
  remark::passed(from->getLoc(), remarkOptions("flow"))
      << remark::add("'{0}' {1} ", from->getName().getStringRef(), why)
      << remark::metric("layout", layout.str());
  return true;
}

bool LayoutAssigner::flow(Operation *op) {
  auto known = [&](Value value) { return isTile(value) && isDecided(value); };
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](ReduceOp reduce) {
        bool isChanged = false;
        for (auto [input, result] : llvm::zip_equal(reduce.getInputs(), reduce.getResults()))
          if (known(input))
            isChanged |= offer(result, withoutDims(getLayout(input), reduce.getDims()), op,
                               "leaves its input's layout without the reduced dimensions:");
        return isChanged;
      })
      .Case([&](BroadcastOp broadcast) {
        return known(broadcast.getResult()) &&
               offer(broadcast.getSource(),
                     withoutDims(getLayout(broadcast.getResult()), broadcast.getDims()), op,
                     "reads its result's layout without the new dimensions:");
      })
      .Case([&](TransposeOp transpose) {
        SmallVector<unsigned> forward(transpose.getPerm()), back(forward.size());
        for (auto [i, dim] : llvm::enumerate(forward))
          back[dim] = i;
        if (known(transpose.getSource()))
          return offer(transpose.getResult(), getLayout(transpose.getSource()).transposed(forward),
                       op, "renames dimensions:");
        return known(transpose.getResult()) &&
               offer(transpose.getSource(), getLayout(transpose.getResult()).transposed(back), op,
                     "renames dimensions:");
      })
      .Case([&](ReshapeOp reshape) {
        auto follow = [&](Value from, Value to) {
          if (!known(from) || !isTile(to))
            return false;
          auto layout = getLayout(from).reshaped({shapeOf(to).begin(), shapeOf(to).end()});
          return layout && offer(to, *layout, op, "cuts coordinates otherwise:");
        };
        return follow(reshape.getSource(), reshape.getResult()) ||
               follow(reshape.getResult(), reshape.getSource());
      })
      .Default(false);
}

void LayoutAssigner::propagate() {
  auto settle = [&] {
    for (bool isChanged = true; isChanged;) {
      isChanged = false;
      kernel.walk([&](Operation *op) { isChanged |= flow(op); });
    }
  };
  settle();
  // One at a time: each may lead to others.
  for (Value value : values) {
    if (isDecided(value))
      continue;
    BlockedForm form =
        getDefaultForm(shapeOf(value), elementBytesOf(value.getType()), threads, target);
    Operation *at =
        value.getDefiningOp() ? value.getDefiningOp() : value.getParentBlock()->getParentOp();
    offer(value, makeBlocked(shapeOf(value), form, threads), at, "leaves the choice:");
    settle();
  }
}

void LayoutAssigner::rewriteTypes() {
  for (Value value : values)
    setLayout(value, getLayout(value));
  kernel.walk([](arith::ConstantOp constant) {
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (type && dense)
      constant.setValueAttr(dense.isSplat() ? dense.resizeSplat(type) : dense.reshape(type));
  });
}

LogicalResult LayoutAssigner::run() {
  foldTransposes(kernel, target);
  repeatGenerators();
  collectClasses();
  if (failed(chooseWarps()))
    return failure();
  collectAnchors();
  propagate();
  rewriteTypes();
  placeConversions(kernel, target, threads);
  OpBuilder builder(kernel);
  kernel->setAttr(kTargetAttr, builder.getStringAttr(StringRef(target.name)));
  kernel->setAttr(kWarpsAttr, builder.getI64IntegerAttr(threads.warps));
  return success();
}

namespace {
struct AssignLayoutsPass : tile::impl::TileAssignLayoutsPassBase<AssignLayoutsPass> {
  using TileAssignLayoutsPassBase::TileAssignLayoutsPassBase;

  void runOnOperation() override {
    const target::GpuTarget *found = target::findGpuTarget(target.getValue());
    if (!found) {
      getOperation().emitError("expects target to be one of ")
          << target::listGpuTargets() << ", but got '" << target.getValue() << "'";
      return signalPassFailure();
    }
    if (floatMode != "strict" && floatMode != "default" && floatMode != "fast") {
      getOperation().emitError("expects fp to be strict, default or fast, but got '")
          << floatMode << "'";
      return signalPassFailure();
    }
    if (failed(LayoutAssigner(getOperation(), *found, floatMode == "strict", floatMode == "fast")
                   .run()))
      signalPassFailure();
  }
};
} // namespace
