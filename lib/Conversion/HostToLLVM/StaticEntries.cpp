//===- StaticEntries.cpp - the user's functions of static output -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// They check what they are given, as the runtime library does for a package, and
// lay out the arena: slots of tensors first, then the kernels' private memory.
//
//===----------------------------------------------------------------------===//

#include "StaticHost.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>

using namespace mlir;
using namespace sectile;
using LLVM::ICmpPredicate;

namespace {

class EntryWriter {
public:
  EntryWriter(ModuleOp module, const StaticFrame &layout, int64_t pointerBytes)
      : module(module), layout(layout), interface(layout.interface),
        builder(OpBuilder::atBlockEnd(module.getBody())), loc(module.getLoc()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())), i8(builder.getI8Type()),
        i32(builder.getI32Type()), i64(builder.getI64Type()),
        size(builder.getIntegerType(8 * pointerBytes)) {}

  /// status NAME_run(extents, inputs, outputs, extents that the run decides, arena[, arena_bytes])
  void writeRun(StringRef name) {
    SmallVector<Type> types(interface.parameters.size(), i64);
    types.append(interface.inputs.size() + llvm::count(interface.sharedInput, -1) +
                     interface.decidedOutputs.size() + 1,
                 pointer);
    if (!interface.arenaBytes)
      types.push_back(size);
    Block *entry = start(name.str() + "_run", types);
    unsigned next = 0;
    SmallVector<Value> arguments = makeFrame();
    for (unsigned i = 0; i < interface.parameters.size() + interface.inputs.size(); ++i)
      arguments[i] = entry->getArgument(next++);
    for (auto [output, shared] : llvm::enumerate(interface.sharedInput))
      arguments[layout.getOutput(output)] =
          shared >= 0 ? arguments[layout.getInput(shared)] : entry->getArgument(next++);
    SmallVector<Value> decided;
    for (size_t i = 0; i < interface.decidedOutputs.size(); ++i)
      decided.push_back(entry->getArgument(next++));
    Value arena = arguments[layout.getArena()] = entry->getArgument(next++);
    checkExtents(arguments);
    for (unsigned input = 0; input < interface.inputs.size(); ++input)
      checkData(arguments[layout.getInput(input)], getInputExtents(input, arguments));
    measure(arguments);
    for (unsigned output = 0; output < interface.outputs.size(); ++output)
      checkData(arguments[layout.getOutput(output)],
                getOutputExtents(output, arguments[layout.getSizes()]));
    Value slots = getSlots(arguments), total = getTotal(arguments, slots);
    Value isUnneeded = compare(ICmpPredicate::eq, total, number(0));
    Value address = LLVM::PtrToIntOp::create(builder, loc, i64, arena);
    Value isThere = compare(ICmpPredicate::ne, address, number(0));
    Value rest = LLVM::AndOp::create(builder, loc, address, number(kStaticAlignment - 1));
    Value isGood = both(isThere, compare(ICmpPredicate::eq, rest, number(0)));
    if (!interface.arenaBytes) {
      Value given = entry->getArgument(next++);
      if (size != i64)
        given = LLVM::ZExtOp::create(builder, loc, i64, given);
      isGood = both(isGood, compare(ICmpPredicate::ule, total, given));
    }
    expect(LLVM::OrOp::create(builder, loc, isUnneeded, isGood), kStaticArena);
    arguments[layout.getScratch()] =
        LLVM::GEPOp::create(builder, loc, pointer, i8, arena, ArrayRef<LLVM::GEPArg>{slots});
    if (decided.empty()) {
      LLVM::ReturnOp::create(builder, loc, call(kStaticRun, arguments));
      return;
    }
    expectSuccess(call(kStaticRun, arguments));
    for (auto [output, extents] : llvm::zip_equal(interface.decidedOutputs, decided))
      storeIfWanted(extents, getOutputExtents(output, arguments[layout.getSizes()]));
    LLVM::ReturnOp::create(builder, loc, status(kStaticOk));
  }

