//===- Lifetimes.h - when memory of the host program is in use -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_LIFETIMES_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_LIFETIMES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

namespace sectile {

/// When the memory of each owner (see Placement.h) is written and read, in steps: the numbers of
/// the model's ops. A snapshot of the model as it was when this was made.
class Lifetimes {
public:
  explicit Lifetimes(mlir::func::FuncOp model);

  int64_t getStep(mlir::Operation *op) const { return stepOf.lookup(op); }
  /// The step of the first launch that writes the memory of `owner`.
  int64_t getBegin(mlir::Value owner) const { return memories.lookup(owner).begin; }
  /// The last step at which the memory of `owner` is read or written.
  int64_t getEnd(mlir::Value owner) const { return memories.lookup(owner).end; }
  /// The operands of launches and returns through which the memory is read, in order.
  llvm::ArrayRef<mlir::OpOperand *> getReads(mlir::Value owner) const;

private:
  struct Memory {
    int64_t begin = -1, end = -1;
    llvm::SmallVector<mlir::OpOperand *> reads;
  };
  llvm::DenseMap<mlir::Operation *, int64_t> stepOf;
  llvm::MapVector<mlir::Value, Memory> memories;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_LIFETIMES_H
