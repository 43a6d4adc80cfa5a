//===- HostPasses.td - from launches to a native host program -*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_HOSTPASSES_TD
#define SECTILE_CONVERSION_HOSTPASSES_TD

include "mlir/Pass/PassBase.td"

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
    input, a constant, or an output already written is copied. Reshapes are views.

    Constants are laid out one after the other, 64-byte aligned, in the section of constants; the
    module attribute `graph.constants` lists them in that order (see `PlannedConstant`).

    Precondition: `graph-outline`, then `graph-simplify`. `host-to-llvm` follows.

    ```mlir
    func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = ["n", "4"]})
        -> tensor<?x4xf32> {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x4xf32>
      %y = graph.launch @k(%x) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    }
    graph.kernel @k(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
      graph.return %x : tensor<?x4xf32>
    }
    ```
    becomes
    ```mlir
    func.func private @sectile_prepare(%n: index) -> (index, index, index, index)
    func.func private @sectile_run(%x: memref<?x4xf32>, %y: memref<?x4xf32>, %arena: memref<?xi8>,
                                   %constants: memref<?xi8>)
    ```
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

    Precondition: `graph-plan-memory`. Postcondition: ops of the LLVM dialect only.

    ```mlir
    module attributes {graph.constants = [], graph.interface = {inputs = [
        {dims = ["4"], name = "x", type = tensor<4xf32>} ], outputs = [
        {dims = ["4"], name = "y", type = tensor<4xf32>} ], symbols = []}} {
      func.func @sectile_prepare() -> (index, index) {
        %c4 = arith.constant 4 : index
        %c0 = arith.constant 0 : index
        return %c4, %c0 : index, index
      }
      func.func @sectile_run(%x: memref<4xf32>, %y: memref<4xf32>, %arena: memref<?xi8>,
                             %constants: memref<?xi8>) {
        graph.dispatch @k(%x, %y) num_inputs 1 : memref<4xf32>, memref<4xf32>
        return
      }
      graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
        graph.return %x : tensor<4xf32>
      }
    }
    ```
    becomes
    ```mlir
    llvm.func @sectile_host_prepare(!llvm.ptr) -> i32
    llvm.func @sectile_host_run(!llvm.ptr) -> i32
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // SECTILE_CONVERSION_HOSTPASSES_TD