  /// status NAME_sizes(extents, inputs that sizes depend on, arena_bytes, extents of outputs)
  void writeSizes(StringRef name) {
    SmallVector<unsigned> outputs;
    for (auto [number, tensor] : llvm::enumerate(interface.model.outputs))
      if (!tensor.type.hasStaticShape())
        outputs.push_back(number);
    SmallVector<Type> types(interface.parameters.size(), i64);
    types.append(interface.dataInputs.size() + 1 + outputs.size(), pointer);
    Block *entry = start(name.str() + "_sizes", types);
    unsigned next = 0;
    SmallVector<Value> arguments = makeFrame();
    for (unsigned i = 0; i < interface.parameters.size(); ++i)
      arguments[i] = entry->getArgument(next++);
    for (unsigned input : interface.dataInputs)
      arguments[layout.getInput(input)] = entry->getArgument(next++);
    checkExtents(arguments);
    measure(arguments);
    Value total = getTotal(arguments, getSlots(arguments));
    if (size != i64) {
      // More than there are addresses: no arena is that large.
      Value most = number(std::numeric_limits<uint32_t>::max());
      total = LLVM::SelectOp::create(builder, loc, compare(ICmpPredicate::ult, total, most), total,
                                     most);
      total = LLVM::TruncOp::create(builder, loc, size, total);
    }
    storeIfWanted(entry->getArgument(next++), {total});
    for (unsigned output : outputs)
      storeIfWanted(entry->getArgument(next++),
                    getOutputExtents(output, arguments[layout.getSizes()]));
    LLVM::ReturnOp::create(builder, loc, status(kStaticOk));
  }

private:
  Value number(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value));
  }
  Value status(int32_t value) {
    return LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(value));
  }
  Value compare(ICmpPredicate predicate, Value a, Value b) {
    return LLVM::ICmpOp::create(builder, loc, predicate, a, b);
  }
  Value both(Value a, Value b) { return LLVM::AndOp::create(builder, loc, a, b); }
  Value element(Value array, unsigned position) {
    return LLVM::GEPOp::create(builder, loc, pointer, i64, array,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(position)});
  }
  Value load(Value array, unsigned position) {
    return LLVM::LoadOp::create(builder, loc, i64, element(array, position));
  }

  Block *start(const std::string &name, ArrayRef<Type> types) {
    builder.setInsertionPointToEnd(module.getBody());
    function =
        LLVM::LLVMFuncOp::create(builder, loc, name, LLVM::LLVMFunctionType::get(i32, types));
    Block *entry = function.addEntryBlock(builder);
    builder.setInsertionPointToStart(entry);
    return entry;
  }

  /// Arguments of the inner functions: no pointers yet, and an array for sizes.
  SmallVector<Value> makeFrame() {
    SmallVector<Value> arguments;
    Value none = LLVM::ZeroOp::create(builder, loc, pointer);
    for (Type type : layout.getTypes(module.getContext()))
      arguments.push_back(type == pointer ? none : Value());
    Value sizes = LLVM::AllocaOp::create(builder, loc, pointer, i64, number(layout.getNumSizes()),
                                         /*alignment=*/8);
    arguments[layout.getSizes()] = sizes;
    return arguments;
  }

  Value call(StringRef name, ArrayRef<Value> arguments) {
    return LLVM::CallOp::create(builder, loc, module.lookupSymbol<LLVM::LLVMFuncOp>(name),
                                arguments)
        .getResult();
  }

  /// Goes on where `condition` holds, returns `code` where not.
  void expect(Value condition, int32_t code) {
    Region &body = function.getBody();
    Block *before = builder.getInsertionBlock();
    Block *failed = builder.createBlock(&body, body.end());
    LLVM::ReturnOp::create(builder, loc, status(code));
    Block *after = builder.createBlock(&body, body.end());
    builder.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(builder, loc, condition, after, failed);
    builder.setInsertionPointToStart(after);
  }
  void expectSuccess(Value result) {
    Region &body = function.getBody();
    Block *before = builder.getInsertionBlock();
    Block *failed = builder.createBlock(&body, body.end());
    LLVM::ReturnOp::create(builder, loc, result);
    Block *after = builder.createBlock(&body, body.end());
    builder.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(builder, loc, compareStatus(result), after, failed);
    builder.setInsertionPointToStart(after);
  }
  Value compareStatus(Value result) {
    return LLVM::ICmpOp::create(builder, loc, ICmpPredicate::eq, result, status(kStaticOk));
  }

  SmallVector<Value> getInputExtents(unsigned input, ArrayRef<Value> arguments) {
    SmallVector<Value> extents;
    for (auto [dim, parameter] : llvm::enumerate(interface.inputs[input].parameters))
      extents.push_back(parameter >= 0
                            ? arguments[parameter]
                            : number(interface.model.inputs[input].type.getDimSize(dim)));
    return extents;
  }
  SmallVector<Value> getOutputExtents(unsigned output, Value sizes) {
    SmallVector<Value> extents;
    RankedTensorType type = interface.model.outputs[output].type;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      extents.push_back(type.isDynamicDim(dim) ? load(sizes, layout.getOutputSize(output, dim))
                                               : number(type.getDimSize(dim)));
    return extents;
  }

  void checkExtents(ArrayRef<Value> arguments) {
    for (unsigned i = 0; i < interface.parameters.size(); ++i)
      expect(compare(ICmpPredicate::sge, arguments[i], number(0)), kStaticExtent);
    for (const graph::Alias &alias : interface.model.aliases)
      if (alias.capacity >= 0)
        expect(compare(ICmpPredicate::sle, getInputExtents(alias.input, arguments)[alias.dim],
                       number(alias.capacity)),
               kStaticCapacity);
  }

  /// A tensor without elements may have no memory.
  void checkData(Value data, ArrayRef<Value> extents) {
    Value none = LLVM::ZeroOp::create(builder, loc, pointer);
    Value ok = compare(ICmpPredicate::ne, data, none);
    for (Value extent : extents)
      ok = LLVM::OrOp::create(builder, loc, ok, compare(ICmpPredicate::eq, extent, number(0)));
    expect(ok, kStaticNull);
  }

  /// Fills the array of sizes.
  void measure(ArrayRef<Value> arguments) {
    Value sizes = arguments[layout.getSizes()];
    LLVM::StoreOp::create(builder, loc, number(interface.knownScratchBytes),
                          element(sizes, StaticFrame::kScratchSize));
    expectSuccess(call(kStaticPrepare, arguments));
    for (const graph::Alias &alias : interface.model.aliases)
      if (alias.capacity >= 0)
        expect(compare(ICmpPredicate::sle, getOutputExtents(alias.output, sizes)[alias.dim],
                       number(alias.capacity)),
               kStaticCapacity);
    expectSuccess(call(kStaticMeasure, arguments));
  }

  /// Bytes of the arena's first part, so that the second one is aligned.
  Value getSlots(ArrayRef<Value> arguments) {
    Value bytes = load(arguments[layout.getSizes()], StaticFrame::kArenaSize);
    bytes = LLVM::AddOp::create(builder, loc, bytes, number(kStaticAlignment - 1));
    return LLVM::AndOp::create(builder, loc, bytes, number(-kStaticAlignment));
  }
  Value getTotal(ArrayRef<Value> arguments, Value slots) {
    return LLVM::AddOp::create(builder, loc, slots,
                               load(arguments[layout.getSizes()], StaticFrame::kScratchSize));
  }

  /// Stores to `array`, unless it is null.
  void storeIfWanted(Value array, ArrayRef<Value> values) {
    Region &body = function.getBody();
    Value none = LLVM::ZeroOp::create(builder, loc, pointer);
    Value isWanted = compare(ICmpPredicate::ne, array, none);
    Block *before = builder.getInsertionBlock();
    Block *store = builder.createBlock(&body, body.end());
    Block *after = builder.createBlock(&body, body.end());
    builder.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(builder, loc, isWanted, store, after);
    builder.setInsertionPointToStart(store);
    for (auto [position, value] : llvm::enumerate(values))
      LLVM::StoreOp::create(
          builder, loc, value,
          LLVM::GEPOp::create(builder, loc, pointer, value.getType(), array,
                              ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(position)}));
    LLVM::BrOp::create(builder, loc, after);
    builder.setInsertionPointToStart(after);
  }

  ModuleOp module;
  const StaticFrame &layout;
  const StaticInterface &interface;
  OpBuilder builder;
  Location loc;
  Type pointer, i8, i32, i64, size;
  LLVM::LLVMFuncOp function;
};

} // namespace

void sectile::writeStaticEntries(ModuleOp module, const StaticFrame &layout, StringRef name,
                                 int64_t pointerBytes) {
  EntryWriter writer(module, layout, pointerBytes);
  writer.writeRun(name);
  if (!layout.interface.arenaBytes)
    writer.writeSizes(name);
}
