// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=sm_80 target=sm_80},builtin.module(canonicalize,cse))' | FileCheck %s

// What is computed of an operand is not zero where a masked load is: the product's side is masked
// itself, and the other side by its load.
// CHECK-LABEL: module @sm_80
// CHECK: tile.dot
// CHECK: math.exp
// CHECK: tile.mask
// CHECK: arith.select
// CHECK: tile.load %arg1 {{.*}} where
// CHECK-NOT: arith.select
// CHECK: tile.dot
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#sums = affine_map<(m, n, k) -> (m, n)>
graph.kernel @k(%x: tensor<64x101xf32>, %b: tensor<101x64xf32>) -> tensor<64x64xf32> {
  %z = arith.constant 0.0 : f32
  %ea = tensor.empty() : tensor<64x101xf32>
  %e = tensor.empty() : tensor<64x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %a = linalg.exp ins(%x : tensor<64x101xf32>) outs(%ea : tensor<64x101xf32>) -> tensor<64x101xf32>
  %r = linalg.generic {indexing_maps = [#rows, #columns, #sums], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x101xf32>, tensor<101x64xf32>) outs(%f : tensor<64x64xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<64x64xf32>
  graph.return %r : tensor<64x64xf32>
}
