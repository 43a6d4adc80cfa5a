// RUN: sectile-opt %s --simt-to-rocdl --split-input-file | FileCheck %s

// What marks a kernel, and how lanes of a wavefront of 64 exchange numbers.
// CHECK-LABEL: llvm.func @wide(
// CHECK-SAME: rocdl.flat_work_group_size = "128,128", rocdl.kernel, rocdl.reqd_work_group_size = array<i32: 128, 1, 1>, target_cpu = "gfx942"
gpu.module @kernels.gfx942 attributes {tile.target = "gfx942"} {
  gpu.func @wide(%x: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    // CHECK: rocdl.workgroup.id.x
    %b = gpu.block_id x
    %bits = arith.index_castui %b : index to i32
    %width = arith.constant 64 : i32
    %c2 = arith.constant 2 : i32
    %c4 = arith.constant 4 : i32
    %c8 = arith.constant 8 : i32
    %c16 = arith.constant 16 : i32
    %c32 = arith.constant 32 : i32
    // Neighbours of four, and halves of rows of 16, by moves of data; 4 and 16 through the LDS's
    // crossbar; halves of the wavefront by addresses.
    // CHECK: rocdl.update.dpp %{{.*}}, %{{.*}} with 78, 15, 15, true : i32
    %r2, %v2 = gpu.shuffle xor %bits, %c2, %width : i32
    // CHECK: %[[FOUR:.*]] = llvm.mlir.constant(4127 : i32) : i32
    // CHECK: rocdl.ds_swizzle %{{.*}}, %[[FOUR]]
    %r4, %v4 = gpu.shuffle xor %r2, %c4, %width : i32
    // CHECK: rocdl.update.dpp %{{.*}}, %{{.*}} with 296, 15, 15, true : i32
    %r8, %v8 = gpu.shuffle xor %r4, %c8, %width : i32
    // CHECK: %[[SIXTEEN:.*]] = llvm.mlir.constant(16415 : i32) : i32
    // CHECK: rocdl.ds_swizzle %{{.*}}, %[[SIXTEEN]]
    %r16, %v16 = gpu.shuffle xor %r8, %c16, %width : i32
    // CHECK: rocdl.workitem.id.x
    // CHECK: rocdl.ds_bpermute
    %r32, %v32 = gpu.shuffle xor %r16, %c32, %width : i32
    // CHECK: llvm.shl
    // CHECK: rocdl.ds_bpermute
    %ri, %vi = gpu.shuffle idx %r32, %bits, %width : i32
    // CHECK: rocdl.barrier
    gpu.barrier
    llvm.store %ri, %x : i32, !llvm.ptr<1>
    gpu.return
  }
}
