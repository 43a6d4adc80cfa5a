// Energy of a signal in four bands: the mean square of its products with Walsh functions of 8 steps.
#tap = affine_map<(band, time, step) -> (band, step)>
#sample = affine_map<(band, time, step) -> (time + step)>
#product = affine_map<(band, time, step) -> (band, time)>
#all = affine_map<(band, time) -> (band, time)>
#band = affine_map<(band, time) -> (band)>
func.func @bands(%signal: tensor<128xf32> {graph.name = "signal"})
    -> (tensor<4xf32> {graph.name = "energy"}) {
  %zero = arith.constant 0.0 : f32
  %share = arith.constant 8.264463e-03 : f32 // 1 / 121
  %walsh = arith.constant dense<[
    [0.125,  0.125,  0.125,  0.125,  0.125,  0.125,  0.125,  0.125],
    [0.125,  0.125,  0.125,  0.125, -0.125, -0.125, -0.125, -0.125],
    [0.125,  0.125, -0.125, -0.125,  0.125,  0.125, -0.125, -0.125],
    [0.125, -0.125,  0.125, -0.125,  0.125, -0.125,  0.125, -0.125]]> : tensor<4x8xf32>
  %room = tensor.empty() : tensor<4x121xf32>
  %start = linalg.fill ins(%zero : f32) outs(%room : tensor<4x121xf32>) -> tensor<4x121xf32>
  %filtered = linalg.generic {indexing_maps = [#tap, #sample, #product],
                              iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%walsh, %signal : tensor<4x8xf32>, tensor<128xf32>) outs(%start : tensor<4x121xf32>) {
  ^bb0(%w: f32, %x: f32, %sum: f32):
    %p = arith.mulf %w, %x : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x121xf32>
  %small = tensor.empty() : tensor<4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%small : tensor<4xf32>) -> tensor<4xf32>
  %energy = linalg.generic {indexing_maps = [#all, #band], iterator_types = ["parallel", "reduction"]}
    ins(%filtered : tensor<4x121xf32>) outs(%none : tensor<4xf32>) {
  ^bb0(%x: f32, %sum: f32):
    %q = arith.mulf %x, %x : f32
    %m = arith.mulf %q, %share : f32
    %s = arith.addf %sum, %m : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %energy : tensor<4xf32>
}
