func.func @main(%x: tensor<?xf32> {graph.name = "x", graph.dims = ["n"]}, %r: tensor<3xf32>)
    -> (tensor<?xf32> {graph.name = "y", graph.dims = ["n+3"]}) {
  %y = tensor.concat dim(0) %x, %r : (tensor<?xf32>, tensor<3xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
