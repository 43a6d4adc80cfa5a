//===- KernelPasses.td - from graphs to kernels -------------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_TRANSFORMS_KERNELPASSES_TD
#define SECTILE_GRAPH_TRANSFORMS_KERNELPASSES_TD

include "mlir/Pass/PassBase.td"

def GraphFusePass : Pass<"graph-fuse", "::mlir::func::FuncOp"> {
  let summary = "decide which ops become one kernel";
  let description = [{
    Gives every op that computes a tensor a `graph.group` number; ops of one number become one
    kernel. An op joins its consumers' group if all of them are in it and the group's loops can
    absorb it:
    * elementwise ops and data movement join unless they would be recomputed in the inner loop
      of a product;
    * a contraction joins a group of elementwise ops that follow its result one to one;
    * other reductions join groups without contraction;
    * a scan joins ops that read its results element by element, at their own places, with other
      scans along the same dimension the same way;
    * a scatter or a selection starts a group: its result is not known before all of it is. What
      its updates and indices, or its input, are computed from may join it; the data that a
      scatter changes has to be in memory;
    * a chain of elementwise ops and reductions over a contraction joins the contraction that
      consumes it (attention, in whatever ops it is written), if the cost model says so: what the
      chain computes then stays on chip, but only blocks of rows run in parallel.
    A `tensor.pad` that a product reads, of what a product computes, gets no group if the cost model
    says so: it is then padded in memory, and the product stores its result inside it.
    An op that others use too joins the group of some of its users if the group, which holds no
    product yet, can store its result beside its own: it computes every element of it, by way of
    ops whose elements correspond, and waits for none of the other users. Such a result has the
    shape of the group's, or is what a reduction leaves of it (a row's mean beside the normalised
    row).
    With `codes`, a product of dequantized bytes and constant codes that `tile-multiply-codes` can
    multiply as integers takes both dequantizations into its kernel, and the ops that quantize its
    rows stay outside, so that they do so once. Views of scales and zero points are repeated for
    each op that reads them, here in any case.
    Every decision is a remark.

    Precondition: `graph-propagate-layouts`. Postcondition: all users of an op's result are in its
    group, or the group stores it; no two groups wait for each other. Constants
    and fills belong to no group; they are cloned where they are used. `graph-form-views` and
    `graph-outline` follow.

    ```mlir
    func.func @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
      %e = tensor.empty() : tensor<8x4xf32>
      %t = linalg.map { math.exp } ins(%x : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>)
      %r = linalg.map { math.absf } ins(%t : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>)
      return %r : tensor<8x4xf32>
    }
    ```
    becomes
    ```mlir
    func.func @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
      %e = tensor.empty() : tensor<8x4xf32>
      %t = linalg.map { math.exp } ins(%x : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>)
           {graph.group = 0 : i64}
      %r = linalg.map { math.absf } ins(%t : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>)
           {graph.group = 0 : i64}
      return %r : tensor<8x4xf32>
    }
    ```
  }];
  let options = [
    Option<"device", "device", "std::string", "\"\"",
           "parameters of the device that differ from the defaults, as in "
           "`launchCycles=1e6,memoryBytesPerCycle=2` (see DeviceModel)">,
    Option<"codes", "codes", "bool", "false",
           "products of dequantized bytes and codes are one kernel, which multiplies the codes">
  ];
}

