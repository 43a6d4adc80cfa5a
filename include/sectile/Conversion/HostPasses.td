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
    * a scatter changes its data in place: where that does not die it gets a copy, unless the
      result has its place elsewhere. If that holds in every launch of a kernel, its result says so
      (`graph.overwrites`) and the kernel copies nothing;
    * a result of the model with a `graph.alias` is written to its input's buffer. That is
      refused, naming the node, where the input is still read afterwards;
    * arguments and results of kernels get the `graph.layout` of their buffers where these are not
      contiguous, and the facts `graph.readonly` and `graph.noalias` that hold in every launch. A
      kernel that is launched on several layouts is cloned.

    ```mlir
    func.func @main(%x: tensor<8xf32> {graph.name = "x"}) -> tensor<8xf32> {
      %a = graph.launch @k(%x, %x) sizes [] : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      %b = graph.launch @k(%a, %x) sizes [] : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      return %b : tensor<8xf32>
    }
    graph.kernel @k(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
      %e = tensor.empty() : tensor<8xf32>
      %r = linalg.add ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>)
        -> tensor<8xf32>
      graph.return %r : tensor<8xf32>
    }
    ```
    becomes
    ```mlir
    func.func @main(%x: tensor<8xf32> {graph.name = "x"}) -> tensor<8xf32> {
      %a = graph.launch @k(%x, %x) sizes [] : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      %b = graph.launch @k(%a, %x) sizes [] {graph.in_place = array<i64: 0>}
        : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      return %b : tensor<8xf32>
    }
    graph.kernel @k(%x: tensor<8xf32>, %y: tensor<8xf32> {graph.noalias, graph.readonly})
        -> tensor<8xf32> {
      %e = tensor.empty() : tensor<8xf32>
      %r = linalg.add ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>)
        -> tensor<8xf32>
      graph.return %r : tensor<8xf32>
    }
    ```

    A `graph.loop` begins in the memory of what it starts with: results of launches that nobody else
    uses, copies where that is not so. In its body each result is of a launch of its own.

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

    A kernel that passes, where %y lies in the memory of %x:
    ```mlir
    tile.kernel @negate(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : index
      scf.for %i = %c0 to %c4 step %c1 {
        %t = tile.load %x at affine_map<(d0)[s0] -> (d0 + s0 * 16)>[%i]
          : !tile.view<64xf32> -> tensor<16xf32>
        %n = arith.negf %t : tensor<16xf32>
        tile.store %n, %y at affine_map<(d0)[s0] -> (d0 + s0 * 16)>[%i]
          : tensor<16xf32>, !tile.view<64xf32>
      }
      tile.return
    }
    ```

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
    module attribute `graph.constants` lists them in that order (see `PlannedConstant`). With
    `pieces`, each of 256 KiB or more begins at a multiple of 64 KiB, and smaller ones share runs
    that do: files of their own can be mapped there.

    The body of a `graph.loop` becomes an `scf.while` of the run; its places are one place of the
    function around it. What is carried changes between the memory where the loop begins and a
    second place of the body's.

    Precondition: `graph-place-tensors`.

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
                           "::mlir::affine::AffineDialect", "::mlir::scf::SCFDialect",
                           "::sectile::graph::GraphDialect"];
  let options = [Option<"pieces", "pieces", "bool", "false",
                        "place constants so that they can be mapped from several files">];
}

def HostToLLVMPass : Pass<"host-to-llvm", "::mlir::ModuleOp"> {
  let summary = "lower the host program to the LLVM dialect";
  let description = [{
    Wraps the functions that `graph-plan-memory` wrote into the two that a package exports to its
    runtime, `sectile_host_prepare` and `sectile_host_run` (see sectile/Package/Abi.h), and
    lowers everything to the LLVM dialect. A dispatch becomes a call through the runtime's
    launch pointer; the kernel's number is its position among the module's `graph.kernel` ops. A
    status other than zero ends the program at once and is returned.

    With `device-memory` tensors may lie where the host cannot reach them: an element that the host
    program needs is read, and buffers are copied, through two more pointers of the runtime's.

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
  let options = [
    Option<"deviceMemory", "device-memory", "bool", "false",
           "reach tensors by calls of the runtime, not by loads and stores">,
  ];
}

def HostToStaticPass : Pass<"host-to-static", "::mlir::ModuleOp"> {
  let summary = "lower the host program to a plain C function in the LLVM dialect";
  let description = [{
    The other end of the same host program: where `host-to-llvm` makes functions that a runtime
    calls, this pass makes one that a C program calls, and that needs no runtime.

    * `NAME_run(extents, inputs, outputs, arena)` returns a status: 0, or what was wrong (see
      `StaticStatus` and `StaticInterface` in sectile/Conversion/StaticHost.h). Kernels are called
      directly, over their whole grid. An output that shares the buffer of an input has no argument
      of its own.
    * Where sizes are known at run time only, the arena's size is one more argument of it, and
      `NAME_sizes(extents, inputs, arena_bytes, extents of outputs)` computes what is needed; its
      inputs are those whose elements sizes depend on.

    Kernels are declared as `KERNEL.run` and `KERNEL.info` with `suffix` appended. Their attributes
    `graph.scratch_bytes` and `graph.failures` say what is known of their code; private memory of
    which it is not known how large it is, is measured by `NAME_sizes`. A kernel whose private memory
    depends on what the run itself computes is refused. Constants lie behind the symbol
    `sectile_constants`.

    With `device-memory` tensors may lie where the host cannot reach them: an element that the host
    program needs is read, and buffers are copied, through two more pointers of the runtime's.

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
      graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32>
          attributes {graph.scratch_bytes = 0 : i64} {
        graph.return %x : tensor<4xf32>
      }
    }
    ```
    becomes
    ```mlir
    llvm.func @model_run(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32
    ```
  }];
  let options = [
    Option<"name", "name", "std::string", "\"model\"",
           "what the names of the functions begin with, a C identifier">,
    Option<"suffix", "suffix", "std::string", "\"\"",
           "appended to the names of the kernels' functions">,
    Option<"pointerBytes", "pointer-bytes", "int64_t", "8", "size of a pointer, 4 or 8">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // SECTILE_CONVERSION_HOSTPASSES_TD
