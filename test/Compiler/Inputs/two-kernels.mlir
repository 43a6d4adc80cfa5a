// A product whose rows only the run knows, and sums of its rows: two kernels.
func.func @main(%a: tensor<?x72xf32> {graph.dims = ["rows", "72"]}, %b: tensor<72x100xf32>) -> (tensor<?x100xf32> {graph.dims = ["rows", "100"]}, tensor<?xf32> {graph.dims = ["rows"]}) {
  %z = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?x72xf32>
  %e = tensor.empty(%m) : tensor<?x100xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x100xf32>) -> tensor<?x100xf32>
  %p = linalg.matmul ins(%a, %b : tensor<?x72xf32>, tensor<72x100xf32>) outs(%f : tensor<?x100xf32>) -> tensor<?x100xf32>
  %es = tensor.empty(%m) : tensor<?xf32>
  %fs = linalg.fill ins(%z : f32) outs(%es : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%p : tensor<?x100xf32>) outs(%fs : tensor<?xf32>) dimensions = [1]
  return %p, %s : tensor<?x100xf32>, tensor<?xf32>
}
