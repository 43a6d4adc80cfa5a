// RUN: sectile-ptx %s --target=sm_80 | FileCheck %s
// RUN: sectile-ptx %s --target=sm_90a | FileCheck %s --check-prefix=HOPPER
// RUN: not sectile-ptx %s --target=sm_70 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: expects target to be one of sm_80, sm_86, sm_89, sm_90a, gfx90a, gfx942, gfx1100, but got 'sm_70'

// CHECK: .target sm_80
// HOPPER: .target sm_90a
// CHECK: .visible .entry halves(
// CHECK: .reqntid 64, 1, 1
// CHECK: ld.global.v4
// CHECK: st.shared
// CHECK: bar.sync
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-NOT: .extern
#map = affine_map<(t0, t1) -> (t0, t1)>
tile.kernel @halves(%a: !tile.view<64x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<64x32xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 2}> {
  %x = tile.load %a at #map[] : !tile.view<64x32xf16> -> tensor<64x32xf16>
  %y = tile.load %b at #map[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %z = arith.constant dense<0.0> : tensor<64x32xf32>
  %d = tile.dot %x, %y, %z : tensor<64x32xf16>, tensor<32x32xf16> -> tensor<64x32xf32>
  %e = math.exp %d : tensor<64x32xf32>
  tile.store %e, %c at #map[] : tensor<64x32xf32>, !tile.view<64x32xf32>
  tile.return
}
