//===- ThreadLowering.cpp - programs of threads in a vendor's dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/ThreadLowering.h"

#include "sectile/Conversion/SIMTToNVVM/SIMTToNVVM.h"
#include "sectile/Conversion/SIMTToROCDL/SIMTToROCDL.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace sectile;

void simt::addThreadLowering(OpPassManager &passes, const target::GpuTarget &target) {
  switch (target.family) {
  case target::GpuFamily::Nvidia:
    passes.addPass(createSIMTToNVVMPass());
    return;
  case target::GpuFamily::Amd:
    passes.addPass(createSIMTToROCDLPass());
    return;
  }
}

int64_t simt::getBlockThreads(LLVM::LLVMFuncOp kernel) {
  for (StringRef name : {"nvvm.reqntid", "rocdl.reqd_work_group_size"})
    if (auto size = kernel->getAttrOfType<DenseI32ArrayAttr>(name); size && !size.empty())
      return size[0];
  return 0;
}
