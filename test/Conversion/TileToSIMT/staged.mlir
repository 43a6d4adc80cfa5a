// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile-to-simt,cse)' --split-input-file -verify-diagnostics | FileCheck %s

#row = #tile.layout<[64], register = [4:d0], lane = [16:d0*4, 2:_]>

// One copy of 16 bytes for each of 16 lanes; a barrier behind the wait, and none before the first copy.
// CHECK-LABEL: gpu.func @copy
// CHECK-NOT: gpu.barrier
// CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache =  cg :
// CHECK: nvvm.cp.async.commit.group
// CHECK-NEXT: nvvm.cp.async.wait.group 0
// CHECK-NEXT: gpu.barrier
tile.kernel @copy(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.commit_copies
  tile.wait_copies 0
  %u = tile.load %m at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %u, %y at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.return
}

// -----

// More than 48 KiB come with the launch.
// CHECK: llvm.mlir.global external @large$dynamic() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>
// CHECK-LABEL: gpu.func @large
// CHECK-SAME: sectile.dynamic_shared = 65536 : i64
#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
tile.kernel @large(%x: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %a = tile.alloc [] : !tile.view<128x128xf32>
  %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %t, %a at affine_map<(t) -> (0, t)>[] : tensor<64xf32, #row>, !tile.view<128x128xf32>
  tile.return
}

// -----

tile.kernel @placement() attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects 'tile.placement' to have the shape and elements of '!tile.view<64xf32>', but got [32] x 32}}
  %m = tile.alloc [] {tile.placement = "[32] x 32, d0 = [32:32], bit = [32:1]"} : !tile.view<64xf32>
  tile.return
}

// -----

tile.kernel @text() attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects 'tile.placement' to be a layout of memory:}}
  %m = tile.alloc [] {tile.placement = "rows"} : !tile.view<64xf32>
  tile.return
}

// -----

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
tile.kernel @plain(%x: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects 'tile.async' and the tile of a load that nothing else uses}}
  tile.store %t, %m at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.return
}

// -----

#row = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
tile.kernel @reversed(%y: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1 : i64} {
  %m = tile.alloc [] {tile.placement = "[64] x 32, d0 = [64:32], bit = [32:1]"} : !tile.view<64xf32>
  // expected-error @+1 {{is not supported by tile-to-simt on sm_80: expects a window of memory with a placement, but got affine_map<(d0) -> (-d0 + 63)>}}
  %t = tile.load %m at affine_map<(t) -> (63 - t)>[] : !tile.view<64xf32> -> tensor<64xf32, #row>
  tile.store %t, %y at affine_map<(t) -> (t)>[] : tensor<64xf32, #row>, !tile.view<64xf32>
  tile.return
}
