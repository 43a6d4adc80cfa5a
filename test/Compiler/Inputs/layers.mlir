// Three layers; ACTIVATION of the second one is replaced by tests.
#row = affine_map<(d0, d1) -> (d0, d1)>
func.func @layers(%x: tensor<33x48xf32>, %a: tensor<48x48xf32>, %b: tensor<48x40xf32>, %c: tensor<40x24xf32>) -> tensor<33x24xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<33x48xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<33x48xf32>) -> tensor<33x48xf32>
  %p0 = linalg.matmul ins(%x, %a : tensor<33x48xf32>, tensor<48x48xf32>) outs(%f0 : tensor<33x48xf32>) -> tensor<33x48xf32>
  %y0 = math.tanh %p0 : tensor<33x48xf32>
  %e1 = tensor.empty() : tensor<33x40xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<33x40xf32>) -> tensor<33x40xf32>
  %p1 = linalg.matmul ins(%y0, %b : tensor<33x48xf32>, tensor<48x40xf32>) outs(%f1 : tensor<33x40xf32>) -> tensor<33x40xf32>
  %y1 = math.ACTIVATION %p1 : tensor<33x40xf32>
  %e2 = tensor.empty() : tensor<33x24xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<33x24xf32>) -> tensor<33x24xf32>
  %p2 = linalg.matmul ins(%y1, %c : tensor<33x40xf32>, tensor<40x24xf32>) outs(%f2 : tensor<33x24xf32>) -> tensor<33x24xf32>
  return %p2 : tensor<33x24xf32>
}
