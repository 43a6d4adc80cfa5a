// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse),graph-outline,func.func(graph-simplify))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// A product takes its elementwise consumers along; a second product starts its own kernel; equal
// kernels are one.
// CHECK-LABEL: func.func @main
// CHECK: %[[H:.*]] = graph.launch @[[K:.*]](%arg0, %arg1)
// CHECK: graph.launch @[[K]](%[[H]], %arg1)
// CHECK-NOT: graph.launch
// CHECK: graph.kernel @[[K]]
// CHECK: linalg.matmul
// CHECK: arith.maximumf
// CHECK-NOT: graph.kernel
func.func @main(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %m = linalg.matmul ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%m : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %z : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  %n = linalg.matmul ins(%r, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%n : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %z : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  return %s : tensor<8x8xf32>
}
