// RUN: sectile-opt %s --graph-outline -verify-diagnostics -split-input-file

#id = affine_map<(d0) -> (d0)>

// Scalars a kernel takes are sizes.
func.func @main(%x: tensor<4xf32>, %s: f32) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{cannot be outlined: expects scalars from outside to be of type index, but got 'f32'}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) attrs = {graph.group = 0 : i64} {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Whoever launches a kernel must know how large its result is.
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{cannot be outlined: the extent of dimension 0 of 'tensor<?xf32>' is not known before it is computed}}
  %y = "tensor.bitcast"(%x) {graph.group = 0 : i64} : (tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
