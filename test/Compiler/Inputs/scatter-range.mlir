// The second index is outside the data.
func.func @main(%x: tensor<4x8xf32>, %u: tensor<3x8xf32>) -> tensor<4x8xf32> {
  %i = arith.constant dense<[1, 4, -4]> : tensor<3xi64>
  %y = graph.scatter %u into %x at affine_map<(u0, u1, i) -> (i, u1)> indices (%i : tensor<3xi64>)
       reads [affine_map<(u0, u1) -> (u0)>] : tensor<3x8xf32> into tensor<4x8xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  } loc("rows")
  return %y : tensor<4x8xf32>
}
