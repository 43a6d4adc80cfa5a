//===- InPlace.cpp - kernels that may overwrite what they read -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InPlace.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;

/// The largest number of a result that reads `value`, element by element; -1 if none does, and
/// nothing if an element is read for one at other coordinates.
static std::optional<int64_t> findLastReader(Value value) {
  int64_t last = -1;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isa<tensor::DimOp>(user))
      continue;
    if (isa<graph::ReturnOp>(user)) {
      last = std::max<int64_t>(last, use.getOperandNumber());
      continue;
    }
    auto op = dyn_cast<linalg::LinalgOp>(user);
    if (!op || op.getNumReductionLoops() != 0)
      return std::nullopt;
    // The init of an elementwise op gives its shape; one that is read counts like an input.
    AffineMap map = op.getMatchingIndexingMap(&use);
    for (OpOperand &init : op.getDpsInitsMutable()) {
      if (op.getMatchingIndexingMap(&init) != map || !map.isPermutation())
        return std::nullopt;
      std::optional<int64_t> deeper = findLastReader(op.getTiedOpResult(&init));
      if (!deeper)
        return std::nullopt;
      last = std::max(last, *deeper);
    }
  }
  return last;
}

SmallVector<unsigned> sectile::findOverwritable(graph::KernelOp kernel, unsigned number) {
  SmallVector<unsigned> arguments;
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    if (argument.getType() != kernel.getResultTypes()[number] ||
        kernel.getArgAttr(argument.getArgNumber(), graph::kMemoryAttr))
      continue;
    std::optional<int64_t> last = findLastReader(argument);
    if (last && *last <= static_cast<int64_t>(number))
      arguments.push_back(argument.getArgNumber());
  }
  return arguments;
}
