// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse),graph-outline,func.func(graph-simplify))' | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// A scatter takes along what its updates are computed from. Its data has to be in memory, and what
// reads its result has to wait for all updates.
// CHECK-LABEL: func.func @main
// CHECK: %[[D:.*]] = graph.launch @[[DATA:.*]](%arg0)
// CHECK: %[[S:.*]] = graph.launch @[[SCATTER:.*]](%arg1, %[[D]], %arg2)
// CHECK: graph.launch @[[DATA]](%[[S]])
// CHECK: graph.kernel @[[DATA]]
// CHECK:   arith.negf
// CHECK: graph.kernel @[[SCATTER]]
// CHECK:   math.absf
// CHECK:   graph.scatter
func.func @main(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) -> tensor<4xf32> {
  %e4 = tensor.empty() : tensor<4xf32>
  %e8 = tensor.empty() : tensor<8xf32>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e4 : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.negf %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %v = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%u : tensor<8xf32>) outs(%e8 : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = math.absf %a : f32
    linalg.yield %t : f32
  } -> tensor<8xf32>
  %s = graph.scatter %v into %d at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [#id] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.addf %a, %b : f32
    graph.yield %t : f32
  }
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s : tensor<4xf32>) outs(%e4 : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.negf %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
