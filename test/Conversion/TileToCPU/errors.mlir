// RUN: sectile-opt %s --tile-to-cpu=level=avx2 -verify-diagnostics -split-input-file

// Element types without instructions.
tile.kernel @k(%x: !tile.view<4xi4>) {
  // expected-error @+1 {{expects element types i1, i8, i16, i32, i64, index, f16, bf16, f32, f64, f8E4M3FN, f8E4M3FNUZ, f8E5M2 or f8E5M2FNUZ on avx2, but got 'i4'}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4xi4> -> tensor<4xi4>
  tile.return
}

// -----

// Tiles that no register file holds.
tile.kernel @k(%x: !tile.view<65536xf32>) {
  // expected-error @+1 {{expects tiles of at most 8192 elements on avx2, but got 65536 in 'tensor<65536xf32>'; a schedule with smaller register tiles avoids this}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<65536xf32> -> tensor<65536xf32>
  tile.return
}

// -----

// The size of private memory is known before the kernel starts.
tile.kernel @k(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error @+1 {{expects a size that depends on the kernel's arguments only, but it depends on a loop}}
    %m = tile.alloc [%i] : !tile.view<?xf32>
  }
  tile.return
}

// -----

tile.kernel @k(%n: index) {
  %b = tile.block_id grid [%n]
  // expected-error @+1 {{expects a size that depends on the kernel's arguments only, but it depends on 'tile.block_id'}}
  %m = tile.alloc [%b] : !tile.view<?xf32>
  tile.return
}

// -----

// An op on tiles that is neither ours nor elementwise.
tile.kernel @k(%x: !tile.view<4xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4xf32> -> tensor<4xf32>
  // expected-error @+1 {{'tensor.bitcast' op is not supported by tile-to-cpu on avx2}}
  %u = tensor.bitcast %t : tensor<4xf32> to tensor<4xi32>
  tile.return
}

// -----

// A combiner with control flow.
tile.kernel @k(%x: !tile.view<4xf32>, %y: !tile.view<f32>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<4xf32> -> tensor<4xf32>
  %s = tile.reduce %t dims [0] : tensor<4xf32> -> f32 {
  ^bb0(%a: f32, %b: f32):
    %c = arith.cmpf ogt, %a, %b : f32
    // expected-error @+1 {{'scf.if' op is not supported in the body of 'tile.reduce' by tile-to-cpu on avx2}}
    %d = scf.if %c -> f32 {
      scf.yield %a : f32
    } else {
      scf.yield %b : f32
    }
    tile.yield %d : f32
  }
  tile.store %s, %y at affine_map<() -> ()>[] : f32, !tile.view<f32>
  tile.return
}

// -----

// Neighbours of a packed code share its word.
#codes = #tile.memory<(d0) -> (d0), bits = 3 along 0>
tile.kernel @k(%q: !tile.view<32xi8, #codes>) {
  %w = tile.view %q at affine_map<(d0) -> (d0)>[] sizes [] : !tile.view<32xi8, #codes> -> !tile.view<8xi8>
  %t = tile.load %w at affine_map<(t0) -> (t0)>[] : !tile.view<8xi8> -> tensor<8xi8>
  // expected-error @+1 {{expects to write whole elements, but got packed codes: '!tile.view<32xi8, #tile.memory<(d0) -> (d0), bits = 3 along 0>>'}}
  tile.store %t, %w at affine_map<(t0) -> (t0)>[] : tensor<8xi8>, !tile.view<8xi8>
  tile.return
}
