//===- Passes.td - passes at the graph level ----------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_TRANSFORMS_PASSES_TD
#define SECTILE_GRAPH_TRANSFORMS_PASSES_TD

include "dialects/Graph/Transforms/RewritePasses.td"
include "dialects/Graph/Transforms/KernelPasses.td"

#endif // SECTILE_GRAPH_TRANSFORMS_PASSES_TD
