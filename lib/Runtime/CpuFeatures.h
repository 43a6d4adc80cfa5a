//===- CpuFeatures.h - what this CPU can execute ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_CPUFEATURES_H
#define SECTILE_LIB_RUNTIME_CPUFEATURES_H

#include "Message.h"

#include <cstdint>

namespace sectile::runtime {

/// The features (enum sectile_abi_cpu_feature) that both the CPU and the
/// operating system support: AVX and AVX-512 count only where XCR0 says that
/// their registers are saved.
uint64_t detectCpuFeatures();

/// Appends the names of `features`, separated by ", ", e.g. "AVX-512 VNNI".
/// Bits without a name appear as "feature 7".
void appendFeatureNames(Message &message, uint64_t features);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_CPUFEATURES_H
