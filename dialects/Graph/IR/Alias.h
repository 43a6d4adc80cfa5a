//===- Alias.h - results of a model that live in an input's buffer -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_ALIAS_H
#define SECTILE_DIALECTS_GRAPH_IR_ALIAS_H

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace sectile::graph {

/// A result of a model that lives in the buffer of an argument (a K/V cache): attribute
/// `graph.alias` of the result. The buffer is row-major for `capacity` elements along `dim`,
/// whatever the extent of `dim` in a call; all other extents are the call's.
struct Alias {
  unsigned input, output;
  int64_t dim;
  int64_t capacity; // -1: the extent of `dim` is the same before and after
};

/// The aliases of a model, by result.
llvm::SmallVector<Alias> getAliases(mlir::FunctionOpInterface model);

/// Adds an alias; the result must have none.
void setAlias(mlir::FunctionOpInterface model, const Alias &alias);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_ALIAS_H
