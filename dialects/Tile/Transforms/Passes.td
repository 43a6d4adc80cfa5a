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

def TileStageOperandsPass : Pass<"tile-stage-operands", "::sectile::tile::KernelOp"> {
  let summary = "keep operands of products in shared memory";
  let description = [{
    Runs on kernels that `tile-assign-layouts` has given layouts. Where elementwise ops compute both
    operands of a product in a loop from loads of arguments, what each load reads goes to a
    `tile.alloc` of its own, by stores with `tile.async` in the layout that copies best, and the product
    is cut along k into steps of one matrix instruction, or of four values for multiply-adds. Every warp
    loads what a step needs from there and does the elementwise ops (casts, `tile.dequantize`, masks,
    arithmetic) on that, in the layout that the product reads: codes stay codes until then. Loads of
    which several elements of the tile have the same, such as scales of groups, are not copied: threads
    read them where they are. Packed codes in the order of a matrix instruction (`#tile.memory`) are
    copied by words, to an alloc of the same order, if a step takes whole runs of them. `tile.placement` of the alloc is the layout of memory, of those with any
    swizzle and with 16 bytes or none behind each row, that takes fewest turns of shared memory for both,
    by count.

    An operand stays as it is, with a remark that says why, if something else than elementwise ops
    computes it, if it takes long to compute (functions of math, divisions) and several threads need each
    element, or if a load of it is gathered, masked with something else than zero, written by the loop, or
    has no 4 bytes that are neighbours in memory; then so does the other one. On devices without
    asynchronous copies (AMD's) all of them do. `tile-pipeline` follows.

    Postcondition: the same program; copies are followed by a group of their own and a wait for it.

    ```mlir
    #a = #tile.layout<[16, 16], register = [8:d1], lane = [2:d1*8, 16:d0]>
    #b = #tile.layout<[16, 8], register = [4:d1], lane = [2:d1*4, 16:d0]>
    #c = #tile.layout<[16, 8], register = [2:d1, 2:d0*8], lane = [4:d1*2, 8:d0]>
    tile.kernel @product(%a: !tile.view<16x64xf16>, %b: !tile.view<64x8xf16>, %c: !tile.view<16x8xf32>)
        attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
      %c0 = arith.constant 0 : index
      %c16 = arith.constant 16 : index
      %c64 = arith.constant 64 : index
      %zero = arith.constant dense<0.0> : tensor<16x8xf32, #c>
      %sum = scf.for %k = %c0 to %c64 step %c16 iter_args(%acc = %zero) -> tensor<16x8xf32, #c> {
        %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
             : !tile.view<16x64xf16> -> tensor<16x16xf16, #a>
        %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
             : !tile.view<64x8xf16> -> tensor<16x8xf16, #b>
        %d = tile.dot %x, %y, %acc {tile.instruction = "mma.m16n8k16.f16"}
             : tensor<16x16xf16, #a>, tensor<16x8xf16, #b> -> tensor<16x8xf32, #c>
        scf.yield %d : tensor<16x8xf32, #c>
      }
      tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x8xf32, #c>, !tile.view<16x8xf32>
      tile.return
    }
    ```
    becomes a loop that stores both tiles, waits and loads them again.
  }];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

def TilePipelinePass : Pass<"tile-pipeline", "::sectile::tile::KernelOp"> {
  let summary = "copy operands for later iterations while this one computes";
  let description = [{
    A loop whose body copies tiles to shared memory, and waits for each group of copies, gets several
    buffers for each of these tiles, as a first dimension of its `tile.alloc`, and copies for the
    iteration that lies `stages` - 1 ahead. The first ones are copied before the loop. Copies for
    iterations that do not exist are masked, so that each iteration has its groups and each wait lets
    as many of them pend.

    The choice `stages` of the kernel's schedule, 1 to 4, says how many buffers; else they are as many
    as hide a copy's latency behind the products of an iteration, by the device's published rates, as
    fit half of a core's shared memory, and as there are iterations. A loop stays as it is if its step
    is no constant, if where it copies from depends on what it computes, or if the memory that it
    copies to has no `tile.placement` or is used by anything but loads of the loop. Runs after
    `tile-stage-operands`, before `tile-to-simt`.

    Postcondition: the same program.

    ```mlir
    #row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
    tile.kernel @rows(%x: !tile.view<8x64xf32>, %y: !tile.view<8x64xf32>)
        attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
      %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      scf.for %i = %c0 to %c8 step %c1 {
        %t = tile.load %x at affine_map<(t)[i] -> (i, t)>[%i] : !tile.view<8x64xf32> -> tensor<64xf32, #row>
        tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
        tile.commit_copies
        tile.wait_copies 0
        %u = tile.load %m at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
        tile.store %u, %y at affine_map<(t)[i] -> (i, t)>[%i] : tensor<64xf32, #row>, !tile.view<8x64xf32>
      }
      tile.return
    }
    ```
    becomes a loop with `tile.wait_copies` of several groups and a memory of several rows.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::sectile::tile::TileDialect"];
}

def TileAllocateSharedPass : Pass<"tile-allocate-shared", "::sectile::tile::KernelOp"> {
  let summary = "say where in shared memory each alloc lies";
  let description = [{
    Each `tile.alloc` of known size gets `tile.offset`, the byte of the block's shared memory that it
    begins at, a multiple of 128. Allocs that are never needed together, where a loop or branch of
    the kernel's body counts as one op and a copy lasts until a wait for all, may have the same bytes.
    If the device has fewer than are needed, that is an error that names the kernel, the device and
    the bytes. `tile-to-simt` follows.

    ```mlir
    #row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
    tile.kernel @twice(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>)
        attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
      %a = tile.alloc [] : !tile.view<64xf32>
      %b = tile.alloc [] : !tile.view<64xf32>
      %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
      tile.store %t, %a at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
      %u = tile.load %a at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
      tile.store %u, %b at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
      %v = tile.load %b at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
      tile.store %v, %y at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
      tile.return
    }
    ```
    becomes a kernel whose two allocs begin at one byte.
  }];
  let dependentDialects = ["::sectile::tile::TileDialect"];
}

def TileMultiplyCodesPass : Pass<"tile-multiply-codes", "::sectile::tile::KernelOp"> {
  let summary = "multiply codes as integers where both sides of a product are codes";
  let description = [{
    A loop that sums products of dequantized numbers, 8-bit integers on the left and packed codes on
    the right, becomes sums of integers: for each group of steps that share their scales, `tile.dot`
    multiplies the codes, 32 steps at once, and the sum is scaled. It has to be known that the numbers
    of the right format are a linear function of its codes (integers, with a bias or a zero point of
    codes, bipolar ones, fixed point): what its codes are off by is the same for a row, so that the
    sum of a row's codes makes up for it. Sums of integers are exact; scales are applied once for each
    group, so that it does not run where floats are strict.

    Stays as it is: groups that do not begin at whole words of packed codes, or of more than 8192
    steps; formats that are not linear, and other than integers with zero points; zero points that
    are floats; rows with a zero point or a fraction; scales in f64; codes that are not packed. What
    the last, shorter group leaves beyond whole products is summed as before. `tile-factor-scales`
    follows.

    ```mlir
    #codes = #tile.memory<(d0, d1) -> (d0, d1), bits = 4 along 0>
    tile.kernel @product(%p: !tile.view<1x64xi8>, %t: !tile.view<1x2xf32>,
                         %q: !tile.view<64x16xi8, #codes>, %s: !tile.view<2x16xf32>,
                         %y: !tile.view<1x16xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c64 = arith.constant 64 : index
      %zero = arith.constant dense<0.0> : tensor<1x16xf32>
      %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %zero) -> tensor<1x16xf32> {
        %a = tile.load %p at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
             : !tile.view<1x64xi8> -> tensor<1x1xi8>
        %b = tile.load %t at affine_map<(t0, t1)[k] -> (t0, k floordiv 32)>[%k]
             : !tile.view<1x2xf32> -> tensor<1x1xf32>
        %x = tile.dequantize %a scale %b {format = "int8"}
             : (tensor<1x1xi8>, tensor<1x1xf32>) -> tensor<1x1xf32>
        %c = tile.load %q at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
             : !tile.view<64x16xi8, #codes> -> tensor<1x16xi8>
        %d = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k]
             : !tile.view<2x16xf32> -> tensor<1x16xf32>
        %w = tile.dequantize %c scale %d {format = "int4"}
             : (tensor<1x16xi8>, tensor<1x16xf32>) -> tensor<1x16xf32>
        %e = tile.dot %x, %w, %acc : tensor<1x1xf32>, tensor<1x16xf32> -> tensor<1x16xf32>
        scf.yield %e : tensor<1x16xf32>
      }
      tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[]
          : tensor<1x16xf32>, !tile.view<1x16xf32>
      tile.return
    }
    ```
    becomes a loop to 64 in steps of 32 around one product of bytes.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileFactorScalesPass : Pass<"tile-factor-scales", "::sectile::tile::KernelOp"> {
  let summary = "sum products with codes before their scale is applied";
  let description = [{
    A loop that sums products with dequantized numbers multiplies each number with its scale. Where
    the scale is the same for a group of steps, or for all, the group's products with the codes'
    numbers are summed first, and the sum is multiplied: one multiplication for each group. It takes
    accumulators for both sums: a loop is rewritten if those, a row of numbers and two more fit the
    registers, which they do for products of few rows. Numbers of the format must be finite and at
    most 2^16 in magnitude, so that sums without their scale stay in range; groups must begin at
    whole words of packed codes. It reassociates sums, so it does not run where floats are strict.

    What remains is a loop over groups, one inside it over the steps of a group, and what the last,
    shorter group has left. `tile-unroll-codes` follows.

    A product of several steps whose right side has one scale for each column, the same for all of its
    steps, becomes one with the codes' numbers whose sums are scaled, where it has fewer rows than steps
    and its right side's type has those numbers exactly.

    ```mlir
    tile.kernel @product(%x: !tile.view<1x64xf32>, %q: !tile.view<64x16xi8>,
                         %s: !tile.view<2x16xf32>, %y: !tile.view<16xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c64 = arith.constant 64 : index
      %zero = arith.constant dense<0.0> : tensor<1x16xf32>
      %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %zero) -> tensor<1x16xf32> {
        %a = tile.load %x at affine_map<(t0, t1)[k] -> (0, k)>[%k]
             : !tile.view<1x64xf32> -> tensor<1x1xf32>
        %b = tile.load %q at affine_map<(t0, t1)[k] -> (k, t1)>[%k]
             : !tile.view<64x16xi8> -> tensor<1x16xi8>
        %c = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k]
             : !tile.view<2x16xf32> -> tensor<1x16xf32>
        %w = tile.dequantize %b scale %c {format = "int4"}
             : (tensor<1x16xi8>, tensor<1x16xf32>) -> tensor<1x16xf32>
        %d = tile.dot %a, %w, %acc : tensor<1x1xf32>, tensor<1x16xf32> -> tensor<1x16xf32>
        scf.yield %d : tensor<1x16xf32>
      }
      %r = tile.reshape %sum : tensor<1x16xf32> -> tensor<16xf32>
      tile.store %r, %y at affine_map<(t) -> (t)>[] : tensor<16xf32>, !tile.view<16xf32>
      tile.return
    }
    ```
    becomes a loop to 64 in steps of 32 around one to 32.
  }];
  let options = [Option<"lanes", "lanes", "int64_t", "16", "lanes of a vector of 32-bit elements">,
                 Option<"registers", "registers", "int64_t", "32", "vector registers">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileUnrollCodesPass : Pass<"tile-unroll-codes", "::sectile::tile::KernelOp"> {
  let summary = "write loops over packed codes a word's worth at a time";
  let description = [{
    Loads of packed codes (`bits` of `#tile.memory`) shift words by the bit that a code begins at.
    A loop that steps along the codes comes to the same bit again after as many iterations as fill
    whole words: 8 for codes of 4 bits, 32 for odd widths. Those are written one after the other,
    and what the loop leaves of them behind it: every shift is then a constant, and neighbouring
    steps share the words that they load. Runs after `tile-prefetch`, which looks at loops as
    `graph-to-tile` wrote them, and before `tile-to-cpu`.

    Loops of known bounds around products of 16-bit integers are written two steps at a time:
    `tile-to-cpu` makes one instruction of two such products.

    Postcondition: the same program; loops of known bounds in which a load reads packed codes along
    the counter step by whole words.

    ```mlir
    #codes = #tile.memory<(d0, d1) -> (d0, d1), bits = 8 along 0>
    tile.kernel @sum(%q: !tile.view<7x8xi16, #codes>, %y: !tile.view<8xi16>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c7 = arith.constant 7 : index
      %zero = arith.constant dense<0> : tensor<8xi16>
      %sum = scf.for %k = %c0 to %c7 step %c1 iter_args(%acc = %zero) -> tensor<8xi16> {
        %x = tile.load %q at affine_map<(t)[k] -> (k, t)>[%k]
             : !tile.view<7x8xi16, #codes> -> tensor<8xi16>
        %s = arith.addi %acc, %x : tensor<8xi16>
        scf.yield %s : tensor<8xi16>
      }
      tile.store %sum, %y at affine_map<(t) -> (t)>[] : tensor<8xi16>, !tile.view<8xi16>
      tile.return
    }
    ```
    becomes a loop to 4 in steps of 4 with four loads, and loads of rows 4 to 6.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect"];
}

#endif // SECTILE_TILE_TRANSFORMS_PASSES_TD
