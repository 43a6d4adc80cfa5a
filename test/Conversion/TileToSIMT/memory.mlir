// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}),tile-to-simt,cse)' --split-input-file | FileCheck %s

// Four neighbours are one access where the address says that they are aligned: every row is a
// multiple of 16 bytes. Names of nodes stay where they were.
// CHECK-LABEL: gpu.module @kernels.sm_80
// CHECK: gpu.func @wide(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %{{.*}}: i64) kernel attributes {known_block_size = array<i32: 32, 1, 1>}
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-NOT: gpu.barrier
// CHECK: llvm.store {{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
tile.kernel @wide(%x: !tile.view<8x128xf32>, %y: !tile.view<?x128xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (3, t0)>[] : !tile.view<8x128xf32> -> tensor<128xf32>
  tile.store %t, %y at affine_map<(t0) -> (3, t0)>[] : tensor<128xf32>, !tile.view<?x128xf32>
  tile.return
}

// -----

// Nothing is known of rows of 127, nor of an argument that says so.
// CHECK-LABEL: gpu.func @narrow
// CHECK-NOT: vector<4xf32>, !llvm.ptr
// CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
tile.kernel @narrow(%x: !tile.view<8x127xf32>, %y: !tile.view<128xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (3, t0 floordiv 2)>[] : !tile.view<8x127xf32> -> tensor<128xf32>
  tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<128xf32>, !tile.view<128xf32>
  tile.return
}

// -----

// CHECK-LABEL: gpu.func @unaligned
// CHECK: llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xf32>
tile.kernel @unaligned(%x: !tile.view<128xf32> {tile.alignment = 8}, %y: !tile.view<128xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<128xf32> -> tensor<128xf32>
  tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<128xf32>, !tile.view<128xf32>
  tile.return
}

// -----

// What other threads read of an argument, a result in its place may not overwrite before.
// CHECK-LABEL: gpu.func @in_place
// CHECK: llvm.load
// CHECK: gpu.barrier
// CHECK: llvm.store
tile.kernel @in_place(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (-t0 + 63)>[] : !tile.view<64xf32> -> tensor<64xf32>
  tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.return
}

// -----

// Memory of the block: written by all threads, then read by all, then written again.
// CHECK-LABEL: llvm.mlir.global internal @block.alloc0() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<256 x i8>
// CHECK: gpu.func @block
// CHECK: llvm.store %{{.*}} !llvm.ptr<3>
// CHECK: gpu.barrier
// CHECK: llvm.load {{.*}} !llvm.ptr<3>
// CHECK: gpu.barrier
// CHECK: llvm.store %{{.*}} !llvm.ptr<3>
tile.kernel @block(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
  %m = tile.alloc [] : !tile.view<64xf32>
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32>
  tile.store %t, %m at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  %u = tile.load %m at affine_map<(t0) -> (-t0 + 63)>[] : !tile.view<64xf32> -> tensor<64xf32>
  tile.store %u, %m at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.store %u, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.return
}
