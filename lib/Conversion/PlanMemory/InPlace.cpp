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

namespace {

/// Follows values to the results of their kernel, each once.
class Readers {
public:
  /// The largest number of a result that reads `value`, element by element; -1 if none does, and
  /// nothing if an element is read for one at other coordinates.
  std::optional<int64_t> findLast(Value value) {
    auto it = known.find(value);
    if (it != known.end())
      return it->second;
    std::optional<int64_t> last = -1;
    for (OpOperand &use : value.getUses()) {
      std::optional<int64_t> here = findLast(use);
      last = last && here ? std::optional(std::max(*last, *here)) : std::nullopt;
    }
    known[value] = last;
    return last;
  }

private:
  std::optional<int64_t> findLast(OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<tensor::DimOp>(user))
      return -1;
    if (isa<graph::ReturnOp>(user))
      return use.getOperandNumber();
    if (auto scatter = dyn_cast<graph::ScatterOp>(user)) {
      // Elements of the data are changed where they are; nothing else is at its place.
      if (use.get() != scatter.getData() || use.getOperandNumber() != 1)
        return std::nullopt;
      return findLast(scatter.getResult());
    }
    if (auto scan = dyn_cast<graph::ScanOp>(user)) {
      // An element is read in the step that gives the element at its place.
      if (use.getOperandNumber() >= scan.getInputs().size())
        return std::nullopt;
      int64_t last = -1;
      for (Value result : scan.getResults()) {
        std::optional<int64_t> deeper = findLast(result);
        if (!deeper)
          return std::nullopt;
        last = std::max(last, *deeper);
      }
      return last;
    }
    auto op = dyn_cast<linalg::LinalgOp>(user);
    if (!op || op.getNumReductionLoops() != 0)
      return std::nullopt;
    int64_t last = -1;
    AffineMap map = op.getMatchingIndexingMap(&use);
    for (OpOperand &init : op.getDpsInitsMutable()) {
      if (op.getMatchingIndexingMap(&init) != map || !map.isPermutation())
        return std::nullopt;
      std::optional<int64_t> deeper = findLast(op.getTiedOpResult(&init));
      if (!deeper)
        return std::nullopt;
      last = std::max(last, *deeper);
    }
    return last;
  }

  llvm::DenseMap<Value, std::optional<int64_t>> known;
};

} // namespace

SmallVector<unsigned> sectile::findOverwritable(graph::KernelOp kernel, unsigned number) {
  Readers readers;
  SmallVector<unsigned> arguments;
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    if (argument.getType() != kernel.getResultTypes()[number] ||
        kernel.getArgAttr(argument.getArgNumber(), graph::kMemoryAttr))
      continue;
    std::optional<int64_t> last = readers.findLast(argument);
    if (last && *last <= static_cast<int64_t>(number))
      arguments.push_back(argument.getArgNumber());
  }
  return arguments;
}
