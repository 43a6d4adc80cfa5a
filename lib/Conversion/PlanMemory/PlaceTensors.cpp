//===- PlaceTensors.cpp - decide which tensors share memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three steps: copies where two tensors would need one place, results over
// inputs that are dead, and kernels that know where their arguments lie.
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "InPlace.h"
#include "KernelFacts.h"
#include "Lifetimes.h"
#include "Placement.h"

#include "dialects/Graph/IR/Guards.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace sectile {
#define GEN_PASS_DEF_GRAPHPLACETENSORSPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

namespace {

class Placer {
public:
  Placer(ModuleOp module, func::FuncOp model)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()) {
  }

  LogicalResult run() {
    copyChosen();
    copyRepeated();
    for (Operation &op : llvm::make_early_inc_range(block))
      if (auto concat = dyn_cast<tensor::ConcatOp>(op))
        copyOperands(concat);
    copyReshaped();
    copyOutputs();
    if (failed(checkAliases()))
      return failure();
    overwriteInputs();
    copyScattered();
    Placement placement(model);
    recordKernelFacts(module, model, placement);
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // Copies
  //===--------------------------------------------------------------------===//

  /// A kernel that returns its argument, run on what `use` reads.
  void copy(OpOperand &use) {
    Value source = use.get();
    Operation *user = use.getOwner();
    Location loc = user->getLoc();
    auto type = cast<RankedTensorType>(source.getType());
    graph::KernelOp &kernel = copyKernels[type];
    builder.setInsertionPointToEnd(module.getBody());
    if (!kernel) {
      std::string name = "copy" + std::to_string(copyKernels.size() - 1);
      while (module.lookupSymbol(name))
        name += "_";
      kernel = graph::KernelOp::create(builder, loc, name, builder.getFunctionType({type}, {type}));
      kernel.setNodesAttr(builder.getArrayAttr({}));
      builder.setInsertionPointToStart(&kernel.getBody().front());
      graph::ReturnOp::create(builder, loc, kernel.getBody().getArguments());
    }
    llvm::SetVector<Attribute> nodes;
    nodes.insert_range(kernel.getNodesAttr());
    if (auto name = loc->findInstanceOf<NameLoc>())
      nodes.insert(name.getName());
    kernel.setNodesAttr(builder.getArrayAttr(nodes.getArrayRef()));

    builder.setInsertionPoint(user);
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(builder.createOrFold<tensor::DimOp>(loc, source, dim));
    auto launch = graph::LaunchOp::create(builder, loc, TypeRange{type}, kernel.getSymName(),
                                          ValueRange{source}, sizes);
    use.set(launch.getResult(0));
  }

  /// Whether `tensor`, or all of it under other extents, is a result of the model.
  static bool isReturned(Value tensor) {
    return llvm::any_of(tensor.getUsers(), [](Operation *user) {
      return isa<func::ReturnOp>(user) || (isReshape(user) && isReturned(user->getResult(0)));
    });
  }

  /// Leaves every operand of `concat` with no other place than in its result.
  void copyOperands(tensor::ConcatOp concat) {
    Placement placement(model);
    const graph::Alias *alias = placement.getAlias(Placement::getOwner(concat));
    for (OpOperand &operand : concat->getOpOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand.get());
      // What an append finds in the buffer stays there.
      if (argument && alias && alias->input == argument.getArgNumber() &&
          isAppend(concat, *alias) && operand.getOperandNumber() == 0)
        continue;
      Operation *def = operand.get().getDefiningOp();
      bool isOwner = isa_and_nonnull<graph::LaunchOp, tensor::ConcatOp>(def);
      // Uses are listed in no particular order: the first in the block has the claim.
      bool isClaimed = isOwner && llvm::any_of(operand.get().getUses(), [&](OpOperand &use) {
                         if (!isa<tensor::ConcatOp>(use.getOwner()) || &use == &operand)
                           return false;
                         return use.getOwner() == concat
                                    ? use.getOperandNumber() < operand.getOperandNumber()
                                    : use.getOwner()->isBeforeInBlock(concat);
                       });
      if (!isOwner || isClaimed || isReturned(operand.get()))
        copy(operand);
    }
  }

  /// Leaves both sides of every choice to launches that write its result and nothing else, and
  /// run in their case only.
  void copyChosen() {
    SmallVector<graph::ChooseOp> chooses(block.getOps<graph::ChooseOp>());
    for (graph::ChooseOp choose : chooses)
      for (OpOperand *side : {&choose.getTakenMutable(), &choose.getOtherwiseMutable()}) {
        auto launch = side->get().getDefiningOp<graph::LaunchOp>();
        graph::Guards guards(block);
        graph::Literal own{choose.getCondition(), side == &choose.getTakenMutable()};
        if (!launch || !side->get().hasOneUse() ||
            !llvm::is_contained(guards.getGuard(launch), own))
          copy(*side);
      }
  }

