//===- PackConstants.cpp - decide how constants are laid out in memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Follow.h"
#include "sectile/CostModel/Kernel.h"
#include "sectile/Numbers/Codes.h"
#include "sectile/Report/Remarks.h"
#include "sectile/Target/PackedOrder.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHPACKCONSTANTSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

/// Extents that are known only at run time are taken to be large.
static int64_t knownOr(int64_t extent, int64_t otherwise) {
  return ShapedType::isDynamic(extent) ? otherwise : std::max<int64_t>(extent, 1);
}

namespace {
/// How a constant is laid out, or why it stays row-major.
struct Packing {
  tile::MemoryAttr memory;
  std::string reason;
};

/// Columns of a panel, and the cycles that the cost model predicts for the product with it.
struct Panel {
  int64_t columns;
  double cycles;
};
} // namespace

/// The width of a panel: that of the register tile which suits the product best.
static Panel choosePanel(linalg::LinalgOp op, OpOperand *packed, unsigned columnLoop,
                         const CoreModel &core) {
  SmallVector<int64_t> loops = op.getStaticLoopRanges();
  AffineMap map = op.getMatchingIndexingMap(packed);
  ProductShape shape{1, knownOr(loops[columnLoop], 4096), 1};
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (loop == columnLoop)
      continue;
    if (kind == utils::IteratorType::reduction)
      shape.depth *= knownOr(loops[loop], 1024);
    else if (!map.isFunctionOfDim(loop))
      shape.rows *= knownOr(loops[loop], 128);
  }
  int64_t lanes = 16;
  RegisterTile tile = chooseRegisterTile(shape, core);
  return {(tile.columns + lanes - 1) / lanes * lanes, predictCycles(shape, tile, core)};
}

/// The layout for operand `input` of product `op`, if it is the column operand.
static Packing choosePacking(linalg::LinalgOp op, OpOperand *input, const CoreModel &core) {
  AffineMap map = op.getMatchingIndexingMap(input);
  auto type = cast<RankedTensorType>(input->get().getType());
  if (!type.hasStaticShape())
    return {{}, "its size is known only at run time"};
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
    return {{}, "the product reads it by more than one loop per dimension"};
  // Columns are the last loop of the result; the operand must follow them.
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  AffineMap resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  int64_t last = resultType.getRank() - 1;
  while (last > 0 && resultType.getDimSize(last) == 1)
    --last;
  if (last < 0)
    return {{}, "the product is a scalar"};
  unsigned columns = cast<AffineDimExpr>(resultMap.getResult(last)).getPosition();
  if (!map.isFunctionOfDim(columns))
    return {{}, "it is not the column operand of the product"};
  SmallVector<AffineExpr> outer, reduced;
  AffineExpr columnDim;
  SmallVector<std::pair<unsigned, AffineExpr>> loops;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    // A dimension of extent 1, indexed by 0, may stand anywhere: first.
    auto loopExpr = dyn_cast<AffineDimExpr>(expr);
    unsigned loop = loopExpr ? loopExpr.getPosition() : 0;
    AffineExpr dim = getAffineDimExpr(position, op->getContext());
    if (loopExpr && loop == columns)
      columnDim = dim;
    else
      loops.push_back({loop, dim});
  }
  // Batch loops first, then panels, then the reduction loops in the order they run.
  llvm::sort(loops, [](auto &lhs, auto &rhs) { return lhs.first < rhs.first; });
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (auto [loop, dim] : loops)
    (kinds[loop] == utils::IteratorType::parallel ? outer : reduced).push_back(dim);
  Panel panel = choosePanel(op, input, columns, core);
  SmallVector<AffineExpr> physical(outer);
  physical.push_back(columnDim.floorDiv(panel.columns));
  llvm::append_range(physical, reduced);
  physical.push_back(columnDim % panel.columns);
  return {tile::MemoryAttr::get(op->getContext(),
                                AffineMap::get(type.getRank(), 0, physical, op->getContext()), {}),
          llvm::formatv("in panels of {0} columns, with which the product is predicted to take "
                        "{1:F0} cycles",
                        panel.columns, panel.cycles)};
}

