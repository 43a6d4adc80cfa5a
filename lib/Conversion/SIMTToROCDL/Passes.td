//===- Passes.td - programs of threads for AMD --------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_SIMTTOROCDL_PASSES_TD
#define SECTILE_CONVERSION_SIMTTOROCDL_PASSES_TD

include "mlir/Pass/PassBase.td"

def SIMTToROCDLPass : Pass<"simt-to-rocdl", "::mlir::ModuleOp"> {
  let summary = "Lower programs of threads to the LLVM and ROCDL dialects";
  let description = [{
    What `tile-to-simt` and `simt-expand-math` leave becomes functions of the LLVM dialect with
    `rocdl.kernel`, the size of a block and the processor, in the module itself: the form that the
    emulator executes and that is translated to LLVM IR and a code object. A shuffle of constant
    distance is data-parallel (`update.dpp`) where that reaches it, `ds_swizzle` within 32 lanes,
    and `ds_bpermute` else.

    Precondition: one `gpu.module` of a target of AMD, which its attribute `tile.target` names.
    Postcondition: LLVM and ROCDL ops only.

    ```mlir
    gpu.module @kernels.gfx942 attributes {tile.target = "gfx942"} {
      gpu.func @sum(%x: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
        %v = llvm.load %x : !llvm.ptr<1> -> i32
        %width = arith.constant 64 : i32
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
    llvm.func @sum(%x: !llvm.ptr<1>)
        attributes {rocdl.flat_work_group_size = "64,64", rocdl.kernel,
                    rocdl.reqd_work_group_size = array<i32: 64, 1, 1>, target_cpu = "gfx942"} {
      %v = llvm.load %x : !llvm.ptr<1> -> i32
      %undefined = llvm.mlir.poison : i32
      %other = rocdl.update.dpp %undefined, %v with 177, 15, 15, true : i32
      %sum = llvm.add %v, %other : i32
      rocdl.barrier
      llvm.store %sum, %x : i32, !llvm.ptr<1>
      llvm.return
    }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::ROCDL::ROCDLDialect"];
}

#endif // SECTILE_CONVERSION_SIMTTOROCDL_PASSES_TD
