// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse),graph-outline,func.func(graph-simplify))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// A scan takes along what its inputs are computed from and what is computed from its elements one by
// one. A scan the other way is another kernel, and so is a product.
// CHECK-LABEL: func.func @scans
// CHECK: %[[S:.*]] = graph.launch @[[SCAN:.*]](%arg0)
// CHECK: %[[B:.*]] = graph.launch @[[BACK:.*]](%[[S]])
// CHECK: graph.launch @[[TURN:.*]](%[[B]])
// CHECK: graph.kernel @[[SCAN]]
// CHECK:   arith.negf
// CHECK:   graph.scan {{.*}} axis 1 associative
// CHECK: graph.kernel @[[BACK]]
// CHECK:   arith.maximumf
// CHECK:   graph.scan {{.*}} axis 1 reverse
// CHECK:   arith.addf
// CHECK: graph.kernel @[[TURN]]
func.func @scans(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %zeros = arith.constant dense<0.0> : tensor<8xf32>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.negf %a : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  %s = graph.scan %n from %zeros axis 1 associative : tensor<8x8xf32> from tensor<8xf32> -> tensor<8x8xf32> {
  ^bb0(%sum: f32, %element: f32):
    %t = arith.addf %sum, %element : f32
    graph.yield %t : f32
  }
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %z : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  %b = graph.scan %r from %zeros axis 1 reverse : tensor<8x8xf32> from tensor<8xf32> -> tensor<8x8xf32> {
  ^bb0(%sum: f32, %element: f32):
    %t = arith.addf %sum, %element : f32
    graph.yield %t : f32
  }
  %q = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b, %r : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %t = arith.addf %a, %c : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  %m = linalg.matmul ins(%q, %q : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%m : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = math.absf %a : f32
    linalg.yield %t : f32
  } -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
