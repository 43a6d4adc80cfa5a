//===- Lower.cpp - kernels as host code that calls the machine -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lower.h"
#include "LowerAsync.h"
#include "LowerLogic.h"
#include "LowerMatrix.h"
#include "LowerWarpGroup.h"
#include "LowerWavefront.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sectile::emulator;

std::string sectile::emulator::entryName(StringRef kernel) { return (kernel + ".entry").str(); }

namespace {
class Lowering {
public:
  Lowering(ModuleOp module, Machine &machine)
      : module(module), machine(machine), layout(module), builder(module.getContext()),
        i32(builder.getI32Type()), i64(builder.getI64Type()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

  FailureOr<LoweredKernels> run();

private:
  LogicalResult checkOp(Operation *op);
  LogicalResult lowerFunction(LLVM::LLVMFuncOp function);
  LogicalResult lowerOp(Operation *op);
  void lowerAccess(Operation *op, OpOperand &address, Type type, std::optional<uint64_t> alignment,
                   bool read, bool write, bool atomic);
  void lowerRange(Operation *op, OpOperand &address, Value bytes, bool write);
  LogicalResult lowerCollective(Operation *op);
  LogicalResult lowerBarrier(Operation *op);
  void addEntry(LLVM::LLVMFuncOp kernel);
  LogicalResult refuse(Operation *op, const Twine &reason) {
    return op->emitError() << "the emulator cannot execute '" << op->getName() << "' in kernel '"
                           << kernel << "': " << reason;
  }

  Site describeSite(Operation *op) const {
    Site site;
    site.kernel = kernel;
    site.location = describe(op->getLoc());
    return site;
  }
  uint32_t addSite(Operation *op, uint32_t variant = 0) {
    Site site = describeSite(op);
    site.variant = variant;
    machine.sites.push_back(std::move(site));
    return machine.sites.size() - 1;
  }
  Value constant(Location loc, Type type, int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, type, builder.getIntegerAttr(type, value));
  }
  /// Calls a function of the machine.
  Value call(Location loc, StringRef name, Type result, ValueRange operands) {
    auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
    if (!callee) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(module.getBody());
      callee = LLVM::LLVMFuncOp::create(
          builder, module.getLoc(), name,
          LLVM::LLVMFunctionType::get(result, llvm::to_vector(operands.getTypes())));
    }
    auto made = LLVM::CallOp::create(builder, loc, callee, operands);
    return made->getNumResults() == 0 ? Value() : made.getResult();
  }
  /// 64 bits that hold an integer or float of up to 64.
  Value widen(Location loc, Value value) {
    unsigned width = value.getType().getIntOrFloatBitWidth();
    if (isa<FloatType>(value.getType()))
      value = LLVM::BitcastOp::create(builder, loc, builder.getIntegerType(width), value);
    return width == 64 ? value : LLVM::ZExtOp::create(builder, loc, i64, value);
  }
  Value narrow(Location loc, Value bits, Type type) {
    unsigned width = type.getIntOrFloatBitWidth();
    if (width < 64)
      bits = LLVM::TruncOp::create(builder, loc, builder.getIntegerType(width), bits);
    return isa<FloatType>(type) ? LLVM::BitcastOp::create(builder, loc, type, bits) : bits;
  }

  ModuleOp module;
  Machine &machine;
  DataLayout layout;
  OpBuilder builder;
  Type i32, i64, pointer;
  std::string kernel;
  /// That of the kernels.
  std::optional<Processor> processor;
  StringRef getProcessor() const { return processor ? StringRef(processor->name) : StringRef(); }
  LoweredKernels result;
};
} // namespace

