//===- LowerWarpGroup.cpp - products of warp groups as calls ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sums of a product are values here and registers on the device. Values that
// are parts, renamings or copies of each other, through branches too, and what one
// product makes of another one's sums, are taken for the same registers. Constants
// are not: nobody has to wait for them.
//
//===----------------------------------------------------------------------===//

#include "LowerWarpGroup.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile::emulator;

bool sectile::emulator::isGroupOp(Operation *op) {
  if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(op))
    return assembly.getAsmString().empty();
  return isa<NVVM::WgmmaMmaAsyncOp, NVVM::WgmmaFenceAlignedOp, NVVM::WgmmaGroupSyncAlignedOp,
             NVVM::WgmmaWaitGroupSyncOp, NVVM::FenceProxyOp>(op);
}

static std::optional<MatrixElement> elementOf(NVVM::WGMMATypes type) {
  switch (type) {
  case NVVM::WGMMATypes::f16:
    return MatrixElement::F16;
  case NVVM::WGMMATypes::bf16:
    return MatrixElement::BF16;
  case NVVM::WGMMATypes::tf32:
    return MatrixElement::TF32;
  case NVVM::WGMMATypes::e4m3:
    return MatrixElement::E4M3;
  case NVVM::WGMMATypes::e5m2:
    return MatrixElement::E5M2;
  case NVVM::WGMMATypes::s8:
    return MatrixElement::S8;
  case NVVM::WGMMATypes::u8:
    return MatrixElement::U8;
  default:
    return std::nullopt;
  }
}

/// The product that the op is; nothing if it is not emulated.
static std::optional<GroupMatrixOp> describe(NVVM::WgmmaMmaAsyncOp op) {
  auto a = elementOf(op.getTypeA()), b = elementOf(op.getTypeB());
  if (!a || !b || bitsOf(*a) != bitsOf(*b) || isInteger(*a) != isInteger(*b))
    return std::nullopt;
  GroupMatrixOp result{int(op.getShape().getN()), int(op.getShape().getK()), *a, *b};
  NVVM::WGMMATypes sums = isInteger(*a) ? NVVM::WGMMATypes::s32 : NVVM::WGMMATypes::f32;
  bool isWhole = op.getShape().getM() == 64 && result.k * bitsOf(*a) == 256 && result.n % 8 == 0 &&
                 result.n >= 8 && result.n <= 256 && op.getTypeD() == sums;
  result.isTransposedA = op.getLayoutA() == NVVM::MMALayout::col;
  result.isTransposedB = op.getLayoutB() == NVVM::MMALayout::row;
  if (!isWhole || (bitsOf(*a) != 16 && (result.isTransposedA || result.isTransposedB)))
    return std::nullopt;
  result.negatesA = op.getScaleA() == NVVM::WGMMAScaleIn::neg;
  result.negatesB = op.getScaleB() == NVVM::WGMMAScaleIn::neg;
  result.addsToSums = op.getScaleD() == NVVM::WGMMAScaleOut::one;
  result.saturates = op.getSatfinite() == NVVM::MMAIntOverflow::satfinite;
  return result;
}

std::string sectile::emulator::whyNotExecuted(Operation *op) {
  if (auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op))
    return describe(product) ? "" : "its shape and types are not emulated";
  if (auto fence = dyn_cast<NVVM::FenceProxyOp>(op))
    return fence.getKind() == NVVM::ProxyKind::async ||
                   fence.getKind() == NVVM::ProxyKind::async_shared
               ? ""
               : "only fences of the async proxy are emulated";
  if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(op)) {
    SmallVector<Type> types(assembly->getResultTypes());
    if (types.size() == 1)
      if (auto structure = dyn_cast<LLVM::LLVMStructType>(types[0]))
        types.assign(structure.getBody().begin(), structure.getBody().end());
    return llvm::equal(types, assembly->getOperandTypes()) ? ""
                                                           : "its results are not its operands";
  }
  return "";
}

namespace {
/// Registers of products: which values are the same ones.
class RegisterClasses {
public:
  explicit RegisterClasses(LLVM::LLVMFuncOp function) {
    function.walk([&](NVVM::WgmmaMmaAsyncOp op) {
      join(op.getInouts(), op.getResults());
      add(op.getInouts());
      add(op.getResults());
    });
    while (!work.empty())
      follow(work.pop_back_val());
    for (Value value : members)
      numbers.insert({leader(value), static_cast<uint32_t>(numbers.size())});
  }

  /// Values that are registers of a product.
  ArrayRef<Value> getMembers() const { return members.getArrayRef(); }
  uint32_t numberOf(Value value) { return numbers.find(leader(value))->second; }

