// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}),tile-to-simt,simt-expand-math,simt-to-nvvm)' --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s

// The name of a node is with each instruction that was made of it.

// CHECK: llvm.intr.fma{{.*}} loc("softmax/exp")
tile.kernel @k(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32>
  %e = math.exp %t : tensor<64xf32> loc("softmax/exp")
  tile.store %e, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.return
}
