//===- HostPasses.td - from launches to a native host program -*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_HOSTPASSES_TD
#define SECTILE_CONVERSION_HOSTPASSES_TD

include "mlir/Pass/PassBase.td"

def GraphPlaceTensorsPass : Pass<"graph-place-tensors", "::mlir::ModuleOp"> {
  let summary = "decide which tensors of the host program share memory";
  let description = [{
    Decides what `graph-plan-memory` applies, and tells the kernels:

    * an operand of a concatenation in the host program is written where the result will lie. An
      operand that has another place too (an input, a constant, a result of the model, an operand
      of another concatenation) is copied by a kernel first;
    * a launch result takes the memory of an input of its type that dies there, if the kernel
      reads each element of it only to compute the same element (a residual sum). The decision is
      `graph.in_place` on the launch;
    * a result of the model with a `graph.alias` is written to its input's buffer. That is
      refused, naming the node, where the input is still read afterwards;
    * arguments and results of kernels get the `graph.layout` of their buffers where these are not
      contiguous, and the facts `graph.readonly` and `graph.noalias` that hold in every launch. A
      kernel that is launched on several layouts is cloned.

    Precondition: `graph-outline`. No other pass may move or remove launches afterwards.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect", "::sectile::graph::GraphDialect"];
}

def TileCheckInPlacePass : Pass<"tile-check-in-place", "::mlir::ModuleOp"> {
  let summary = "prove that kernels which are launched in place may be";
  let description = [{
    `graph-place-tensors` lets a result take the memory of an input that the kernel reads one to
    one. This pass holds the tile programs to it: every load of such an input is followed, in the
    same turn of all loops around both, by a store of the same elements of the result. Changes
    nothing; an error is a bug of the compiler, found before it becomes wrong numbers.

    Precondition: `graph-place-tensors`, `graph-to-tile` and canonicalisation.
  }];
}

def GraphPlanMemoryPass : Pass<"graph-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every tensor of the host program a place in memory";
  let description = [{
    Replaces the model's function, a sequence of `graph.launch` on tensors, by two functions on
    buffers:

    * `@sectile_prepare(extents) -> (symbols, output extents, arena bytes)`: `extents` are the
      dynamic extents of all inputs in order. Symbols are bound at their first occurrence and
      compared at every other. Checks the model makes on sizes are here.
    * `@sectile_run(inputs, outputs, arena, constants)`: views of the arena and dispatches.

    Every intermediate tensor gets a slot of the arena. Tensors that are never alive together
    share a slot; a slot is as large as its largest tensor, also where sizes are known only at
    run time. A result that is the model's output is written there at once; an output that is an
    input, a constant, or an output already written is copied. Reshapes, slices and operands of
    concatenations are views; results marked `graph.in_place` lie where their input does.

    Constants are laid out one after the other, 64-byte aligned, in the section of constants; the
    module attribute `graph.constants` lists them in that order (see `PlannedConstant`).

    Precondition: `graph-place-tensors`.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
                           "::mlir::affine::AffineDialect", "::sectile::graph::GraphDialect"];
}

def HostToLLVMPass : Pass<"host-to-llvm", "::mlir::ModuleOp"> {
  let summary = "lower the host program to the LLVM dialect";
  let description = [{
    Wraps the functions that `graph-plan-memory` wrote into the two that a package exports to its
    runtime, `sectile_host_prepare` and `sectile_host_run` (see sectile/Package/Abi.h), and
    lowers everything to the LLVM dialect. A dispatch becomes a call through the runtime's
    launch pointer; the kernel's number is its position among the module's `graph.kernel` ops. A
    status other than zero ends the program at once and is returned.

    The kernels themselves are dropped from the module.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // SECTILE_CONVERSION_HOSTPASSES_TD
