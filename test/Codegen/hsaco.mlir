// What LLVM writes for AMD's devices, and what the kernels take by the code object's metadata: nothing
// is spilled.
// RUN: sectile-ptx %s --target=gfx942 | FileCheck %s --check-prefixes=CODE,CDNA
// RUN: sectile-ptx %s --target=gfx1100 | FileCheck %s --check-prefixes=CODE,RDNA
// RUN: sectile-ptx %s --target=gfx90a --resources | FileCheck %s --check-prefix=TAKES
// RUN: sectile-ptx %s --target=gfx942 --resources | FileCheck %s --check-prefix=TAKES
// RUN: sectile-ptx %s --target=gfx1100 --resources | FileCheck %s --check-prefix=TAKES

// TAKES-DAG: halves: {{[0-9]+}} registers, 0 bytes spilled, {{[1-9][0-9]*}} bytes shared
// TAKES-DAG: functions: {{[0-9]+}} registers, 0 bytes spilled, 0 bytes shared
// TAKES-DAG: rows: {{[0-9]+}} registers, 0 bytes spilled, 0 bytes shared

// CODE: .amdhsa_code_object_version 5
// CODE-LABEL: halves:
// CODE: global_load_{{b128|dwordx4}}
// CODE: ds_{{write|store}}_b
// CODE: s_barrier
// CDNA: v_mfma_f32_32x32x8_f16
// RDNA: v_wmma_f32_16x16x16_f16
#map = affine_map<(t0, t1) -> (t0, t1)>
tile.kernel @halves(%a: !tile.view<64x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<64x32xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 2}> {
  %x = tile.load %a at #map[] : !tile.view<64x32xf16> -> tensor<64x32xf16>
  %y = tile.load %b at #map[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %z = arith.constant dense<0.0> : tensor<64x32xf32>
  %d = tile.dot %x, %y, %z : tensor<64x32xf16>, tensor<32x32xf16> -> tensor<64x32xf32>
  tile.store %d, %c at #map[] : tensor<64x32xf32>, !tile.view<64x32xf32>
  tile.return
}

// No library of the vendor's: a call would be undefined, and refused by the linker.
// CODE-LABEL: functions:
// CODE-NOT: s_swappc
tile.kernel @functions(%x: !tile.view<8x128xf32>, %y: !tile.view<8x128xf32>, %h: !tile.view<8x128xf16>) {
  %t = tile.load %x at #map[] : !tile.view<8x128xf32> -> tensor<8x128xf32>
  %0 = math.exp %t : tensor<8x128xf32>
  %1 = math.erf %0 : tensor<8x128xf32>
  %2 = math.tanh %1 : tensor<8x128xf32>
  %3 = math.rsqrt %2 : tensor<8x128xf32>
  %4 = math.roundeven %3 : tensor<8x128xf32>
  %5 = arith.maximumf %4, %t : tensor<8x128xf32>
  %6 = math.log %5 : tensor<8x128xf32>
  %7 = math.sin %6 : tensor<8x128xf32>
  tile.store %7, %y at #map[] : tensor<8x128xf32>, !tile.view<8x128xf32>
  %s = arith.truncf %7 : tensor<8x128xf32> to tensor<8x128xf16>
  tile.store %s, %h at #map[] : tensor<8x128xf16>, !tile.view<8x128xf16>
  tile.return
}

// Lanes add up without memory: neighbours by moves of data, those 4 and 16 apart by the crossbar of
// the LDS.
// CODE-LABEL: rows:
// CODE-DAG: quad_perm
// CODE-DAG: row_ror:8
// CODE-DAG: ds_swizzle_b32
tile.kernel @rows(%x: !tile.view<4x256xf32>, %y: !tile.view<4xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 1}> {
  %t = tile.load %x at #map[] : !tile.view<4x256xf32> -> tensor<4x256xf32>
  %s = tile.reduce %t dims [1] : tensor<4x256xf32> -> tensor<4xf32> {
  ^bb0(%p: f32, %q: f32):
    %r = arith.addf %p, %q : f32
    tile.yield %r : f32
  }
  tile.store %s, %y at affine_map<(t0) -> (t0)>[] : tensor<4xf32>, !tile.view<4xf32>
  tile.return
}
