//===- Globals.cpp - where global variables are -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lower.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile::emulator;

LogicalResult sectile::emulator::placeGlobals(ModuleOp module, uint64_t most, Machine &machine,
                                              std::vector<GlobalInfo> &globals) {
  DataLayout layout(module);
  OpBuilder builder(module.getContext());
  llvm::StringMap<uint64_t> sharedOffsets;
  // A gap behind each variable, which PTX allows, so that an overrun is not taken for the next one.
  constexpr uint64_t kGap = 16;
  SmallVector<LLVM::GlobalOp> dynamic, placed;
  uint64_t end = 0;
  for (auto global : module.getOps<LLVM::GlobalOp>()) {
    uint64_t bytes = layout.getTypeSize(global.getGlobalType()).getFixedValue();
    if (global.getAddrSpace() != 3) {
      if (!global.getValueOrNull() && !global.getInitializerBlock())
        return global.emitError() << "the emulator cannot place global '" << global.getSymName()
                                  << "': it has no initial value";
      global.setLinkage(LLVM::Linkage::External);
      global.setConstant(false);
      globals.push_back({global.getSymName().str(), bytes});
      continue;
    }
    placed.push_back(global);
    if (!bytes) {
      dynamic.push_back(global);
      continue;
    }
    end = llvm::alignTo(end, std::max<uint64_t>(global.getAlignment().value_or(16), 16));
    sharedOffsets[global.getSymName()] = end;
    machine.sharedVariables.push_back({"shared @" + global.getSymName().str(), end, bytes});
    end += bytes + kGap;
  }
  for (LLVM::GlobalOp global : dynamic)
    end = llvm::alignTo(end, std::max<uint64_t>(global.getAlignment().value_or(16), 16));
  for (LLVM::GlobalOp global : dynamic)
    sharedOffsets[global.getSymName()] = end;
  machine.staticShared = end;
  if (end > most)
    return module.emitError() << "expects at most " << most
                              << " bytes of static shared memory, but got " << end;
  module.walk([&](LLVM::AddressOfOp op) {
    auto offset = sharedOffsets.find(op.getGlobalName());
    if (offset == sharedOffsets.end())
      return;
    builder.setInsertionPoint(op);
    auto number = reinterpret_cast<intptr_t>(machine.shared() + offset->second);
    Value address =
        LLVM::ConstantOp::create(builder, op.getLoc(), builder.getI64IntegerAttr(number));
    op.replaceAllUsesWith(
        LLVM::IntToPtrOp::create(builder, op.getLoc(), op.getType(), address).getResult());
    op.erase();
  });
  for (LLVM::GlobalOp global : placed)
    global.erase();
  return success();
}