  /// Leaves what every loop begins with to launches that write it and nothing else: the loop goes
  /// on in its memory. Outer values that it reads begin where their memory does.
  void copyRepeated() {
    SmallVector<graph::LoopOp> loops(block.getOps<graph::LoopOp>());
    for (graph::LoopOp loop : loops) {
      for (OpOperand &start : loop.getCarriedMutable())
        if (!isLoopStart(start))
          copy(start);
      for (OpOperand &read : loop.getCapturedMutable()) {
        Placement placement(model);
        if (isa<RankedTensorType>(read.get().getType()) &&
            (!Placement::isWhole(read.get()) || !placement.isContiguous(read.get())))
          copy(read);
      }
      for (OpResult result : loop->getResults()) {
        // Iterations know no other strides than their own, and begin where their memory does. What
        // a body returns may be a row of something larger.
        Placement placement(model);
        if (model.isPublic() && placement.isContiguous(result))
          continue;
        SmallVector<OpOperand *> uses;
        for (OpOperand &use : result.getUses())
          if (isReturned(result) &&
              (isReshape(use.getOwner()) || isa<func::ReturnOp>(use.getOwner())))
            uses.push_back(&use);
        for (OpOperand *use : uses)
          copy(*use);
      }
    }
  }

  bool isAppend(tensor::ConcatOp concat, const graph::Alias &alias) {
    return block.getTerminator()->getOperand(alias.output) == concat.getResult() &&
           static_cast<int64_t>(concat.getDim()) == alias.dim;
  }

