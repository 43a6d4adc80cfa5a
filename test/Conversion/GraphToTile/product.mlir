// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=avx512},canonicalize,cse)' | FileCheck %s

// The accumulators are carried through the whole reduction; the bias is loaded outside the loop over
// rows; the rows' column is a load of [m, 1]; edges are tiles of their own size without a mask.
// CHECK-LABEL: tile.kernel @mmrelu
// CHECK-SAME: #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>
// CHECK-NOT: where
// CHECK: tile.block_id grid
// CHECK: %[[BIAS:.*]] = tile.load %arg2 {{.*}} -> tensor<64xf32>
// CHECK: scf.for {{.*}} -> (tensor<6x64xf32>)
// CHECK-DAG: tile.load %arg0 {{.*}} -> tensor<6x1xf32>
// CHECK-DAG: tile.load %arg1 {{.*}} -> tensor<1x64xf32>
// CHECK: tile.dot
// CHECK: arith.addf
// CHECK: arith.maximumf
// CHECK: tile.store
#map = affine_map<(d0,d1)->(d0,d1)>
graph.kernel @mmrelu(%x: tensor<100x64xf32>, %w: tensor<64x200xf32> {graph.memory = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>}, %b: tensor<200xf32>) -> tensor<100x200xf32> attributes {nodes = ["a"]} {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100x200xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<100x200xf32>) -> tensor<100x200xf32>
  %m = linalg.matmul ins(%x, %w : tensor<100x64xf32>, tensor<64x200xf32>) outs(%f : tensor<100x200xf32>) -> tensor<100x200xf32>
  %r = linalg.generic {indexing_maps = [#map, affine_map<(d0,d1)->(d1)>, #map], iterator_types = ["parallel","parallel"]} ins(%m, %b : tensor<100x200xf32>, tensor<200xf32>) outs(%e : tensor<100x200xf32>) {
   ^bb0(%a: f32, %bb: f32, %o: f32):
     %s = arith.addf %a, %bb : f32
     %t = arith.maximumf %s, %z : f32
     linalg.yield %t : f32
  } -> tensor<100x200xf32>
  graph.return %r : tensor<100x200xf32>
}

// One row leaves registers over: eight vectors of sums side by side, where six rows have four.
// CHECK-LABEL: tile.kernel @one_row
// CHECK: scf.for {{.*}} -> (tensor<128xf32>)
graph.kernel @one_row(%x: tensor<1x64xf32>, %w: tensor<64x512xf32>) -> tensor<1x512xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x512xf32>) -> tensor<1x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x64xf32>, tensor<64x512xf32>) outs(%f : tensor<1x512xf32>) -> tensor<1x512xf32>
  graph.return %y : tensor<1x512xf32>
}
