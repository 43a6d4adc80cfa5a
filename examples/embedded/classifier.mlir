// Scores of three classes for any number of points in the plane: the products with three directions,
// of which the positive part counts.
#row = affine_map<(d0, d1) -> (d0, d1)>
func.func @classifier(%points: tensor<?x2xf32> {graph.name = "points"}) -> (tensor<?x3xf32> {graph.name = "scores"}) {
  %zero = arith.constant 0.0 : f32
  %axis = arith.constant 0 : index
  %directions = arith.constant dense<[[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]> : tensor<2x3xf32>
  %count = tensor.dim %points, %axis : tensor<?x2xf32>
  %room = tensor.empty(%count) : tensor<?x3xf32>
  %start = linalg.fill ins(%zero : f32) outs(%room : tensor<?x3xf32>) -> tensor<?x3xf32>
  %products = linalg.matmul ins(%points, %directions : tensor<?x2xf32>, tensor<2x3xf32>)
    outs(%start : tensor<?x3xf32>) -> tensor<?x3xf32>
  %scores = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
    ins(%products : tensor<?x3xf32>) outs(%room : tensor<?x3xf32>) {
  ^bb0(%x: f32, %old: f32):
    %positive = arith.maximumf %x, %zero : f32
    linalg.yield %positive : f32
  } -> tensor<?x3xf32>
  return %scores : tensor<?x3xf32>
}
