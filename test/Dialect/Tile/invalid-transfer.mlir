// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// tile.load 1: the view's element type.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects element type 'f32', the view's, but got 'i32'}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4xf32> -> tensor<4xi32>
  tile.return
}

// -----

// tile.load 1: static shape.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{result #0 must be tile or scalar, but got 'tensor<?xf32>'}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4xf32> -> tensor<?xf32>
  tile.return
}

// -----

// tile.load 2: one map dimension per tile dimension and index tile.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects a map of 1 tile coordinates and 0 index values, but got 2 dimensions}}
  %t = tile.load %x at affine_map<(t0, t1) -> (t0)>[] : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 2: one symbol per operand.
tile.kernel @k(%x: !tile.view<4xf32>, %i: index) {
  // expected-error @+1 {{expects 1 map operands, one per symbol, but got 2}}
  %t = tile.load %x at affine_map<(t0)[s0] -> (t0 + s0)>[%i, %i] : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 2: one map result per view dimension.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  // expected-error @+1 {{expects a map of 2 results, the view's rank, but got 1}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4x4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 3: one mask dimension per tile dimension.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects a mask of 1 dimensions, the tile's rank, but got 2}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] where affine_set<(t0, t1) : (t0 - 1 >= 0)>[] else 0.0 : f32
       : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 3: one symbol per set operand.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects 1 mask operands, one per symbol, but got 0}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] where affine_set<(t0)[n] : (n - t0 - 1 >= 0)>[] else 0.0 : f32
       : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 3: the fill has the element type.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects a fill of type 'f32', but got 'i32'}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] where affine_set<(t0) : (t0 - 1 >= 0)>[] else 0 : i32
       : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 3: no mask without a fill, no fill without a mask.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects a mask and a fill, or neither, but got only a fill}}
  %t = "tile.load"(%x) <{map = affine_map<(t0) -> (t0)>, fill = 0.0 : f32, operandSegmentSizes = array<i32: 1, 0, 0, 0>}>
       : (!tile.view<4xf32>) -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 4: index tiles have the result's shape.
tile.kernel @k(%x: !tile.view<4xf32>) {
  %i = arith.constant dense<0> : tensor<2xi64>
  // expected-error @+1 {{expects index tiles of shape [4], the tile's, but got 'tensor<2xi64>'}}
  %t = tile.load %x at affine_map<(t0, g) -> (g)>[] indices (%i : tensor<2xi64>) : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.load 4: index tiles hold integers.
tile.kernel @k(%x: !tile.view<4xf32>) {
  %i = arith.constant dense<0.0> : tensor<4xf32>
  // expected-error @+1 {{expects index tiles of integers, but got 'tensor<4xf32>'}}
  %t = tile.load %x at affine_map<(t0, g) -> (g)>[] indices (%i : tensor<4xf32>) : !tile.view<4xf32> -> tensor<4xf32>
  tile.return
}

// -----

// tile.store: as tile.load.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  %t = arith.constant dense<0.0> : tensor<4xf32>
  // expected-error @+1 {{'tile.store' op expects a map of 2 results, the view's rank, but got 1}}
  tile.store %t, %x at affine_map<(t0) -> (t0)>[] : tensor<4xf32>, !tile.view<4x4xf32>
  tile.return
}

// -----

// tile.scatter 2: the mask has the value's shape.
func.func @f(%x: !tile.view<4xf32>, %t: tensor<4xf32>, %m: tensor<5xi1>) {
  // expected-error @+1 {{expects a mask of i1, or of a tile of shape [4] of them, but got 'tensor<5xi1>'}}
  tile.scatter %t, %x at affine_map<(t0) -> (t0)>[] if (%m : tensor<5xi1>) : tensor<4xf32>, !tile.view<4xf32> {
  ^bb0(%a: f32, %b: f32):
    tile.yield %b : f32
  }
  return
}

// -----

// tile.scatter 3: the body combines two values.
func.func @f(%x: !tile.view<4xf32>, %t: tensor<4xf32>) {
  // expected-error @+1 {{expects a body that combines two values of type 'f32'}}
  tile.scatter %t, %x at affine_map<(t0) -> (t0)>[] : tensor<4xf32>, !tile.view<4xf32> {
  ^bb0(%a: f32):
    tile.yield %a : f32
  }
  return
}

// -----

