// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_90a},tile-stage-operands,tile-pipeline,tile-allocate-shared),tile-to-simt)' --split-input-file -verify-diagnostics | FileCheck %s

// Copies are fenced for the products' reads before the barrier; sums go on through the loop, and
// are used behind the last wait.
// CHECK: llvm.mlir.global internal @product.memory() {{.*}}alignment = 1024
// CHECK: gpu.func @product
// CHECK: scf.for
// CHECK: nvvm.cp.async.wait.group 0
// CHECK-NEXT: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// CHECK: gpu.barrier
// CHECK: nvvm.wgmma.fence.aligned
// CHECK-COUNT-2: nvvm.wgmma.mma_async {{.*}} <m = 64, n = 64, k = 16>, D[<f32>, <one>], A[<bf16>, <one>, <row>], B[<bf16>, <one>, <row>]
// CHECK-NOT: nvvm.wgmma.mma_async
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK: nvvm.wgmma.wait.group.sync.aligned 1
// CHECK: scf.yield
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// CHECK: llvm.inline_asm has_side_effects "", "=f,=f
tile.kernel @product(%a: !tile.view<64x256xbf16>, %b: !tile.view<256x64xbf16>, %c: !tile.view<64x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 3, warps = 4}> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c256 = arith.constant 256 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c256 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x256xbf16> -> tensor<64x32xbf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<256x64xbf16> -> tensor<32x64xbf16>
    %d = tile.dot %x, %y, %acc : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}
