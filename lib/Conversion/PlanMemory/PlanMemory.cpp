//===- PlanMemory.cpp - give every tensor of the host program a place in memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "Arena.h"
#include "Interface.h"
#include "Lifetimes.h"
#include "Placement.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

namespace sectile {
#define GEN_PASS_DEF_GRAPHPLANMEMORYPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

static constexpr int64_t kAlignment = 64;

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// Bytes of an element in memory; i1 takes one.
static int64_t getElementBytes(Type element) {
  return element.isIndex() ? 8 : (element.getIntOrFloatBitWidth() + 7) / 8;
}

/// The same elements in memory: i1 is stored as bytes.
static MemRefType getBufferType(RankedTensorType type, StridedLayoutAttr layout = {}) {
  return MemRefType::get(type.getShape(), type.getElementType(), layout);
}

namespace {

class Planner {
public:
  Planner(ModuleOp module, func::FuncOp model)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()),
        placement(model) {}

  LogicalResult run() {
    if (failed(collectBuffers()))
      return failure();
    recordInterface(module, model);
    writePrepare();
    if (failed(writeRun()))
      return failure();
    model.erase();
    return success();
  }

private:
  /// What holds the memory of an owner (see Placement.h) that is no input and no constant.
  struct Buffer {
    std::optional<unsigned> output; // this output of the model
    std::optional<unsigned> input;  // the aliased input
    unsigned slot = 0;              // else this slot of the arena
    bool isInArena() const { return !output && !input; }
  };

  LogicalResult collectBuffers() {
    for (Operation &op : block) {
      if (isa<graph::LaunchOp, tensor::ConcatOp>(op)) {
        for (Value result : op.getResults())
          if (!getWindow(result))
            if (const graph::Alias *alias = (buffers[result] = {}, placement.getAlias(result)))
              buffers[result].input = alias->input;
        continue;
      }
      bool isHost = isa<arith::ArithDialect, affine::AffineDialect>(op.getDialect()) ||
                    isa<tensor::DimOp, tensor::EmptyOp, graph::CheckOp, func::ReturnOp>(op);
      if (!isReshape(&op) && !isa<tensor::ExtractSliceOp>(op) && !isHost)
        return op.emitOpError("is left in the host program: expects every op on tensors to be "
                              "part of a kernel");
    }
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      auto it = buffers.find(Placement::getOwner(value));
      if (it != buffers.end() && it->second.isInArena() && Placement::isWhole(value))
        it->second.output = number;
    }
    Lifetimes uses(model);
    SmallVector<Lifetime> lifetimes;
    SmallVector<Buffer *> inArena;
    for (auto &[tensor, buffer] : buffers) {
      if (!buffer.isInArena())
        continue;
      auto type = cast<RankedTensorType>(tensor.getType());
      Lifetime lifetime;
      lifetime.begin = uses.getBegin(tensor);
      lifetime.end = uses.getEnd(tensor);
      llvm::hash_code sizeClass = llvm::hash_value(getElementBytes(type.getElementType()));
      if (type.hasStaticShape()) {
        lifetime.bytes = type.getNumElements() * getElementBytes(type.getElementType());
        sizeClass = llvm::hash_combine(*lifetime.bytes);
      } else {
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          sizeClass = type.isDynamicDim(dim)
                          ? llvm::hash_combine(sizeClass, getSize(tensor, dim).getAsOpaquePointer())
                          : llvm::hash_combine(sizeClass, type.getDimSize(dim));
      }
      lifetime.sizeClass = sizeClass;
      lifetimes.push_back(lifetime);
      inArena.push_back(&buffer);
    }
    for (auto [buffer, slot] : llvm::zip_equal(inArena, assignSlots(lifetimes))) {
      buffer->slot = slot;
      numSlots = std::max(numSlots, slot + 1);
    }
    return success();
  }

  /// The size value of a launch result's dynamic dimension; of a concatenation's,
  /// something that no other tensor has.
  static Value getSize(Value tensor, int64_t dim) {
    auto launch = tensor.getDefiningOp<graph::LaunchOp>();
    if (!launch)
      return tensor;
    unsigned position = 0;
    for (Value result : launch.getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      for (int64_t i = 0; i < type.getRank(); ++i) {
        if (!type.isDynamicDim(i))
          continue;
        if (result == tensor && i == dim)
          return launch.getSizes()[position];
        ++position;
      }
    }
    return {};
  }

