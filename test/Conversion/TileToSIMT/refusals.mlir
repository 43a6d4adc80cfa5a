// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}),tile-to-simt)' --split-input-file -verify-diagnostics

tile.kernel @small(%x: !tile.view<64xf8E3M4>, %y: !tile.view<64xf8E3M4>) {
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects element types i1, i8, i16, i32, i64, index, f16, bf16, f32, f64, f8E4M3FN, f8E4M3FNUZ, f8E5M2 or f8E5M2FNUZ, but got 'f8E3M4'}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf8E3M4> -> tensor<64xf8E3M4>
  tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf8E3M4>, !tile.view<64xf8E3M4>
  tile.return
}

// -----

tile.kernel @strip(%n: index) {
  // expected-error @+1 {{'tile.alloc' op is not supported by tile-to-simt on sm_80: expects memory of known size, but got '!tile.view<6x?xf32>'}}
  %strip = tile.alloc [%n] : !tile.view<6x?xf32>
  tile.return
}

// -----

// expected-error @+1 {{'tile.kernel' op is not supported by tile-to-simt on sm_80: expects at most 166912 bytes of shared memory, but its tiles need 262144; a schedule with smaller tiles avoids this}}
tile.kernel @large() {
  %a = tile.alloc [] : !tile.view<512x128xf32>
  tile.return
}

// -----

tile.kernel @scatter(%bins: !tile.view<100xi32>, %ids: !tile.view<1024xi64>) {
  %i = tile.load %ids at affine_map<(t0) -> (t0)>[] : !tile.view<1024xi64> -> tensor<1024xi64>
  %one = arith.constant dense<1> : tensor<1024xi32>
  // expected-error @+1 {{'tile.scatter' op is not supported by tile-to-simt on sm_80: expects at most 512 changes in order for each thread, but got 1024 in 'tensor<1024xi32,}}
  tile.scatter %one, %bins at affine_map<(t0, i) -> (i)>[] indices (%i : tensor<1024xi64>)
      : tensor<1024xi32>, !tile.view<100xi32> {
  ^bb0(%before: i32, %update: i32):
    %sum = arith.addi %before, %update : i32
    tile.yield %sum : i32
  }
  tile.return
}

// -----

tile.kernel @selection(%x: !tile.view<1000xi32>, %v: !tile.view<4xi32>, %i: !tile.view<4xi64>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<1000xi32> -> tensor<1000xi32>
  %p = tile.coord affine_map<(t0) -> (t0)>[] : tensor<1000xi64>
  // expected-error @+1 {{'tile.topk' op is not supported by tile-to-simt on sm_80: expects at most 512 elements in order for each thread, but got 1000 in 'tensor<1000xi32,}}
  tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[]
      : tensor<1000xi32>, tensor<1000xi64> into !tile.view<4xi32>, !tile.view<4xi64> {
  ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
    %less = arith.cmpi slt, %a, %b : i32
    tile.yield %less : i1
  }
  tile.return
}

// -----

tile.kernel @long(%x: !tile.view<1024xf32>, %y: !tile.view<1024xf32>) {
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<1024xf32> -> tensor<1024xf32>
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{'tile.scan' op is not supported by tile-to-simt on sm_80: expects at most 512 elements in order for each thread, but got 1024}}
  %s, %last = tile.scan %t from %zero dim 0 : tensor<1024xf32> from f32 -> tensor<1024xf32> and f32 {
  ^bb0(%sum: f32, %element: f32):
    %next = arith.addf %sum, %element : f32
    tile.yield %next : f32
  }
  tile.store %s, %y at affine_map<(t0) -> (t0)>[] : tensor<1024xf32>, !tile.view<1024xf32>
  tile.return
}

// -----

tile.kernel @gathered(%q: !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 4 along 0>>, %i: !tile.view<64xi64>, %y: !tile.view<64xi8>) {
  %n = tile.load %i at affine_map<(t0) -> (t0)>[] : !tile.view<64xi64> -> tensor<64xi64>
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects packed codes at affine places, but got a gather}}
  %t = tile.load %q at affine_map<(t0, g) -> (g)>[] indices (%n : tensor<64xi64>) : !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 4 along 0>> -> tensor<64xi8>
  tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<64xi8>, !tile.view<64xi8>
  tile.return
}

// -----

// Copies take words: from memory of the same order, whole runs.
tile.kernel @others(%q: !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 3 along 0>>) {
  %m = tile.alloc [] : !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 4 along 0>>
  %t = tile.load %q at affine_map<(t0) -> (t0)>[] : !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 3 along 0>> -> tensor<64xi8>
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects 'tile.async' and whole words of packed codes, as a load reads them that nothing else uses}}
  tile.store %t, %m at affine_map<(t0) -> (t0)>[] {tile.async} : tensor<64xi8>, !tile.view<64xi8, #tile.memory<(d0) -> (d0), bits = 4 along 0>>
  tile.return
}
