//===- TileNumbers.td - numbers of any width ---------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_NUMBERS_TD
#define SECTILE_TILE_NUMBERS_TD

//===----------------------------------------------------------------------===//
// Numbers of any width
//===----------------------------------------------------------------------===//

def Tile_ConvertOp : Tile_Op<"convert", [Pure]> {
  let summary = "codes to numbers, numbers to codes, codes to other codes";
  let description = [{
    Element by element. With `from`, `source` holds codes of that format, else floats; with `to`,
    the result holds codes of that format, else floats. Formats are texts of docs/formats.md.

    A code is the low bits of an integer, or an element of the float type of the same format.
    Integers beyond the last code (ternary, codebooks) stand for the last. A code's number is rounded
    to f32 (as for `graph.dequantize`), and then to a float result's type.

    A number becomes the code of the nearest one, ties as docs/formats.md says, in a single
    rounding. Beyond the last number it is the code of the last one, also for infinities; with
    `special`, floats have an infinity there, else a NaN. NaN becomes the NaN of the format; without
    any it becomes the code nearest to 0. Integers hold codes of signed integer formats
    sign-extended and all others zero-extended. `arith.extf` and `arith.truncf` are the same for the
    types that MLIR has, but say nothing of the others.

    ```mlir
    func.func @recode(%q: tensor<4x16xi4>) -> tensor<4x16xi8> {
      %r = tile.convert %q {from = "e2m1", to = "e4m3fn"} : tensor<4x16xi4> -> tensor<4x16xi8>
      return %r : tensor<4x16xi8>
    }
    ```
    Constraints:
    1. there is a format on at least one side, of at most 8 bits and of one number per code;
    2. codes are integers of at least its bits, or the float type of the same numbers; what are no
       codes are floats;
    3. shapes are equal.
  }];
  let arguments = (ins Tile_TileOrScalar:$source, OptionalAttr<StrAttr>:$from,
                       OptionalAttr<StrAttr>:$to, UnitAttr:$special);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_DequantizeOp : Tile_Op<"dequantize", [Pure]> {
  let summary = "the numbers that codes, scales and zero points stand for";
  let description = [{
    result = (number of codes - zero) * scale, element by element. `scale` and `zero` are scalars, or
    tiles whose extents are those of `codes` or 1: which block an element belongs to is said by
    the loads. `format` and all roundings are those of `graph.dequantize`.

    ```mlir
    func.func @weights(%q: tensor<4x64xi8>, %s: tensor<4x1xf32>) -> tensor<4x64xf32> {
      %w = tile.dequantize %q scale %s {format = "uint4-8"}
           : (tensor<4x64xi8>, tensor<4x1xf32>) -> tensor<4x64xf32>
      return %w : tensor<4x64xf32>
    }
    ```
    Constraints:
    1. `format` names a format of at most 8 bits and of one number per code;
    2. `codes` are integers of at least its bits, or the float type of the same numbers;
    3. scales are floats, zero points floats or of the type of `codes`, results floats;
    4. the result has the shape of `codes`, scales and zero points as said above.
  }];
  let arguments = (ins Tile_TileOrScalar:$codes, Tile_TileOrScalar:$scale,
                       Optional<Tile_TileOrScalar>:$zero, StrAttr:$format);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = [{
    $codes `scale` $scale (`zero` $zero^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_QuantizeOp : Tile_Op<"quantize", [Pure]> {
  let summary = "the codes nearest to numbers, by scales and zero points";
  let description = [{
    codes = code of `values` / `scale` + `zero`, element by element, with scales and zero points like
    those of `tile.dequantize`. `format`, `special`, `precision` and all roundings are those of
    `graph.quantize`.

    ```mlir
    func.func @codes(%x: tensor<4x64xf32>, %s: f32, %z: i8) -> tensor<4x64xi8> {
      %q = tile.quantize %x scale %s zero %z {format = "uint8"}
           : (tensor<4x64xf32>, f32, i8) -> tensor<4x64xi8>
      return %q : tensor<4x64xi8>
    }
    ```
    Constraints: 1. to 4. of `tile.dequantize`, the result being the codes and `values` floats;
    5. `precision` is a float type.
  }];
  let arguments = (ins Tile_TileOrScalar:$values, Tile_TileOrScalar:$scale,
                       Optional<Tile_TileOrScalar>:$zero, StrAttr:$format, UnitAttr:$special,
                       OptionalAttr<TypeAttr>:$precision);
  let results = (outs Tile_TileOrScalar:$codes);
  let assemblyFormat = [{
    $values `scale` $scale (`zero` $zero^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // SECTILE_TILE_NUMBERS_TD
