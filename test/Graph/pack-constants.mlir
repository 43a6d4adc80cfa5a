// RUN: sectile-opt %s --graph-pack-constants | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// A constant that is the columns of a product is stored in panels; the same kernel's other operand,
// an input, is not.
// CHECK: graph.kernel @k(%arg0: tensor<96x8xf32>, %arg1: tensor<8x128xf32>
// CHECK-SAME: {graph.memory = #tile.memory<(d0, d1) -> (d1 floordiv {{[0-9]+}}, d0, d1 mod {{[0-9]+}})>}
func.func @main(%x: tensor<96x8xf32>) -> tensor<96x128xf32> {
  %w = arith.constant dense_resource<w> : tensor<8x128xf32>
  %y = graph.launch @k(%x, %w) sizes [] : (tensor<96x8xf32>, tensor<8x128xf32>) -> tensor<96x128xf32>
  return %y : tensor<96x128xf32>
}
graph.kernel @k(%x: tensor<96x8xf32>, %w: tensor<8x128xf32>) -> tensor<96x128xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x128xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<96x128xf32>) -> tensor<96x128xf32>
  %m = linalg.matmul ins(%x, %w : tensor<96x8xf32>, tensor<8x128xf32>) outs(%f : tensor<96x128xf32>) -> tensor<96x128xf32>
  graph.return %m : tensor<96x128xf32>
}