  static bool isConstant(Value value) {
    Operation *op = value.getDefiningOp();
    return op && isa<LLVM::ConstantOp, LLVM::UndefOp, LLVM::PoisonOp, LLVM::ZeroOp>(op);
  }
  /// Whether what it gives is what it takes, in other registers.
  static bool isMove(Operation *op) {
    return isa<LLVM::ExtractValueOp, LLVM::InsertValueOp, LLVM::ExtractElementOp,
               LLVM::InsertElementOp, LLVM::ShuffleVectorOp, LLVM::BitcastOp>(op) ||
           (isa<LLVM::InlineAsmOp>(op) && isGroupOp(op));
  }
  /// Operands of a move that it moves.
  static SmallVector<Value> getMoved(Operation *op) {
    if (auto extract = dyn_cast<LLVM::ExtractElementOp>(op))
      return {extract.getVector()};
    if (auto insert = dyn_cast<LLVM::InsertElementOp>(op))
      return {insert.getVector(), insert.getValue()};
    return SmallVector<Value>(op->getOperands());
  }

private:
  void *leader(Value value) { return classes.getOrInsertLeaderValue(value.getAsOpaquePointer()); }
  void add(Value value) {
    if (!isConstant(value) && members.insert(value))
      work.push_back(value);
  }
  void join(Value a, Value b) {
    if (isConstant(a) || isConstant(b))
      return;
    classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
    add(a);
    add(b);
  }
  void follow(Value value) {
    if (Operation *op = value.getDefiningOp()) {
      if (isMove(op))
        for (Value moved : getMoved(op))
          join(value, moved);
    } else {
      auto argument = cast<BlockArgument>(value);
      Block *block = argument.getOwner();
      for (auto it = block->pred_begin(); it != block->pred_end(); ++it)
        if (auto branch = dyn_cast<BranchOpInterface>((*it)->getTerminator()))
          if (Value given =
                  branch.getSuccessorOperands(it.getSuccessorIndex())[argument.getArgNumber()])
            join(value, given);
    }
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (auto branch = dyn_cast<BranchOpInterface>(user)) {
        if (auto argument = branch.getSuccessorBlockArgument(use.getOperandNumber()))
          join(value, *argument);
      } else if (isMove(user) && llvm::is_contained(getMoved(user), value)) {
        for (Value result : user->getResults())
          join(value, result);
      }
    }
  }

  llvm::EquivalenceClasses<void *> classes;
  llvm::SetVector<Value> members;
  SmallVector<Value> work;
  llvm::MapVector<void *, uint32_t> numbers;
};
} // namespace

/// Wherever registers are accessed by something that is neither a product nor a renaming.
static void markAccesses(RegisterClasses &classes, const GroupLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  auto constant = [&](Location loc, uint32_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(int32_t(value)));
  };
  auto mark = [&](Operation *op, uint32_t number) {
    Location loc = op->getLoc();
    uint32_t site = lowering.addSite(lowering.describeSite(op));
    lowering.call(loc, "sectile_emulator_touch_registers",
                  LLVM::LLVMVoidType::get(builder.getContext()),
                  {constant(loc, number), constant(loc, site)});
  };
  llvm::SetVector<std::pair<Operation *, uint32_t>> readers, writers;
  for (Value value : classes.getMembers()) {
    uint32_t number = classes.numberOf(value);
    if (Operation *op = value.getDefiningOp())
      if (!RegisterClasses::isMove(op) && !isa<NVVM::WgmmaMmaAsyncOp>(op))
        writers.insert({op, number});
    for (Operation *user : value.getUsers())
      if (!RegisterClasses::isMove(user) && !isa<NVVM::WgmmaMmaAsyncOp>(user) &&
          !user->hasTrait<OpTrait::IsTerminator>())
        readers.insert({user, number});
  }
  for (auto [op, number] : readers) {
    builder.setInsertionPoint(op);
    mark(op, number);
  }
  for (auto [op, number] : writers) {
    builder.setInsertionPointAfter(op);
    mark(op, number);
  }
}

