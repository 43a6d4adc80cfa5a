//===- Outline.cpp - move groups of ops into graph.kernel ops -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"
#include "sectile/Report/Remarks.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

#include <map>

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHOUTLINEPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// Whether an op outside all groups is repeated inside the kernels that use its result.
bool isCloned(Operation *op) {
  if (!op)
    return false;
  if (isa<tensor::EmptyOp, linalg::FillOp>(op))
    return true;
  // A size in another type: kernels take sizes as indices alone.
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::SIToFPOp, arith::UIToFPOp>(op) &&
      op->getResult(0).getType().isIntOrFloat())
    return true;
  Attribute value;
  if (!matchPattern(op, m_Constant(&value)))
    return false;
  return !isa<ElementsAttr>(value) || isa<SplatElementsAttr>(value);
}

/// Whether `use` reads elements at places that the data says: in memory, not as they are computed.
bool needsMemory(OpOperand &use) {
  return isa<graph::GatherOp>(use.getOwner()) && use.getOperandNumber() == 0;
}

/// The names of the model's nodes that `ops` came from, in order, each once.
ArrayAttr collectNodes(ArrayRef<Operation *> ops) {
  llvm::SetVector<StringAttr> names;
  for (Operation *op : ops)
    op->getLoc()->walk([&](Location loc) {
      if (auto name = dyn_cast<NameLoc>(loc))
        names.insert(name.getName());
      return WalkResult::advance();
    });
  SmallVector<Attribute> attrs(names.begin(), names.end());
  return ArrayAttr::get(ops.front()->getContext(), attrs);
}

/// A symbol name for a kernel: its first and last op, as far as they are named.
std::string makeName(ArrayRef<Operation *> ops, unsigned number) {
  auto stem = [](Operation *op) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      if (linalgOp.getNumReductionLoops() != 0)
        return linalgOp.getNumDpsInputs() > 1 ? "contract" : "reduce";
    if (isa<graph::ScanOp>(op))
      return "scan";
    if (isa<graph::ScatterOp>(op))
      return "scatter";
    if (isa<graph::TopKOp>(op))
      return "topk";
    if (isa<linalg::LinalgOp>(op))
      return "map";
    return "move";
  };
  // The heaviest kind names the kernel.
  StringRef kind = "move";
  for (Operation *op : ops) {
    StringRef name = stem(op);
    auto weight = [](StringRef name) {
      if (name == "contract")
        return 4;
      return name == "scan" || name == "scatter" || name == "topk" ? 3
             : name == "reduce"                                    ? 2
             : name == "map"                                       ? 1
                                                                   : 0;
    };
    if (weight(name) > weight(kind))
      kind = name;
  }
  return "k" + std::to_string(number) + "_" + kind.str();
}

class Outliner {
public:
  /// Kernels are numbered from `next`, across the module's functions. Equal ones of different
  /// functions stay apart: what is known of their arguments' memory may differ.
  Outliner(ModuleOp module, func::FuncOp func, unsigned &next)
      : module(module), func(func), next(next) {}