  /// Clones the scalar computation that `value` needs; extents of inputs are in `mapping`, as
  /// `extents`.
  Value cloneScalar(Value value, IRMapping &mapping) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (auto dim = dyn_cast_if_present<tensor::DimOp>(op)) {
      Value extent = getExtent(dim.getSource(), *dim.getConstantIndex(), mapping);
      mapping.map(value, extent);
      return extent;
    }
    for (Value operand : op->getOperands())
      cloneScalar(operand, mapping);
    return builder.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
  }

  Value constantIndex(int64_t value) {
    return arith::ConstantIndexOp::create(builder, model.getLoc(), value);
  }

  Value getExtent(Value tensor, int64_t dim, IRMapping &mapping) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dim))
      return constantIndex(type.getDimSize(dim));
    if (auto it = extents.find({tensor, dim}); it != extents.end())
      return it->second;
    Operation *op = tensor.getDefiningOp();
    if (isa<graph::LaunchOp>(op))
      return cloneScalar(getSize(tensor, dim), mapping);
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      OpFoldResult size = expand.getMixedOutputShape()[dim];
      return cloneScalar(cast<Value>(size), mapping);
    }
    if (auto cast_ = dyn_cast<tensor::CastOp>(op))
      return getExtent(cast_.getSource(), dim, mapping);
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      // Dimensions of extent 1 may be dropped.
      llvm::SmallBitVector dropped = slice.getDroppedDims();
      SmallVector<OpFoldResult> sizes;
      for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
        if (!dropped.test(i))
          sizes.push_back(size);
      return cloneScalar(cast<Value>(sizes[dim]), mapping);
    }
    if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
      Value sum;
      for (Value operand : concat.getInputs()) {
        Value extent = getExtent(operand, dim, mapping);
        if (static_cast<uint64_t>(dim) != concat.getDim())
          return extent;
        sum = sum ? Value(arith::AddIOp::create(builder, op->getLoc(), sum, extent)) : extent;
      }
      return sum;
    }
    auto collapse = cast<tensor::CollapseShapeOp>(op);
    Value product;
    for (int64_t inner : collapse.getReassociationIndices()[dim]) {
      Value extent = getExtent(collapse.getSrc(), inner, mapping);
      product =
          product ? Value(arith::MulIOp::create(builder, op->getLoc(), product, extent)) : extent;
    }
    return product;
  }

  Value getBytes(Value tensor, IRMapping &mapping) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Value bytes = constantIndex(getElementBytes(type.getElementType()));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      bytes =
          arith::MulIOp::create(builder, model.getLoc(), bytes, getExtent(tensor, dim, mapping));
    return bytes;
  }

  /// Offsets of all slots and, last, the size of the arena.
  SmallVector<Value> layOutSlots(IRMapping &mapping) {
    Location loc = model.getLoc();
    SmallVector<Value> sizes(numSlots);
    for (auto &[tensor, buffer] : buffers) {
      if (!buffer.isInArena())
        continue;
      Value bytes = getBytes(tensor, mapping);
      Value &size = sizes[buffer.slot];
      size = size ? Value(arith::MaxUIOp::create(builder, loc, size, bytes)) : bytes;
    }
    SmallVector<Value> offsets;
    Value offset = constantIndex(0);
    AffineExpr symbol = builder.getAffineSymbolExpr(0);
    for (Value size : sizes) {
      offsets.push_back(offset);
      Value padded = affine::AffineApplyOp::create(
          builder, loc, AffineMap::get(0, 1, symbol.ceilDiv(kAlignment) * kAlignment),
          ValueRange{size});
      offset = arith::AddIOp::create(builder, loc, offset, padded);
    }
    offsets.push_back(offset);
    return offsets;
  }

  void writePrepare() {
    Location loc = model.getLoc();
    SmallVector<Type> inputs;
    for (Type type : model.getArgumentTypes())
      inputs.append(cast<RankedTensorType>(type).getNumDynamicDims(), builder.getIndexType());
    builder.setInsertionPoint(model);
    auto prepare =
        func::FuncOp::create(builder, loc, kPrepareFunction, builder.getFunctionType(inputs, {}));
    builder.setInsertionPointToStart(prepare.addEntryBlock());

    IRMapping mapping;
    extents.clear();
    llvm::StringMap<std::pair<Value, std::string>> bound;
    SmallVector<Value> results;
    unsigned next = 0;
    PlannedInterface interface = getPlannedInterface(module);
    for (auto [number, argument] : llvm::enumerate(model.getArguments())) {
      auto type = cast<RankedTensorType>(argument.getType());
      const PlannedTensor &tensor = interface.inputs[number];
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        if (!type.isDynamicDim(dim))
          continue;
        Value extent = prepare.getArgument(next++);
        extents[{argument, dim}] = extent;
        auto [it, isFirst] = bound.try_emplace(tensor.dims[dim], extent, tensor.name);
        if (isFirst) {
          results.push_back(extent);
          continue;
        }
        Value equal =
            arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, extent, it->second.first);
        std::string message = "input '" + tensor.name + "' has extent %0 in dimension " +
                              std::to_string(dim) + ", but '" + tensor.dims[dim] +
                              "' is %1 in input '" + it->second.second + "'";
        graph::CheckOp::create(builder, loc, equal, message, ValueRange{extent, it->second.first});
      }
    }
    for (auto check : block.getOps<graph::CheckOp>()) {
      for (Value operand : check->getOperands())
        mapping.map(operand, cloneScalar(operand, mapping));
      builder.clone(*check, mapping);
    }
    for (Value output : block.getTerminator()->getOperands())
      for (int64_t dim = 0; dim < cast<RankedTensorType>(output.getType()).getRank(); ++dim)
        results.push_back(getExtent(output, dim, mapping));
    results.push_back(layOutSlots(mapping).back());
    func::ReturnOp::create(builder, loc, results);
    prepare.setFunctionType(
        builder.getFunctionType(inputs, SmallVector<Type>(results.size(), builder.getIndexType())));
  }

  LogicalResult writeRun() {
    Location loc = model.getLoc();
    SmallVector<Type> types;
    for (Value input : model.getArguments())
      types.push_back(getBufferType(cast<RankedTensorType>(input.getType()),
                                    placement.getLayout(input)));
    for (auto [number, type] : llvm::enumerate(model.getResultTypes())) {
      // Both names of a shared buffer have its layout.
      StridedLayoutAttr layout;
      for (const graph::Alias &alias : placement.getAliases())
        if (alias.output == number)
          layout = placement.getLayout(model.getArgument(alias.input));
      types.push_back(getBufferType(cast<RankedTensorType>(type), layout));
    }
    auto bytesType = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    types.append(2, bytesType);
    builder.setInsertionPoint(model);
    auto run = func::FuncOp::create(builder, loc, kRunFunction, builder.getFunctionType(types, {}));
    Block *entry = run.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    unsigned numInputs = model.getNumArguments(), numOutputs = model.getNumResults();
    arena = entry->getArgument(numInputs + numOutputs);
    constants = entry->getArgument(numInputs + numOutputs + 1);

    extents.clear();
    IRMapping mapping; // scalars to scalars, tensors to buffers
    for (auto [tensor, buffer] : llvm::zip(model.getArguments(), entry->getArguments())) {
      mapping.map(tensor, buffer);
      auto type = cast<RankedTensorType>(tensor.getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          extents[{tensor, dim}] = memref::DimOp::create(builder, loc, buffer, dim);
    }
    slotOffsets = layOutSlots(mapping);
    for (auto launch : block.getOps<graph::LaunchOp>())
      if (failed(writeDispatch(launch, mapping)))
        return failure();

    // Outputs that no kernel wrote in place.
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      Value owner = Placement::getOwner(value);
      auto it = buffers.find(owner);
      if (it != buffers.end() && it->second.output == number)
        continue;
      // In the aliased buffer it is in place, whoever owns that.
      const graph::Alias *alias = placement.getAlias(owner);
      if (alias && alias->output == number)
        continue;
      Value source = getBuffer(value, mapping);
      if (!source)
        return failure();
      memref::CopyOp::create(builder, loc, source, entry->getArgument(numInputs + number));
    }
    func::ReturnOp::create(builder, loc);
    module->setAttr(kConstantsAttr, builder.getArrayAttr(constantEntries));
    return success();
  }

  LogicalResult writeDispatch(graph::LaunchOp launch, IRMapping &mapping) {
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    SmallVector<Value> args;
    auto add = [&](Value tensor, Attribute memory) -> LogicalResult {
      Value buffer = getBuffer(tensor, mapping, memory);
      args.push_back(buffer);
      return success(buffer != nullptr);
    };
    for (auto [number, input] : llvm::enumerate(launch.getInputs())) {
      if (input.getType().isIndex())
        args.push_back(cloneScalar(input, mapping));
      else if (failed(add(input, kernel.getArgAttr(number, graph::kMemoryAttr))))
        return failure();
    }
    for (Value result : launch.getResults())
      if (failed(add(result, {})))
        return failure();
    graph::DispatchOp::create(builder, launch.getLoc(), launch.getKernelAttr(), args,
                              builder.getI64IntegerAttr(launch.getInputs().size()));
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Where tensors lie
  //===--------------------------------------------------------------------===//

  OpFoldResult multiply(Location loc, OpFoldResult lhs, OpFoldResult rhs) {
    AffineExpr a = builder.getAffineSymbolExpr(0), b = builder.getAffineSymbolExpr(1);
    // A product of two symbols is no affine expression.
    if (!getConstantIntValue(lhs) && !getConstantIntValue(rhs))
      return Value(arith::MulIOp::create(builder, loc, cast<Value>(lhs), cast<Value>(rhs)));
    return affine::makeComposedFoldedAffineApply(builder, loc, a * b, {lhs, rhs});
  }
  OpFoldResult add(Location loc, OpFoldResult lhs, OpFoldResult rhs) {
    AffineExpr a = builder.getAffineSymbolExpr(0), b = builder.getAffineSymbolExpr(1);
    return affine::makeComposedFoldedAffineApply(builder, loc, a + b, {lhs, rhs});
  }

  OpFoldResult getMixedExtent(Value tensor, int64_t dim, IRMapping &mapping) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dim))
      return builder.getIndexAttr(type.getDimSize(dim));
    return getExtent(tensor, dim, mapping);
  }

  /// A tensor's place from the start of its owner's memory, in elements.
  struct Place {
    OpFoldResult offset;
    SmallVector<OpFoldResult> strides;
  };

  Place getRowMajorPlace(Value tensor, ArrayRef<int64_t> shape, IRMapping &mapping) {
    Place place{builder.getIndexAttr(0), SmallVector<OpFoldResult>(shape.size())};
    OpFoldResult stride = builder.getIndexAttr(1);
    for (int64_t dim = shape.size(); dim-- > 0;) {
      place.strides[dim] = stride;
      if (dim == 0)
        break;
      OpFoldResult extent = ShapedType::isDynamic(shape[dim])
                                ? getMixedExtent(tensor, dim, mapping)
                                : builder.getIndexAttr(shape[dim]);
      stride = multiply(tensor.getLoc(), stride, extent);
    }
    return place;
  }

  OpFoldResult clone(OpFoldResult scalar, IRMapping &mapping) {
    auto value = dyn_cast<Value>(scalar);
    return value ? OpFoldResult(cloneScalar(value, mapping)) : scalar;
  }

  Place getPlace(Value tensor, IRMapping &mapping) {
    Location loc = tensor.getLoc();
    std::optional<Window> window = getWindow(tensor);
    if (!window)
      return getRowMajorPlace(tensor, placement.getMemoryShape(tensor), mapping);
    Place place = getPlace(window->parent, mapping);
    switch (window->kind) {
    case Window::InPlace:
      break;
    case Window::Reshape: {
      Place own = getRowMajorPlace(tensor, cast<RankedTensorType>(tensor.getType()).getShape(),
                                   mapping);
      // A cast keeps whatever strides there are, reshapes are of what is contiguous.
      if (!isa<tensor::CastOp>(window->op))
        place.strides = own.strides;
      break;
    }
    case Window::Operand: {
      auto concat = cast<tensor::ConcatOp>(window->op);
      int64_t dim = concat.getDim();
      for (Value before : concat.getInputs().take_front(window->number))
        place.offset = add(loc, place.offset,
                           multiply(loc, getMixedExtent(before, dim, mapping), place.strides[dim]));
      break;
    }
    case Window::Slice: {
      auto slice = cast<tensor::ExtractSliceOp>(window->op);
      llvm::SmallBitVector dropped = slice.getDroppedDims();
      SmallVector<OpFoldResult> strides;
      for (auto [dim, stride] : llvm::enumerate(place.strides)) {
        place.offset =
            add(loc, place.offset,
                multiply(loc, clone(slice.getMixedOffsets()[dim], mapping), stride));
        if (!dropped.test(dim))
          strides.push_back(multiply(loc, clone(slice.getMixedStrides()[dim], mapping), stride));
      }
      place.strides = strides;
      break;
    }
    }
    return place;
  }

  /// The memory of an owner, with its offset 0 where it begins; null after an error.
  Value getMemory(Value owner, IRMapping &mapping) {
    Block *entry = arena.getParentBlock();
    auto it = buffers.find(owner);
    if (it == buffers.end()) {
      emitError(owner.getLoc(), "host program: a tensor has no memory");
      return {};
    }
    const Buffer &buffer = it->second;
    if (buffer.input)
      return entry->getArgument(*buffer.input);
    if (buffer.output)
      return entry->getArgument(model.getNumArguments() + *buffer.output);
    auto type = getBufferType(cast<RankedTensorType>(owner.getType()));
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(getExtent(owner, dim, mapping));
    return memref::ViewOp::create(builder, owner.getLoc(), type, arena, slotOffsets[buffer.slot],
                                  sizes);
  }

  /// The buffer of a tensor, made at its first use; null after an error.
  Value getBuffer(Value tensor, IRMapping &mapping, Attribute memory = {}) {
    if (!memory)
      if (Value known = mapping.lookupOrNull(tensor))
        return known;
    Location loc = tensor.getLoc();
    auto type = getBufferType(cast<RankedTensorType>(tensor.getType()));
    ElementsAttr value;
    Operation *op = tensor.getDefiningOp();
    if (op && matchPattern(op, m_Constant(&value))) {
      Value offset = constantIndex(placeConstant(value, memory));
      Value buffer = memref::ViewOp::create(builder, loc, type, constants, offset, ValueRange());
      if (!memory)
        mapping.map(tensor, buffer);
      return buffer;
    }
    Value owner = Placement::getOwner(tensor);
    Value base = owner == tensor ? getMemory(owner, mapping) : getBuffer(owner, mapping);
    if (!base)
      return {};
    Value buffer = showPlace(base, tensor, getPlace(tensor, mapping), mapping);
    mapping.map(tensor, buffer);
    return buffer;
  }

  /// The window of `tensor` on `base`, which begins where the owner's memory does.
  Value showPlace(Value base, Value tensor, const Place &place, IRMapping &mapping) {
    auto tensorType = cast<RankedTensorType>(tensor.getType());
    bool isAtStart = getConstantIntValue(place.offset) == 0;
    MemRefType type = getBufferType(tensorType, placement.getLayout(tensor));
    if (!isAtStart || !type.getLayout().isIdentity()) {
      SmallVector<int64_t> strides;
      for (OpFoldResult stride : place.strides)
        strides.push_back(getConstantIntValue(stride).value_or(ShapedType::kDynamic));
      type = MemRefType::get(
          type.getShape(), type.getElementType(),
          StridedLayoutAttr::get(
              type.getContext(),
              getConstantIntValue(place.offset).value_or(ShapedType::kDynamic), strides));
    }
    if (base.getType() == type && isAtStart)
      return base;
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim = 0; dim < tensorType.getRank(); ++dim)
      sizes.push_back(getMixedExtent(tensor, dim, mapping));
    return memref::ReinterpretCastOp::create(builder, tensor.getLoc(), type, base, place.offset,
                                             sizes, place.strides);
  }

  /// The offset of a constant in the section, in the given packing.
  int64_t placeConstant(ElementsAttr value, Attribute memory) {
    auto [it, isNew] = constantOffsets.try_emplace(std::pair(Attribute(value), memory), nextOffset);
    if (!isNew)
      return it->second;
    auto type = cast<RankedTensorType>(value.getType());
    int64_t elements = type.getNumElements();
    if (auto packing = dyn_cast_if_present<tile::MemoryAttr>(memory)) {
      elements = 1;
      for (int64_t extent : tile::getPhysicalShape(type.getShape(), packing.getMap()))
        elements *= extent;
    }
    int64_t bytes = elements * getElementBytes(type.getElementType());
    SmallVector<NamedAttribute> entry = {
        builder.getNamedAttr("value", value),
        builder.getNamedAttr("offset", builder.getI64IntegerAttr(nextOffset)),
        builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes))};
    if (memory)
      entry.push_back(builder.getNamedAttr("memory", memory));
    constantEntries.push_back(builder.getDictionaryAttr(entry));
    int64_t offset = nextOffset;
    nextOffset += llvm::alignTo(bytes, kAlignment);
    return offset;
  }

  ModuleOp module;
  func::FuncOp model;
  Block &block;
  OpBuilder builder;
  Placement placement;
  llvm::MapVector<Value, Buffer> buffers; // by owner
  unsigned numSlots = 0;
  /// Of the function that runs the model.
  Value arena, constants;
  SmallVector<Value> slotOffsets;
  /// Extents of inputs, as values of the function being written.
  llvm::DenseMap<std::pair<Value, int64_t>, Value> extents;
  SmallVector<Attribute> constantEntries;
  llvm::DenseMap<std::pair<Attribute, Attribute>, int64_t> constantOffsets;
  int64_t nextOffset = 0;
};

struct GraphPlanMemoryPass : sectile::impl::GraphPlanMemoryPassBase<GraphPlanMemoryPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> models;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        models.push_back(func);
    if (models.size() != 1) {
      getOperation().emitError("expects one public function, the model, but got ") << models.size();
      return signalPassFailure();
    }
    if (failed(Planner(getOperation(), models.front()).run()))
      signalPassFailure();
  }
};

} // namespace
