// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}),tile-to-simt,cse)' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80 fp=strict}),tile-to-simt{fp=strict},cse)' --split-input-file | FileCheck %s --check-prefix=STRICT

// Two warps along m and n; each has 2 x 2 instructions for 16 values of k, twice.
// CHECK-LABEL: gpu.func @halves
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<row>, num = 4 : i32
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, num = 4 : i32
// CHECK-COUNT-16: nvvm.mma.sync A[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}]  B[%{{.*}}, %{{.*}}]  C[{{.*}}] {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>{{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>} : (vector<2xf16>, vector<2xf16>, f32)
// CHECK-NOT: nvvm.mma.sync
// STRICT-LABEL: gpu.func @halves
// STRICT-NOT: nvvm.mma.sync
tile.kernel @halves(%a: !tile.view<64x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<64x32xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 2}> {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<64x32xf16> -> tensor<64x32xf16>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %z = arith.constant dense<0.0> : tensor<64x32xf32>
  %d = tile.dot %x, %y, %z : tensor<64x32xf16>, tensor<32x32xf16> -> tensor<64x32xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x32xf32>, !tile.view<64x32xf32>
  tile.return
}

// -----

// Integers have one result in any order; signed by unsigned has no instruction.
// CHECK-LABEL: gpu.func @bytes
// CHECK: nvvm.mma.sync {{.*}}intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>{{.*}}multiplicandAPtxType = #nvvm.mma_type<u8>, multiplicandBPtxType = #nvvm.mma_type<s8>, shape = #nvvm.shape<m = 16, n = 8, k = 32>
// STRICT-LABEL: gpu.func @bytes
// STRICT: nvvm.mma.sync
tile.kernel @bytes(%a: !tile.view<16x32xi8>, %b: !tile.view<32x8xi8>, %c: !tile.view<16x8xi32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x32xi8> -> tensor<16x32xi8>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x8xi8> -> tensor<32x8xi8>
  %z = arith.constant dense<0> : tensor<16x8xi32>
  %d = tile.dot %x, %y, %z {unsigned_lhs} : tensor<16x32xi8>, tensor<32x8xi8> -> tensor<16x8xi32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x8xi32>, !tile.view<16x8xi32>
  tile.return
}

// -----

// One row would throw 15 of 16 away.
// CHECK-LABEL: gpu.func @row
// CHECK-NOT: nvvm.mma.sync
// CHECK: math.fma
tile.kernel @row(%a: !tile.view<1x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<1x32xf32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<1x32xf16> -> tensor<1x32xf16>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %z = arith.constant dense<0.0> : tensor<1x32xf32>
  %d = tile.dot %x, %y, %z : tensor<1x32xf16>, tensor<32x32xf16> -> tensor<1x32xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x32xf32>, !tile.view<1x32xf32>
  tile.return
}
