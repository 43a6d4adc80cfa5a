//===- Passes.td - passes at the graph level ----------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_TRANSFORMS_PASSES_TD
#define SECTILE_GRAPH_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def GraphSimplifyPass : Pass<"graph-simplify", "::mlir::func::FuncOp"> {
  let summary = "rewrite a graph to fewer and simpler ops";
  let description = [{
    Canonicalises, resolves the extents of intermediate tensors to expressions over the
    extents of arguments (arguments whose `graph.dims` name one symbol share one extent), and
    removes what that makes dead.

    Postcondition: no `tensor.dim` of a tensor that an op of this function computes, where that
    op tells its shape.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphPropagateLayoutsPass : Pass<"graph-propagate-layouts", "::mlir::func::FuncOp"> {
  let summary = "keep the channels of images contiguous in memory";
  let description = [{
    Convolutions and pooling on [n, c, h, w] tensors are rewritten to [n, h, w, c]: vectors then
    run along channels, of which there are enough, whatever the image's width. Ops that follow
    (elementwise, padding, concatenation, reductions) are rewritten with them as long as that
    costs no transposition; a `linalg.transpose` is left where a tensor enters or leaves that part
    of the graph, to be fused into a neighbour.

    Reduction loops of convolutions are ordered kernel positions first, channels last, which is
    the order of memory.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

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
    * a chain that ends in a reduction over a contraction joins the contraction that consumes
      it (attention, in whatever ops it is written).
    Every decision is a remark.

    Postcondition: each group has one result. Constants and fills belong to no group; they are
    cloned where they are used.
  }];
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

    Precondition: `graph-fuse`. `graph-outline` follows.
  }];
}

def GraphOutlinePass : Pass<"graph-outline", "::mlir::ModuleOp"> {
  let summary = "move the groups that graph-fuse chose into graph.kernel ops";
  let description = [{
    Replaces each group by a `graph.launch` of a new `graph.kernel` at the end of the module.
    Tensors and sizes that a group uses become its arguments; splat constants and fills are
    cloned into it, other constants become arguments. Groups with equal bodies share a kernel.

    Precondition: `graph-fuse`.
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

    Precondition: `graph-outline`.
  }];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

#endif // SECTILE_GRAPH_TRANSFORMS_PASSES_TD
