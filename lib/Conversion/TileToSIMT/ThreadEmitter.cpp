//===- ThreadEmitter.cpp - one tile kernel as the program of a thread -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;

ThreadEmitter::ThreadEmitter(KernelOp kernel, const target::GpuTarget &target, int64_t warps,
                             const Options &options)
    : kernel(kernel), target(target), warps(warps), options(options),
      builder(kernel.getContext(), algebra), loc(kernel.getLoc()) {}

InFlightDiagnostic ThreadEmitter::refuse(Operation *op) {
  return op->emitOpError("is not supported by tile-to-simt on ") << target.name.data() << ": ";
}

LogicalResult ThreadEmitter::checkTypes() {
  auto check = [&](Operation *op, Type type) -> LogicalResult {
    Type element = getElementTypeOrSelf(type);
    if (auto view = dyn_cast<ViewType>(type))
      element = view.getElementType();
    bool isKnown = element.isIndex() || element.isF32() || element.isF64() ||
                   isNarrowFloat(element) ||
                   (element.isSignlessInteger() &&
                    llvm::is_contained({1, 8, 16, 32, 64}, element.getIntOrFloatBitWidth()));
    if (!isKnown)
      return refuse(op) << "expects element types i1, i8, i16, i32, i64, index, f16, bf16, f32, "
                           "f64, f8E4M3FN, f8E4M3FNUZ, f8E5M2 or f8E5M2FNUZ, but got "
                        << element;
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return success();
    LayoutAttr attr = LayoutAttr::of(tensor);
    if (!attr)
      return refuse(op) << "expects tiles with layouts, but got " << tensor
                        << "; tile-assign-layouts gives them";
    DistributedLayout layout = attr.getLayout();
    if (layout.extent(layout::Axis::Lane) != target.threadsPerWarp ||
        layout.extent(layout::Axis::Warp) != warps)
      return refuse(op) << "expects layouts of " << target.threadsPerWarp << " lanes and " << warps
                        << " warps, but got " << Attribute(attr);
    for (auto axis : {layout::Axis::Cta, layout::Axis::TmemColumn, layout::Axis::TmemLane})
      if (layout.extent(axis) != 1)
        return refuse(op) << "expects tiles in registers of one block, but got " << Attribute(attr);
    return success();
  };
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    for (Type type : op->getResultTypes())
      if (failed(check(op, type)))
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Type type : block.getArgumentTypes())
          if (failed(check(op, type)))
            return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Function
//===----------------------------------------------------------------------===//

void ThreadEmitter::bindArguments(Block *entry) {
  unsigned next = 0;
  auto nextPoly = [&] {
    Value size = entry->getArgument(next++);
    builder.bind(size, size);
    return algebra.value(size, {0, std::nullopt});
  };
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    auto type = dyn_cast<ViewType>(argument.getType());
    if (!type) {
      setScalar(argument, entry->getArgument(next++));
      continue;
    }
    Value base = entry->getArgument(next++);
    SmallVector<Poly> extents, dynamicStrides;
    for (int64_t extent : type.getShape())
      extents.push_back(ShapedType::isDynamic(extent) ? nextPoly() : Poly(extent));
    for (int64_t i = 0; i < type.getNumDynamicStrides(); ++i)
      dynamicStrides.push_back(nextPoly());
    views.define(argument, base, extents, dynamicStrides);
  }
}

/// The block's number, cut into coordinates of the grid; the last one is the fastest.
LogicalResult ThreadEmitter::emitIds() {
  BlockIdOp ids = kernel.getBlockId();
  if (!ids)
    return success();
  Value index = gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x);
  Value rest = arith::IndexCastUIOp::create(builder, loc, builder.getI64Type(), index);
  for (int64_t i = ids.getGrid().size(); i-- > 0;) {
    Poly extent = polyOf(ids.getGrid()[i]);
    Value id = rest;
    if (i != 0 && extent == Poly(1)) {
      id = builder.constant(loc, 0);
    } else if (i != 0) {
      Value count = builder.emit(loc, extent);
      id = arith::RemUIOp::create(builder, loc, rest, count);
      rest = arith::DivUIOp::create(builder, loc, rest, count);
    }
    setScalar(ids.getIds()[i], id);
  }
  return success();
}