  LogicalResult run() {
    computeFills();
    llvm::MapVector<int64_t, SmallVector<Operation *>> groups;
    for (Operation &op : func.getBody().front())
      if (auto number = op.getAttrOfType<IntegerAttr>(graph::kGroupAttr))
        groups[number.getInt()].push_back(&op);
    for (auto &[number, ops] : groups)
      if (failed(outline(ops, number, next++)))
        return failure();
    // Sizes may be computed after the group they belong to.
    sortTopologically(&func.getBody().front());
    return success();
  }

private:
  /// A fill belongs to whoever uses it. Where that is the host, or where it is read at places that
  /// the data says, a group of its own computes it.
  void computeFills() {
    Block &block = func.getBody().front();
    int64_t number = 0;
    for (Operation &op : block)
      if (auto group = op.getAttrOfType<IntegerAttr>(graph::kGroupAttr))
        number = std::max(number, group.getInt() + 1);
    IRRewriter rewriter(func.getContext());
    for (auto fill : llvm::make_early_inc_range(block.getOps<linalg::FillOp>())) {
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : fill->getUses()) {
        Operation *user = use.getOwner();
        bool isHosts = user->getBlock() == &block && !user->hasAttr(graph::kGroupAttr) &&
                       !isa<tensor::DimOp>(user) && !isCloned(user);
        if (!fill->hasAttr(graph::kGroupAttr) && (isHosts || needsMemory(use)))
          uses.push_back(&use);
      }
      if (uses.empty())
        continue;
      rewriter.setInsertionPointAfter(fill);
      auto copy = cast<linalg::FillOp>(rewriter.clone(*fill));
      FailureOr<linalg::GenericOp> made =
          linalg::generalizeNamedOp(rewriter, cast<linalg::LinalgOp>(copy.getOperation()));
      if (failed(made))
        continue; // whoever meets it says so
      (*made)->setAttr(graph::kGroupAttr, rewriter.getI64IntegerAttr(number++));
      for (OpOperand *use : uses)
        use->set(made->getResult(0));
    }
  }

  LogicalResult outline(ArrayRef<Operation *> ops, int64_t group, unsigned number) {
    llvm::SmallPtrSet<Operation *, 8> members(ops.begin(), ops.end());
    SmallVector<Value> results;
    for (Operation *op : ops)
      for (Value result : op->getResults())
        // Lists of values and of indices are made together.
        if (isa<graph::TopKOp>(op) || llvm::any_of(result.getUsers(), [&](Operation *user) {
              return !members.contains(user) && !isa<tensor::DimOp>(user);
            }))
          results.push_back(result);
    if (results.empty())
      return success(); // dead
    if (failed(resolveSizes(ops)))
      return failure();
    // What the kernel takes: tensors and sizes from outside, in the order of first use.
    llvm::SetVector<Value> inputs;
    llvm::SetVector<Operation *> clones;
    auto visit = [&](auto &self, Operation *op) -> void {
      auto use = [&](Value value, bool mayClone) {
        Operation *def = value.getDefiningOp();
        if (def && members.contains(def))
          return;
        if (mayClone && isCloned(def)) {
          if (!clones.contains(def)) {
            self(self, def);
            clones.insert(def);
          }
          return;
        }
        if (def && def->getBlock() != &func.getBody().front())
          return; // inside a body
        if (!def && cast<BlockArgument>(value).getOwner() != &func.getBody().front())
          return;
        inputs.insert(value);
      };
      for (OpOperand &operand : op->getOpOperands())
        use(operand.get(), !needsMemory(operand));
      op->walk([&](Operation *inner) {
        if (inner != op)
          for (Value operand : inner->getOperands())
            if (operand.getParentRegion() == &func.getBody())
              use(operand, /*mayClone=*/true);
      });
    };
    for (Operation *op : ops)
      visit(visit, op);
    // Tensors first, then sizes.
    SmallVector<Value> arguments;
    for (Value value : inputs)
      if (isa<RankedTensorType>(value.getType()))
        arguments.push_back(value);
    for (Value value : inputs) {
      if (isa<RankedTensorType>(value.getType()))
        continue;
      if (!value.getType().isIndex())
        return ops.back()->emitError("cannot be outlined: expects scalars from outside to be of "
                                     "type index, but got ")
               << value.getType();
      arguments.push_back(value);
    }

    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    SmallVector<Location> locs =
        llvm::map_to_vector(ops, [](Operation *op) { return op->getLoc(); });
    Location loc = builder.getFusedLoc(locs);
    auto type =
        builder.getFunctionType(ValueRange(arguments).getTypes(), ValueRange(results).getTypes());
    auto kernel = graph::KernelOp::create(builder, loc, makeName(ops, number), type);
    kernel.setNodesAttr(collectNodes(ops));
    builder.setInsertionPointToStart(&kernel.getBody().front());
    IRMapping mapping;
    mapping.map(arguments, kernel.getBody().getArguments());
    for (Operation *op : clones)
      builder.clone(*op, mapping);
    for (Operation *op : ops) {
      Operation *clone = builder.clone(*op, mapping);
      clone->removeAttr(graph::kGroupAttr);
    }
    SmallVector<Value> returned =
        llvm::map_to_vector(results, [&](Value value) { return mapping.lookup(value); });
    graph::ReturnOp::create(builder, loc, returned);

    kernel = shareKernel(kernel);
    remark::analysis(loc, remark::RemarkOpts::name("becomes").category("graph-outline"))
        << remark::metric(kGroupRemarkKey, group)
        << remark::metric(kKernelRemarkKey, kernel.getSymName().str());

    OpBuilder host(ops.back());
    SmallVector<Value> sizes;
    for (Value result : results) {
      auto type = cast<RankedTensorType>(result.getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim)) {
          FailureOr<Value> size = findSize(host, result, dim);
          if (failed(size))
            return failure();
          sizes.push_back(*size);
        }
    }
    auto launch = graph::LaunchOp::create(host, loc, ValueRange(results).getTypes(),
                                          kernel.getSymName(), arguments, sizes);
    // Finding the results' sizes has asked for others. None may wait for the launch.
    if (failed(resolveSizes(ops)))
      return failure();
    for (auto [from, to] : llvm::zip_equal(results, launch.getResults()))
      from.replaceAllUsesWith(to);
    for (Operation *op : llvm::reverse(ops))
      op->erase();
    return success();
  }

  /// Computes the extents of values of a kernel that are asked for, also by the kernel itself, from
  /// what the kernel takes.
  LogicalResult resolveSizes(ArrayRef<Operation *> ops) {
    auto findDim = [](Value value) {
      for (Operation *user : value.getUsers())
        if (auto dim = dyn_cast<tensor::DimOp>(user))
          return dim;
      return tensor::DimOp();
    };
    for (Operation *op : llvm::reverse(ops))
      for (OpResult result : op->getResults())
        // Finding one size may add others, and remove them.
        while (tensor::DimOp dim = findDim(result)) {
          OpBuilder host(dim);
          FailureOr<Value> size = findSize(host, result, *dim.getConstantIndex());
          if (failed(size))
            return failure();
          dim.replaceAllUsesWith(*size);
          dim.erase();
        }
    return success();
  }

  /// An earlier kernel with the same body, or `kernel` itself. The nodes of both are then its.
  graph::KernelOp shareKernel(graph::KernelOp kernel) {
    Region &body = kernel.getBody();
    llvm::hash_code hash = hashKernel(kernel);
    for (graph::KernelOp other : kernels[hash]) {
      if (other.getFunctionType() != kernel.getFunctionType() ||
          !OperationEquivalence::isRegionEquivalentTo(&other.getBody(), &body,
                                                      OperationEquivalence::IgnoreLocations))
        continue;
      llvm::SetVector<Attribute> nodes;
      nodes.insert_range(other.getNodesAttr());
      nodes.insert_range(kernel.getNodesAttr());
      other.setNodesAttr(ArrayAttr::get(module.getContext(), nodes.getArrayRef()));
      kernel.erase();
      return other;
    }
    kernels[hash].push_back(kernel);
    return kernel;
  }

  static llvm::hash_code hashKernel(graph::KernelOp kernel) {
    llvm::hash_code hash = llvm::hash_combine(Type(kernel.getFunctionType()));
    kernel.getBody().walk([&](Operation *op) {
      hash = llvm::hash_combine(hash, op->getName(), op->getAttrDictionary());
    });
    return hash;
  }

  /// A size that does not depend on the value's own computation.
  FailureOr<Value> findSize(OpBuilder &host, Value value, int64_t dim) {
    // A cast says what is known of the same extents.
    while (auto cast = value.getDefiningOp<tensor::CastOp>())
      value = cast.getSource();
    auto type = cast<RankedTensorType>(value.getType());
    if (!value.getDefiningOp() || !type.isDynamicDim(dim))
      return host.createOrFold<tensor::DimOp>(value.getLoc(), value, dim);
    if (auto reify = value.getDefiningOp<ReifyRankedShapedTypeOpInterface>()) {
      ReifiedRankedShapedTypeDims shapes;
      OpBuilder::InsertionGuard guard(host);
      host.setInsertionPoint(value.getDefiningOp());
      if (succeeded(reify.reifyResultShapes(host, shapes))) {
        OpFoldResult size = shapes[cast<OpResult>(value).getResultNumber()][dim];
        Value index = getValueOrCreateConstantIndexOp(host, value.getLoc(), size);
        // Through extents of other values of the group.
        while (auto op = index.getDefiningOp<tensor::DimOp>()) {
          if (!op.getSource().getDefiningOp())
            break;
          FailureOr<Value> deeper = findSize(host, op.getSource(), *op.getConstantIndex());
          if (op->use_empty())
            op.erase();
          if (failed(deeper))
            return failure();
          index = *deeper;
        }
        return index;
      }
    }
    return value.getDefiningOp()->emitError("cannot be outlined: the extent of dimension ")
           << dim << " of " << value.getType() << " is not known before it is computed";
  }

  ModuleOp module;
  func::FuncOp func;
  unsigned &next;
  /// Kernels by the hash of their bodies.
  std::map<size_t, SmallVector<graph::KernelOp>> kernels;
};

struct GraphOutlinePass : graph::impl::GraphOutlinePassBase<GraphOutlinePass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    unsigned next = 0;
    for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!func.isExternal() && failed(Outliner(module, func, next).run()))
        return signalPassFailure();
  }
};

} // namespace
