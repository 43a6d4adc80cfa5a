//===- HostScalars.h - sizes, in a function being written -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_HOSTSCALARS_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_HOSTSCALARS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseMap.h"

namespace sectile {

/// Bytes of an element in memory; i1 takes one.
int64_t getElementBytes(mlir::Type element);

/// The dynamic size of dimension `dim` of a result of a launch or loop.
mlir::Value getLaunchSize(mlir::Value tensor, int64_t dim);

/// Computes in a new function what the model's function computes of sizes. Everything is written
/// where `builder` stands, once, in terms of the extents of inputs.
class HostScalars {
public:
  HostScalars(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}
  /// Of a loop's body, whose arguments are values of the function around it where bindOuter says
  /// so.
  HostScalars(HostScalars &outer, mlir::Location loc)
      : builder(outer.builder), loc(loc), outer(&outer) {}

  /// Makes `extent` the extent of an input's dimension.
  void bind(mlir::Value input, int64_t dim, mlir::Value extent) { extents[{input, dim}] = extent; }

  /// From now on a graph.count whose number is not bound is its bound: where memory is laid out.
  void takeBounds() { takesBounds = true; }

  /// Makes `value` what an argument of type index, or a graph.count, stands for.
  void bindIndex(mlir::Value argument, mlir::Value value) { mapping.map(argument, value); }

  /// Makes `argument` of the body the same as `operand` of the function around it.
  void bindOuter(mlir::Value argument, mlir::Value operand) { operands[argument] = operand; }

  /// Makes `buffer` what elements of an input are read from.
  void bindBuffer(mlir::Value input, mlir::Value buffer) { buffers[input] = buffer; }

  /// An index or condition of the model, as a value of the new function.
  mlir::Value clone(mlir::Value scalar);
  mlir::OpFoldResult clone(mlir::OpFoldResult scalar);

  /// The extent of a dimension of any tensor of the model.
  mlir::Value getExtent(mlir::Value tensor, int64_t dim);
  mlir::OpFoldResult getMixedExtent(mlir::Value tensor, int64_t dim);
  /// The size of a tensor without gaps.
  mlir::Value getBytes(mlir::Value tensor);

  mlir::Value constantIndex(int64_t value);
  mlir::OpFoldResult multiply(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
  mlir::OpFoldResult add(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> extents; // of inputs
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;                     // of inputs
  mlir::IRMapping mapping;
  HostScalars *outer = nullptr;
  bool takesBounds = false;
  llvm::DenseMap<mlir::Value, mlir::Value> operands; // by argument
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_HOSTSCALARS_H
