#row = affine_map<(d0) -> (d0)>
func.func @sum(%x: tensor<?xf32> {graph.name = "x"}, %y: tensor<?xf32> {graph.name = "y"})
    -> (tensor<?xf32> {graph.name = "z"}) {
  %axis = arith.constant 0 : index
  %count = tensor.dim %x, %axis : tensor<?xf32>
  %room = tensor.empty(%count) : tensor<?xf32>
  %z = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
    ins(%x, %y : tensor<?xf32>, tensor<?xf32>) outs(%room : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32, %old: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  return %z : tensor<?xf32>
}