  /// Copies strided tensors before they are reshaped.
  void copyReshaped() {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (!isReshape(&op) || isa<tensor::CastOp>(op))
        continue;
      Placement placement(model);
      if (!placement.isContiguous(op.getOperand(0)))
        copy(op.getOpOperand(0));
    }
  }

  /// Copies returned tensors that nothing can write in place and that no plain copy of a buffer
  /// moves: parts of others, strided ones, and those that an alias wants in another buffer.
  void copyOutputs() {
    llvm::SmallDenseSet<Value> placed;
    SmallVector<OpOperand *> strided;
    Operation *terminator = block.getTerminator();
    for (bool aliased : {true, false})
      for (OpOperand &use : terminator->getOpOperands()) {
        Placement placement(model);
        auto it = llvm::find_if(placement.getAliases(), [&](const graph::Alias &alias) {
          return alias.output == use.getOperandNumber();
        });
        if ((it != placement.getAliases().end()) != aliased)
          continue;
        Value owner = Placement::getOwner(use.get());
        bool isOwn =
            isa_and_nonnull<graph::LaunchOp, graph::LoopOp, tensor::ConcatOp, graph::ChooseOp>(
                owner.getDefiningOp()) &&
            Placement::isWhole(use.get());
        bool isThere =
            aliased && owner == model.getArgument(it->input) && Placement::isWhole(use.get());
        bool isFirst = placed.insert(owner).second;
        // A body leaves every result where its loop wants it.
        bool isPlain =
            model.isPublic() && Placement::isWhole(use.get()) && placement.isContiguous(use.get());
        if ((!isOwn || !isFirst) && !(aliased ? isThere : isPlain))
          copy(use);
      }
  }

  //===--------------------------------------------------------------------===//
  // Results over inputs
  //===--------------------------------------------------------------------===//

  LogicalResult checkAliases() {
    Placement placement(model);
    Lifetimes lifetimes(model);
    for (const graph::Alias &alias : placement.getAliases())
      if (failed(checkAlias(placement, lifetimes, alias)))
        return failure();
    return success();
  }

  std::string describe(const graph::Alias &alias) {
    auto name = [](StringAttr given, StringRef stem, unsigned number) {
      return given ? given.str() : (stem + Twine(number)).str();
    };
    return "'" +
           name(model.getArgAttrOfType<StringAttr>(alias.input, graph::kNameAttr), "in",
                alias.input) +
           "' and '" +
           name(model.getResultAttrOfType<StringAttr>(alias.output, graph::kNameAttr), "out",
                alias.output) +
           "'";
  }

  /// Nobody may read the input once its buffer receives the output.
  LogicalResult checkAlias(const Placement &placement, const Lifetimes &lifetimes,
                           const graph::Alias &alias) {
    Value input = model.getArgument(alias.input);
    Value owner = Placement::getOwner(block.getTerminator()->getOperand(alias.output));
    if (owner == input)
      return success();
    if (auto concat = owner.getDefiningOp<tensor::ConcatOp>();
        concat && isAppend(concat, alias) && concat.getInputs().front() == input)
      return success(); // what was there stays
    int64_t firstWrite = lifetimes.getBegin(owner);
    for (OpOperand *read : lifetimes.getReads(input)) {
      Operation *reader = read->getOwner();
      int64_t step = lifetimes.getStep(reader);
      if (step < firstWrite)
        continue;
      auto launch = dyn_cast<graph::LaunchOp>(reader);
      if (step == firstWrite && launch && launch == owner.getDefiningOp() &&
          isOneToOne(cast<OpResult>(owner), *read)) {
        setInPlace(launch, cast<OpResult>(owner).getResultNumber(), read->getOperandNumber());
        continue;
      }
      InFlightDiagnostic error = emitError(getReaderLoc(*read), "alias of ")
                                 << describe(alias) << " is impossible: ";
      if (isa<func::ReturnOp>(reader))
        return error << "the input is also returned as result " << read->getOperandNumber()
                     << ", after its buffer has received the output";
      if (step == firstWrite)
        return error << "this node reads the input at other places than those it writes";
      return error << "this node reads the input after its buffer has received the output";
    }
    return success();
  }

  /// Where the model reads `read`: the location of the op inside the launched kernel.
  Location getReaderLoc(OpOperand &read) {
    auto launch = dyn_cast<graph::LaunchOp>(read.getOwner());
    if (!launch || read.getOperandNumber() >= launch.getInputs().size())
      return read.getOwner()->getLoc();
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    auto here = dyn_cast<FusedLoc>(launch.getLoc()), there = dyn_cast<FusedLoc>(kernel.getLoc());
    if (!here || !there || here.getLocations().size() != there.getLocations().size())
      return launch.getLoc();
    // Launches of one kernel come from different nodes, in the same order.
    for (Operation *user : kernel.getArgument(read.getOperandNumber()).getUsers())
      for (auto [place, node] : llvm::zip_equal(there.getLocations(), here.getLocations()))
        if (place == user->getLoc())
          return node;
    return launch.getLoc();
  }

  /// Whether the launch of `result` reads each element of `read`, one of its operands, for nothing
  /// but the same element of `result`.
  bool isOneToOne(OpResult result, OpOperand &read) {
    auto launch = cast<graph::LaunchOp>(result.getOwner());
    if (read.getOperandNumber() >= launch.getInputs().size())
      return false;
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    if (!llvm::is_contained(findOverwritable(kernel, result.getResultNumber()),
                            read.getOperandNumber()) ||
        !Placement::isWhole(read.get()))
      return false;
    // Known extents agree, since the types do; of the others the host program has to know.
    auto type = cast<RankedTensorType>(result.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim) && getSize(result, dim) != getSize(read.get(), dim))
        return false;
    // No other operand or result of the launch may lie there.
    Value owner = Placement::getOwner(read.get());
    for (Value other : launch.getResults())
      if (Placement::getOwner(other) == owner)
        return false;
    return llvm::count_if(launch.getInputs(), [&](Value other) {
             return isa<RankedTensorType>(other.getType()) && Placement::getOwner(other) == owner;
           }) == 1;
  }

  /// Something that equal extents have in common; null where the extent is not known.
  const void *getSize(Value tensor, int64_t dim) {
    if (auto argument = dyn_cast<BlockArgument>(tensor)) {
      auto dims = model.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), graph::kDimsAttr);
      return dims ? dims[dim].getAsOpaquePointer() : nullptr;
    }
    auto describe = [&](Value size) -> const void * {
      auto op = size.getDefiningOp<tensor::DimOp>();
      const void *symbol = op ? getSize(op.getSource(), *op.getConstantIndex()) : nullptr;
      return symbol ? symbol : size.getAsOpaquePointer();
    };
    if (auto launch = tensor.getDefiningOp<graph::LaunchOp>()) {
      auto sizes = launch.getSizes().begin();
      for (Value result : launch.getResults()) {
        auto type = cast<RankedTensorType>(result.getType());
        for (int64_t i = 0; i < type.getRank(); ++i)
          if (type.isDynamicDim(i) && (*sizes++, result == tensor && i == dim))
            return describe(*std::prev(sizes));
      }
    }
    if (auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>())
      if (auto size = dyn_cast<Value>(expand.getMixedOutputShape()[dim]))
        return describe(size);
    return nullptr;
  }

  void setInPlace(graph::LaunchOp launch, unsigned result, unsigned input) {
    SmallVector<int64_t> inputs(launch.getNumResults(), -1);
    if (auto before = launch->getAttrOfType<DenseI64ArrayAttr>(graph::kInPlaceAttr))
      inputs.assign(before.asArrayRef().begin(), before.asArrayRef().end());
    inputs[result] = input;
    launch->setAttr(graph::kInPlaceAttr, builder.getDenseI64ArrayAttr(inputs));
    remark::passed(launch.getLoc(),
                   remark::RemarkOpts::name("in-place").category("graph-place-tensors"))
        << ("result " + std::to_string(result) + " is written over input " + std::to_string(input));
  }

  /// Whether `tensor` lies where a loop's iterations write.
  static bool isOfLoop(Value tensor) {
    while (std::optional<Window> window = getWindow(tensor)) {
      if (isa<graph::LoopOp>(window->op))
        return true;
      tensor = window->parent;
    }
    return false;
  }

  /// Lets results take the memory of inputs that die.
  void overwriteInputs() {
    for (auto launch : block.getOps<graph::LaunchOp>())
      for (OpResult result : launch->getResults()) {
        // What the user's buffers and concatenations hold has its place.
        Placement placement(model);
        if (getWindow(result) || placement.getAlias(result))
          continue;
        Lifetimes lifetimes(model);
        for (OpOperand &read : launch->getOpOperands()) {
          Value owner = Placement::getOwner(read.get());
          bool isOurs = isa_and_nonnull<graph::LaunchOp, tensor::ConcatOp>(owner.getDefiningOp()) &&
                        !placement.getAlias(owner);
          // Where a body's result was copied out of a loop, it stays out.
          if (model.isPrivate() && isReturned(result) && isOfLoop(read.get()))
            continue;
          if (!isOurs || lifetimes.getEnd(owner) > lifetimes.getStep(launch) ||
              !isOneToOne(result, read))
            continue;
          setInPlace(launch, result.getResultNumber(), read.getOperandNumber());
          break;
        }
      }
  }

  /// Gives kernels that change a tensor here and there a copy of it, where it lives on: copying is
  /// a kernel of its own, on all threads.
  void copyScattered() {
    for (auto launch : llvm::make_early_inc_range(block.getOps<graph::LaunchOp>())) {
      auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
      Value root = kernel.getBody().front().getTerminator()->getOperand(0);
      auto scatter = root.getDefiningOp<graph::ScatterOp>();
      auto data = scatter ? dyn_cast<BlockArgument>(scatter.getData()) : BlockArgument();
      if (!data || launch->hasAttr(graph::kInPlaceAttr))
        continue;
      // What has its place in a buffer of the user's or in a concatenation is copied there by the
      // kernel itself.
      Placement placement(model);
      OpResult result = launch->getResult(0);
      if (getWindow(result) || placement.getAlias(result))
        continue;
      OpOperand &read = launch->getOpOperand(data.getArgNumber());
      copy(read);
      if (isOneToOne(result, read))
        setInPlace(launch, 0, data.getArgNumber());
    }
  }

  ModuleOp module;
  func::FuncOp model;
  Block &block;
  OpBuilder builder;
  llvm::MapVector<Type, graph::KernelOp> copyKernels;
};

