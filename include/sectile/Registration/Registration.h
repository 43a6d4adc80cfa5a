//===- Registration.h - all dialects, passes and pipelines of sectile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_REGISTRATION_REGISTRATION_H
#define SECTILE_REGISTRATION_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace sectile {

/// Adds sectile's dialects, the upstream ones they are used with, and their interface models.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Registers sectile's passes and pipelines and the upstream passes, once per process.
void registerAllPasses();

} // namespace sectile

#endif // SECTILE_REGISTRATION_REGISTRATION_H