// tile.topk 1: positions have the shape of candidates.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi32>, %v: !tile.view<4xf32>, %i: !tile.view<4xi64>) {
  // expected-error @+1 {{expects positions of i64 and shape [8], but got 'tensor<8xi32>'}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[] : tensor<8xf32>, tensor<8xi32> into !tile.view<4xf32>, !tile.view<4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.topk 2: the views hold pairs.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi64>, %v: !tile.view<4xf32>, %i: !tile.view<5xi64>) {
  // expected-error @+1 {{expects views of one shape that hold 'f32' and 'i64', but got '!tile.view<4xf32>' and '!tile.view<5xi64>'}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[] : tensor<8xf32>, tensor<8xi64> into !tile.view<4xf32>, !tile.view<5xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.topk 2: the axis is of known extent.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi64>, %v: !tile.view<?xf32>, %i: !tile.view<?xi64>) {
  // expected-error @+1 {{expects an axis of known extent, at least 1, but got 0 of '!tile.view<?xf32>'}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[] : tensor<8xf32>, tensor<8xi64> into !tile.view<?xf32>, !tile.view<?xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.topk 3: the map leads to the views.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi64>, %v: !tile.view<4xf32>, %i: !tile.view<4xi64>) {
  // expected-error @+1 {{expects lists to be found by a map of 1 dimensions, 0 symbols and 1 results, but got affine_map<(d0) -> (0, 0)>}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0, 0)>[] : tensor<8xf32>, tensor<8xi64> into !tile.view<4xf32>, !tile.view<4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.topk 4: the mask is over the tile.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi64>, %v: !tile.view<4xf32>, %i: !tile.view<4xi64>) {
  // expected-error @+1 {{expects a mask of 1 dimensions and 0 symbols, but got affine_set<() : (0 >= 0)>}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[] where affine_set<() : (0 >= 0)>[] : tensor<8xf32>, tensor<8xi64> into !tile.view<4xf32>, !tile.view<4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.topk 5: the body compares two pairs.
func.func @f(%t: tensor<8xf32>, %p: tensor<8xi64>, %v: !tile.view<4xf32>, %i: !tile.view<4xi64>) {
  // expected-error @+1 {{expects a body that takes two pairs of 'f32' and 'i64' and yields an i1}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[] : tensor<8xf32>, tensor<8xi64> into !tile.view<4xf32>, !tile.view<4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %a : f32
  }
  return
}

// -----

// tile.sort 2: the map has no dimension.
func.func @f(%v: !tile.view<4xf32>, %i: !tile.view<4xi64>) {
  // expected-error @+1 {{expects lists to be found by a map of 0 dimensions, 0 symbols and 1 results, but got affine_map<(d0) -> (0)>}}
  tile.sort %v, %i axis 0 at affine_map<(t0) -> (0)>[] : !tile.view<4xf32>, !tile.view<4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  return
}

// -----

// tile.prefetch 1: positive extents.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  // expected-error @+1 {{expects positive extents, but got 0}}
  tile.prefetch [1, 0] of %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<4x4xf32>
  tile.return
}

// -----

// tile.prefetch 2: one map dimension per extent.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  // expected-error @+1 {{expects a map of 1 tile coordinates, but got 2 dimensions}}
  tile.prefetch [4] of %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<4x4xf32>
  tile.return
}

// -----

// tile.prefetch 2: one symbol per operand.
tile.kernel @k(%x: !tile.view<4xf32>, %i: index) {
  // expected-error @+1 {{expects 0 map operands, one per symbol, but got 1}}
  tile.prefetch [4] of %x at affine_map<(t0) -> (t0)>[%i] : !tile.view<4xf32>
  tile.return
}

// -----

// tile.prefetch 2: one map result per view dimension.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  // expected-error @+1 {{expects a map of 2 results, the view's rank, but got 1}}
  tile.prefetch [4] of %x at affine_map<(t0) -> (t0)>[] : !tile.view<4x4xf32>
  tile.return
}

// -----

// tile.store: neighbours of a packed code share its word.
#codes = #tile.memory<(d0) -> (d0), bits = 4 along 0>
tile.kernel @k(%x: !tile.view<8xi8, #codes>, %t: i8) {
  // expected-error @+1 {{expects a view of whole elements, but got packed codes: '!tile.view<8xi8, #tile.memory<(d0) -> (d0), bits = 4 along 0>>'}}
  tile.store %t, %x at affine_map<() -> (0)>[] : i8, !tile.view<8xi8, #codes>
  tile.return
}

// -----

// tile.scatter: the same.
#codes = #tile.memory<(d0) -> (d0), bits = 4 along 0>
tile.kernel @k(%x: !tile.view<8xi8, #codes>, %t: i8) {
  // expected-error @+1 {{expects a view of whole elements, but got packed codes}}
  tile.scatter %t, %x at affine_map<() -> (0)>[] : i8, !tile.view<8xi8, #codes> {
  ^bb0(%old: i8, %new: i8):
    tile.yield %new : i8
  }
  tile.return
}
