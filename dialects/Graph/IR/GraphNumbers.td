//===- GraphNumbers.td - numbers of any width --------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_NUMBERS_TD
#define SECTILE_GRAPH_NUMBERS_TD

//===----------------------------------------------------------------------===//
// Numbers of any width
//===----------------------------------------------------------------------===//

/// An element of a tensor, in the body of a linalg op.
def Graph_TensorOrScalar : AnyTypeOf<[AnyRankedTensor, AnyFloat, AnySignlessInteger],
                                     "a ranked tensor, a float or an integer">;

def Graph_DequantizeOp : Graph_Op<"dequantize", [
    Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "the numbers that codes, scales and zero points stand for";
  let description = [{
    result[i..] = (number of codes[i..] - zero[b..]) * scale[b..], b = i / block, rounded down.

    `format` is a text of docs/formats.md: `"uint4"`, `"e2m1"`, `"nf4"`. `block` has a number for
    each dimension: how many elements side by side share a scale and a zero point, 0 for all of
    them. Without it all are 0. So scales per tensor, per channel (1 along it, else 0) and per group
    are one case: along a dimension, `scale` and `zero` have as many elements as there are
    blocks, the last one maybe shorter.

    A code is the low bits of an integer of `codes`, or an element of the float type of the same
    format. Integers beyond the last code (ternary, codebooks) stand for the last. A code's number is
    rounded to f32, which changes entries of codebooks only; numbers beyond its range become
    infinite. A `zero` of the type of `codes` holds codes, one of another type floats. The difference
    and the product are each rounded to f32 (f64 where scale or result is), then the product to the
    result's type. NaN and infinity propagate; nothing traps.

    On single elements, all operands scalars and without blocks, it is what the body of a
    `linalg.generic` computes: the form that `graph-normalize` gives it.

    ```mlir
    func.func @weights(%q: tensor<8x64xi8>, %s: tensor<8x2xf16>, %z: tensor<8x2xi8>) -> tensor<8x64xf32> {
      %w = graph.dequantize %q scale %s zero %z {format = "uint4", block = [1, 32]}
           : (tensor<8x64xi8>, tensor<8x2xf16>, tensor<8x2xi8>) -> tensor<8x64xf32>
      return %w : tensor<8x64xf32>
    }
    ```
    Constraints:
    1. `format` names a format of at most 8 bits and of one number per code;
    2. `codes` are integers of at least its bits, or the float type of the same numbers;
    3. scales are floats, zero points floats or of the type of `codes`, results floats;
    4. the result has the shape of `codes`, and is a scalar where they are, as are scales and zero
       points;
    5. `block` has a number of at least 0 for each dimension (none of scalars), and scales and zero points have an
       element for each block.
  }];
  let arguments = (ins Graph_TensorOrScalar:$codes, Graph_TensorOrScalar:$scale,
                       Optional<Graph_TensorOrScalar>:$zero, StrAttr:$format,
                       OptionalAttr<I64ArrayAttr>:$block);
  let results = (outs Graph_TensorOrScalar:$result);
  let assemblyFormat = [{
    $codes `scale` $scale (`zero` $zero^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// How many elements share a scale along each dimension; 0 for all of them.
    ::llvm::SmallVector<int64_t> getBlockSizes();
  }];
  let hasVerifier = 1;
}

def Graph_QuantizeOp : Graph_Op<"quantize", [
    Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "the codes nearest to numbers, by scales and zero points";
  let description = [{
    codes[i..] = code of values[i..] / scale[b..] + zero[b..], b = i / block, rounded down. `format`,
    `block`, and what `scale` and `zero` hold, are as for `graph.dequantize`.

    The quotient is rounded to `precision` (by default f32, f64 where values or scales are), to which
    `values` and `scale` are rounded before. Then:
    * in formats of consecutive integers, a zero point of codes is added after the quotient was
      rounded to an integer, ties to even, as ONNX does;
    * any other zero point is added before, and the sum rounded to f32 (or f64);
    * the code is that of the nearest number, ties as docs/formats.md says for the format;
    * beyond the last number it is that of the last one, also for infinities. With `special`, floats
      have there what `Overflow::Special` of docs/formats.md says: an infinity, else a NaN;
    * NaN becomes the NaN of the format, its sign kept or not. Without any it becomes the code
      nearest to 0, whatever the zero point. So does 0 / 0 where a scale is 0; nothing traps.

    Integers hold codes of signed integer formats sign-extended and all others zero-extended.

    ```mlir
    func.func @codes(%x: tensor<8x64xf32>, %s: tensor<1x1xf32>, %z: tensor<1x1xi8>) -> tensor<8x64xi8> {
      %q = graph.quantize %x scale %s zero %z {format = "uint8"}
           : (tensor<8x64xf32>, tensor<1x1xf32>, tensor<1x1xi8>) -> tensor<8x64xi8>
      return %q : tensor<8x64xi8>
    }
    ```
    Constraints: 1. to 5. of `graph.dequantize`, the result being the codes and `values` floats;
    6. `precision` is a float type.
  }];
  let arguments = (ins Graph_TensorOrScalar:$values, Graph_TensorOrScalar:$scale,
                       Optional<Graph_TensorOrScalar>:$zero, StrAttr:$format,
                       OptionalAttr<I64ArrayAttr>:$block, UnitAttr:$special,
                       OptionalAttr<TypeAttr>:$precision);
  let results = (outs Graph_TensorOrScalar:$codes);
  let assemblyFormat = [{
    $values `scale` $scale (`zero` $zero^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// How many elements share a scale along each dimension; 0 for all of them.
    ::llvm::SmallVector<int64_t> getBlockSizes();
  }];
  let hasVerifier = 1;
}

#endif // SECTILE_GRAPH_NUMBERS_TD