/// Whether an op can be lowered; says why not. Nothing is changed before all ops were looked at.
LogicalResult Lowering::checkOp(Operation *op) {
  if (isOfWavefront(op)) {
    std::string reason = whyNotExecuted(op, getProcessor());
    return reason.empty() ? success() : refuse(op, reason);
  }
  if (isa_and_nonnull<NVVM::NVVMDialect>(op->getDialect()) && !getProcessor().empty())
    return refuse(op, "the kernel is for " + getProcessor());
  if (specialRegister(op->getName().getStringRef()))
    return success();
  if (isa<NVVM::ShflOp, NVVM::VoteSyncOp, NVVM::MatchSyncOp, NVVM::SyncWarpOp, NVVM::ElectSyncOp,
          NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::MembarOp>(op))
    return success();
  if (isAsyncCopyOp(op) || isLogicOp(op))
    return success();
  if (isGroupOp(op)) {
    std::string reason = whyNotExecuted(op);
    return reason.empty() ? success() : refuse(op, reason);
  }
  if (isa<NVVM::MmaOp, NVVM::LdMatrixOp>(op))
    return isMatrixOp(op) ? success() : refuse(op, "its shape and types are not emulated");
  if (auto redux = dyn_cast<NVVM::ReduxOp>(op))
    return redux.getVal().getType().isInteger(32) ? success()
                                                  : refuse(op, "floats are not supported yet");
  if (!isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect()))
    return refuse(op, "the op has no meaning in the emulator");
  if (auto call = dyn_cast<LLVM::CallOp>(op)) {
    auto name = call.getCallee();
    auto callee = name ? module.lookupSymbol<LLVM::LLVMFuncOp>(*name) : nullptr;
    if (!callee || callee.isExternal())
      return refuse(op, name ? "function '" + *name + "' has no body" : Twine("it is indirect"));
    return success();
  }
  if (auto alloca = dyn_cast<LLVM::AllocaOp>(op)) {
    APInt size;
    if (!matchPattern(alloca.getArraySize(), m_ConstantInt(&size)))
      return refuse(op, "its size is not a constant");
    uint64_t bytes = size.getZExtValue() * layout.getTypeSize(alloca.getElemType()).getFixedValue();
    if (bytes > kStackBytes / 4)
      return refuse(op, "expects at most " + Twine(kStackBytes / 4) + " bytes, but got " +
                            Twine(bytes));
    return success();
  }
  if (isa<LLVM::InlineAsmOp, LLVM::CallIntrinsicOp>(op))
    return refuse(op, "it names instructions of the device");
  if (isa<LLVM::LoadOp, LLVM::StoreOp, LLVM::AtomicRMWOp, LLVM::AtomicCmpXchgOp, LLVM::FenceOp,
          LLVM::MemcpyOp, LLVM::MemsetOp, LLVM::LifetimeStartOp, LLVM::LifetimeEndOp,
          LLVM::AssumeOp, LLVM::UnreachableOp, LLVM::ReturnOp, LLVM::BrOp, LLVM::CondBrOp,
          LLVM::SwitchOp, LLVM::AddressOfOp>(op) ||
      isMemoryEffectFree(op))
    return success();
  return refuse(op, "its accesses to memory cannot be checked");
}

/// Whether an address is that of a variable of the lane's own: those are neither shared nor
/// checked.
static bool isLocal(Value address) {
  while (Operation *op = address.getDefiningOp()) {
    if (isa<LLVM::AllocaOp>(op))
      return true;
    if (!isa<LLVM::GEPOp, LLVM::AddrSpaceCastOp, LLVM::BitcastOp>(op))
      return false;
    address = op->getOperand(0);
  }
  return false;
}

void Lowering::lowerAccess(Operation *op, OpOperand &address, Type type,
                           std::optional<uint64_t> alignment, bool read, bool write, bool atomic) {
  if (isLocal(address.get()))
    return;
  uint32_t id = addSite(op);
  Site &site = machine.sites[id];
  site.bytes = layout.getTypeSize(type).getFixedValue();
  site.align = alignment ? *alignment : naturalAlignment(type, layout);
  site.space = cast<LLVM::LLVMPointerType>(address.get().getType()).getAddressSpace();
  site.read = read;
  site.write = write;
  site.atomic = atomic;
  site.op = atomic ? "atomic" : write ? "store" : "load";
  Location loc = op->getLoc();
  Value flat = address.get();
  if (flat.getType() != pointer)
    flat = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, flat);
  address.set(call(loc, "sectile_emulator_access", pointer,
                   {flat, constant(loc, i64, site.bytes), constant(loc, i32, id)}));
}

void Lowering::lowerRange(Operation *op, OpOperand &address, Value bytes, bool write) {
  if (isLocal(address.get()))
    return;
  uint32_t id = addSite(op);
  Site &site = machine.sites[id];
  site.space = cast<LLVM::LLVMPointerType>(address.get().getType()).getAddressSpace();
  site.read = !write;
  site.write = write;
  site.op = write ? "store" : "load";
  Location loc = op->getLoc();
  Value flat = address.get();
  if (flat.getType() != pointer)
    flat = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, flat);
  address.set(call(loc, "sectile_emulator_access", pointer,
                   {flat, widen(loc, bytes), constant(loc, i32, id)}));
}

