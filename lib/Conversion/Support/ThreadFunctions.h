//===- ThreadFunctions.h - programs of threads to the LLVM dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What lowerings of programs of threads to the dialects of vendors share: gpu.func
// becomes llvm.func in the module itself. What marks a kernel, and what the few
// ops of gpu become, each of them says.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_THREADFUNCTIONS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_THREADFUNCTIONS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <functional>

namespace sectile::lowering {

/// A number of 32 bits by the op of its dimension.
template <typename X, typename Y, typename Z>
mlir::Value readRegister(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::gpu::Dimension dimension) {
  mlir::Type i32 = builder.getI32Type();
  switch (dimension) {
  case mlir::gpu::Dimension::x:
    return X::create(builder, loc, i32);
  case mlir::gpu::Dimension::y:
    return Y::create(builder, loc, i32);
  case mlir::gpu::Dimension::z:
    return Z::create(builder, loc, i32);
  }
  llvm_unreachable("not a dimension");
}

struct ThreadLowering {
  /// The pass, for messages.
  llvm::StringRef pass;
  /// Sets what the vendor's dialect wants of a kernel, whose block has `size` threads.
  std::function<void(mlir::LLVM::LLVMFuncOp, mlir::DenseI32ArrayAttr size)> markKernel;
  /// Replaces a register that tells a thread or block its number; the value has 32 bits.
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::gpu::Dimension, bool isThread)>
      readRegister;
  std::function<void(mlir::OpBuilder &, mlir::Location)> emitBarrier;
  /// Replaces and erases a shuffle, or reports why not.
  std::function<mlir::LogicalResult(mlir::gpu::ShuffleOp)> lowerShuffle;
};

/// Lowers the functions of `module`, moves everything in front of it, and erases it.
mlir::LogicalResult lowerThreadModule(mlir::gpu::GPUModuleOp module,
                                      const ThreadLowering &lowering);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_THREADFUNCTIONS_H
