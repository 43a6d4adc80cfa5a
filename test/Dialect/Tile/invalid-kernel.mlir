// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// tile.kernel 1: every argument is a view or an index.
// expected-error @+1 {{'tile.kernel' op expects argument 0 to be a view or an index, but got 'tensor<4xf32>'}}
tile.kernel @k(%x: tensor<4xf32>) {
  tile.return
}

// -----

// tile.kernel 2: there are no results.
// expected-error @+1 {{'tile.kernel' op expects no results, but got 1}}
tile.kernel @k() -> index {
  tile.return
}

// -----

// tile.kernel 3: at most one tile.block_id.
// expected-error @+1 {{'tile.kernel' op expects at most one tile.block_id, but got 2}}
tile.kernel @k(%n: index) {
  %i = tile.block_id grid [%n]
  %j = tile.block_id grid [%n]
  tile.return
}

// -----

// tile.block_id 1: one result per grid dimension.
tile.kernel @k(%n: index) {
  // expected-error @+1 {{expects 2 results, one per grid dimension, but got 1}}
  %i = "tile.block_id"(%n, %n) : (index, index) -> index
  tile.return
}

// -----

// tile.block_id and tile.return: only in a kernel.
func.func @f(%n: index) {
  // expected-error @+1 {{'tile.block_id' op expects parent op 'tile.kernel'}}
  %i = tile.block_id grid [%n]
  return
}

// -----

// tile.dim 1: below the view's rank.
tile.kernel @k(%x: !tile.view<?x4xf32>) {
  // expected-error @+1 {{expects a dimension below 2, but got 2}}
  %n = tile.dim %x, 2 : !tile.view<?x4xf32>
  tile.return
}

// -----

// tile.view 1: dimensions of the result, results of the source.
tile.kernel @k(%x: !tile.view<4x4xf32>) {
  // expected-error @+1 {{expects a map of 1 dimensions, 0 symbols and 2 results, but got affine_map<(d0) -> (d0)>}}
  %v = tile.view %x at affine_map<(d0) -> (d0)>[] sizes [] : !tile.view<4x4xf32> -> !tile.view<4xf32>
  tile.return
}

// -----

// tile.view 2: one size per dynamic dimension.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects 1 sizes, one per dynamic dimension, but got 0}}
  %v = tile.view %x at affine_map<(d0) -> (d0)>[] sizes [] : !tile.view<4xf32> -> !tile.view<?xf32>
  tile.return
}

// -----

// tile.view 3: element types agree.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects element type 'f32', but got 'i32'}}
  %v = tile.view %x at affine_map<(d0) -> (d0)>[] sizes [] : !tile.view<4xf32> -> !tile.view<4xi32>
  tile.return
}

// -----

// tile.view 3: no layout of its own.
tile.kernel @k(%x: !tile.view<4xf32>) {
  // expected-error @+1 {{expects a result without memory layout, but got #tile.memory<(d0) -> (d0)>}}
  %v = tile.view %x at affine_map<(d0) -> (d0)>[] sizes []
       : !tile.view<4xf32> -> !tile.view<4xf32, #tile.memory<(d0) -> (d0)>>
  tile.return
}

// -----

// tile.alloc 1: one size per dynamic extent.
tile.kernel @k() {
  // expected-error @+1 {{expects 1 sizes, one per dynamic dimension, but got 0}}
  %v = tile.alloc [] : !tile.view<?xf32>
  tile.return
}

// -----

// tile.alloc 2: strides are static.
tile.kernel @k() {
  // expected-error @+1 {{expects static strides, but got '!tile.view<4xf32, #tile.memory<(d0) -> (d0), strides = [?]>>'}}
  %v = tile.alloc [] : !tile.view<4xf32, #tile.memory<(d0) -> (d0), strides = [?]>>
  tile.return
}

