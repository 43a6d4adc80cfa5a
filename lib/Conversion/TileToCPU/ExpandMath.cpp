//===- ExpandMath.cpp - the pass cpu-expand-math ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/Support/ExpandMath.h"
#include "CpuMath.h"
#include "Division.h"
#include "MissingInstructions.h"

#include "sectile/Conversion/TileToCPU/TileToCPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sectile::cpu {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "lib/Conversion/TileToCPU/Passes.h.inc"
} // namespace sectile::cpu

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::lowering;

bool sectile::cpu::hasCode(Operation *op) { return isNativeMath(op) || hasExpansion(op); }

namespace {
struct ExpandMathPass : cpu::impl::ExpandMathPassBase<ExpandMathPass> {
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    const CpuLevel *level = lookupCpuLevel(levelName);
    if (!level) {
      getOperation().emitError("expects level to be one of ")
          << listCpuLevels() << ", but got '" << levelName << "'";
      return signalPassFailure();
    }
    shareReciprocals(getOperation(), *level);
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<arith::RemFOp>(op) || (isa<math::MathDialect>(op->getDialect()) && !isNativeMath(op)))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      Value value = expandMath(op, getMathTarget(*level));
      if (!value) {
        op->emitOpError("is not supported by cpu-expand-math on ")
            << op->getOperand(0).getType() << " at level " << level->name;
        return signalPassFailure();
      }
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
    // Last, since the expansions round and take roots too.
    substituteMissing(getOperation(), *level);
  }
};
} // namespace

std::unique_ptr<Pass> sectile::cpu::createExpandMathPass(const CpuLevel &level) {
  ExpandMathPassOptions options;
  options.levelName = level.name.str();
  return createExpandMathPass(options);
}