LogicalResult Lowering::lowerCollective(Operation *op) {
  Location loc = op->getLoc();
  Value zero = constant(loc, i64, 0);
  auto meet = [&](Collective kind, Value mask, uint32_t variant, Value a, Value b = {},
                  Value c = {}) {
    mask = mask ? LLVM::ZExtOp::create(builder, loc, i64, mask).getResult()
                : constant(loc, i64, static_cast<int64_t>(machine.allLanes()));
    return call(loc, "sectile_emulator_meet", i64,
                {constant(loc, i32, int(kind)), mask, constant(loc, i32, addSite(op, variant)), a,
                 b ? b : zero, c ? c : zero});
  };
  // A result of value and predicate: the low 32 bits, and bit 32.
  auto replace = [&](Value bits) {
    Type type = op->getResult(0).getType();
    Value value;
    if (auto pair = dyn_cast<LLVM::LLVMStructType>(type)) {
      value = LLVM::PoisonOp::create(builder, loc, type);
      Value high = LLVM::LShrOp::create(builder, loc, bits, constant(loc, i64, 32));
      value = LLVM::InsertValueOp::create(builder, loc, value, narrow(loc, bits, pair.getBody()[0]),
                                          ArrayRef<int64_t>{0});
      value = LLVM::InsertValueOp::create(builder, loc, value, narrow(loc, high, pair.getBody()[1]),
                                          ArrayRef<int64_t>{1});
    } else {
      value = narrow(loc, bits, type);
    }
    op->replaceAllUsesWith(ValueRange{value});
    op->erase();
  };
  if (auto sync = dyn_cast<NVVM::SyncWarpOp>(op)) {
    meet(Collective::SyncWarp, sync.getMask(), 0, zero);
    op->erase();
  } else if (auto elect = dyn_cast<NVVM::ElectSyncOp>(op)) {
    replace(meet(Collective::Elect, elect.getMembermask(), 0, zero));
  } else if (auto shuffle = dyn_cast<NVVM::ShflOp>(op)) {
    replace(meet(Collective::Shuffle, shuffle.getThreadMask(), uint32_t(shuffle.getKind()),
                 widen(loc, shuffle.getVal()), widen(loc, shuffle.getOffset()),
                 widen(loc, shuffle.getMaskAndClamp())));
  } else if (auto vote = dyn_cast<NVVM::VoteSyncOp>(op)) {
    replace(meet(Collective::Vote, vote.getMask(), uint32_t(vote.getKind()),
                 widen(loc, vote.getPred())));
  } else if (auto match = dyn_cast<NVVM::MatchSyncOp>(op)) {
    bool any = match.getKind() == NVVM::MatchSyncKind::any;
    replace(meet(any ? Collective::MatchAny : Collective::MatchAll, match.getThreadMask(), 0,
                 widen(loc, match.getVal())));
  } else if (auto redux = dyn_cast<NVVM::ReduxOp>(op)) {
    int variant = llvm::StringSwitch<int>(NVVM::stringifyReduxKind(redux.getKind()))
                      .Case("add", int(ReduxKind::Add))
                      .Case("and", int(ReduxKind::And))
                      .Case("max", int(ReduxKind::Max))
                      .Case("min", int(ReduxKind::Min))
                      .Case("or", int(ReduxKind::Or))
                      .Case("umax", int(ReduxKind::UMax))
                      .Case("umin", int(ReduxKind::UMin))
                      .Case("xor", int(ReduxKind::Xor))
                      .Default(-1);
    if (variant < 0)
      return refuse(op, "it has no meaning on integers");
    replace(meet(Collective::Redux, redux.getMaskAndClamp(), variant, widen(loc, redux.getVal())));
  }
  return success();
}

