// RUN: sectile-opt %s --split-input-file --verify-diagnostics --sectile-graph

// The output would be written over elements that the same kernel still reads.
func.func @shift(%x: tensor<8xf32> {graph.name = "x"})
    -> (tensor<8xf32> {graph.name = "y", graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}}) {
  %e = tensor.empty() : tensor<8xf32>
  // expected-error @below {{alias of 'x' and 'y' is impossible: this node reads the input at other places than those it writes}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (-d0 + 7)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

func.func @later(%x: tensor<8xf32> {graph.name = "x"}, %w: tensor<8x8xf32>)
    -> (tensor<8xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}}, tensor<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %p = linalg.matvec ins(%w, %y : tensor<8x8xf32>, tensor<8xf32>) outs(%f : tensor<8xf32>) -> tensor<8xf32>
  // expected-error @below {{alias of 'x' and 'out0' is impossible: this node reads the input after its buffer has received the output}}
  %z = linalg.add ins(%p, %x : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}

// -----

func.func @returned(%x: tensor<8xf32> {graph.name = "x"})
    -> (tensor<8xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}}, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  // expected-error @below {{alias of 'x' and 'out0' is impossible: the input is also returned as result 1, after its buffer has received the output}}
  return %y, %x : tensor<8xf32>, tensor<8xf32>
}

// -----

// A window that slides over the buffer would move what it keeps.
func.func @slide(%x: tensor<8x4xf32> {graph.name = "x"}, %new: tensor<1x4xf32>)
    -> (tensor<8x4xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}}) {
  // expected-error @below {{alias of 'x' and 'out0' is impossible: this node reads the input at other places than those it writes}}
  %kept = tensor.extract_slice %x[1, 0] [7, 4] [1, 1] : tensor<8x4xf32> to tensor<7x4xf32>
  %y = tensor.concat dim(0) %kept, %new : (tensor<7x4xf32>, tensor<1x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// expected-error @below {{expects the input of 'graph.alias' to be below 1, but got 1}}
func.func @input(%x: tensor<8xf32>) -> (tensor<8xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 1 : i64}}) {
  return %x : tensor<8xf32>
}

// -----

// expected-error @below {{expects the dimension of 'graph.alias' to be below 1, but got 1}}
func.func @dim(%x: tensor<8xf32>) -> (tensor<8xf32> {graph.alias = {capacity = -1 : i64, dim = 1 : i64, input = 0 : i64}}) {
  return %x : tensor<8xf32>
}

// -----

// expected-error @below {{expects the capacity of 'graph.alias' to be -1 or more, but got -2}}
func.func @capacity(%x: tensor<8xf32>) -> (tensor<8xf32> {graph.alias = {capacity = -2 : i64, dim = 0 : i64, input = 0 : i64}}) {
  return %x : tensor<8xf32>
}

// -----

// expected-error @below {{expects the input of 'graph.alias' to be of type 'tensor<8xf32>', but got 'tensor<8xi32>'}}
func.func @type(%x: tensor<8xi32>, %y: tensor<8xf32>) -> (tensor<8xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}}) {
  return %y : tensor<8xf32>
}

// -----

// expected-error @below {{expects 'graph.alias' on a function's result to give the integers input, dim and capacity, but got {input = 0 : i64}}}
func.func @entries(%x: tensor<8xf32>) -> (tensor<8xf32> {graph.alias = {input = 0 : i64}}) {
  return %x : tensor<8xf32>
}
