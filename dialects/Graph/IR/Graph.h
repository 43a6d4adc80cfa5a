//===- Graph.h - the graph dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the graph dialect. What each op means is written in GraphOps.td.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_GRAPH_H
#define SECTILE_DIALECTS_GRAPH_IR_GRAPH_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Graph/IR/GraphDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/Graph/IR/GraphOps.h.inc"

namespace sectile::graph {
/// Attribute names on a model's arguments and results; see GraphDialect.td.
inline constexpr ::llvm::StringLiteral kNameAttr = "graph.name";
inline constexpr ::llvm::StringLiteral kDimsAttr = "graph.dims";
inline constexpr ::llvm::StringLiteral kDtypeAttr = "graph.dtype";
/// On an argument of graph.kernel: the #tile.memory in which the constant is packed.
inline constexpr ::llvm::StringLiteral kMemoryAttr = "graph.memory";
/// On a graph.kernel: the #tile.schedule to use instead of a chosen one.
inline constexpr ::llvm::StringLiteral kScheduleAttr = "graph.schedule";
} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_GRAPH_H