/// Bits that all who read the elements of a kernel's argument take of them: those of the format
/// that they dequantize. Nothing if someone reads more.
static std::optional<int64_t> getCodeBits(Value argument) {
  std::optional<int64_t> bits;
  for (OpOperand &use : argument.getUses()) {
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (!op || !op.isDpsInput(&use))
      return std::nullopt;
    BlockArgument element = op.getMatchingBlockArgument(&use);
    for (OpOperand &reader : element.getUses()) {
      auto dequantize = dyn_cast<graph::DequantizeOp>(reader.getOwner());
      if (!dequantize || &reader != &dequantize.getCodesMutable())
        return std::nullopt;
      int64_t wanted = numbers::getFormat(dequantize.getFormat()).getBits();
      if (bits && *bits != wanted)
        return std::nullopt;
      bits = wanted;
    }
  }
  return bits;
}

/// Whether products multiply what is computed from the argument as codes.
static bool isMultipliedAsCodes(Value argument) {
  return llvm::all_of(argument.getUsers(), [](Operation *user) {
    return user->getNumResults() == 1 && llvm::all_of(user->getUsers(), [](Operation *reader) {
             auto product = dyn_cast<linalg::LinalgOp>(reader);
             return product && graph::multipliesCodes(product);
           });
  });
}

/// Packs codes to their width where that takes fewer bytes than whole elements: along the last of
/// the loops that a product sums over, or where no product reads them, along the dimension before
/// the last. The last dimension's elements stay lanes: all their codes begin at the same bit.
static void packCodes(Value argument, Packing &packing) {
  auto type = cast<RankedTensorType>(argument.getType());
  auto element = dyn_cast<IntegerType>(type.getElementType());
  // What products read stays as it is where they do not agree on a layout.
  if (!packing.memory && !packing.reason.empty())
    return;
  std::optional<int64_t> bits = getCodeBits(argument);
  if (!bits || !element || element.getWidth() > tile::kPackedWordBits ||
      *bits > element.getWidth() || !type.hasStaticShape() || type.getRank() == 0)
    return;
  // Whole bytes gain nothing but that four neighbours along the sum lie side by side.
  bool isForBytes = *bits == element.getWidth();
  if (isForBytes && !isMultipliedAsCodes(argument))
    return;
  MLIRContext *context = argument.getContext();
  AffineMap map = packing.memory ? packing.memory.getMap()
                                 : AffineMap::getMultiDimIdentityMap(type.getRank(), context);
  int64_t along = std::max<int64_t>(map.getNumResults(), 2) - 2;
  // The dimension before the last one is the panel where a product sums over nothing.
  if (!isa<AffineDimExpr>(map.getResult(along)))
    return;
  auto packed = tile::MemoryAttr::get(context, map, {}, *bits, along);
  auto countBytes = [](ArrayRef<int64_t> box, int64_t bytes) {
    return ShapedType::getNumElements(box) * bytes;
  };
  int64_t before = countBytes(tile::getPhysicalShape(type.getShape(), map),
                              llvm::divideCeil(element.getWidth(), 8));
  int64_t after =
      countBytes(tile::getMemoryShape(type.getShape(), packed), tile::kPackedWordBits / 8);
  if (isForBytes ? after > before + before / 16 : after >= before)
    return;
  if (!packing.memory)
    packing.reason = "row by row";
  packing.memory = packed;
  packing.reason +=
      llvm::formatv(", codes of {0} bits packed in {1} bytes instead of {2}", *bits, after, before);
}

/// The type of 16 bits that all products of what is computed from an argument multiply, on both
/// sides; null if there is another one.
static Type getNarrowProducts(Value argument) {
  Type element;
  for (Operation *user : argument.getUsers())
    for (Operation *reader : user->getUsers()) {
      auto product = dyn_cast<linalg::LinalgOp>(reader);
      if (!product || !graph::sumsProducts(product))
        return {};
      for (Value input : product.getDpsInputs()) {
        Type own = getElementTypeOrSelf(input.getType());
        if ((!own.isF16() && !own.isBF16()) || (element && own != element))
          return {};
        element = own;
      }
    }
  return element;
}

