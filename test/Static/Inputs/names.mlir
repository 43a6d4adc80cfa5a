#row = affine_map<(d0) -> (d0)>
func.func @names(%x: tensor<4xf32> {graph.name = "int"},
                 %y: tensor<4xf32> {graph.name = "a*/ \0A\"\\ []"},
                 %z: tensor<4xf32> {graph.name = "INT"}) -> (tensor<4xf32> {graph.name = "x"}) {
  %room = tensor.empty() : tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#row, #row, #row, #row], iterator_types = ["parallel"]}
    ins(%x, %y, %z : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%room : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %old: f32):
    %s = arith.addf %a, %b : f32
    %t = arith.addf %s, %c : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %s : tensor<4xf32>
}