def GraphFormViewsPass : Pass<"graph-form-views", "::mlir::func::FuncOp"> {
  let summary = "take data movement that the memory plan can avoid out of the kernels";
  let description = [{
    Ops that lose their `graph.group` stay in the host program, where `graph-plan-memory` makes
    them views:
    * a group of reshapes and slices without steps computes nothing: its result is a window on its
      source. A group whose slice is a result of the model stays a kernel, since the elements
      must be moved in any case;
    * a concatenation that ends its group is written in place, operand by operand, if another
      kernel computes one of its operands for it alone (each copy that the group would make is
      then saved), or if it appends to an input that shares the result's buffer (`graph.alias`):
      the part that is there already is then not touched. What else was in the group forms one
      group for each operand.

    ```mlir
    func.func @main(%x: tensor<2x4xf32>, %y: tensor<3x4xf32>) -> tensor<5x4xf32> {
      %z = tensor.empty() : tensor<2x4xf32>
      %a = linalg.exp {graph.group = 0 : i64} ins(%x : tensor<2x4xf32>) outs(%z : tensor<2x4xf32>)
        -> tensor<2x4xf32>
      %c = tensor.concat dim(0) %a, %y {graph.group = 1 : i64}
        : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<5x4xf32>
      return %c : tensor<5x4xf32>
    }
    ```
    The concatenation loses its group: the exponentials are written where they belong in it.

    A `tensor.pad` that `graph-fuse` gave no group becomes concatenations of its source with the
    frame around it, and each side of the frame one group.

    Precondition: `graph-fuse`. `graph-outline` follows.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def GraphOutlinePass : Pass<"graph-outline", "::mlir::ModuleOp"> {
  let summary = "move the groups that graph-fuse chose into graph.kernel ops";
  let description = [{
    Replaces each group by a `graph.launch` of a new `graph.kernel` at the end of the module.
    Tensors and sizes that a group uses become its arguments; splat constants and fills are
    cloned into it, other constants become arguments. Groups with equal bodies share a kernel.

    Precondition: `graph-fuse`. Postcondition: what is left of the function are launches, sizes
    and constants.

    ```mlir
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %e = tensor.empty() : tensor<8xf32>
      %t = linalg.map { math.exp } ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>)
           {graph.group = 0 : i64}
      return %t : tensor<8xf32>
    }
    ```
    becomes
    ```mlir
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %t = graph.launch @k0_map(%x) sizes [] : (tensor<8xf32>) -> tensor<8xf32>
      return %t : tensor<8xf32>
    }
    graph.kernel @k0_map(%x: tensor<8xf32>) -> tensor<8xf32> attributes {nodes = []} {
      %e = tensor.empty() : tensor<8xf32>
      %t = linalg.map { math.exp } ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>)
      graph.return %t : tensor<8xf32>
    }
    ```
  }];
  let dependentDialects = ["::sectile::graph::GraphDialect"];
}

def GraphPackConstantsPass : Pass<"graph-pack-constants", "::mlir::ModuleOp"> {
  let summary = "decide how constants are laid out in memory";
  let description = [{
    A constant that is the column operand of a product, in every launch of its kernel, is stored
    in panels: `columns` of the product side by side, then the product's reduction loops in their
    order, then the next panel. The inner loop of every schedule reads such a constant front to
    back. The decision is the attribute `graph.memory` (a `#tile.memory`) on the kernel's
    argument; `graph-plan-memory` lays the constant out by it and `graph-to-tile` reads it by it,
    at every instruction-set level.

    The panel is as wide as the register tile that the cost model prefers for the product.

    Codes that are only dequantized, in a format of fewer bits than their elements have, are packed
    to those bits along the last reduction loop (`bits` of `#tile.memory`), where that takes fewer
    bytes: one order for every width and every instruction-set level, since a step of the sum reads
    codes that all begin at the same bit of their words.

    With `target`, a GPU, panels are not made, and codes are packed where the device's matrix
    instructions multiply their numbers as f16 or bf16: in runs along the last reduction loop, for each
    column one, in which the codes that a thread multiplies are whole words of its own (`order` of
    `#tile.memory`). The order is that of one instruction (`sectile/Target/PackedOrder.h`), the same for
    all devices whose fragments are.

    Every constant operand of a product is a remark: the panel or runs, or why it stays as it is.

    Precondition: `graph-outline`. `graph-to-tile` and `graph-plan-memory` follow.

    ```mlir
    func.func @main(%x: tensor<96x8xf32>) -> tensor<96x128xf32> {
      %w = arith.constant dense_resource<w> : tensor<8x128xf32>
      %y = graph.launch @k(%x, %w) sizes []
           : (tensor<96x8xf32>, tensor<8x128xf32>) -> tensor<96x128xf32>
      return %y : tensor<96x128xf32>
    }
    graph.kernel @k(%x: tensor<96x8xf32>, %w: tensor<8x128xf32>) -> tensor<96x128xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<96x128xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x128xf32>) -> tensor<96x128xf32>
      %m = linalg.matmul ins(%x, %w : tensor<96x8xf32>, tensor<8x128xf32>)
                         outs(%f : tensor<96x128xf32>) -> tensor<96x128xf32>
      graph.return %m : tensor<96x128xf32>
    }
    ```
    becomes
    ```mlir
    #panels = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>
    func.func @main(%x: tensor<96x8xf32>) -> tensor<96x128xf32> {
      %w = arith.constant dense_resource<w> : tensor<8x128xf32>
      %y = graph.launch @k(%x, %w) sizes []
           : (tensor<96x8xf32>, tensor<8x128xf32>) -> tensor<96x128xf32>
      return %y : tensor<96x128xf32>
    }
    graph.kernel @k(%x: tensor<96x8xf32>, %w: tensor<8x128xf32> {graph.memory = #panels})
        -> tensor<96x128xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<96x128xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x128xf32>) -> tensor<96x128xf32>
      %m = linalg.matmul ins(%x, %w : tensor<96x8xf32>, tensor<8x128xf32>)
                         outs(%f : tensor<96x128xf32>) -> tensor<96x128xf32>
      graph.return %m : tensor<96x128xf32>
    }
    ```
  }];
  let options = [
    Option<"device", "device", "std::string", "\"\"",
           "parameters of the device that differ from the defaults, as for graph-fuse">,
    Option<"target", "target", "std::string", "\"\"",
           "name of a GPU, in whose order codes are packed and nothing else; none: a CPU's panels">];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

#endif // SECTILE_GRAPH_TRANSFORMS_KERNELPASSES_TD
