//===- Passes.td - programs of threads for NVIDIA ----------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_SIMTTONVVM_PASSES_TD
#define SECTILE_CONVERSION_SIMTTONVVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def SIMTToNVVMPass : Pass<"simt-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "Lower programs of threads to the LLVM and NVVM dialects";
  let description = [{
    What `tile-to-simt` and `simt-expand-math` leave becomes functions of the LLVM dialect with
    `nvvm.kernel` and `nvvm.reqntid`, in the module itself: the form that the emulator executes
    and that is translated to LLVM IR and PTX. Shuffles take part with all lanes of a warp.

    Precondition: one `gpu.module`. Postcondition: LLVM and NVVM ops only.

    ```mlir
    gpu.module @kernels.sm_80 {
      gpu.func @sum(%x: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
        %v = llvm.load %x : !llvm.ptr<1> -> i32
        %width = arith.constant 32 : i32
        %one = arith.constant 1 : i32
        %other, %valid = gpu.shuffle xor %v, %one, %width : i32
        %sum = arith.addi %v, %other : i32
        gpu.barrier
        llvm.store %sum, %x : i32, !llvm.ptr<1>
        gpu.return
      }
    }
    ```
    becomes
    ```mlir
    llvm.func @sum(%x: !llvm.ptr<1>) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 32, 1, 1>} {
      %v = llvm.load %x : !llvm.ptr<1> -> i32
      %one = llvm.mlir.constant(1 : i32) : i32
      %all = llvm.mlir.constant(-1 : i32) : i32
      %last = llvm.mlir.constant(31 : i32) : i32
      %other = nvvm.shfl.sync bfly %all, %v, %one, %last : i32 -> i32
      %sum = llvm.add %v, %other : i32
      nvvm.barrier0
      llvm.store %sum, %x : i32, !llvm.ptr<1>
      llvm.return
    }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

#endif // SECTILE_CONVERSION_SIMTTONVVM_PASSES_TD
