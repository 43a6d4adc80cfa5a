//===- RewritePasses.td - from graphs to better graphs -------------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_TRANSFORMS_REWRITEPASSES_TD
#define SECTILE_GRAPH_TRANSFORMS_REWRITEPASSES_TD

include "mlir/Pass/PassBase.td"

def GraphNormalizePass : Pass<"graph-normalize", "::mlir::func::FuncOp"> {
  let summary = "bring tensor ops into the few forms that the other passes read";
  let description = [{
    Frontends say the same in many ops. Named ops of linalg become `linalg.generic` (a
    `linalg.fill` stays), aggregates such as `linalg.softmax` the ops they stand for, `arith` and
    `math` on tensors elementwise generics, `tensor.splat` a fill, `tensor.generate` and sizes in
    `tensor.from_elements` generics on `linalg.index`, `graph.dequantize` and `graph.quantize` elementwise generics
    with the op on scalars in their body, their scales repeated by views and, where only the run
    knows, counted by a `graph.check`. A fill that the function returns becomes a generic. Everything else is left alone. `graph-simplify` usually follows.

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %y = math.exp %x : tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
    becomes
    ```mlir
    #id = affine_map<(d0) -> (d0)>
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
          ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %e = math.exp %a : f32
        linalg.yield %e : f32
      } -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def GraphSimplifyPass : Pass<"graph-simplify", "::mlir::func::FuncOp"> {
  let summary = "rewrite a graph to fewer and simpler ops";
  let description = [{
    Canonicalises, resolves the extents of intermediate tensors to expressions over the
    extents of arguments (arguments whose `graph.dims` name one symbol share one extent), and
    removes what that makes dead.

    Postcondition: no `tensor.dim` of a tensor that an op of this function computes, where that
    op tells its shape.

    ```mlir
    func.func @main(%x: tensor<?x4xf32> {graph.dims = ["n", "4"]}) -> index {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x4xf32>
      %e = tensor.empty(%n) : tensor<?x4xf32>
      %t = linalg.map { math.exp } ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>)
      %m = tensor.dim %t, %c0 : tensor<?x4xf32>
      return %m : index
    }
    ```
    becomes
    ```mlir
    func.func @main(%x: tensor<?x4xf32> {graph.dims = ["n", "4"]}) -> index {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x4xf32>
      return %n : index
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphFoldConstantsPass : Pass<"graph-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "compute at compile time what depends on constants alone";
  let description = [{
    Looks for the largest values that constants determine (transposed or scaled weights, parameters
    of normalisations, slices of tables, masks built from positions) and replaces each by a new
    constant resource. A constant in another shape keeps its bytes.

    Each element is computed as the ops say, one after the other: integers exactly in their type,
    floats rounded to nearest even in the type of each op, reductions in the order of their loops.
    A value of which an element has no determined value (a division by zero, an index outside its
    tensor) is left as it is. The pass has an evaluator of its own, although the reference
    interpreter could do the same: the interpreter checks this pass like any other.

    Memory is bounded. A value is computed only if it takes at most `small-bytes`, or no more bytes
    than the constants it is computed from: a broadcast, or weights that are dequantized or widened,
    stay as they are, since reading them at run time would cost more than computing them. All large
    values together take at most what the function's constants did before. Elements are computed in
    chunks; a result of more than 1 MB is written to a temporary file and mapped. A reduction of more
    than 2^20 steps is left to run time, as are booleans in number. Every decision is a remark.

    Precondition: `graph-normalize`. `graph-simplify` usually comes before and after.

    ```mlir
    func.func @main() -> tensor<2x3xf32> {
      %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
      %e = tensor.empty() : tensor<2x3xf32>
      %t = linalg.transpose ins(%w : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
      return %t : tensor<2x3xf32>
    }
    ```
    becomes
    ```mlir
    func.func @main() -> tensor<2x3xf32> {
      %t = arith.constant dense<[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]> : tensor<2x3xf32>
      return %t : tensor<2x3xf32>
    }
    ```
  }];
  let options = [
    Option<"smallBytes", "small-bytes", "int64_t", "65536",
           "bytes up to which a value is computed whatever it is computed from">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def GraphAbsorbScalesPass : Pass<"graph-absorb-scales", "::mlir::func::FuncOp"> {
  let summary = "move factors behind a product into its constant weights";
  let description = [{
    An elementwise op that multiplies the result of a product by a constant factor, as a
    normalisation behind a convolution does, loses the factor if the product's weights are constant
    and vary along all that the factor varies along. The weights are multiplied instead, by an op
    that `graph-fold-constants` computes.

    The sum is then rounded otherwise, so `--fp=strict` leaves it; and so does a weight that would
    become infinite or subnormal. Every decision is a remark.

    Precondition: `graph-fold-constants`, so that factors are constants. `graph-fold-constants`
    follows once more.

    ```mlir
    #x = affine_map<(i, j, k) -> (i, k)>
    #w = affine_map<(i, j, k) -> (k, j)>
    #y = affine_map<(i, j, k) -> (i, j)>
    #id = affine_map<(i, j) -> (i, j)>
    #last = affine_map<(i, j) -> (j)>
    func.func @main(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
      %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
      %f = arith.constant dense<[0.5, 3.0]> : tensor<2xf32>
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<4x2xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
      %p = linalg.generic {indexing_maps = [#x, #w, #y],
                           iterator_types = ["parallel", "parallel", "reduction"]}
           ins(%x, %w : tensor<4x2xf32>, tensor<2x2xf32>) outs(%z : tensor<4x2xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %0 = arith.mulf %a, %b : f32
        %1 = arith.addf %c, %0 : f32
        linalg.yield %1 : f32
      } -> tensor<4x2xf32>
      %y = linalg.generic {indexing_maps = [#id, #last, #id],
                           iterator_types = ["parallel", "parallel"]}
           ins(%p, %f : tensor<4x2xf32>, tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %0 = arith.mulf %a, %b : f32
        linalg.yield %0 : f32
      } -> tensor<4x2xf32>
      return %y : tensor<4x2xf32>
    }
    ```
    The weights become [[0.5, 6.0], [1.5, 12.0]], and the second op copies what is left.
  }];
  let options = [
    Option<"reassociate", "reassociate", "bool", "true",
           "whether products of floats may be formed in another order (not in --fp=strict)">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphUngroupChannelsPass : Pass<"graph-ungroup-channels", "::mlir::func::FuncOp"> {
  let summary = "work on images that are seen as groups of channels";
  let description = [{
    A group normalisation reshapes [n, c, h, w] to [n, g, c / g * h * w], where channels and places
    are one dimension and no layout but the given one fits. Elementwise ops and reductions there
    are rewritten to work on the image: what belongs to a group is repeated for its channels, and
    a reduction runs over the places of each channel, then over the channels of a group. Reshapes
    back to the image fall away. Every reduction so split is a remark.

    Precondition: `graph-simplify`, which usually also follows; all extents but the batch's known.

    ```mlir
    #id = affine_map<(n, g, i) -> (n, g, i)>
    #group = affine_map<(n, g, i) -> (n, g)>
    func.func @main(%x: tensor<1x8x6x6xf32>) -> tensor<1x2xf32> {
      %flat = tensor.collapse_shape %x [[0], [1, 2, 3]]
            : tensor<1x8x6x6xf32> into tensor<1x288xf32>
      %groups = tensor.expand_shape %flat [[0], [1, 2]] output_shape [1, 2, 144]
              : tensor<1x288xf32> into tensor<1x2x144xf32>
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<1x2xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
      %s = linalg.generic {indexing_maps = [#id, #group],
                           iterator_types = ["parallel", "parallel", "reduction"]}
           ins(%groups : tensor<1x2x144xf32>) outs(%f : tensor<1x2xf32>) {
      ^bb0(%a: f32, %o: f32):
        %t = arith.addf %o, %a : f32
        linalg.yield %t : f32
      } -> tensor<1x2xf32>
      return %s : tensor<1x2xf32>
    }
    ```
    becomes
    ```mlir
    #image = affine_map<(n, c, h, w) -> (n, c, h, w)>
    #channel = affine_map<(n, c, h, w) -> (n, c)>
    #id = affine_map<(n, g, i) -> (n, g, i)>
    #group = affine_map<(n, g, i) -> (n, g)>
    func.func @main(%x: tensor<1x8x6x6xf32>) -> tensor<1x2xf32> {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<1x2xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2xf32>) -> tensor<1x2xf32>
      %ec = tensor.empty() : tensor<1x8xf32>
      %fc = linalg.fill ins(%zero : f32) outs(%ec : tensor<1x8xf32>) -> tensor<1x8xf32>
      %c = linalg.generic {indexing_maps = [#image, #channel], iterator_types = [
             "parallel", "parallel", "reduction", "reduction"]}
           ins(%x : tensor<1x8x6x6xf32>) outs(%fc : tensor<1x8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %t = arith.addf %o, %a : f32
        linalg.yield %t : f32
      } -> tensor<1x8xf32>
      %parts = tensor.expand_shape %c [[0], [1, 2]] output_shape [1, 2, 4]
             : tensor<1x8xf32> into tensor<1x2x4xf32>
      %s = linalg.generic {indexing_maps = [#id, #group],
                           iterator_types = ["parallel", "parallel", "reduction"]}
           ins(%parts : tensor<1x2x4xf32>) outs(%f : tensor<1x2xf32>) {
      ^bb0(%a: f32, %o: f32):
        %t = arith.addf %o, %a : f32
        linalg.yield %t : f32
      } -> tensor<1x2xf32>
      return %s : tensor<1x2xf32>
    }
    ```
  }];
  let options = [
    Option<"reassociate", "reassociate", "bool", "true",
           "whether sums may be formed in another order">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphPropagateLayoutsPass : Pass<"graph-propagate-layouts", "::mlir::func::FuncOp"> {
  let summary = "keep the channels of images contiguous in memory";
  let description = [{
    Convolutions and pooling on [n, c, h, w] tensors are rewritten to [n, h, w, c]: vectors then
    run along channels, of which there are enough, whatever the image's width. Ops that follow
    (elementwise, padding, concatenation, reductions, transposed convolutions) are rewritten with them as long as that
    costs no transposition; a `linalg.transpose` is left where a tensor enters or leaves that part
    of the graph, to be fused into a neighbour.

    Weights that are computed element by element from constants (dequantized, say) are read by their
    products in the order in which they are, not transposed first.

    Reduction loops of convolutions are ordered kernel positions first, channels last, which is
    the order of memory. Each convolution or pooling rewritten, and each transposition left,
    is a remark.

    Precondition: `graph-simplify`, which usually also follows.

    ```mlir
    func.func @main(%x: tensor<1x8x6x6xf32>) -> tensor<1x8x5x5xf32> {
      %low = arith.constant 0xFF800000 : f32
      %e = tensor.empty() : tensor<1x8x5x5xf32>
      %f = linalg.fill ins(%low : f32) outs(%e : tensor<1x8x5x5xf32>) -> tensor<1x8x5x5xf32>
      %k = tensor.empty() : tensor<2x2xf32>
      %y = linalg.pooling_nchw_max ins(%x, %k : tensor<1x8x6x6xf32>, tensor<2x2xf32>)
                                   outs(%f : tensor<1x8x5x5xf32>) -> tensor<1x8x5x5xf32>
      return %y : tensor<1x8x5x5xf32>
    }
    ```
    becomes
    ```mlir
    #x = affine_map<(n, c, h, w, kh, kw) -> (n, h + kh, w + kw, c)>
    #k = affine_map<(n, c, h, w, kh, kw) -> (kh, kw)>
    #y = affine_map<(n, c, h, w, kh, kw) -> (n, h, w, c)>
    func.func @main(%x: tensor<1x8x6x6xf32>) -> tensor<1x8x5x5xf32> {
      %e = tensor.empty() : tensor<1x6x6x8xf32>
      %xt = linalg.transpose ins(%x : tensor<1x8x6x6xf32>) outs(%e : tensor<1x6x6x8xf32>)
                             permutation = [0, 2, 3, 1]
      %low = arith.constant 0xFF800000 : f32
      %r = tensor.empty() : tensor<1x8x5x5xf32>
      %k = tensor.empty() : tensor<2x2xf32>
      %g = tensor.empty() : tensor<1x5x5x8xf32>
      %f = linalg.fill ins(%low : f32) outs(%g : tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32>
      %p = linalg.generic {indexing_maps = [#x, #k, #y], iterator_types = [
             "parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
           ins(%xt, %k : tensor<1x6x6x8xf32>, tensor<2x2xf32>) outs(%f : tensor<1x5x5x8xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %m = arith.maximumf %c, %a : f32
        linalg.yield %m : f32
      } -> tensor<1x5x5x8xf32>
      %y = linalg.transpose ins(%p : tensor<1x5x5x8xf32>) outs(%r : tensor<1x8x5x5xf32>)
                            permutation = [0, 3, 1, 2]
      return %y : tensor<1x8x5x5xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def GraphSplitReductionsPass : Pass<"graph-split-reductions", "::mlir::func::FuncOp"> {
  let summary = "reduce in two stages where one would leave the device idle";
  let description = [{
    A reduction to few elements has few blocks. Where the cost model finds that too few, one
    reduction loop is cut into parts: a first reduction per part, in parallel, and a second one
    over the parts. A loop that has about as many iterations as parts are wanted is taken as it
    is; otherwise an even division is preferred, and failing that the last part is padded by the
    combiner's neutral element.

    Products, and reductions over an extent known only at run time, are cut into whole parts and a
    rest, which is what the second stage starts from. The size of a part is a constant; with an
    extent known only at run time, their number is not: a short reduction has no parts, and is priced
    as a long one, since it loses little. A product stays whole if what it multiplies may be reduced
    in its kernel (attention).

    Reductions by one combiner with a neutral element qualify; every decision is a remark.

    ```mlir
    func.func @sum(%x: tensor<65536xf32>, %init: tensor<f32>) -> tensor<f32> {
      %s = linalg.reduce { arith.addf } ins(%x : tensor<65536xf32>) outs(%init : tensor<f32>)
        dimensions = [0]
      return %s : tensor<f32>
    }
    ```
    becomes, with two parts (initial values of the first stage left out: the neutral element)
    ```mlir
    func.func @sum(%x: tensor<65536xf32>, %init: tensor<f32>, %zeros: tensor<2xf32>) -> tensor<f32> {
      %e = tensor.expand_shape %x [[0, 1]] output_shape [2, 32768]
        : tensor<65536xf32> into tensor<2x32768xf32>
      %p = linalg.reduce { arith.addf } ins(%e : tensor<2x32768xf32>) outs(%zeros : tensor<2xf32>)
        dimensions = [1]
      %s = linalg.reduce { arith.addf } ins(%p : tensor<2xf32>) outs(%init : tensor<f32>)
        dimensions = [0]
      return %s : tensor<f32>
    }
    ```

    Results must have a static shape. `graph-simplify` and `graph-fuse` usually follow.
  }];
  let options = [
    Option<"device", "device", "std::string", "\"\"",
           "parameters of the device that differ from the defaults, as for graph-fuse">,
    Option<"reassociate", "reassociate", "bool", "true",
           "whether sums and products of floats may be formed in another order (not in --fp=strict)">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphMultiplyIntegersPass : Pass<"graph-multiply-integers", "::mlir::func::FuncOp"> {
  let summary = "multiply codes of 8 bits as integers instead of what they are dequantized to";
  let description = [{
    A product of two dequantized operands with codes of 8 bits, whose scales do not change along
    what is summed, sums products of codes without their zero points, which are integers of 16
    bits, and scales the sums. Padding of zeros, reshapes and slices may lie between. Kernels of
    convolutions without a zero point stay bytes. CPUs multiply and sum two of them by one
    instruction, and operands take half of the bytes or less.

    Sums are exact in 32 bits: the terms must be known to be few enough. The result is rounded
    three times (the sum, the product of the scales, theirs) instead of once for each term. The
    product of the scales may be infinite, zero or subnormal where only theirs with codes would
    be, and an infinite scale gives no NaN for a code of 0 among others. Not for `--fp=strict`.

    ```mlir
    #rows = affine_map<(m, n, k) -> (m, k)>
    #columns = affine_map<(m, n, k) -> (k, n)>
    #result = affine_map<(m, n, k) -> (m, n)>
    #id = affine_map<(i, j) -> (i, j)>
    #one = affine_map<(i, j) -> ()>
    func.func @product(%p: tensor<4x32xi8>, %s: tensor<f32>, %q: tensor<32x8xi8>, %t: tensor<f32>)
        -> tensor<4x8xf32> {
      %zero = arith.constant 0.0 : f32
      %e0 = tensor.empty() : tensor<4x32xf32>
      %a = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
          ins(%p, %s : tensor<4x32xi8>, tensor<f32>) outs(%e0 : tensor<4x32xf32>) {
      ^bb0(%code: i8, %scale: f32, %o: f32):
        %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
        linalg.yield %r : f32
      } -> tensor<4x32xf32>
      %e1 = tensor.empty() : tensor<32x8xf32>
      %b = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
          ins(%q, %t : tensor<32x8xi8>, tensor<f32>) outs(%e1 : tensor<32x8xf32>) {
      ^bb0(%code: i8, %scale: f32, %o: f32):
        %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
        linalg.yield %r : f32
      } -> tensor<32x8xf32>
      %e2 = tensor.empty() : tensor<4x8xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x8xf32>) -> tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#rows, #columns, #result],
                           iterator_types = ["parallel", "parallel", "reduction"]}
          ins(%a, %b : tensor<4x32xf32>, tensor<32x8xf32>) outs(%f : tensor<4x8xf32>) {
      ^bb0(%x: f32, %w: f32, %o: f32):
        %u = arith.mulf %x, %w : f32
        %v = arith.addf %o, %u : f32
        linalg.yield %v : f32
      } -> tensor<4x8xf32>
      return %y : tensor<4x8xf32>
    }
    ```
    becomes a product of `tensor<4x32xi16>` and `tensor<32x8xi16>` with sums in i32, and a
    `linalg.generic` that multiplies them with both scales.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def GraphRescaleReductionsPass : Pass<"graph-rescale-reductions", "::mlir::func::FuncOp"> {
  let summary = "apply rescaling laws: divide a sum instead of its terms";
  let description = [{
    Weights e = exp(x - max x), divided by their sum s and multiplied by values v, are summed:
    an attention, whatever it is written as. Since (e / s) v summed is e v summed and then divided,
    there are as many divisions as results, not as weights, and no tensor of normalised weights.

    The new sum may be s times as large as the result. Weights lie between 0 and 1 where x has its
    own maximum over the same elements taken off, and s, their sum, is then at most their number:
    only values within that factor of the largest float overflow. Without any weights the result
    stays 0. `f16`, which ends at 65504, is left
    alone, and so is everything in `--fp=strict`.

    ```mlir
    #pn = affine_map<(p, n) -> (p, n)>
    #p = affine_map<(p, n) -> (p)>
    func.func @mean(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %zeros: tensor<4xf32>,
                    %rows: tensor<4xf32>, %w: tensor<4x8xf32>, %y: tensor<4x16xf32>)
        -> tensor<4x16xf32> {
      %zero = arith.constant 0.0 : f32
      %least = arith.constant 0xFF800000 : f32
      %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
      %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
          ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.maximumf %a, %o : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
          ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.subf %a, %b : f32
        %r = math.exp %d : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
          ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.addf %a, %o : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      %n = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
          ins(%e, %s : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.divf %a, %b : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %f = linalg.fill ins(%zero : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
      %r = linalg.generic {indexing_maps = [affine_map<(p, q, n) -> (p, n)>,
                                            affine_map<(p, q, n) -> (n, q)>,
                                            affine_map<(p, q, n) -> (p, q)>],
                           iterator_types = ["parallel", "parallel", "reduction"]}
          ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %t = arith.mulf %a, %b : f32
        %u = arith.addf %o, %t : f32
        linalg.yield %u : f32
      } -> tensor<4x16xf32>
      return %r : tensor<4x16xf32>
    }
    ```
    multiplies `%e` instead of `%n` with `%v`, and divides the result by `%s`.

    Precondition: `graph-normalize`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect"];
}

#endif // SECTILE_GRAPH_TRANSFORMS_REWRITEPASSES_TD
