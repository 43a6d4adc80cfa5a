// Probabilities that a machine is at rest, turns slowly or turns fast, from the energies of its
// vibration: a linear function of their logarithms.
#weight = affine_map<(state, band) -> (state, band)>
#band = affine_map<(state, band) -> (band)>
#state = affine_map<(state, band) -> (state)>
#same = affine_map<(i) -> (i)>
func.func @states(%energy: tensor<4xf32> {graph.name = "energy"})
    -> (tensor<3xf32> {graph.name = "probability"}) {
  %floor = arith.constant 1.0e-03 : f32
  %weights = arith.constant dense<[[-1.0, -1.0, -1.0, -1.0],
                                   [ 0.5,  1.0,  0.0, -0.5],
                                   [ 0.0, -0.5,  0.5,  1.0]]> : tensor<3x4xf32>
  %bias = arith.constant dense<[-20.0, 6.0, 6.0]> : tensor<3xf32>
  %room = tensor.empty() : tensor<4xf32>
  %logs = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
    ins(%energy : tensor<4xf32>) outs(%room : tensor<4xf32>) {
  ^bb0(%e: f32, %old: f32):
    %some = arith.addf %e, %floor : f32
    %log = math.log %some : f32
    linalg.yield %log : f32
  } -> tensor<4xf32>
  %logits = linalg.generic {indexing_maps = [#weight, #band, #state], iterator_types = ["parallel", "reduction"]}
    ins(%weights, %logs : tensor<3x4xf32>, tensor<4xf32>) outs(%bias : tensor<3xf32>) {
  ^bb0(%w: f32, %x: f32, %sum: f32):
    %p = arith.mulf %w, %x : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  } -> tensor<3xf32>
  %place = tensor.empty() : tensor<3xf32>
  %probability = linalg.softmax dimension(0) ins(%logits : tensor<3xf32>) outs(%place : tensor<3xf32>) -> tensor<3xf32>
  return %probability : tensor<3xf32>
}
