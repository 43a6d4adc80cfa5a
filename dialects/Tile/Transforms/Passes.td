//===- Passes.td - passes at the tile level -----------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_TRANSFORMS_PASSES_TD
#define SECTILE_TILE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def TilePrefetchPass : Pass<"tile-prefetch", "::sectile::tile::KernelOp"> {
  let summary = "ask for what loops read before they read it";
  let description = [{
    *Columns of products.* They pass through the innermost loop, a row of them in each iteration,
    and what does not stay in the first cache arrives as fast as the processor asks for it. Beside
    each such load stands, afterwards, a `tile.prefetch` of the row that lies `ahead` bytes further
    on, but not more than half of the loop, nor than what half of the ways of the first cache hold
    of rows that far apart. A load qualifies if its value reaches the right operand of a `tile.dot`
    in the same loop, if its rows are contiguous and at least a line long, if each iteration reads
    other rows, and if the loops that do not read the same again read more than `cached` bytes, or
    an unknown number. Measured on a Sapphire Rapids core, a product of 49 x 512 x 4608 whose
    columns come from the third cache: 12 to 22 % faster, with 2 to 16 KB ahead; one whose columns
    are in the second cache: 2 to 7 %.

    *Rows that several loops run over*, one after the other (a softmax: largest, sum, quotients).
    The processor sees the end of a row coming only when the first loop has reached it. The last
    loop over the row of an argument, read or written, asks for the next row, if a row of all of
    them is no more than `cached` bytes. Measured there: softmax 8 x 512 x 512 10 % faster, and
    another 20 % where divisions do not hide it.

    Postcondition: the same program with hints.

    ```mlir
    tile.kernel @product(%a: !tile.view<6x512xf32>, %b: !tile.view<512x64xf32>,
                         %c: !tile.view<6x64xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c512 = arith.constant 512 : index
      %zero = arith.constant dense<0.0> : tensor<6x64xf32>
      %sum = scf.for %k = %c0 to %c512 step %c1 iter_args(%acc = %zero) -> tensor<6x64xf32> {
        %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
             : !tile.view<6x512xf32> -> tensor<6x1xf32>
        %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
             : !tile.view<512x64xf32> -> tensor<1x64xf32>
        %s = tile.dot %x, %y, %acc : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
        scf.yield %s : tensor<6x64xf32>
      }
      tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[]
                 : tensor<6x64xf32>, !tile.view<6x64xf32>
      tile.return
    }
    ```
    becomes
    ```mlir
    tile.kernel @product(%a: !tile.view<6x512xf32>, %b: !tile.view<512x64xf32>,
                         %c: !tile.view<6x64xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c512 = arith.constant 512 : index
      %zero = arith.constant dense<0.0> : tensor<6x64xf32>
      %sum = scf.for %k = %c0 to %c512 step %c1 iter_args(%acc = %zero) -> tensor<6x64xf32> {
        %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
             : !tile.view<6x512xf32> -> tensor<6x1xf32>
        tile.prefetch [1, 64] of %b at affine_map<(t0, t1)[k] -> (t0 + k + 24, t1)>[%k]
             : !tile.view<512x64xf32>
        %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
             : !tile.view<512x64xf32> -> tensor<1x64xf32>
        %s = tile.dot %x, %y, %acc : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
        scf.yield %s : tensor<6x64xf32>
      }
      tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[]
                 : tensor<6x64xf32>, !tile.view<6x64xf32>
      tile.return
    }
    ```
  }];
  let options = [Option<"ahead", "ahead", "int64_t", "6144",
                        "bytes between what is read and what is asked for">,
                 Option<"cached", "cached", "int64_t", "24576",
                        "bytes that stay in the first cache">];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

def TileAssignLayoutsPass : Pass<"tile-assign-layouts", "::sectile::tile::KernelOp"> {
  let summary = "say which lane and register holds each element of each tile";
  let description = [{
    Every tile of the kernel gets a `#tile.layout`. Values that elementwise ops, loops and branches
    tie together share one: that of the product among them, or of the load or store of most bytes.
    A product takes the matrix instruction that wastes least, if the device has one for its types and
    rounding is not prescribed; its tiles are then made of that one's fragments, and `tile.instruction`
    names it. Any other accumulator is cut so that each thread reads fewest elements of both sides. A
    transfer's neighbouring lanes run along what is contiguous in memory, each with as many elements
    as it may move at once. From there layouts flow through reductions, broadcasts, transpositions
    and reshapes to values that have neither, and what remains is cut in row-major order. Where two
    layouts meet stands a `tile.convert_layout`: before an op that wants another one, and at a load
    or store that would otherwise move more than twice the sectors it has to, by count.

    The choice `warps` of the kernel's schedule says how many warps a block has; else each thread
    gets about 8 elements of the largest tile, in at most 8 warps. Afterwards `tile.warps` and
    `tile.target` of the kernel say what was assumed. Constants and coordinates are repeated for
    each of their users. Each decision leaves a remark. `tile-to-simt` usually follows.

    ```mlir
    tile.kernel @scale(%x: !tile.view<512xf32>, %y: !tile.view<512xf32>) {
      %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<512xf32> -> tensor<512xf32>
      %r = arith.addf %t, %t : tensor<512xf32>
      tile.store %r, %y at affine_map<(t) -> (t)>[] : tensor<512xf32>, !tile.view<512xf32>
      tile.return
    }
    ```
    becomes
    ```mlir
    #layout = #tile.layout<[512], register = [4:d0, 2:d0*256], lane = [32:d0*4], warp = [2:d0*128]>
    tile.kernel @scale(%x: !tile.view<512xf32>, %y: !tile.view<512xf32>)
        attributes {tile.target = "sm_80", tile.warps = 2 : i64} {
      %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<512xf32> -> tensor<512xf32, #layout>
      %r = arith.addf %t, %t : tensor<512xf32, #layout>
      tile.store %r, %y at affine_map<(t) -> (t)>[]
                 : tensor<512xf32, #layout>, !tile.view<512xf32>
      tile.return
    }
    ```
  }];
  let options = [Option<"target", "target", "std::string", "\"sm_80\"",
                        "device: sm_80, sm_86, sm_89 or sm_90a">,
                 Option<"floatMode", "fp", "std::string", "\"default\"",
                        "strict (no matrix instructions on floats), default or fast">];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

#endif // SECTILE_TILE_TRANSFORMS_PASSES_TD
