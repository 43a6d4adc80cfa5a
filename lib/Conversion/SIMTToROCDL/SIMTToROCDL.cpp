//===- SIMTToROCDL.cpp - programs of threads for AMD ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few ops of gpu that tile-to-simt leaves are replaced here; all else is
// lowered as for CPUs. Upstream's convert-gpu-to-rocdl is of no use: it calls
// ROCm's device libraries for what the target has instructions for.
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/SIMTToROCDL/SIMTToROCDL.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "lib/Conversion/Support/ThreadFunctions.h"
#include "sectile/Codegen/Codegen.h"
#include "sectile/Target/GpuTarget.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"

namespace sectile::simt {
#define GEN_PASS_DEF_SIMTTOROCDLPASS
#include "lib/Conversion/SIMTToROCDL/Passes.h.inc"
} // namespace sectile::simt

using namespace mlir;
using namespace sectile;

static Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, value, 32);
}

static Value readRegister(OpBuilder &builder, Location loc, gpu::Dimension dimension,
                          bool isThread) {
  auto read =
      isThread ? lowering::readRegister<ROCDL::ThreadIdXOp, ROCDL::ThreadIdYOp, ROCDL::ThreadIdZOp>
               : lowering::readRegister<ROCDL::BlockIdXOp, ROCDL::BlockIdYOp, ROCDL::BlockIdZOp>;
  return read(builder, loc, dimension);
}

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

/// The control of a DPP move by which each lane reads lane (own xor `mask`); nothing if none does.
/// All of the targets have these two: a permutation of four neighbours, and rows of 16 rotated by
/// half of their length. (CDNA 3 ISA Reference Guide, "Data Parallel Processing"; RDNA 3's, too.)
static std::optional<uint32_t> getDppControl(int64_t mask) {
  constexpr uint32_t kRowRotate = 0x120;
  if (mask == 8)
    return kRowRotate + 8;
  if (mask < 1 || mask > 3)
    return std::nullopt;
  uint32_t control = 0;
  for (uint32_t lane = 0; lane < 4; ++lane)
    control |= (lane ^ static_cast<uint32_t>(mask)) << 2 * lane;
  return control;
}

/// `value` as lane (own xor `mask`) has it.
static Value exchange(OpBuilder &builder, Location loc, Value value, int64_t mask, int64_t lanes) {
  Type i32 = builder.getI32Type();
  if (std::optional<uint32_t> control = getDppControl(mask)) {
    // Every lane of every row and bank takes part, and reads a lane that there is.
    constexpr uint32_t kAll = 15;
    Value undefined = LLVM::PoisonOp::create(builder, loc, i32);
    return ROCDL::DPPUpdateOp::create(builder, loc, i32, undefined, value, *control, kAll, kAll,
                                      /*boundCtrl=*/true);
  }
  if (mask < 32) {
    // ds_swizzle, by bits: lane ((own and offset[4:0]) or offset[9:5]) xor offset[14:10].
    constexpr int64_t kOwn = 31, kXorAt = 10;
    return ROCDL::DsSwizzleOp::create(builder, loc, i32, value,
                                      constant(builder, loc, mask << kXorAt | kOwn));
  }
  // Blocks have one dimension.
  Value thread = ROCDL::ThreadIdXOp::create(builder, loc, i32);
  Value lane =
      arith::AndIOp::create(builder, loc, thread, constant(builder, loc, lanes - 1)).getResult();
  Value source = arith::XOrIOp::create(builder, loc, lane, constant(builder, loc, mask));
  Value address = arith::ShLIOp::create(builder, loc, source, constant(builder, loc, 2));
  return ROCDL::DsBpermuteOp::create(builder, loc, i32, address, value);
}

static LogicalResult lowerShuffle(gpu::ShuffleOp op, int64_t lanes) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  APInt width, offset;
  if (!op.getValue().getType().isInteger(32) || !op.getValid().use_empty() ||
      !matchPattern(op.getWidth(), m_ConstantInt(&width)) || width != lanes)
    return op.emitOpError("is not supported by simt-to-rocdl: expects 32 bits of whole wavefronts "
                          "of ")
           << lanes << " lanes";
  Value result;
  if (op.getMode() == gpu::ShuffleMode::IDX) {
    // The address of a lane is four times its number (LLVM, "User Guide for AMDGPU Backend").
    Value address = arith::ShLIOp::create(builder, loc, op.getOffset(), constant(builder, loc, 2));
    result =
        ROCDL::DsBpermuteOp::create(builder, loc, builder.getI32Type(), address, op.getValue());
  } else if (op.getMode() == gpu::ShuffleMode::XOR &&
             matchPattern(op.getOffset(), m_ConstantInt(&offset)) && offset.ult(lanes)) {
    result = exchange(builder, loc, op.getValue(), offset.getSExtValue(), lanes);
  } else {
    return op.emitOpError("is not supported by simt-to-rocdl: expects mode idx, or xor of a "
                          "constant below ")
           << lanes;
  }
  op.getShuffleResult().replaceAllUsesWith(result);
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct SIMTToROCDLPass : simt::impl::SIMTToROCDLPassBase<SIMTToROCDLPass> {
  using SIMTToROCDLPassBase::SIMTToROCDLPassBase;

  LogicalResult lower(gpu::GPUModuleOp module) {
    auto name = module->getAttrOfType<StringAttr>(tile::kTargetAttr);
    const target::GpuTarget *target = name ? target::findGpuTarget(name.getValue()) : nullptr;
    if (!target || target->family != target::GpuFamily::Amd)
      return module.emitOpError("is not supported by simt-to-rocdl: expects attribute '")
             << tile::kTargetAttr << "' to name a target of AMD";
    lowering::ThreadLowering lowering{
        .pass = "simt-to-rocdl",
        .markKernel =
            [&](LLVM::LLVMFuncOp function, DenseI32ArrayAttr size) {
              OpBuilder builder(function);
              function->setAttr(ROCDL::ROCDLDialect::getKernelFuncAttrName(),
                                builder.getUnitAttr());
              function.setTargetCpu(StringRef(target->processor));
              if (!size)
                return;
              int64_t threads = 1;
              for (int32_t extent : size.asArrayRef())
                threads *= extent;
              function->setAttr(ROCDL::ROCDLDialect::getReqdWorkGroupSizeAttrName(), size);
              function->setAttr(ROCDL::ROCDLDialect::getFlatWorkGroupSizeAttrName(),
                                builder.getStringAttr(Twine(threads) + "," + Twine(threads)));
            },
        .readRegister = readRegister,
        .emitBarrier = [](OpBuilder &builder,
                          Location loc) { ROCDL::BarrierOp::create(builder, loc); },
        .lowerShuffle =
            [&](gpu::ShuffleOp op) { return lowerShuffle(op, target->threadsPerWarp); }};
    return lowering::lowerThreadModule(module, lowering);
  }

  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> modules(getOperation().getOps<gpu::GPUModuleOp>());
    if (modules.size() > 1) {
      modules[1].emitOpError("is not supported by simt-to-rocdl: expects kernels of one device");
      return signalPassFailure();
    }
    for (gpu::GPUModuleOp module : modules)
      if (failed(lower(module)))
        return signalPassFailure();
    if (failed(sectile::lowerToLLVM(getOperation())))
      signalPassFailure();
  }
};
} // namespace
