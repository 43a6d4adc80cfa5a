//===- LowerWavefront.cpp - what AMD adds to kernels, as calls --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerWavefront.h"

#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile::emulator;

bool sectile::emulator::isOfWavefront(Operation *op) {
  return isa_and_nonnull<ROCDL::ROCDLDialect>(op->getDialect());
}

/// Lanes of a wavefront; nothing for any other name, and for what `features` make impossible there.
static std::optional<uint32_t> lanesOf(StringRef processor, StringRef features) {
  // LLVM, "User Guide for AMDGPU Backend", Processors and Target Features: GFX9 has wavefronts of
  // 64; GFX10 and GFX11 have 32 unless wavefrontsize64 is asked for, in which ds_bpermute reaches
  // half a wavefront only.
  if (processor == "gfx90a" || processor == "gfx942")
    return 64;
  if (processor == "gfx1100" && !features.contains("+wavefrontsize64"))
    return 32;
  return std::nullopt;
}

bool sectile::emulator::isKernel(LLVM::LLVMFuncOp function) {
  return function->hasAttr("nvvm.kernel") || function->hasAttr("rocdl.kernel");
}

FailureOr<Processor> sectile::emulator::processorOf(LLVM::LLVMFuncOp kernel) {
  Processor processor;
  if (!kernel->hasAttr("rocdl.kernel"))
    return processor;
  std::string features;
  if (LLVM::TargetFeaturesAttr given = kernel.getTargetFeaturesAttr())
    features = given.getFeaturesString();
  processor.name = kernel.getTargetCpu().value_or("").str();
  std::optional<uint32_t> lanes = lanesOf(processor.name, features);
  if (!lanes)
    return kernel.emitError() << "the emulator cannot execute kernel '" << kernel.getSymName()
                              << "': expects 'target_cpu' to be gfx90a, gfx942 or gfx1100 in "
                                 "wavefronts of 32, but got '"
                              << processor.name << "'";
  processor.lanes = *lanes;
  return processor;
}

static std::optional<WaveMatrixOp> getMatrixOp(Operation *op, StringRef processor) {
  auto isSigned = [&](StringRef name) {
    auto attr = op->getAttrOfType<BoolAttr>(name);
    return attr && attr.getValue();
  };
  auto found = findWaveMatrixOp(op->getName().getStringRef(), isSigned("signA"), isSigned("signB"),
                                processor);
  if (!found || (found->isWmma ? 32U : 64U) != *lanesOf(processor, {}))
    return std::nullopt;
  if (auto clamp = op->getAttrOfType<BoolAttr>("clamp"); clamp && clamp.getValue())
    return std::nullopt;
  // cbsz, abid and blgp of MFMA: broadcasts of blocks, permutations of lanes.
  for (Value operand : op->getOperands().drop_front(3)) {
    APInt value;
    if (!matchPattern(operand, m_ConstantInt(&value)) || !value.isZero())
      return std::nullopt;
  }
  return found;
}

std::string sectile::emulator::whyNotExecuted(Operation *op, StringRef processor) {
  if (processor.empty())
    return "the kernel names no processor of AMD";
  if (isa<ROCDL::ThreadIdXOp, ROCDL::ThreadIdYOp, ROCDL::ThreadIdZOp, ROCDL::BlockIdXOp,
          ROCDL::BlockIdYOp, ROCDL::BlockIdZOp, ROCDL::WavefrontSizeOp, ROCDL::BarrierOp,
          ROCDL::DsBpermuteOp>(op))
    return {};
  if (isa<ROCDL::SBarrierOp>(op))
    return "it orders no memory by itself; rocdl.barrier does";
  if (auto ballot = dyn_cast<ROCDL::BallotOp>(op))
    return ballot.getType().isInteger(*lanesOf(processor, {}))
               ? ""
               : "expects a bit for each lane of the wavefront";
  if (auto swizzle = dyn_cast<ROCDL::DsSwizzleOp>(op)) {
    APInt offset;
    if (!matchPattern(swizzle.getOffset(), m_ConstantInt(&offset)))
      return "its offset is not a constant";
    return swizzleSource(static_cast<uint32_t>(offset.getZExtValue()), 0)
               ? ""
               : "its mode is not emulated";
  }
  if (auto dpp = dyn_cast<ROCDL::DPPUpdateOp>(op)) {
    if (!dpp.getType().isInteger(32) || dpp.getRowMask() != 15 || dpp.getBankMask() != 15)
      return "expects 32 bits of all rows and banks";
    return isDppControl(dpp.getDppCtrl()) ? "" : "its control is not emulated";
  }
  StringRef name = op->getName().getStringRef();
  if (name.starts_with("rocdl.mfma.") || name.starts_with("rocdl.wmma."))
    return getMatrixOp(op, processor) ? ""
                                      : "the instruction is not emulated on " + processor.str();
  return "the op has no meaning in the emulator";
}

