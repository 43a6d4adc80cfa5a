// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-pipeline))' --split-input-file -verify-diagnostics | FileCheck %s

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>

// Two rows ahead: their copies come first, and in the loop behind the wait; what lies behind the end is
// masked.
// CHECK-DAG: #[[STAGE:.*]] = affine_map<()[s0, s1] -> ((s0 - s1) mod 3)>
// CHECK-DAG: #[[EXISTS:.*]] = affine_set<(d0)[s0, s1] : (s1 - s0 - 1 >= 0)>
// CHECK-LABEL: tile.kernel @rows
// CHECK: %[[M:.*]] = tile.alloc[] {tile.placement = "[3, 64] x 32, d0 = [3:2048], d1 = [64:32], bit = [32:1]"} : <3x64xf32>
// CHECK-COUNT-2: tile.commit_copies
// CHECK: scf.for %[[I:.*]] = %[[C0:.*]] to %[[C8:.*]] step
// CHECK: %[[S:.*]] = affine.apply #[[STAGE]]()[%[[I]], %[[C0]]]
// CHECK: tile.wait_copies 1
// CHECK: %[[NEXT:.*]] = affine.apply
// CHECK: tile.load %{{.*}} where #[[EXISTS]][%[[NEXT]], %[[C8]]] else 0.0
// CHECK: tile.store {{.*}} {tile.async}
// CHECK-NEXT: tile.commit_copies
// CHECK: tile.load %[[M]] at {{.*}}[%[[S]]]
tile.kernel @rows(%x: !tile.view<8x64xf32>, %y: !tile.view<8x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 3}>
    attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %t = tile.load %x at affine_map<(t)[i] -> (i, t)>[%i] : !tile.view<8x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
    %u = tile.load %m at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
    tile.store %u, %y at affine_map<(t)[i] -> (i, t)>[%i] : tensor<64xf32, #row>, !tile.view<8x64xf32>
  }
  tile.return
}

// -----

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>

// Where the next row lies, this one says.
// CHECK-LABEL: tile.kernel @chased
// CHECK: tile.wait_copies 0
tile.kernel @chased(%x: !tile.view<8x64xf32>, %p: !tile.view<8xindex>, %y: !tile.view<8x64xf32>)
    attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %last = scf.for %i = %c0 to %c8 step %c1 iter_args(%r = %c0) -> index {
    %t = tile.load %x at affine_map<(t)[i] -> (i, t)>[%r] : !tile.view<8x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
    %u = tile.load %m at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
    tile.store %u, %y at affine_map<(t)[i] -> (i, t)>[%i] : tensor<64xf32, #row>, !tile.view<8x64xf32>
    %next = tile.load %p at affine_map<()[i] -> (i)>[%i] : !tile.view<8xindex> -> index
    scf.yield %next : index
  }
  tile.return
}

// -----

// expected-error @+1 {{expects attributes 'tile.target' and 'tile.warps', which tile-assign-layouts leaves}}
tile.kernel @without() {
  tile.return
}

// -----

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>

// expected-error @+1 {{expects choice 'stages' to be from 1 to 4, but got 9}}
tile.kernel @many(%x: !tile.view<8x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 9}>
    attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %t = tile.load %x at affine_map<(t)[i] -> (i, t)>[%i] : !tile.view<8x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
  }
  tile.return
}

// -----

// What is read behind the loop too, is of no known place, or copies nothing, stays as it is.
// CHECK-LABEL: tile.kernel @read_behind
// CHECK-NOT: tile.wait_copies 1
#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
tile.kernel @read_behind(%x: !tile.view<?x64xf32>, %y: !tile.view<64xf32>, %n: index) schedule #tile.schedule<v1, dims = {}, choices = {stages = 3 : i64}> attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = tile.load %x at affine_map<(t)[s] -> (s, t)>[%i] : !tile.view<?x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
  }
  %u = tile.load %m at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %u, %y at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.return
}

// CHECK-LABEL: tile.kernel @no_place
// CHECK-NOT: tile.wait_copies 1
tile.kernel @no_place(%x: !tile.view<?x64xf32>, %n: index) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tile.alloc [] : !tile.view<64xf32>
  %p = tile.alloc [] {tile.placement = "nowhere"} : !tile.view<64xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = tile.load %x at affine_map<(t)[s] -> (s, t)>[%i] : !tile.view<?x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
  }
  scf.for %i = %c0 to %n step %c1 {
    %t = tile.load %x at affine_map<(t)[s] -> (s, t)>[%i] : !tile.view<?x64xf32> -> tensor<64xf32, #row>
    tile.store %t, %p at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
    tile.commit_copies
    tile.wait_copies 0
  }
  scf.for %i = %c0 to %n step %c1 {
    tile.commit_copies
    tile.wait_copies 0
  }
  tile.return
}