struct GraphPlaceTensorsPass : sectile::impl::GraphPlaceTensorsPassBase<GraphPlaceTensorsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    eraseUnusedBodies(module);
    separateKernels(module);
    for (auto func : module.getOps<func::FuncOp>())
      if (!func.isExternal() && failed(Placer(module, func).run()))
        return signalPassFailure();
  }

  /// Bodies of loops that are no longer there.
  static void eraseUnusedBodies(ModuleOp module) {
    for (bool isDone = false; !isDone;) {
      isDone = true;
      for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
        if (func.isPrivate() && !func.isExternal() &&
            SymbolTable::symbolKnownUseEmpty(func, module)) {
          func.erase();
          isDone = false;
        }
    }
  }

  /// Gives each function kernels of its own: what is known of their arguments' memory differs.
  static void separateKernels(ModuleOp module) {
    SymbolTable symbols(module);
    llvm::DenseMap<StringAttr, func::FuncOp> launchers;
    for (auto func : module.getOps<func::FuncOp>()) {
      llvm::DenseMap<StringAttr, FlatSymbolRefAttr> own;
      func.walk([&](graph::LaunchOp launch) {
        StringAttr name = launch.getKernelAttr().getAttr();
        if (launchers.try_emplace(name, func).first->second == func)
          return;
        FlatSymbolRefAttr &clone = own[name];
        if (!clone) {
          Operation *kernel = symbols.lookup(name);
          clone = FlatSymbolRefAttr::get(
              symbols.insert(kernel->clone(), std::next(kernel->getIterator())));
        }
        launch.setKernelAttr(clone);
      });
    }
  }
};

} // namespace