/// Operands go to memory of the lane's own, where the last lane to arrive finds those of all.
static void replaceMatrix(OpBuilder &builder, Operation *op, const WaveMatrixOp &matrix,
                          function_ref<void(Value in, Value out)> meet) {
  Location loc = op->getLoc();
  Type i8 = builder.getI8Type(), i64 = builder.getI64Type();
  Type pointer = LLVM::LLVMPointerType::get(op->getContext());
  auto allocate = [&](int64_t bytes) -> Value {
    // In the entry block: a loop must not take more of the stack each time.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&op->getParentOfType<LLVM::LLVMFuncOp>().getBody().front());
    Value size = LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(bytes));
    return LLVM::AllocaOp::create(builder, loc, pointer, i8, size, /*alignment=*/8);
  };
  Value in = allocate(matrix.bytesA() + matrix.bytesB() + matrix.bytesC());
  Value out = allocate(matrix.bytesC());
  int32_t offsets[] = {0, matrix.bytesA(), matrix.bytesA() + matrix.bytesB()};
  for (auto [operand, offset] : llvm::zip_equal(op->getOperands().take_front(3), offsets)) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer, i8, in, ArrayRef<LLVM::GEPArg>{offset});
    LLVM::StoreOp::create(builder, loc, operand, slot, /*alignment=*/1);
  }
  meet(LLVM::PtrToIntOp::create(builder, loc, i64, in),
       LLVM::PtrToIntOp::create(builder, loc, i64, out));
  Value result =
      LLVM::LoadOp::create(builder, loc, op->getResult(0).getType(), out, /*alignment=*/1);
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
}

void sectile::emulator::replaceWaveOp(OpBuilder &builder, Operation *op, StringRef processor,
                                      std::vector<WaveMatrixOp> &matrices, MeetWave meet) {
  Location loc = op->getLoc();
  Type i64 = builder.getI64Type();
  Value zero = LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(0));
  auto widen = [&](Value value) -> Value { return LLVM::ZExtOp::create(builder, loc, i64, value); };
  auto replace = [&](Value bits) {
    Type type = op->getResult(0).getType();
    if (type != i64)
      bits = LLVM::TruncOp::create(builder, loc, type, bits);
    op->replaceAllUsesWith(ValueRange{bits});
    op->erase();
  };
  if (auto permute = dyn_cast<ROCDL::DsBpermuteOp>(op)) {
    replace(meet(Collective::Permute, 0, widen(permute.getSrc()), widen(permute.getIndex()), zero));
  } else if (auto swizzle = dyn_cast<ROCDL::DsSwizzleOp>(op)) {
    APInt offset;
    (void)matchPattern(swizzle.getOffset(), m_ConstantInt(&offset));
    replace(meet(Collective::Swizzle, static_cast<uint32_t>(offset.getZExtValue()),
                 widen(swizzle.getSrc()), zero, zero));
  } else if (auto dpp = dyn_cast<ROCDL::DPPUpdateOp>(op)) {
    uint32_t variant = dpp.getDppCtrl() | static_cast<uint32_t>(dpp.getBoundCtrl()) << 31;
    replace(meet(Collective::Dpp, variant, widen(dpp.getSrc()), widen(dpp.getOld()), zero));
  } else if (auto ballot = dyn_cast<ROCDL::BallotOp>(op)) {
    replace(meet(Collective::Ballot, 0, widen(ballot.getPred()), zero, zero));
  } else {
    matrices.push_back(*getMatrixOp(op, processor));
    WaveMatrixOp matrix = matrices.back();
    auto variant = static_cast<uint32_t>(matrices.size() - 1);
    replaceMatrix(builder, op, matrix, [&](Value in, Value out) {
      meet(Collective::WaveMatrix, variant, in, out, zero);
    });
  }
}
