// RUN: sectile-opt %s --graph-plan-memory -verify-diagnostics -split-input-file

// An op on tensors outside all kernels.
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{'linalg.map' op is left in the host program: expects every op on tensors to be part of a kernel}}
  %y = linalg.map { math.exp } ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>)
  return %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{expects one public function, the model, but got 2}}
module {
  func.func @one(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
  func.func @two(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

// Both sides of a choice would be written to one place, the second one always.
graph.kernel @double(%x: tensor<4xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
func.func @main(%c: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = graph.launch @double(%x) sizes [] : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @below {{expects each side to be a launch that runs in its case only; run graph-place-tensors first}}
  %r = graph.choose %c, %x, %a : tensor<4xf32>
  return %r, %a : tensor<4xf32>, tensor<4xf32>
}
