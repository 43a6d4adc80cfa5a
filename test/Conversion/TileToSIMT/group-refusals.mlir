// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile-to-simt)' --split-input-file -verify-diagnostics | FileCheck %s

#sum = #tile.layout<[64, 64], register = [2:d1*1, 2:d0*8, 8:d1*8], lane = [4:d1*2, 8:d0*1], warp = [4:d0*16]>
#row = #tile.layout<[64, 64], register = [8:d1*1, 4:d0*16], lane = [8:d1*8, 4:d0*1], warp = [4:d0*4]>

// A placement that no descriptor can say.
tile.kernel @rows(%c: !tile.view<64x64xf32>) attributes {tile.target = "sm_90a", tile.warps = 4 : i64} {
  %m = tile.alloc [] {tile.placement = "[64, 64] x 16, d0 = [64:1024], d1 = [64:16], bit = [16:1]"} : !tile.view<64x64xf16>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #sum>
  %x = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  %y = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  // expected-error @below {{'tile.dot' op is not supported by tile-to-simt on sm_90a: expects a placement that descriptors of wgmma.m64n64k16.f16 can say, but got [64, 64] x 16, d0 = [64:1024], d1 = [64:16], bit = [16:1]: no descriptor says where these elements lie}}
  %d = tile.dot %x, %y, %zero {tile.instruction = "wgmma.m64n64k16.f16"} : tensor<64x64xf16, #row>, tensor<64x64xf16, #row> -> tensor<64x64xf32, #sum>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32, #sum>, !tile.view<64x64xf32>
  tile.return
}

// -----

#other = #tile.layout<[64, 64], register = [2:d1*1, 32:d1*2], lane = [32:d0*1], warp = [2:d0*32, 2:_]>
#row = #tile.layout<[64, 64], register = [8:d1*1, 4:d0*16], lane = [8:d1*8, 4:d0*1], warp = [4:d0*4]>

tile.kernel @sums(%c: !tile.view<64x64xf32>) attributes {tile.target = "sm_90a", tile.warps = 4 : i64} {
  %m = tile.alloc [] {tile.placement = "[64, 64] x 16, d0 = [64:1024], d1 = [64:16], bit = [16:1], swizzle = [3 of 7 at 4]"} : !tile.view<64x64xf16>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #other>
  %x = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  %y = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  // expected-error @below {{the accumulator's layout is not made of fragments of wgmma.m64n64k16.f16}}
  %d = tile.dot %x, %y, %zero {tile.instruction = "wgmma.m64n64k16.f16"} : tensor<64x64xf16, #row>, tensor<64x64xf16, #row> -> tensor<64x64xf32, #other>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32, #other>, !tile.view<64x64xf32>
  tile.return
}

// -----

#sum = #tile.layout<[64, 64], register = [2:d1*1, 2:d0*8, 8:d1*8], lane = [4:d1*2, 8:d0*1], warp = [4:d0*16]>
#row = #tile.layout<[64, 64], register = [8:d1*1, 4:d0*16], lane = [8:d1*8, 4:d0*1], warp = [4:d0*4]>

tile.kernel @device(%c: !tile.view<64x64xf32>) attributes {tile.target = "sm_80", tile.warps = 4 : i64} {
  %m = tile.alloc [] {tile.placement = "[64, 64] x 16, d0 = [64:1024], d1 = [64:16], bit = [16:1], swizzle = [3 of 7 at 4]"} : !tile.view<64x64xf16>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #sum>
  %x = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  %y = tile.load %m at affine_map<(t0, t1) -> (t0, t1)>[] {tile.in_memory} : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  // expected-error @below {{'tile.dot' op is not supported by tile-to-simt on sm_80: the device has no instruction wgmma.m64n64k16.f16}}
  %d = tile.dot %x, %y, %zero {tile.instruction = "wgmma.m64n64k16.f16"} : tensor<64x64xf16, #row>, tensor<64x64xf16, #row> -> tensor<64x64xf32, #sum>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32, #sum>, !tile.view<64x64xf32>
  tile.return
}

// -----

#sum = #tile.layout<[64, 64], register = [2:d1*1, 2:d0*8, 8:d1*8], lane = [4:d1*2, 8:d0*1], warp = [4:d0*16]>
#row = #tile.layout<[64, 64], register = [8:d1*1, 4:d0*16], lane = [8:d1*8, 4:d0*1], warp = [4:d0*4]>

// Sides in registers, for which there is an instruction of single warps.
// CHECK: gpu.func @registers
// CHECK-NOT: wgmma
// CHECK: nvvm.mma.sync
tile.kernel @registers(%a: !tile.view<64x64xf16>, %c: !tile.view<64x64xf32>) attributes {tile.target = "sm_90a", tile.warps = 4 : i64} {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #sum>
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<64x64xf16> -> tensor<64x64xf16, #row>
  %d = tile.dot %x, %x, %zero {tile.instruction = "wgmma.m64n64k16.f16"} : tensor<64x64xf16, #row>, tensor<64x64xf16, #row> -> tensor<64x64xf32, #sum>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32, #sum>, !tile.view<64x64xf32>
  tile.return
}
