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

// -----

// A loop that begins in memory that is not its own.
func.func private @same(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = graph.launch @k(%x) sizes [] : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %n: tensor<?xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %n, %c0 : tensor<?xf32>
  // expected-error @+1 {{expects to begin with results of launches that nothing else uses; run graph-place-tensors first}}
  %y = graph.loop @same trips %m carried(%x : tensor<4xf32>) sizes [] -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// A body that returns what it is given.
// expected-error @+1 {{expects each result of a loop's body to have a launch of its own; run graph-place-tensors first}}
func.func private @same(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %n: tensor<?xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %n, %c0 : tensor<?xf32>
  %s = graph.launch @k(%x) sizes [] : (tensor<4xf32>) -> tensor<4xf32>
  %y = graph.loop @same trips %m carried(%s : tensor<4xf32>) sizes [] -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// A size that differs from iteration to iteration.
func.func private @grow(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has a size that differs from iteration to iteration of the loop it is in: expects sizes that are known in front of the loop}}
  %p = graph.launch @part(%x, %i) sizes [%i] : (tensor<4xf32>, index) -> tensor<?xf32>
  %y = graph.launch @whole(%x, %p) sizes [] : (tensor<4xf32>, tensor<?xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
graph.kernel @part(%x: tensor<4xf32>, %i: index) -> tensor<?xf32> {
  %y = tensor.extract_slice %x[0] [%i] [1] : tensor<4xf32> to tensor<?xf32>
  graph.return %y : tensor<?xf32>
}
graph.kernel @whole(%x: tensor<4xf32>, %p: tensor<?xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %n: tensor<?xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %n, %c0 : tensor<?xf32>
  %s = graph.launch @k(%x) sizes [] : (tensor<4xf32>) -> tensor<4xf32>
  %y = graph.loop @grow trips %m carried(%s : tensor<4xf32>) sizes [] -> tensor<4xf32>
  return %y : tensor<4xf32>
}
