//===- Places.h - where tensors lie, as values of the host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_PLACES_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_PLACES_H

#include "HostScalars.h"
#include "Placement.h"

namespace sectile {

/// A tensor's place from the start of its owner's memory, in elements.
struct Place {
  mlir::OpFoldResult offset;
  llvm::SmallVector<mlir::OpFoldResult> strides;
};

/// What Placement tells of `tensor`, with run-time values where they are needed.
Place getPlace(const Placement &placement, HostScalars &scalars, mlir::Value tensor);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_PLACES_H