LogicalResult Lowering::lowerBarrier(Operation *op) {
  Location loc = op->getLoc();
  Value zero = constant(loc, i32, 0), id, count, predicate;
  BarrierKind kind = BarrierKind::Plain;
  if (auto barrier = dyn_cast<NVVM::BarrierOp>(op)) {
    id = barrier.getBarrierId();
    count = barrier.getNumberOfThreads();
    predicate = barrier.getReductionPredicate();
    if (auto reduction = barrier.getReductionOp())
      kind = *reduction == NVVM::BarrierReduction::POPC  ? BarrierKind::Popc
             : *reduction == NVVM::BarrierReduction::AND ? BarrierKind::And
                                                         : BarrierKind::Or;
  }
  Value value = call(loc, "sectile_emulator_barrier", i32,
                     {id ? id : zero, count ? count : zero, predicate ? predicate : zero,
                      constant(loc, i32, addSite(op, uint32_t(kind)))});
  if (op->getNumResults())
    op->replaceAllUsesWith(ValueRange{value});
  op->erase();
  return success();
}

LogicalResult Lowering::lowerOp(Operation *op) {
  builder.setInsertionPoint(op);
  if (isAsyncCopyOp(op)) {
    std::vector<Site> added = describeAsyncCopy(op, describeSite(op));
    llvm::append_range(machine.sites, added);
    replaceAsyncCopyOp(builder, op, machine.sites.size() - added.size(),
                       [&, loc = op->getLoc()](StringRef name, ValueRange operands) {
                         call(loc, name, LLVM::LLVMVoidType::get(module.getContext()), operands);
                       });
    return success();
  }
  if (auto code = specialRegister(op->getName().getStringRef())) {
    Location loc = op->getLoc();
    op->replaceAllUsesWith(
        ValueRange{call(loc, "sectile_emulator_special", i32, {constant(loc, i32, *code)})});
    op->erase();
    return success();
  }
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LLVM::LoadOp load) {
        bool atomic = load.getOrdering() != LLVM::AtomicOrdering::not_atomic;
        lowerAccess(op, load.getAddrMutable(), load.getType(), load.getAlignment(), true, false,
                    atomic);
        return success();
      })
      .Case([&](LLVM::StoreOp store) {
        bool atomic = store.getOrdering() != LLVM::AtomicOrdering::not_atomic;
        lowerAccess(op, store.getAddrMutable(), store.getValue().getType(), store.getAlignment(),
                    false, true, atomic);
        return success();
      })
      .Case([&](LLVM::AtomicRMWOp rmw) {
        lowerAccess(op, rmw.getPtrMutable(), rmw.getVal().getType(), rmw.getAlignment(), true, true,
                    true);
        return success();
      })
      .Case([&](LLVM::AtomicCmpXchgOp exchange) {
        lowerAccess(op, exchange.getPtrMutable(), exchange.getVal().getType(),
                    exchange.getAlignment(), true, true, true);
        return success();
      })
      .Case([&](LLVM::MemcpyOp copy) {
        lowerRange(op, copy.getSrcMutable(), copy.getLen(), false);
        lowerRange(op, copy.getDstMutable(), copy.getLen(), true);
        return success();
      })
      .Case([&](LLVM::MemsetOp set) {
        lowerRange(op, set.getDstMutable(), set.getLen(), true);
        return success();
      })
      .Case<NVVM::Barrier0Op, NVVM::BarrierOp, ROCDL::BarrierOp>(
          [&](auto) { return lowerBarrier(op); })
      .Case<NVVM::MmaOp, NVVM::LdMatrixOp>([&](auto) {
        auto [kind, variant] = describeMatrixOp(op, machine.matrices);
        uint32_t id = addSite(op, variant);
        Site &site = machine.sites[id];
        site.bytes = site.align = 16; // a row of ldmatrix
        site.space = 3;
        site.read = true;
        if (auto load = dyn_cast<NVVM::LdMatrixOp>(op)) {
          site.op = "ldmatrix";
          site.members = ~0u >> (32 - 8 * load.getNum());
        }
        replaceMatrixOp(builder, op, [&, loc = op->getLoc(), kind = kind](Value in, Value out) {
          call(loc, "sectile_emulator_meet", i64,
               {constant(loc, i32, int(kind)),
                constant(loc, i64, static_cast<int64_t>(machine.allLanes())),
                constant(loc, i32, id), in, out, constant(loc, i64, 0)});
        });
        return success();
      })
      .Case([&](LLVM::InlineAsmOp) {
        replaceLogicOp(builder, op);
        return success();
      })
      // A fence orders nothing that this lane does not do in order already.
      .Case([&](NVVM::MembarOp) {
        op->erase();
        return success();
      })
      .Default([&](Operation *) -> LogicalResult {
        if (!isOfWavefront(op))
          return lowerCollective(op);
        replaceWaveOp(
            builder, op, getProcessor(), machine.waveMatrices,
            [&, loc = op->getLoc()](Collective kind, uint32_t variant, Value a, Value b, Value c) {
              return call(loc, "sectile_emulator_meet", i64,
                          {constant(loc, i32, int(kind)),
                           constant(loc, i64, static_cast<int64_t>(machine.allLanes())),
                           constant(loc, i32, addSite(op, variant)), a, b, c});
            });
        return success();
      });
}

