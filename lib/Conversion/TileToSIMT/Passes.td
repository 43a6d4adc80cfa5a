//===- Passes.td - tile kernels to programs of threads -----*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_TILETOSIMT_PASSES_TD
#define SECTILE_CONVERSION_TILETOSIMT_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileToSIMTPass : Pass<"tile-to-simt", "::mlir::ModuleOp"> {
  let summary = "Lower tile kernels to the program of one thread";
  let description = [{
    Each `tile.kernel @k` becomes a `gpu.func @k` in a `gpu.module` named for its device
    (`kernels.sm_80`), for blocks of `known_block_size` threads. A tile becomes a vector of the
    registers that its layout gives a thread; f16 and bf16 are f32 in registers. Arguments are, in
    order, the address of each view (in global memory) followed by its dynamic extents and strides,
    and index arguments, all of 64 bits; a kernel with checks has behind them the address of five
    zeroes, of which the first becomes the number of a check that fails (an index into
    `sectile.failures`, from 1) and the others its values. Blocks are numbered along x, the
    grid's last dimension fastest.

    Accesses are as wide as layout, addresses and masks allow; masked elements and those outside of
    a layout's tile never touch memory. Layouts are converted by renaming, shuffles, or shared
    memory with the swizzle of fewest counted turns. Barriers stand where a thread might meet what
    another one wrote or will overwrite.

    Precondition: tile-assign-layouts was run; arguments are aligned as `alignment` and the
    attribute `tile.alignment` of each argument say. Postcondition: no tile op is left.
    `simt-expand-math` follows. An op that has no lowering is an error that names it, the device
    and the reason.

    ```mlir
    #layout = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
    tile.kernel @copy(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>)
        attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
      %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32, #layout>
      tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32, #layout>, !tile.view<64xf32>
      tile.return
    }
    ```
    becomes
    ```mlir
    gpu.module @kernels.sm_80 attributes {tile.target = "sm_80"} {
      gpu.func @copy(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) kernel
          attributes {known_block_size = array<i32: 32, 1, 1>} {
        %id = gpu.thread_id x
        %thread = arith.index_castui %id : index to i64
        %c32 = arith.constant 32 : i64
        %lane = arith.remui %thread, %c32 : i64
        %c2 = arith.constant 2 : i64
        %n = arith.muli %lane, %c2 : i64
        %from = llvm.getelementptr %x[%n] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
        %v = llvm.load %from {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xf32>
        %to = llvm.getelementptr %y[%n] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
        llvm.store %v, %to {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
        gpu.return
      }
    }
    ```
  }];
  let options = [
    Option<"floatMode", "fp", "std::string", "\"default\"",
           "strict (no contraction, every intermediate rounded), default or fast">,
    Option<"argumentAlignment", "alignment", "int64_t", "16",
           "bytes that addresses of arguments are multiples of, where nothing else is said">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::NVVM::NVVMDialect", "::mlir::ROCDL::ROCDLDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

def SIMTExpandMathPass : Pass<"simt-expand-math", "::mlir::ModuleOp"> {
  let summary = "Replace functions of math by arithmetic, for GPUs";
  let description = [{
    As `cpu-expand-math`, by the same formulas with the same bounds (MathFunctions.h), for machines
    with fused multiply-add: no call of a vendor's library remains.

    Precondition: vectors have one dimension; f16 and bf16 were widened. Postcondition: the math
    ops left have instructions. `simt-to-nvvm` follows.

    ```mlir
    func.func @f(%x: vector<4xf32>) -> vector<4xf32> {
      %y = math.rsqrt %x : vector<4xf32>
      return %y : vector<4xf32>
    }
    ```
    becomes
    ```mlir
    func.func @f(%x: vector<4xf32>) -> vector<4xf32> {
      %root = math.sqrt %x : vector<4xf32>
      %one = arith.constant dense<1.0> : vector<4xf32>
      %y = arith.divf %one, %root : vector<4xf32>
      return %y : vector<4xf32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

#endif // SECTILE_CONVERSION_TILETOSIMT_PASSES_TD
