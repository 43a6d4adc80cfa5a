//===- LowerHost.cpp - what all host programs have in common ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostEmitter.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace sectile;

/// Spells a copy out in loops where the memory of either side has strides: as one op it would be a
/// call of MLIR's runtime library, which packages do not have.
static void expandStridedCopy(memref::CopyOp copy) {
  auto isRowMajor = [](Value buffer) {
    return cast<MemRefType>(buffer.getType()).getLayout().isIdentity();
  };
  if (isRowMajor(copy.getSource()) && isRowMajor(copy.getTarget()))
    return;
  OpBuilder builder(copy);
  Location loc = copy.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> coords;
  int64_t rank = cast<MemRefType>(copy.getSource().getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value extent = memref::DimOp::create(builder, loc, copy.getSource(), dim);
    auto loop = scf::ForOp::create(builder, loc, zero, extent, one);
    coords.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  Value element = memref::LoadOp::create(builder, loc, copy.getSource(), coords);
  memref::StoreOp::create(builder, loc, element, copy.getTarget(), coords);
  copy.erase();
}

LogicalResult sectile::flattenHost(ModuleOp module, ArrayRef<func::FuncOp> functions,
                                   bool expandsCopies) {
  MLIRContext *context = module.getContext();
  if (expandsCopies)
    module.walk([](memref::CopyOp copy) { expandStridedCopy(copy); });
  RewritePatternSet loops(context);
  populateSCFToControlFlowConversionPatterns(loops);
  ConversionTarget flat(*context);
  flat.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  flat.addIllegalDialect<scf::SCFDialect>();
  SmallVector<Operation *> ops(functions.begin(), functions.end());
  return applyPartialConversion(ops, flat, std::move(loops));
}

LogicalResult sectile::lowerHost(ModuleOp module, const LLVMTypeConverter &converter) {
  MLIRContext *context = module.getContext();
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<graph::KernelOp, ModuleOp>(op))
      op.erase();

  RewritePatternSet patterns(context);
  populateAffineToStdConversionPatterns(patterns);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  ConversionTarget standard(*context);
  standard.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  standard.addIllegalDialect<affine::AffineDialect>();
  standard.addIllegalOp<arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>();
  if (failed(applyPartialConversion(module, standard, std::move(patterns))))
    return failure();

  RewritePatternSet toLLVM(context);
  arith::populateArithToLLVMConversionPatterns(converter, toLLVM);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, toLLVM);
  populateFuncToLLVMConversionPatterns(converter, toLLVM);
  cf::populateControlFlowToLLVMConversionPatterns(converter, toLLVM);
  LLVMConversionTarget target(*context);
  target.addLegalOp<ModuleOp, UnrealizedConversionCastOp>();
  if (failed(applyFullConversion(module, target, std::move(toLLVM))))
    return failure();
  SmallVector<UnrealizedConversionCastOp> casts;
  module.walk([&](UnrealizedConversionCastOp cast) { casts.push_back(cast); });
  reconcileUnrealizedCasts(casts);
  return success();
}
