//===- Serial.h - tiles whose elements take their turns ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOSIMT_SERIAL_H
#define SECTILE_LIB_CONVERSION_TILETOSIMT_SERIAL_H

#include "sectile/Layout/DistributedLayout.h"

#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/SmallBitVector.h"

namespace sectile::simt {

/// Registers of a thread that such a tile may take: each is code of its own.
inline constexpr int64_t kMostTurns = 512;

/// The layout in which each thread holds all elements along `dims`, in row-major order, and
/// everything else is spread over lanes and warps.
layout::DistributedLayout makeSerial(llvm::ArrayRef<int64_t> shape,
                                     const llvm::SmallBitVector &dims, int64_t lanes,
                                     int64_t warps);

/// The dimensions of a tile along which two elements may have one place: those that no result of
/// `map` is, with or without an offset that all elements share.
llvm::SmallBitVector findMeetingDims(mlir::AffineMap map, unsigned rank);

} // namespace sectile::simt

#endif // SECTILE_LIB_CONVERSION_TILETOSIMT_SERIAL_H
