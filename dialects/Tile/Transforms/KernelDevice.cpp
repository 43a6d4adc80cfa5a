//===- KernelDevice.cpp - what a kernel's layouts are for ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Passes.h"

#include "sectile/Target/GpuTarget.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

FailureOr<KernelDevice> tile::getKernelDevice(KernelOp kernel) {
  auto name = kernel->getAttrOfType<StringAttr>(kTargetAttr);
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttr);
  if (!name || !warps)
    return kernel.emitOpError("expects attributes '")
           << kTargetAttr << "' and '" << kWarpsAttr << "', which tile-assign-layouts leaves";
  const target::GpuTarget *target = target::findGpuTarget(name.getValue());
  if (!target)
    return kernel.emitOpError("expects '")
           << kTargetAttr << "' to be one of " << target::listGpuTargets() << ", but got " << name;
  int64_t most = target->threadsPerBlock / target->threadsPerWarp;
  if (warps.getInt() < 1 || warps.getInt() > most)
    return kernel.emitOpError("expects '") << kWarpsAttr << "' to be from 1 to " << most << " on "
                                           << name << ", but got " << warps.getInt();
  return KernelDevice{target, warps.getInt()};
}