LogicalResult ThreadEmitter::emit(OpBuilder &outer) {
  if (failed(checkTypes()))
    return failure();
  hasGroupProducts =
      kernel
          .walk([](LoadOp load) {
            return load->hasAttr(kInMemoryAttr) ? WalkResult::interrupt() : WalkResult::advance();
          })
          .wasInterrupted();
  MLIRContext *context = kernel.getContext();
  Type i64 = outer.getI64Type();
  auto global = LLVM::LLVMPointerType::get(context, /*addressSpace=*/1);
  SmallVector<Type> inputs;
  for (Type type : kernel.getArgumentTypes()) {
    auto view = dyn_cast<ViewType>(type);
    inputs.push_back(view ? Type(global) : i64);
    if (view)
      inputs.append(view.getNumDynamicDims() + view.getNumDynamicStrides(), i64);
  }
  bool hasAsserts = kernel.walk([](AssertOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (hasAsserts)
    inputs.push_back(global);
  auto func =
      gpu::GPUFuncOp::create(outer, loc, kernel.getSymName(), outer.getFunctionType(inputs, {}));
  function = func;
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), outer.getUnitAttr());
  int32_t threads[] = {static_cast<int32_t>(warps * target.threadsPerWarp), 1, 1};
  func.setKnownBlockSizeAttr(outer.getDenseI32ArrayAttr(threads));
  Block *entry = &func.getBody().front();
  builder.pushScope(entry);
  if (hasAsserts)
    failureRecord = entry->getArguments().back();
  Value thread = arith::IndexCastUIOp::create(
      builder, loc, i64, gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x));
  Value warpThreads = builder.constant(loc, target.threadsPerWarp);
  lane = arith::RemUIOp::create(builder, loc, thread, warpThreads);
  warp = arith::DivUIOp::create(builder, loc, thread, warpThreads);
  builder.bind(lane, lane);
  builder.bind(warp, warp);
  scratch = makeGlobal("scratch", LLVM::LLVMArrayType::get(builder.getI8Type(), 1),
                       /*addressSpace=*/3, {});
  bindArguments(entry);
  Block &body = kernel.getBody().front();
  for (Operation &op : body.without_terminator())
    if (isa<AllocOp>(op) && failed(emitAlloc(cast<AllocOp>(op))))
      return failure();
  // What the grid depends on comes before the blocks' numbers, by dominance.
  for (Operation &op : body.without_terminator()) {
    if (isa<BlockIdOp>(op)) {
      if (failed(emitIds()))
        return failure();
      continue;
    }
    if (failed(emitOp(&op)))
      return failure();
  }
  gpu::ReturnOp::create(builder, loc);
  builder.popScope();
  // The scratch is as large as the largest exchange; without any it goes.
  auto scratchGlobal = scratch.getDefiningOp<LLVM::AddressOfOp>();
  auto scratchOp = SymbolTable::lookupNearestSymbolFrom<LLVM::GlobalOp>(
      func->getParentOp(), scratchGlobal.getGlobalNameAttr());
  if (scratch.use_empty()) {
    scratchGlobal.erase();
    scratchOp.erase();
  } else {
    Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), scratchBytes);
    scratchOp.setGlobalType(bytes);
    scratchOp.getInitializerBlock()->front().getResult(0).setType(bytes);
  }
  if (!failures.empty())
    func->setAttr(kFailuresAttr, outer.getArrayAttr(failures));
  if (memory) {
    Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), memoryBytes);
    auto global = SymbolTable::lookupNearestSymbolFrom<LLVM::GlobalOp>(
        func->getParentOp(), memory.getDefiningOp<LLVM::AddressOfOp>().getGlobalNameAttr());
    global.setGlobalType(bytes);
    global.getInitializerBlock()->front().getResult(0).setType(bytes);
    for (auto alloc : kernel.getOps<AllocOp>())
      global.setAlignment(std::max<uint64_t>(global.getAlignment().value_or(1),
                                             static_cast<uint64_t>(getSharedAlignment(alloc))));
  }
  return placeShared();
}

