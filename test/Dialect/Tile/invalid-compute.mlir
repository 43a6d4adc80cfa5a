// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// tile.dot 1: rank 2.
func.func @f(%a: tensor<4xf32>, %b: tensor<4x4xf32>) {
  // expected-error @+1 {{expects tiles of rank 2, but got 'tensor<4xf32>', 'tensor<4x4xf32>', 'tensor<4x4xf32>'}}
  %d = tile.dot %a, %b, %b : tensor<4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return
}

// -----

// tile.dot 1: extents agree.
func.func @f(%a: tensor<4x2xf32>, %b: tensor<3x4xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expects shapes [m, k], [k, n], [m, n], but got [4, 2], [3, 4], [4, 4]}}
  %d = tile.dot %a, %b, %c : tensor<4x2xf32>, tensor<3x4xf32> -> tensor<4x4xf32>
  return
}

// -----

// tile.dot 2: all floats or all integers.
func.func @f(%a: tensor<4x4xi8>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{expects inputs and accumulator to be all floats or all integers, but got 'i8' and 'f32'}}
  %d = tile.dot %a, %a, %c : tensor<4x4xi8>, tensor<4x4xi8> -> tensor<4x4xf32>
  return
}

// -----

// tile.dot 2: an accumulator that is not narrower.
func.func @f(%a: tensor<4x4xf32>, %c: tensor<4x4xf16>) {
  // expected-error @+1 {{expects an accumulator at least as wide as 'f32', but got 'f16'}}
  %d = tile.dot %a, %a, %c : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf16>
  return
}

// -----

// tile.reduce 1: there is an operand.
func.func @f() {
  // expected-error @+1 {{expects at least one tile, but got none}}
  "tile.reduce"() <{dims = array<i64: 0>}> ({
    "tile.yield"() : () -> ()
  }) : () -> ()
  return
}

// -----

// tile.reduce 1: operands have one shape.
func.func @f(%a: tensor<4xf32>, %b: tensor<5xf32>) {
  // expected-error @+1 {{expects tiles of one shape, [4], but got 'tensor<5xf32>'}}
  %r:2 = tile.reduce %a, %b dims [0] : tensor<4xf32>, tensor<5xf32> -> f32, f32 {
  ^bb0(%p: f32, %q: f32, %s: f32, %t: f32):
    tile.yield %p, %q : f32, f32
  }
  return
}

// -----

// tile.reduce 1: dims are strictly increasing and inside the rank.
func.func @f(%a: tensor<4x4xf32>) {
  // expected-error @+1 {{expects dims to be strictly increasing and below 2, but got [1, 0]}}
  %r = tile.reduce %a dims [1, 0] : tensor<4x4xf32> -> f32 {
  ^bb0(%p: f32, %q: f32):
    tile.yield %p : f32
  }
  return
}

// -----

// tile.reduce 2: the shape without dims, a scalar if that is empty.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects a result of shape [] and element type 'f32', but got 'tensor<f32>'}}
  %r = tile.reduce %a dims [0] : tensor<4xf32> -> tensor<f32> {
  ^bb0(%p: f32, %q: f32):
    tile.yield %p : f32
  }
  return
}

// -----

// tile.reduce 3: the region takes two scalars per tile.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects the combiner to take two scalars per tile, 'f32', 'f32', but got 'f32', 'i32'}}
  %r = tile.reduce %a dims [0] : tensor<4xf32> -> f32 {
  ^bb0(%p: f32, %q: i32):
    tile.yield %p : f32
  }
  return
}

// -----

// tile.reduce 3: the region yields one scalar per tile.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects the combiner to yield 'f32', but got 'f32', 'f32'}}
  %r = tile.reduce %a dims [0] : tensor<4xf32> -> f32 {
  ^bb0(%p: f32, %q: f32):
    tile.yield %p, %q : f32, f32
  }
  return
}

// -----