/// On a device whose matrix instructions multiply the numbers of codes, instead of panels: runs of
/// codes along the sum, for each column one, in the order that the threads read them.
static void packCodesForDevice(Value argument, Packing &packing, StringRef target) {
  tile::MemoryAttr panels = std::exchange(packing.memory, {});
  auto type = cast<RankedTensorType>(argument.getType());
  auto element = dyn_cast<IntegerType>(type.getElementType());
  std::optional<int64_t> bits = getCodeBits(argument);
  packing.reason = "";
  if (!panels || !bits || !element || element.getWidth() > 8)
    return;
  Type numbers = getNarrowProducts(argument);
  const target::MatrixInstruction *instruction =
      numbers ? target::findPackingInstruction(target, numbers.isF16() ? "f16" : "bf16") : nullptr;
  if (!instruction) {
    packing.reason = "no matrix instruction of " + target.str() +
                     " multiplies the numbers of its codes, which take a byte each";
    return;
  }
  MLIRContext *context = argument.getContext();
  ArrayRef<AffineExpr> map = panels.getMap().getResults();
  auto columns = cast<AffineBinaryOpExpr>(map.back()).getLHS();
  if (map.size() < 3 || !isa<AffineDimExpr>(map[map.size() - 2]))
    return;
  AffineExpr along = map[map.size() - 2];
  target::PackedOrder order = target::makePackedOrder(*instruction, *bits);
  SmallVector<AffineExpr> physical;
  for (AffineExpr expr : map.drop_back(2))
    if (!expr.isFunctionOfDim(cast<AffineDimExpr>(columns).getPosition()))
      physical.push_back(expr);
  physical.append({along.floorDiv(order.codes), columns, along % order.codes});
  auto packed =
      tile::MemoryAttr::get(context, AffineMap::get(type.getRank(), 0, physical, context), {},
                            *bits, static_cast<int64_t>(physical.size()) - 1, order.digits);
  int64_t before = type.getNumElements();
  int64_t after = ShapedType::getNumElements(tile::getMemoryShape(type.getShape(), packed)) *
                  (tile::kPackedWordBits / 8);
  // Whole bytes gain their order, for what fills the last run.
  if (*bits == 8 ? after > before + before / 8 : after >= before) {
    packing.reason =
        llvm::formatv("runs of {0} codes of {1} bits would take {2} bytes instead of {3}",
                      order.codes, *bits, after, before);
    return;
  }
  packing.memory = packed;
  packing.reason = llvm::formatv("in runs of {0} for {1}, codes of {2} bits packed in {3} bytes "
                                 "instead of {4}",
                                 order.codes, instruction->name, *bits, after, before);
}

/// Whether `op` computes from `use` a value whose elements lie in the same places.
static bool isElementwiseInPlace(linalg::LinalgOp op, OpOperand &use) {
  return op.getNumReductionLoops() == 0 && op->getNumResults() == 1 && op.isDpsInput(&use) &&
         op.getMatchingIndexingMap(&use).isIdentity() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
}

/// The layout that all uses of a kernel's argument agree on, those of what is computed from it in
/// place among them. Without a reason either, no product reads the argument.
static Packing choosePacking(Value argument, const CoreModel &core) {
  Packing packing;
  for (OpOperand &use : argument.getUses()) {
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (op && isElementwiseInPlace(op, use)) {
      // Numbers are computed from less: codes, which take a byte at most of the four that the model
      // counts for each.
      CoreModel caches = core;
      if (getCodeBits(argument)) {
        caches.firstCacheBytes *= 4;
        caches.secondCacheBytes *= 4;
      }
      Packing wanted = choosePacking(op->getResult(0), caches);
      if (!wanted.memory)
        return {{}, packing.memory ? "not only products read it" : wanted.reason};
      if (packing.memory && packing.memory != wanted.memory)
        return {{}, "its products want different layouts"};
      packing = wanted;
      continue;
    }
    if (!op || op.getNumReductionLoops() == 0 || !op.isDpsInput(&use) || op->getNumResults() != 1)
      return {{}, packing.memory ? "not only products read it" : ""};
    SmallVector<Operation *> combiners;
    Value reduced = matchReduction(op.getRegionOutputArgs(), 0, combiners);
    if (!reduced || combiners.size() != 1 ||
        !isa_and_nonnull<arith::MulFOp, arith::MulIOp>(reduced.getDefiningOp()))
      return {{}, packing.memory ? "not only products read it" : ""};
    Packing wanted = choosePacking(op, &use, core);
    if (!wanted.memory)
      return wanted;
    if (packing.memory && packing.memory != wanted.memory)
      return {{}, "its products want different layouts"};
    packing = wanted;
  }
  return packing;
}

