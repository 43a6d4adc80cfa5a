// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-allocate-shared))' --split-input-file -verify-diagnostics | FileCheck %s

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>

// The second one takes the place of the first, which is not needed any more; the third is needed with the second.
// CHECK-LABEL: tile.kernel @chain
// CHECK: tile.alloc[] {tile.offset = 0 : i64} : <64xf32>
// CHECK: tile.alloc[] {tile.offset = 0 : i64} : <64xf32>
// CHECK: tile.alloc[] {tile.offset = 256 : i64} : <32xf32>
tile.kernel @chain(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %b = tile.alloc [] : !tile.view<64xf32>
  %a = tile.alloc [] : !tile.view<64xf32>
  %c = tile.alloc [] : !tile.view<32xf32>
  %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %t, %b at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  %u = tile.load %b at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %u, %a at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  %v = tile.load %a at affine_map<(t) -> (t floordiv 2)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %v, %c at affine_map<(t) -> (t floordiv 2)>[] : tensor<64xf32, #row>, !tile.view<32xf32>
  %w = tile.load %a at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %w, %y at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.return
}

// -----

// What is copied to belongs to the copy until a wait.
// CHECK-LABEL: tile.kernel @under_way
// CHECK: tile.alloc[] {tile.offset = 0 : i64} : <64xf32>
// CHECK: tile.alloc[] {tile.offset = 256 : i64} : <64xf32>
// CHECK: tile.alloc[] {tile.offset = 0 : i64} : <32xf32>
#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
tile.kernel @under_way(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %a = tile.alloc [] : !tile.view<64xf32>
  %b = tile.alloc [] : !tile.view<64xf32>
  %c = tile.alloc [] : !tile.view<32xf32>
  %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %t, %a at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.commit_copies
  %u = tile.load %y at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %u, %b at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.wait_copies 0
  tile.store %u, %c at affine_map<(t) -> (t floordiv 2)>[] : tensor<64xf32, #row>, !tile.view<32xf32>
  tile.return
}

// -----

// A loop needs what it uses as a whole.
// CHECK-LABEL: tile.kernel @loop
// CHECK: tile.alloc[] {tile.offset = 0 : i64}
// CHECK: tile.alloc[] {tile.offset = 128 : i64}
#row = #tile.layout<[32], register = [1:d0], lane = [32:d0]>
tile.kernel @loop(%x: !tile.view<32xf32>, %n: index) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %a = tile.alloc [] : !tile.view<32xf32>
  %b = tile.alloc [] : !tile.view<32xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<32xf32> -> tensor<32xf32, #row>
    tile.store %t, %a at affine_map<(t) -> (t)>[] : tensor<32xf32, #row>, !tile.view<32xf32>
    tile.store %t, %b at affine_map<(t) -> (t)>[] : tensor<32xf32, #row>, !tile.view<32xf32>
  }
  tile.return
}

// -----

// expected-error @+1 {{'tile.kernel' op 'huge' expects at most 166912 bytes of shared memory on sm_80, but its tiles need 262144; a schedule with smaller tiles or fewer stages avoids this}}
tile.kernel @huge() attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %a = tile.alloc [] : !tile.view<512x128xf32>
  tile.return
}

// -----

// expected-error @+1 {{expects attributes 'tile.target' and 'tile.warps', which tile-assign-layouts leaves}}
tile.kernel @without() {
  tile.return
}