// tile.yield: only in a tile.reduce.
func.func @f(%a: f32) {
  // expected-error @+1 {{'tile.yield' op expects parent op to be one of 'tile.reduce, tile.scan, tile.scatter, tile.sort, tile.topk'}}
  tile.yield %a : f32
}

// -----

// tile.broadcast 1: dims inside the result's rank.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects dims to be strictly increasing and below 2, but got [2]}}
  %r = tile.broadcast %a dims [2] : tensor<4xf32> -> tensor<4x4xf32>
  return
}

// -----

// tile.broadcast 2: the result without dims has the source's shape.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects the result without dims [0] to have the source's shape [4], but got [4, 5]}}
  %r = tile.broadcast %a dims [0] : tensor<4xf32> -> tensor<4x5xf32>
  return
}

// -----

// tile.broadcast 2: element types agree.
func.func @f(%a: tensor<4xf32>) {
  // expected-error @+1 {{expects element type 'f32', but got 'f16'}}
  %r = tile.broadcast %a dims [0] : tensor<4xf32> -> tensor<5x4xf16>
  return
}

// -----

// tile.transpose 1: a permutation.
func.func @f(%a: tensor<4x5xf32>) {
  // expected-error @+1 {{expects a permutation of 2 dimensions, but got [0, 0]}}
  %r = tile.transpose %a perm [0, 0] : tensor<4x5xf32> -> tensor<4x4xf32>
  return
}

// -----

// tile.transpose 2: shapes agree with it.
func.func @f(%a: tensor<4x5xf32>) {
  // expected-error @+1 {{expects a result of shape [5, 4], but got [4, 5]}}
  %r = tile.transpose %a perm [1, 0] : tensor<4x5xf32> -> tensor<4x5xf32>
  return
}

// -----

// tile.reshape 1: equal counts.
func.func @f(%a: tensor<4x5xf32>) {
  // expected-error @+1 {{expects 20 elements, but got 21}}
  %r = tile.reshape %a : tensor<4x5xf32> -> tensor<21xf32>
  return
}

// -----

// tile.reshape 1: equal element types.
func.func @f(%a: tensor<4x5xf32>) {
  // expected-error @+1 {{expects element type 'f32', but got 'i32'}}
  %r = tile.reshape %a : tensor<4x5xf32> -> tensor<20xi32>
  return
}

// -----

// tile.coord 1: one map dimension per tile dimension.
func.func @f() {
  // expected-error @+1 {{expects 2 dimensions, the tile's rank, but got 1}}
  %r = tile.coord affine_map<(t0) -> (t0)>[] : tensor<4x4xi64>
  return
}

// -----

// tile.coord 1: one operand per symbol.
func.func @f() {
  // expected-error @+1 {{expects 1 operands, one per symbol, but got 0}}
  %r = tile.coord affine_map<(t0)[s0] -> (t0 + s0)>[] : tensor<4xi64>
  return
}

// -----

// tile.coord 1: one result.
func.func @f() {
  // expected-error @+1 {{expects a map of one result, but got 2}}
  %r = tile.coord affine_map<(t0) -> (t0, t0)>[] : tensor<4xi64>
  return
}

// -----

// tile.coord 2: integer or index elements.
func.func @f() {
  // expected-error @+1 {{expects integer elements, but got 'tensor<4xf32>'}}
  %r = tile.coord affine_map<(t0) -> (t0)>[] : tensor<4xf32>
  return
}

// -----

// tile.mask 1: one set dimension per tile dimension.
func.func @f() {
  // expected-error @+1 {{expects 2 dimensions, the tile's rank, but got 1}}
  %r = tile.mask affine_set<(t0) : (t0 - 1 >= 0)>[] : tensor<4x4xi1>
  return
}

// -----

// tile.mask 2: i1 elements.
func.func @f() {
  // expected-error @+1 {{'tile.mask' op expects i1 elements, but got 'tensor<4xi8>'}}
  %r = tile.mask affine_set<(t0) : (t0 - 1 >= 0)>[] : tensor<4xi8>
  return
}