/// What belongs to the columns of a product along one of its dimensions (the scales of weights that
/// the product dequantizes) is laid out with that dimension last, if it is not.
static void packBesideColumns(graph::KernelOp kernel, Value value, const graph::Followed &dims,
                              ArrayRef<bool> constant) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto type = cast<RankedTensorType>(argument.getType());
    unsigned number = argument.getArgNumber();
    SmallVector<unsigned> along;
    for (auto [dim, followed] : llvm::enumerate(dims))
      if (followed.any())
        along.push_back(dim);
    if (!constant[number] || !argument.hasOneUse() || !type.hasStaticShape() ||
        kernel.getArgAttr(number, graph::kMemoryAttr) || along.size() != 1 ||
        along[0] + 1 == type.getRank())
      return;
    MLIRContext *context = kernel.getContext();
    SmallVector<AffineExpr> physical;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (dim != along[0])
        physical.push_back(getAffineDimExpr(dim, context));
    physical.push_back(getAffineDimExpr(along[0], context));
    kernel.setArgAttr(
        number, graph::kMemoryAttr,
        tile::MemoryAttr::get(context, AffineMap::get(type.getRank(), 0, physical, context), {}));
    remark::passed(kernel.getLoc(),
                   remark::RemarkOpts::name("packs").category("graph-pack-constants"))
        << remark::metric(kKernelRemarkKey, kernel.getSymName().str())
        << remark::add("constant argument {0} with dimension {1} last, as the columns of its "
                       "product lie",
                       number, along[0]);
    return;
  }
  graph::followOperands(cast<OpResult>(value), dims, 1,
                        [&](OpOperand &operand, graph::Followed from) {
                          packBesideColumns(kernel, operand.get(), from, constant);
                        });
}

namespace {
struct GraphPackConstantsPass : graph::impl::GraphPackConstantsPassBase<GraphPackConstantsPass> {
  using GraphPackConstantsPassBase::GraphPackConstantsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<DeviceModel> model = DeviceModel::parse(module, device);
    if (failed(model))
      return signalPassFailure();
    // Arguments that every launch passes a constant for.
    llvm::DenseMap<StringAttr, SmallVector<bool>> isConstant;
    module.walk([&](graph::LaunchOp launch) {
      auto [it, isFirst] = isConstant.try_emplace(
          launch.getKernelAttr().getAttr(), SmallVector<bool>(launch.getInputs().size(), true));
      for (auto [number, input] : llvm::enumerate(launch.getInputs()))
        if (!matchPattern(input, m_Constant()) || !isa<RankedTensorType>(input.getType()))
          it->second[number] = false;
    });
    for (auto kernel : module.getOps<graph::KernelOp>()) {
      auto it = isConstant.find(kernel.getSymNameAttr());
      if (it == isConstant.end())
        continue;
      for (auto [number, constant] : llvm::enumerate(it->second)) {
        if (!constant)
          continue;
        Packing packing = choosePacking(kernel.getArgument(number), model->core);
        if (target.empty())
          packCodes(kernel.getArgument(number), packing);
        else
          packCodesForDevice(kernel.getArgument(number), packing, target);
        if (packing.memory)
          kernel.setArgAttr(number, graph::kMemoryAttr, packing.memory);
        explain(kernel, number, packing);
      }
      // A device's threads read codes as they are, or packed.
      SmallVector<bool> beside(it->second);
      for (auto [number, isBeside] : llvm::enumerate(beside))
        isBeside &= target.empty() || !getCodeBits(kernel.getArgument(number));
      kernel.walk([&](linalg::LinalgOp product) {
        if (!graph::sumsProducts(product))
          return;
        AffineMap result = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
        for (OpOperand *input : product.getDpsInputOperands()) {
          AffineMap map = product.getMatchingIndexingMap(input);
          auto op = input->get().getDefiningOp<linalg::LinalgOp>();
          if (!op || op.getNumReductionLoops() != 0 || result.getNumResults() == 0)
            continue;
          graph::Followed dims(map.getNumResults(), llvm::SmallBitVector(1));
          for (auto [dim, expr] : llvm::enumerate(map.getResults()))
            if (expr == result.getResults().back())
              dims[dim].set(0);
          packBesideColumns(kernel, input->get(), dims, beside);
        }
      });
    }
  }

  static void explain(graph::KernelOp kernel, unsigned argument, const Packing &packing) {
    if (packing.reason.empty())
      return;
    auto opts = remark::RemarkOpts::name("packs").category("graph-pack-constants");
    (packing.memory ? remark::passed(kernel.getLoc(), opts) : remark::missed(kernel.getLoc(), opts))
        << remark::metric(kKernelRemarkKey, kernel.getSymName().str())
        << remark::add("constant argument {0} {1}{2}", argument,
                       packing.memory ? "" : "stays row-major: ", packing.reason);
  }
};
} // namespace
