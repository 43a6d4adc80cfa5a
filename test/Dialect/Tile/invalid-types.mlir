// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// #tile.memory 1: no symbols.
// expected-error @+1 {{expects a memory map without symbols, but got 1}}
#m = #tile.memory<(d0)[s0] -> (d0)>

// -----

// #tile.memory 1: one stride per physical dimension.
// expected-error @+1 {{expects 2 strides, one per physical dimension, but got 1}}
#m = #tile.memory<(d0, d1) -> (d0, d1), strides = [1]>

// -----

// #tile.memory 2: physical coordinates have one of three forms.
// expected-error @+1 {{expects physical coordinates of the form d, d floordiv c or d mod c, but got affine_map<(d0) -> (d0 + 1)>}}
#m = #tile.memory<(d0) -> (d0 + 1)>

// -----

// #tile.memory 3: a dimension that is missing.
// expected-error @+1 {{expects dimension 1 once as itself or once each as floordiv and mod of one factor, but got affine_map<(d0, d1) -> (d0)>}}
#m = #tile.memory<(d0, d1) -> (d0)>

// -----

// #tile.memory 3: two factors.
// expected-error @+1 {{expects dimension 0 once as itself or once each as floordiv and mod of one factor, but got affine_map<(d0) -> (d0 floordiv 8, d0 mod 4)>}}
#m = #tile.memory<(d0) -> (d0 floordiv 8, d0 mod 4)>

// -----

// #tile.schedule 1: the version is 1.
// expected-error @+1 {{expects a schedule of version 1, but got 2}}
#s = #tile.schedule<v2, dims = {}, choices = {}>

// -----

// #tile.schedule 1: the version is a number.
// expected-error @+1 {{expects a schedule version such as v1, but got 'dims'}}
#s = #tile.schedule<dims = {}, choices = {}>

// -----

// #tile.schedule 2: sizes are lists.
// expected-error @+1 {{expects sizes of dimension 'm' to be a list, but got 4 : i64}}
#s = #tile.schedule<v1, dims = {m = 4}, choices = {}>

// -----

// #tile.schedule 2: sizes are positive.
// expected-error @+1 {{expects sizes of dimension 'm' to be positive, but got 0 : i64}}
#s = #tile.schedule<v1, dims = {m = [0]}, choices = {}>

// -----

// !tile.view 1: integers, index or floats.
// expected-error @+1 {{expects an integer or float element type, but got 'complex<f32>'}}
!v = !tile.view<4xcomplex<f32>>

// -----

// !tile.view 3: the layout has the view's rank.
// expected-error @+1 {{expects a memory map of 1 dimensions, the view's rank, but got 2}}
!v = !tile.view<4xf32, #tile.memory<(d0, d1) -> (d1, d0)>>

// -----

// #tile.memory 4: codes of some bits.
// expected-error @+1 {{expects codes of 1 to 8 bits, but got 0}}
#m = #tile.memory<(d0) -> (d0), bits = 0 along 0>

// -----

// #tile.memory 4: codes of a byte at most.
// expected-error @+1 {{expects codes of 1 to 8 bits, but got 9}}
#m = #tile.memory<(d0) -> (d0), bits = 9 along 0>

// -----

// #tile.memory 4: along a physical dimension.
// expected-error @+1 {{expects codes along one of 2 physical dimensions, but got 2}}
#m = #tile.memory<(d0, d1) -> (d0, d1), bits = 4 along 2>

// -----

// #tile.memory 5: places of their own.
// expected-error @+1 {{expects an order of the coordinates of d mod c that codes lie along, each with a place of its own, but got [2:1, 4:1] for affine_map<(d0) -> (d0 floordiv 8, d0 mod 8)>}}
#m = #tile.memory<(d0) -> (d0 floordiv 8, d0 mod 8), bits = 4 along 1, order = [2:1, 4:1]>

// -----

// #tile.memory 5: as many places as coordinates.
// expected-error @+1 {{but got [2:4, 4:1] for affine_map<(d0) -> (d0 floordiv 16, d0 mod 16)>}}
#m = #tile.memory<(d0) -> (d0 floordiv 16, d0 mod 16), bits = 4 along 1, order = [2:4, 4:1]>

// -----

// #tile.memory 5: along d mod c.
// expected-error @+1 {{but got [2:4, 4:1] for affine_map<(d0) -> (d0)>}}
#m = #tile.memory<(d0) -> (d0), bits = 4 along 0, order = [2:4, 4:1]>

// -----

// !tile.view 4: codes are integers.
// expected-error @+1 {{expects codes of 4 bits in integers of 4 to 32 bits, but got 'f32'}}
tile.kernel @k(%x: !tile.view<8xf32, #tile.memory<(d0) -> (d0), bits = 4 along 0>>) {
  tile.return
}

// -----

// !tile.view 4: of as many bits.
// expected-error @+1 {{expects codes of 5 bits in integers of 5 to 32 bits, but got 'i4'}}
tile.kernel @k(%x: !tile.view<8xi4, #tile.memory<(d0) -> (d0), bits = 5 along 0>>) {
  tile.return
}