/// Beyond what a kernel may declare itself, its variables lie one behind the other in memory that
/// the launch gives it.
LogicalResult ThreadEmitter::placeShared() {
  auto module = function->getParentOfType<gpu::GPUModuleOp>();
  SmallVector<LLVM::GlobalOp> variables;
  llvm::StringMap<int64_t> offsets;
  int64_t bytes = 0, alignment = tile::kSharedAlignment;
  for (auto variable : module.getOps<LLVM::GlobalOp>()) {
    if (variable.getAddrSpace() != 3 ||
        !variable.getSymName().starts_with((kernel.getSymName() + ".").str()))
      continue;
    variables.push_back(variable);
    bytes = static_cast<int64_t>(llvm::alignTo(bytes, variable.getAlignment().value_or(16)));
    alignment = std::max<int64_t>(alignment, variable.getAlignment().value_or(16));
    offsets[variable.getSymName()] = bytes;
    bytes +=
        static_cast<int64_t>(cast<LLVM::LLVMArrayType>(variable.getGlobalType()).getNumElements());
  }
  if (bytes > target.sharedBytesPerBlock)
    return refuse(kernel) << "expects at most " << target.sharedBytesPerBlock
                          << " bytes of shared memory, but its tiles need " << bytes
                          << "; a schedule with smaller tiles avoids this";
  if (bytes <= target.staticSharedBytes)
    return success();
  OpBuilder outer(function);
  std::string name = (kernel.getSymName() + "$dynamic").str(); // a name that PTX takes as it is
  LLVM::GlobalOp::create(outer, loc, LLVM::LLVMArrayType::get(outer.getI8Type(), 0),
                         /*isConstant=*/false, LLVM::Linkage::External, name, Attribute(),
                         /*alignment=*/alignment, /*addrSpace=*/3);
  function->setAttr(kDynamicSharedAttr, outer.getI64IntegerAttr(bytes));
  function->walk([&](LLVM::AddressOfOp address) {
    auto offset = offsets.find(address.getGlobalName());
    if (offset == offsets.end())
      return;
    OpBuilder at(address);
    Value base = LLVM::AddressOfOp::create(at, loc, address.getType(), name);
    Value place = LLVM::GEPOp::create(at, loc, address.getType(), at.getI8Type(), base,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset->second)});
    address.replaceAllUsesWith(place);
    address.erase();
  });
  for (LLVM::GlobalOp variable : variables)
    variable.erase();
  return success();
}

void ThreadEmitter::emitBarrier() {
  forgetWords();
  gpu::BarrierOp::create(builder, loc);
}

Value ThreadEmitter::makeGlobal(StringRef suffix, Type type, unsigned addressSpace,
                                Attribute value) {
  std::string name = (kernel.getSymName() + "." + suffix).str();
  OpBuilder outer(function);
  bool isShared = addressSpace == 3;
  auto global =
      LLVM::GlobalOp::create(outer, loc, type, /*isConstant=*/!isShared, LLVM::Linkage::Internal,
                             name, value, isShared ? tile::kSharedAlignment : 16, addressSpace);
  if (isShared) {
    // Shared memory begins undefined.
    Block *block = outer.createBlock(&global.getInitializerRegion());
    (void)block;
    Value undefined = LLVM::UndefOp::create(outer, loc, type);
    LLVM::ReturnOp::create(outer, loc, undefined);
  }
  OpBuilder::InsertionGuard guard(builder);
  Block *entry = &function->getRegion(0).front();
  builder.setInsertionPointToStart(entry);
  return LLVM::AddressOfOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext(), addressSpace), name);
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

LogicalResult ThreadEmitter::emitBlock(Block &block) {
  forgetWords();
  for (Operation &op : block.without_terminator())
    if (failed(emitOp(&op)))
      return failure();
  forgetWords();
  return success();
}

