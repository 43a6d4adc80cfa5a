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
/// On an argument or result of graph.kernel: the `strided<[..]>` layout of a buffer that is no
/// contiguous row-major one, outermost dimension first; `?` strides are passed at run time.
inline constexpr ::llvm::StringLiteral kLayoutAttr = "graph.layout";
/// On arguments and results of graph.kernel, facts that every dispatch keeps: while the kernel
/// runs, nobody writes to the memory of a `readonly` argument, and no element that any argument
/// writes is also accessed through a `noalias` one.
inline constexpr ::llvm::StringLiteral kReadOnlyAttr = "graph.readonly";
inline constexpr ::llvm::StringLiteral kNoAliasAttr = "graph.noalias";
/// On a graph.launch, one number per result: the input whose memory the result takes, or -1.
inline constexpr ::llvm::StringLiteral kInPlaceAttr = "graph.in_place";
/// On a result of graph.kernel: the number of the argument that is the same memory in every
/// dispatch, so that the kernel finds its elements there.
inline constexpr ::llvm::StringLiteral kOverwritesAttr = "graph.overwrites";
/// On a result of the model: the input it shares a buffer with, see Alias.h.
inline constexpr ::llvm::StringLiteral kAliasAttr = "graph.alias";
/// On a graph.kernel: the #tile.schedule to use instead of a chosen one.
inline constexpr ::llvm::StringLiteral kScheduleAttr = "graph.schedule";
} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_GRAPH_H
