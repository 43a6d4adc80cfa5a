//===- PlanMemory.cpp - give every tensor of the host program a place in memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "Arena.h"

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

static constexpr llvm::StringLiteral kConstantsAttr = "graph.constants";
static constexpr llvm::StringLiteral kInterfaceAttr = "graph.interface";
static constexpr int64_t kAlignment = 64;

//===----------------------------------------------------------------------===//
// What is recorded on the module
//===----------------------------------------------------------------------===//

SmallVector<PlannedConstant> sectile::getPlannedConstants(ModuleOp module) {
  SmallVector<PlannedConstant> constants;
  if (auto list = module->getAttrOfType<ArrayAttr>(kConstantsAttr))
    for (auto entry : list.getAsRange<DictionaryAttr>())
      constants.push_back({entry.getAs<ElementsAttr>("value"),
                           entry.getAs<IntegerAttr>("offset").getInt(),
                           entry.getAs<IntegerAttr>("bytes").getInt(), entry.get("memory")});
  return constants;
}

PlannedInterface sectile::getPlannedInterface(ModuleOp module) {
  PlannedInterface interface;
  auto record = module->getAttrOfType<DictionaryAttr>(kInterfaceAttr);
  if (!record)
    return interface;
  auto read = [&](StringRef key, SmallVectorImpl<PlannedTensor> &tensors) {
    for (auto entry : record.getAs<ArrayAttr>(key).getAsRange<DictionaryAttr>()) {
      PlannedTensor &tensor = tensors.emplace_back();
      tensor.name = entry.getAs<StringAttr>("name").str();
      if (auto dtype = entry.getAs<StringAttr>("dtype"))
        tensor.dtype = dtype.str();
      tensor.type = cast<RankedTensorType>(entry.getAs<TypeAttr>("type").getValue());
      for (auto dim : entry.getAs<ArrayAttr>("dims").getAsRange<StringAttr>())
        tensor.dims.push_back(dim.str());
    }
  };
  read("inputs", interface.inputs);
  read("outputs", interface.outputs);
  for (auto symbol : record.getAs<ArrayAttr>("symbols").getAsRange<StringAttr>())
    interface.symbols.push_back(symbol.str());
  return interface;
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// Bytes of an element in memory; i1 takes one.
static int64_t getElementBytes(Type element) {
  return element.isIndex() ? 8 : (element.getIntOrFloatBitWidth() + 7) / 8;
}

/// The same elements in memory: i1 is stored as bytes.
static MemRefType getBufferType(RankedTensorType type) {
  return MemRefType::get(type.getShape(), type.getElementType());
}

namespace {

class Planner {
public:
  Planner(ModuleOp module, func::FuncOp model)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()) {
  }

  LogicalResult run() {
    numberSteps();
    if (failed(collectBuffers()))
      return failure();
    recordInterface();
    writePrepare();
    if (failed(writeRun()))
      return failure();
    model.erase();
    return success();
  }

private:
  /// A tensor that owns memory: the results of launches.
  struct Buffer {
    Value tensor;
    std::optional<unsigned> output; // written to this output of the model
    unsigned slot = 0;
  };

  void numberSteps() {
    int64_t step = 0;
    for (Operation &op : block)
      stepOf[&op] = step++;
  }

  /// The tensor whose memory `tensor` is a view of.
  static Value getOrigin(Value tensor) {
    while (Operation *op = tensor.getDefiningOp()) {
      if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
        break;
      tensor = op->getOperand(0);
    }
    return tensor;
  }

  /// The step of the last op that reads the memory of `tensor`, through views too.
  int64_t getLastUse(Value tensor) {
    int64_t last = 0;
    for (Operation *user : tensor.getUsers()) {
      last = std::max(last, stepOf.lookup(user));
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(user))
        last = std::max(last, getLastUse(user->getResult(0)));
    }
    return last;
  }

  LogicalResult collectBuffers() {
    for (Operation &op : block) {
      if (auto launch = dyn_cast<graph::LaunchOp>(op)) {
        for (Value result : launch.getResults())
          buffers[result] = {result, std::nullopt};
        continue;
      }
      bool isView = isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
      bool isHost = isa<arith::ArithDialect, affine::AffineDialect>(op.getDialect()) ||
                    isa<tensor::DimOp, tensor::EmptyOp, graph::CheckOp, func::ReturnOp>(op);
      if (!isView && !isHost)
        return op.emitOpError("is left in the host program: expects every op on tensors to be "
                              "part of a kernel");
    }
    Operation *terminator = block.getTerminator();
    for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
      auto it = buffers.find(getOrigin(value));
      if (it != buffers.end() && !it->second.output)
        it->second.output = number;
    }
    SmallVector<Lifetime> lifetimes;
    SmallVector<Buffer *> inArena;
    for (auto &[tensor, buffer] : buffers) {
      if (buffer.output)
        continue;
      auto type = cast<RankedTensorType>(tensor.getType());
      Lifetime lifetime;
      lifetime.begin = stepOf.lookup(tensor.getDefiningOp());
      lifetime.end = getLastUse(tensor);
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

  /// The size value of a launch result's dynamic dimension.
  static Value getSize(Value tensor, int64_t dim) {
    auto launch = tensor.getDefiningOp<graph::LaunchOp>();
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

  /// Dimension expressions of argument or result `number`, from its attributes or its type.
  SmallVector<std::string> getDims(ArrayAttr names, RankedTensorType type, StringRef stem) {
    SmallVector<std::string> dims;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim))
        dims.push_back(std::to_string(type.getDimSize(dim)));
      else if (names)
        dims.push_back(cast<StringAttr>(names[dim]).str());
      else
        dims.push_back((stem + "_d" + Twine(dim)).str());
    }
    return dims;
  }

  void recordInterface() {
    auto describe = [&](StringRef name, ArrayAttr dims, StringAttr dtype, RankedTensorType type) {
      SmallVector<Attribute> exprs;
      for (const std::string &dim : getDims(dims, type, name))
        exprs.push_back(builder.getStringAttr(dim));
      SmallVector<NamedAttribute> entries = {
          builder.getNamedAttr("name", builder.getStringAttr(name)),
          builder.getNamedAttr("type", TypeAttr::get(type)),
          builder.getNamedAttr("dims", builder.getArrayAttr(exprs))};
      if (dtype)
        entries.push_back(builder.getNamedAttr("dtype", dtype));
      return builder.getDictionaryAttr(entries);
    };
    SmallVector<Attribute> inputs, outputs, names;
    for (unsigned i = 0; i < model.getNumArguments(); ++i) {
      auto name = model.getArgAttrOfType<StringAttr>(i, graph::kNameAttr);
      std::string text = name ? name.str() : "in" + std::to_string(i);
      auto type = cast<RankedTensorType>(model.getArgumentTypes()[i]);
      auto dims = model.getArgAttrOfType<ArrayAttr>(i, graph::kDimsAttr);
      inputs.push_back(
          describe(text, dims, model.getArgAttrOfType<StringAttr>(i, graph::kDtypeAttr), type));
      for (auto [dim, expr] : llvm::enumerate(getDims(dims, type, text)))
        if (type.isDynamicDim(dim) && !llvm::is_contained(symbols, expr))
          symbols.push_back(expr);
    }
    for (unsigned i = 0; i < model.getNumResults(); ++i) {
      auto name = model.getResultAttrOfType<StringAttr>(i, graph::kNameAttr);
      outputs.push_back(describe(name ? name.str() : "out" + std::to_string(i),
                                 model.getResultAttrOfType<ArrayAttr>(i, graph::kDimsAttr),
                                 model.getResultAttrOfType<StringAttr>(i, graph::kDtypeAttr),
                                 cast<RankedTensorType>(model.getResultTypes()[i])));
    }
    for (const std::string &symbol : symbols)
      names.push_back(builder.getStringAttr(symbol));
    module->setAttr(
        kInterfaceAttr,
        builder.getDictionaryAttr({builder.getNamedAttr("inputs", builder.getArrayAttr(inputs)),
                                   builder.getNamedAttr("outputs", builder.getArrayAttr(outputs)),
                                   builder.getNamedAttr("symbols", builder.getArrayAttr(names))}));
  }

  /// Clones the scalar computation that `value` needs; extents of inputs are in `mapping`, as
  /// `extents`.
  Value cloneScalar(Value value, IRMapping &mapping) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (auto dim = dyn_cast_if_present<tensor::DimOp>(op)) {
      auto key = std::pair(dim.getSource(), *dim.getConstantIndex());
      if (auto it = extents.find(key); it != extents.end()) {
        mapping.map(value, it->second);
        return it->second;
      }
      // An extent of a view: collapse and expand tell theirs, so only inputs are left.
      dim.emitOpError("is not an extent of an input");
      return {};
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
      if (buffer.output)
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
    for (Type type : model.getArgumentTypes())
      types.push_back(getBufferType(cast<RankedTensorType>(type)));
    for (Type type : model.getResultTypes())
      types.push_back(getBufferType(cast<RankedTensorType>(type)));
    auto bytesType = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    types.append(2, bytesType);
    builder.setInsertionPoint(model);
    auto run = func::FuncOp::create(builder, loc, kRunFunction, builder.getFunctionType(types, {}));
    Block *entry = run.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    unsigned numInputs = model.getNumArguments(), numOutputs = model.getNumResults();
    Value arena = entry->getArgument(numInputs + numOutputs);
    Value constants = entry->getArgument(numInputs + numOutputs + 1);

    extents.clear();
    IRMapping mapping; // scalars to scalars, tensors to buffers
    for (auto [tensor, buffer] : llvm::zip(model.getArguments(), entry->getArguments())) {
      mapping.map(tensor, buffer);
      auto type = cast<RankedTensorType>(tensor.getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          extents[{tensor, dim}] = memref::DimOp::create(builder, loc, buffer, dim);
    }
    SmallVector<Value> offsets = layOutSlots(mapping);
    for (Operation &op : block.without_terminator())
      if (auto launch = dyn_cast<graph::LaunchOp>(op))
        if (failed(writeDispatch(launch, mapping, entry, arena, constants, offsets)))
          return failure();

    // Outputs that no kernel wrote in place.
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      auto it = buffers.find(getOrigin(value));
      if (it != buffers.end() && it->second.output == number)
        continue;
      Value source = getBuffer(value, mapping, constants);
      if (!source)
        return failure();
      memref::CopyOp::create(builder, loc, source, entry->getArgument(numInputs + number));
    }
    func::ReturnOp::create(builder, loc);
    module->setAttr(kConstantsAttr, builder.getArrayAttr(constantEntries));
    return success();
  }

  LogicalResult writeDispatch(graph::LaunchOp launch, IRMapping &mapping, Block *entry, Value arena,
                              Value constants, ArrayRef<Value> offsets) {
    Location loc = launch.getLoc();
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    SmallVector<Value> args;
    for (auto [number, input] : llvm::enumerate(launch.getInputs())) {
      if (input.getType().isIndex()) {
        args.push_back(cloneScalar(input, mapping));
        continue;
      }
      Attribute memory = kernel.getArgAttr(number, graph::kMemoryAttr);
      Value buffer = getBuffer(input, mapping, constants, memory);
      if (!buffer)
        return failure();
      args.push_back(buffer);
    }
    for (Value result : launch.getResults()) {
      const Buffer &buffer = buffers[result];
      auto type = getBufferType(cast<RankedTensorType>(result.getType()));
      SmallVector<Value> sizes;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          sizes.push_back(getExtent(result, dim, mapping));
      Value memory;
      if (buffer.output) {
        Value output = entry->getArgument(model.getNumArguments() + *buffer.output);
        memory = output.getType() == type ? output : reshape(output, result, type, mapping);
      } else {
        memory = memref::ViewOp::create(builder, loc, type, arena, offsets[buffer.slot], sizes);
      }
      mapping.map(result, memory);
      args.push_back(memory);
    }
    graph::DispatchOp::create(builder, loc, launch.getKernelAttr(), args,
                              builder.getI64IntegerAttr(launch.getInputs().size()));
    return success();
  }

  /// `buffer` with the shape of `tensor`; all buffers are contiguous.
  Value reshape(Value buffer, Value tensor, MemRefType type, IRMapping &mapping) {
    SmallVector<OpFoldResult> sizes, strides(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes.push_back(type.isDynamicDim(dim)
                          ? OpFoldResult(getExtent(tensor, dim, mapping))
                          : OpFoldResult(builder.getIndexAttr(type.getDimSize(dim))));
    OpFoldResult stride = builder.getIndexAttr(1);
    for (int64_t dim = type.getRank(); dim-- > 0;) {
      strides[dim] = stride;
      if (dim == 0)
        break;
      auto known = getConstantIntValue(stride), size = getConstantIntValue(sizes[dim]);
      if (known && size) {
        stride = builder.getIndexAttr(*known * *size);
        continue;
      }
      auto value = [&](OpFoldResult ofr) {
        auto constant = getConstantIntValue(ofr);
        return constant ? constantIndex(*constant) : cast<Value>(ofr);
      };
      stride =
          Value(arith::MulIOp::create(builder, tensor.getLoc(), value(stride), value(sizes[dim])));
    }
    return memref::ReinterpretCastOp::create(builder, tensor.getLoc(), type, buffer,
                                             builder.getIndexAttr(0), sizes, strides);
  }

  /// The buffer of a tensor that exists before the kernel that reads it; null after an error.
  Value getBuffer(Value tensor, IRMapping &mapping, Value constants, Attribute memory = {}) {
    if (!memory)
      if (Value known = mapping.lookupOrNull(tensor))
        return known;
    auto type = getBufferType(cast<RankedTensorType>(tensor.getType()));
    Operation *op = tensor.getDefiningOp();
    ElementsAttr value;
    Value buffer;
    if (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op)) {
      Value source = getBuffer(op->getOperand(0), mapping, constants);
      if (!source)
        return {};
      buffer = reshape(source, tensor, type, mapping);
    } else if (op && matchPattern(op, m_Constant(&value))) {
      Value offset = constantIndex(placeConstant(value, memory));
      buffer =
          memref::ViewOp::create(builder, tensor.getLoc(), type, constants, offset, ValueRange());
    } else {
      emitError(tensor.getLoc(), "host program: a tensor has no memory");
      return {};
    }
    if (!memory)
      mapping.map(tensor, buffer);
    return buffer;
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
  llvm::DenseMap<Operation *, int64_t> stepOf;
  llvm::MapVector<Value, Buffer> buffers;
  unsigned numSlots = 0;
  SmallVector<std::string> symbols;
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