LogicalResult ThreadEmitter::emitOp(Operation *op) {
  Location outer = loc;
  loc = op->getLoc();
  releaseScratch();
  auto bindPoly = [&](Value value) {
    setScalar(value, builder.emit(loc, polyOf(value)));
    return success();
  };
  LogicalResult result =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          // A prefetch is a hint that warps do not need: others run while one waits.
          .Case<ViewOp, PrefetchOp>([](Operation *) { return success(); })
          .Case([&](AllocOp alloc) -> LogicalResult {
            if (alloc->getBlock() == &kernel.getBody().front())
              return success();
            return refuse(op) << "memory is allocated in a loop or branch";
          })
          .Case([&](DimOp dim) { return bindPoly(dim); })
          .Case([&](affine::AffineApplyOp apply) { return bindPoly(apply.getResult()); })
          .Case([&](affine::AffineMinOp min) {
            emitExtremum(min, min.getMap(), true);
            return success();
          })
          .Case([&](affine::AffineMaxOp max) {
            emitExtremum(max, max.getMap(), false);
            return success();
          })
          .Case([&](LoadOp load) { return emitLoad(load); })
          .Case([&](StoreOp store) { return emitStore(store); })
          .Case([&](CommitCopiesOp) {
            if (target.hasAsyncCopies)
              NVVM::CpAsyncCommitGroupOp::create(builder, loc);
            return success();
          })
          .Case([&](WaitCopiesOp wait) { return emitWaitCopies(wait); })
          .Case([&](WaitProductsOp wait) { return emitWaitProducts(wait); })
          .Case([&](DotOp dot) { return emitDot(dot); })
          .Case([&](ReduceOp reduce) { return emitReduce(reduce); })
          .Case([&](BroadcastOp broadcast) { return emitBroadcast(broadcast); })
          .Case([&](TransposeOp transpose) { return emitTranspose(transpose); })
          .Case([&](ReshapeOp reshape) { return emitReshape(reshape); })
          .Case([&](ConvertLayoutOp convert) {
            setConverted(convert.getResult(), getTile(convert.getSource()));
            return success();
          })
          .Case([&](CoordOp coord) { return emitCoord(coord); })
          .Case([&](MaskOp mask) { return emitMask(mask); })
          .Case([&](AssertOp check) { return emitAssert(check); })
          .Case([&](scf::ForOp) { return emitFor(op); })
          .Case([&](scf::IfOp) { return emitIf(op); })
          .Case([&](scf::WhileOp) { return emitWhile(op); })
          .Case([&](arith::ConstantOp) { return emitConstant(op); })
          .Case([&](tensor::SplatOp splatOp) {
            setTile(splatOp.getResult(), getScalar(splatOp.getInput()));
            return success();
          })
          .Case([&](ScanOp scan) { return emitScan(scan); })
          .Case([&](ScatterOp scatter) { return emitScatter(scatter); })
          .Case([&](TopKOp topK) { return emitTopK(topK); })
          .Case([&](SortOp sort) { return emitSort(sort); })
          .Case<ConvertOp, DequantizeOp, QuantizeOp>(
              [&](Operation *numbers) { return emitNumbers(numbers); })
          .Default([&](Operation *) -> LogicalResult {
            if (OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1)
              return emitElementwise(op);
            return refuse(op) << "the op has no program of threads";
          });
  loc = outer;
  return result;
}

void ThreadEmitter::emitExtremum(Operation *op, AffineMap map, bool isMin) {
  SmallVector<Poly> operands = polysOf(op->getOperands());
  ArrayRef<Poly> dims(operands), symbols = dims.drop_front(map.getNumDims());
  dims = dims.take_front(map.getNumDims());
  Value best;
  for (AffineExpr expr : map.getResults()) {
    Value value = builder.emit(loc, algebra.evaluate(expr, dims, symbols));
    if (!best)
      best = value;
    else if (isMin)
      best = arith::MinSIOp::create(builder, loc, best, value);
    else
      best = arith::MaxSIOp::create(builder, loc, best, value);
  }
  setScalar(op->getResult(0), best);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

DistributedLayout ThreadEmitter::layoutOf(Value value) {
  return LayoutAttr::of(value.getType()).getLayout();
}

void ThreadEmitter::setTile(Value original, Value value) {
  DistributedLayout layout = layoutOf(original);
  value = splat(builder, loc, value, layout.extent(layout::Axis::Register));
  tiles[original] = std::make_unique<Registers>(
      Registers{std::move(layout), getElementTypeOrSelf(original.getType()), value});
}

void ThreadEmitter::setConverted(Value original, const Registers &tile) {
  setTile(original, convert(tile, layoutOf(original)).value);
}

void ThreadEmitter::setScalar(Value original, Value value) {
  if (value.getType().isInteger(64))
    builder.bind(original, value);
  scalars[original] = value;
}

Value ThreadEmitter::constantLike(Type type, int64_t value) {
  return makeConstant(builder, loc, type,
                      builder.getIntegerAttr(getElementTypeOrSelf(type), value));
}