// -----

// tile.assert 1: i1 elements.
func.func @f(%c: tensor<4xi8>) {
  // expected-error @+1 {{'tile.assert' op expects i1 elements, but got 'tensor<4xi8>'}}
  tile.assert %c, "never" : tensor<4xi8>
  return
}

// -----

// tile.assert 2: at most 4 values.
func.func @f(%c: i1, %i: index) {
  // expected-error @+1 {{expects at most 4 values, but got 5}}
  tile.assert %c, "never" (%i, %i, %i, %i, %i : index, index, index, index, index) : i1
  return
}

// -----

// tile.assert 2: scalars or tiles of the condition's shape.
func.func @f(%c: tensor<4xi1>, %i: tensor<5xi64>) {
  // expected-error @+1 {{expects values of the condition's shape, but got 'tensor<5xi64>'}}
  tile.assert %c, "never" (%i : tensor<5xi64>) : tensor<4xi1>
  return
}

// -----

// tile.scan 1: there are inputs and carries.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects inputs and carries, but got 1 and 0}}
  "tile.scan"(%x) <{dim = 0 : i64, operandSegmentSizes = array<i32: 1, 0>, resultSegmentSizes = array<i32: 0, 0>}> ({
  ^bb0(%e: f32):
    "tile.yield"() : () -> ()
  }) : (tensor<4xf32>) -> ()
  return
}

// -----

// tile.scan 1: inputs have one shape.
func.func @f(%x: tensor<4xf32>, %y: tensor<5xf32>, %s: f32) {
  // expected-error @+1 {{expects inputs of one shape, [4], but got 'tensor<5xf32>'}}
  %r:2 = tile.scan %x, %y from %s dim 0 : tensor<4xf32>, tensor<5xf32> from f32 -> tensor<4xf32> and f32 {
  ^bb0(%a: f32, %b: f32, %c: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 1: the dimension is inside the rank.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects dim to be below 1, but got 1}}
  %r:2 = tile.scan %x from %s dim 1 : tensor<4xf32> from f32 -> tensor<4xf32> and f32 {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 2: carries lack the dimension; without any they are scalars.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects carries of shape [], but got 'tensor<f32>'}}
  %r:2 = tile.scan %x from %s dim 0 : tensor<4xf32> from tensor<f32> -> tensor<4xf32> and tensor<f32> {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 2: lasts have the carries' types.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects lasts of the carries' types 'f32', but got 'f64'}}
  %r:2 = tile.scan %x from %s dim 0 : tensor<4xf32> from f32 -> tensor<4xf32> and f64 {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 3: scanned tiles have the inputs' shape and the carries' element types.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects scanned tiles of shape [4] and elements 'f32', but got 'tensor<5xf32>'}}
  %r:2 = tile.scan %x from %s dim 0 : tensor<4xf32> from f32 -> tensor<5xf32> and f32 {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 4: the step takes the state and an element of each input.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects the step to take the state and an element of each input, 'f32', 'f32', but got 'f32'}}
  %r:2 = tile.scan %x from %s dim 0 : tensor<4xf32> from f32 -> tensor<4xf32> and f32 {
  ^bb0(%a: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.scan 4: the step yields the state.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects the step to yield 'f32', but got 'f32', 'f32'}}
  %r:2 = tile.scan %x from %s dim 0 : tensor<4xf32> from f32 -> tensor<4xf32> and f32 {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a, %b : f32, f32
  }
  return
}

// -----

// tile.scan 5: an associative step combines states.
func.func @f(%x: tensor<4xf64>, %s: f32) {
  // expected-error @+1 {{expects an associative step to combine values of the same types, but got 'f32' and 'f64'}}
  %r:2 = tile.scan %x from %s dim 0 associative : tensor<4xf64> from f32 -> tensor<4xf32> and f32 {
  ^bb0(%a: f32, %b: f64):
    tile.yield %a : f32
  }
  return
}