LogicalResult Lowering::lowerFunction(LLVM::LLVMFuncOp function) {
  kernel = function.getSymName().str();
  auto add = [&](Site site) {
    machine.sites.push_back(std::move(site));
    return static_cast<uint32_t>(machine.sites.size() - 1);
  };
  lowerGroupOps(function, machine,
                {.builder = builder,
                 .addSite = add,
                 .describeSite = [&](Operation *op) { return describeSite(op); },
                 .call = [&](Location loc, StringRef name, Type type,
                             ValueRange operands) { return call(loc, name, type, operands); }});
  SmallVector<Operation *> ops;
  function.getBody().walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops)
    if (failed(lowerOp(op)))
      return failure();
  return success();
}

void Lowering::addEntry(LLVM::LLVMFuncOp kernel) {
  Location loc = kernel.getLoc();
  builder.setInsertionPointToEnd(module.getBody());
  auto voidType = LLVM::LLVMVoidType::get(module.getContext());
  auto entry = LLVM::LLVMFuncOp::create(builder, loc, entryName(kernel.getSymName()),
                                        LLVM::LLVMFunctionType::get(voidType, {pointer}));
  Block *block = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);
  SmallVector<Value> values;
  KernelInfo info;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer, pointer, block->getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{int32_t(i)});
    Value address = LLVM::LoadOp::create(builder, loc, pointer, slot);
    values.push_back(LLVM::LoadOp::create(builder, loc, type, address, /*alignment=*/1));
    info.argumentBytes.push_back(layout.getTypeSize(type).getFixedValue());
  }
  LLVM::CallOp::create(builder, loc, kernel, values);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  result.kernels[kernel.getSymName()] = std::move(info);
}

FailureOr<LoweredKernels> Lowering::run() {
  SmallVector<LLVM::LLVMFuncOp> functions, kernels;
  bool legal = true;
  for (Operation &op : *module.getBody()) {
    auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
    if (!function) {
      if (!isa<LLVM::GlobalOp>(op)) {
        op.emitError("the emulator expects functions and globals of the LLVM dialect");
        legal = false;
      }
      continue;
    }
    if (function.isExternal())
      continue;
    kernel = function.getSymName().str();
    functions.push_back(function);
    if (isKernel(function)) {
      FailureOr<Processor> own = processorOf(function);
      if (failed(own))
        return failure();
      if (processor && *processor != *own)
        return function.emitError("the emulator expects kernels of one device");
      processor = *own;
      machine.warpSize = own->lanes;
      machine.isAmd = !own->name.empty();
      kernels.push_back(function);
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (function.getArgAttr(i, "llvm.byval")) {
          function.emitError() << "the emulator cannot launch kernel '" << kernel << "': argument "
                               << i << " is passed by value in memory";
          legal = false;
        }
    }
    function.getBody().walk([&](Operation *op) { legal &= succeeded(checkOp(op)); });
  }
  if (!legal || failed(placeGlobals(module, getProcessor().empty() ? kMaxShared : kMaxLds, machine,
                                    result.globals)))
    return failure();
  for (LLVM::LLVMFuncOp function : functions) {
    if (failed(lowerFunction(function)))
      return failure();
    for (NamedAttribute attr : llvm::to_vector(function->getDiscardableAttrs()))
      function->removeDiscardableAttr(attr.getName());
    function.removeArgAttrsAttr();
    function.removeTargetCpuAttr();
    function.removeTargetFeaturesAttr();
    function.setCConv(LLVM::CConv::C);
  }
  if (machine.sites.size() >= 1 << 16) {
    module.emitError("expects fewer than 65536 accesses and device ops");
    return failure();
  }
  for (LLVM::LLVMFuncOp function : kernels)
    addEntry(function);
  return std::move(result);
}

FailureOr<LoweredKernels> sectile::emulator::lowerKernels(ModuleOp module, Machine &machine) {
  return Lowering(module, machine).run();
}