void sectile::emulator::lowerGroupOps(LLVM::LLVMFuncOp function, Machine &machine,
                                      const GroupLowering &lowering) {
  SmallVector<Operation *> ops;
  function.getBody().walk([&](Operation *op) {
    if (isGroupOp(op))
      ops.push_back(op);
  });
  if (ops.empty())
    return;
  OpBuilder &builder = lowering.builder;
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Type pointer = LLVM::LLVMPointerType::get(function.getContext());
  Type none = LLVM::LLVMVoidType::get(function.getContext());
  auto constant = [&](Location loc, Type type, int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, type, builder.getIntegerAttr(type, value));
  };
  RegisterClasses classes(function);
  markAccesses(classes, lowering);
  // One place for all: what a product takes and gives is copied at once.
  int64_t most = 0;
  auto first = static_cast<uint32_t>(machine.groupMatrices.size());
  for (Operation *op : ops)
    if (auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op)) {
      GroupMatrixOp described = *describe(product);
      described.registers = classes.numberOf(product.getResults());
      most = std::max<int64_t>(most, described.countSums());
      machine.groupMatrices.push_back(described);
    }
  Value in, out;
  if (most != 0) {
    builder.setInsertionPointToStart(&function.getBody().front());
    Location loc = function.getLoc();
    in = LLVM::AllocaOp::create(builder, loc, pointer, i64, constant(loc, i64, most + 2));
    out = LLVM::AllocaOp::create(builder, loc, pointer, i64, constant(loc, i64, most));
  }
  for (Operation *op : ops) {
    builder.setInsertionPoint(op);
    Location loc = op->getLoc();
    auto meet = [&](Collective kind, uint32_t variant, Value a, Value b) {
      Site site = lowering.describeSite(op);
      site.variant = variant;
      uint32_t id = 0;
      if (kind == Collective::GroupMatrix) {
        // One for each side.
        site.op = "wgmma";
        site.bytes = site.align = 16;
        site.space = 3;
        site.read = true;
        id = lowering.addSite(site);
        (void)lowering.addSite(site);
      } else {
        id = lowering.addSite(site);
      }
      lowering.call(loc, "sectile_emulator_meet", i64,
                    {constant(loc, i32, int(kind)),
                     constant(loc, i64, static_cast<int64_t>(machine.allLanes())),
                     constant(loc, i32, id), a, b, constant(loc, i64, 0)});
    };
    Value zero = constant(loc, i64, 0);
    if (auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op)) {
      auto type = cast<LLVM::LLVMStructType>(product.getResults().getType());
      auto slot = [&](Value base, int64_t i) {
        return LLVM::GEPOp::create(builder, loc, pointer, i64, base,
                                   ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
      };
      LLVM::StoreOp::create(builder, loc, product.getDescriptorA(), slot(in, 0));
      LLVM::StoreOp::create(builder, loc, product.getDescriptorB(), slot(in, 1));
      for (auto [i, element] : llvm::enumerate(type.getBody())) {
        Value bits = LLVM::ExtractValueOp::create(builder, loc, product.getInouts(),
                                                  ArrayRef<int64_t>{static_cast<int64_t>(i)});
        if (!element.isInteger(32))
          bits = LLVM::BitcastOp::create(builder, loc, i32, bits);
        LLVM::StoreOp::create(builder, loc, LLVM::ZExtOp::create(builder, loc, i64, bits),
                              slot(in, static_cast<int64_t>(i) + 2));
      }
      meet(Collective::GroupMatrix, first++, LLVM::PtrToIntOp::create(builder, loc, i64, in),
           LLVM::PtrToIntOp::create(builder, loc, i64, out));
      Value result = LLVM::PoisonOp::create(builder, loc, type);
      for (auto [i, element] : llvm::enumerate(type.getBody())) {
        Value bits = LLVM::LoadOp::create(builder, loc, i64, slot(out, static_cast<int64_t>(i)));
        bits = LLVM::TruncOp::create(builder, loc, i32, bits);
        if (!element.isInteger(32))
          bits = LLVM::BitcastOp::create(builder, loc, element, bits);
        result = LLVM::InsertValueOp::create(builder, loc, result, bits,
                                             ArrayRef<int64_t>{static_cast<int64_t>(i)});
      }
      op->replaceAllUsesWith(ValueRange{result});
    } else if (isa<NVVM::WgmmaFenceAlignedOp>(op)) {
      meet(Collective::GroupFence, 0, zero, zero);
    } else if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op)) {
      meet(Collective::GroupCommit, 0, zero, zero);
    } else if (auto wait = dyn_cast<NVVM::WgmmaWaitGroupSyncOp>(op)) {
      meet(Collective::GroupWait, static_cast<uint32_t>(wait.getGroup()), zero, zero);
    } else if (isa<NVVM::FenceProxyOp>(op)) {
      lowering.call(loc, "sectile_emulator_fence_proxies", none, {});
    } else if (op->getNumResults() == 1) {
      // Assembly without a text: its results are its operands.
      Type type = op->getResult(0).getType();
      Value result = op->getOperand(0);
      if (isa<LLVM::LLVMStructType>(type)) {
        result = LLVM::PoisonOp::create(builder, loc, type);
        for (auto [i, operand] : llvm::enumerate(op->getOperands()))
          result = LLVM::InsertValueOp::create(builder, loc, result, operand,
                                               ArrayRef<int64_t>{static_cast<int64_t>(i)});
      }
      op->replaceAllUsesWith(ValueRange{result});
    }
    op->erase();
  }
}
