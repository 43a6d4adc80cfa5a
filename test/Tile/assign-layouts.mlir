// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}))' --split-input-file --remarks-filter=tile-assign-layouts --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// The load decides; the sum loses a dimension; what is broadcast is read as its result lies.
// CHECK-DAG: #[[X:.*]] = #tile.layout<[4, 64], register = [2:d1*1], lane = [32:d1*2], warp = [4:d0*1]>
// CHECK-DAG: #[[S:.*]] = #tile.layout<[4], lane = [32:_], warp = [4:d0*1]>
// CHECK-LABEL: tile.kernel @rows
// CHECK-SAME: tile.target = "sm_80", tile.warps = 4
// CHECK: tile.load {{.*}} -> tensor<4x64xf32, #[[X]]>
// CHECK: tile.reduce {{.*}} : tensor<4x64xf32, #[[X]]> -> tensor<4xf32, #[[S]]>
// CHECK: tile.broadcast {{.*}} : tensor<4xf32, #[[S]]> -> tensor<4x64xf32, #[[X]]>
// CHECK-NOT: convert_layout
// REMARK: 'tile.load' decides on {{.*}}[4, 64], register = [2:d1*1]
// REMARK: 'tile.reduce' leaves its input's layout without the reduced dimensions: {{.*}}[4], lane
#map = affine_map<(t0, t1) -> (t0, t1)>
tile.kernel @rows(%x: !tile.view<4x64xf32>, %y: !tile.view<4x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 4}> {
  %t = tile.load %x at #map[] : !tile.view<4x64xf32> -> tensor<4x64xf32>
  %s = tile.reduce %t dims [1] : tensor<4x64xf32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    tile.yield %c : f32
  }
  %b = tile.broadcast %s dims [1] : tensor<4xf32> -> tensor<4x64xf32>
  %r = arith.divf %t, %b : tensor<4x64xf32>
  tile.store %r, %y at #map[] : tensor<4x64xf32>, !tile.view<4x64xf32>
  tile.return
}

// -----

// Loads along both sides of a transposition are coalesced: between them memory is shared.
// CHECK-DAG: #[[IN:.*]] = #tile.layout<[32, 32], register = [4:d1*1, 2:d0*16], lane = [8:d1*4, 4:d0*1], warp = [4:d0*4]>
// CHECK-DAG: #[[T:.*]] = #tile.layout<[32, 32], register = [4:d0*1, 2:d1*16], lane = [8:d0*4, 4:d1*1], warp = [4:d1*4]>
// CHECK-LABEL: tile.kernel @transpose
// CHECK: tile.load {{.*}} -> tensor<32x32xf32, #[[IN]]>
// CHECK: tile.transpose {{.*}} : tensor<32x32xf32, #[[IN]]> -> tensor<32x32xf32, #[[T]]>
// CHECK: tile.convert_layout {{.*}} : tensor<32x32xf32, #[[T]]> -> tensor<32x32xf32, #[[IN]]>
// CHECK: tile.store {{.*}} tensor<32x32xf32, #[[IN]]>
// REMARK: two layouts meet, which takes shared memory
#map = affine_map<(t0, t1) -> (t0, t1)>
tile.kernel @transpose(%x: !tile.view<32x32xf32>, %y: !tile.view<32x32xf32>) {
  %t = tile.load %x at #map[] : !tile.view<32x32xf32> -> tensor<32x32xf32>
  %u = tile.transpose %t perm [1, 0] : tensor<32x32xf32> -> tensor<32x32xf32>
  tile.store %u, %y at #map[] : tensor<32x32xf32>, !tile.view<32x32xf32>
  tile.return
}

// -----

// A product decides on its accumulator through the loop; constants have their user's layout.
// CHECK-DAG: #[[ACC:.*]] = #tile.layout<[64, 64], register = [4:d1*1, 4:d0*16], lane = [16:d1*4, 2:d0*1], warp = [8:d0*2]>
// CHECK-LABEL: tile.kernel @product
// CHECK: arith.constant dense<0.000000e+00> : tensor<64x64xf32, #[[ACC]]>
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32, #[[ACC]]>)
// CHECK: tile.dot {{.*}} -> tensor<64x64xf32, #[[ACC]]>
// REMARK: 'tile.dot' decides on {{.*}}[64, 64]
tile.kernel @product(%a: !tile.view<64x512xf32>, %b: !tile.view<512x64xf32>, %c: !tile.view<64x64xf32>) {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c512 = arith.constant 512 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c512 step %c16 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x512xf32> -> tensor<64x16xf32>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<512x64xf32> -> tensor<16x64xf32>
    %s = tile.dot %x, %y, %acc : tensor<64x16xf32>, tensor<16x64xf32> -> tensor<64x64xf32>
    scf.yield %s : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// 96 columns are 8 lanes of 4, three times; 33 are covered by 64 lanes, and two warps hold copies.
// CHECK-DAG: #tile.layout<[16, 96], register = [4:d1*1, 3:d1*32], lane = [8:d1*4, 4:d0*1], warp = [4:d0*4]>
// CHECK-DAG: #tile.layout<[33], lane = [32:d0*1], warp = [2:d0*32, 2:_]>
// CHECK-LABEL: tile.kernel @uneven
tile.kernel @uneven(%x: !tile.view<16x96xf32>, %p: !tile.view<33xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 4}> {
  %t = tile.load %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x96xf32> -> tensor<16x96xf32>
  tile.store %t, %x at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x96xf32>, !tile.view<16x96xf32>
  %u = tile.load %p at affine_map<(t0) -> (t0)>[] : !tile.view<33xf32> -> tensor<33xf32>
  tile.store %u, %p at affine_map<(t0) -> (t0)>[] : tensor<33xf32>, !tile.view<33xf32>
  tile.return
}

// -----

// The schedule may say how many warps a block has; nothing else is a number of them.
// CHECK-LABEL: tile.kernel @nothing
tile.kernel @nothing() {
  tile.return
}

// -----

// What nothing uses has a layout too.
// CHECK-LABEL: tile.kernel @unused
// CHECK: tile.broadcast {{.*}} -> tensor<16x16xf32, #{{.*}}>
tile.kernel @unused(%y: !tile.view<64xf32>) {
  %c = arith.constant 0.0 : f32
  %b = tile.broadcast %c dims [0, 1] : f32 -> tensor<16x16xf32>
  %z = arith.constant dense<0.0> : tensor<64xf32>
  tile.store %z, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.return
}
