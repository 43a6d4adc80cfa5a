// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=gfx942}),tile-to-simt,cse)' --split-input-file | FileCheck %s --check-prefixes=CHECK,GFX942
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=gfx90a}),tile-to-simt,cse)' --split-input-file | FileCheck %s --check-prefixes=CHECK,GFX90A
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=gfx90a fp=fast}),tile-to-simt{fp=fast},cse)' --split-input-file | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=gfx1100}),tile-to-simt,cse)' --split-input-file | FileCheck %s --check-prefixes=CHECK,GFX1100

// Two wavefronts of 64 along m: each has an instruction of 32 x 32 for 8 values of k, four times.
// gfx90a's takes subnormal numbers for zero, which is for fp=fast; numbers are multiplied as f32 else.
// CHECK-LABEL: gpu.func @halves
// GFX942-COUNT-4: rocdl.mfma.f32.32x32x8f16 {{.*}} : (vector<4xf16>, vector<4xf16>, vector<16xf32>, i32, i32, i32) -> vector<16xf32>
// GFX942-NOT: rocdl.mfma
// GFX90A-COUNT-16: rocdl.mfma.f32.32x32x2f32 {{.*}} : (f32, f32, vector<16xf32>, i32, i32, i32) -> vector<16xf32>
// GFX90A-NOT: rocdl.mfma
// FAST-COUNT-4: rocdl.mfma.f32.32x32x8f16
// GFX1100-COUNT-8: rocdl.wmma.f32.16x16x16.f16 {{.*}} : (vector<16xf16>, vector<16xf16>, vector<8xf32>) -> vector<8xf32>
// GFX1100-NOT: rocdl.wmma
tile.kernel @halves(%a: !tile.view<64x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<64x32xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 2}> {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<64x32xf16> -> tensor<64x32xf16>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %z = arith.constant dense<0.0> : tensor<64x32xf32>
  %d = tile.dot %x, %y, %z : tensor<64x32xf16>, tensor<32x32xf16> -> tensor<64x32xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x32xf32>, !tile.view<64x32xf32>
  tile.return
}

// -----

// CHECK-LABEL: gpu.func @bfloats
// GFX942: rocdl.mfma.f32.16x16x16bf16.1k {{.*}} : (vector<4xi16>, vector<4xi16>, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
// GFX90A: rocdl.mfma.f32.16x16x4f32
// FAST: rocdl.mfma.f32.16x16x16bf16.1k
// GFX1100: rocdl.wmma.f32.16x16x16.bf16 {{.*}} : (vector<16xi16>, vector<16xi16>, vector<8xf32>) -> vector<8xf32>
tile.kernel @bfloats(%a: !tile.view<16x16xbf16>, %b: !tile.view<16x16xbf16>, %c: !tile.view<16x16xf32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x16xbf16> -> tensor<16x16xbf16>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x16xbf16> -> tensor<16x16xbf16>
  %z = arith.constant dense<0.0> : tensor<16x16xf32>
  %d = tile.dot %x, %y, %z : tensor<16x16xbf16>, tensor<16x16xbf16> -> tensor<16x16xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x16xf32>, !tile.view<16x16xf32>
  tile.return
}

// -----

// What RDNA 3 has no instruction for is multiplied and added.
// CHECK-LABEL: gpu.func @floats
// GFX942: rocdl.mfma.f32.16x16x4f32 {{.*}} : (f32, f32, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
// GFX90A: rocdl.mfma.f32.16x16x4f32
// GFX1100-NOT: rocdl.wmma
// GFX1100: math.fma
tile.kernel @floats(%a: !tile.view<16x16xf32>, %b: !tile.view<16x16xf32>, %c: !tile.view<16x16xf32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x16xf32> -> tensor<16x16xf32>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x16xf32> -> tensor<16x16xf32>
  %z = arith.constant dense<0.0> : tensor<16x16xf32>
  %d = tile.dot %x, %y, %z : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x16xf32>, !tile.view<16x16xf32>
  tile.return
}

// -----

// CHECK-LABEL: gpu.func @doubles
// GFX942: rocdl.mfma.f64.16x16x4f64 {{.*}} : (f64, f64, vector<4xf64>, i32, i32, i32) -> vector<4xf64>
// GFX1100: math.fma
tile.kernel @doubles(%a: !tile.view<16x4xf64>, %b: !tile.view<4x16xf64>, %c: !tile.view<16x16xf64>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x4xf64> -> tensor<16x4xf64>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<4x16xf64> -> tensor<4x16xf64>
  %z = arith.constant dense<0.0> : tensor<16x16xf64>
  %d = tile.dot %x, %y, %z : tensor<16x4xf64>, tensor<4x16xf64> -> tensor<16x16xf64>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x16xf64>, !tile.view<16x16xf64>
  tile.return
}

// -----

// MFMA's bytes are signed; WMMA's have signs of their own.
// CHECK-LABEL: gpu.func @bytes
// GFX942: rocdl.mfma.i32.16x16x32.i8 {{.*}} : (i64, i64, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
// GFX90A: rocdl.mfma.i32.16x16x16i8 {{.*}} : (i32, i32, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
// GFX1100: rocdl.wmma.i32.16x16x16.iu8 {{.*}} {signA = true, signB = true} : (vector<4xi32>, vector<4xi32>, vector<8xi32>) -> vector<8xi32>
tile.kernel @bytes(%a: !tile.view<16x32xi8>, %b: !tile.view<32x16xi8>, %c: !tile.view<16x16xi32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x32xi8> -> tensor<16x32xi8>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x16xi8> -> tensor<32x16xi8>
  %z = arith.constant dense<0> : tensor<16x16xi32>
  %d = tile.dot %x, %y, %z : tensor<16x32xi8>, tensor<32x16xi8> -> tensor<16x16xi32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x16xi32>, !tile.view<16x16xi32>
  tile.return
}

// -----

// CHECK-LABEL: gpu.func @mixed
// GFX942-NOT: rocdl.mfma
// GFX942: arith.muli
// GFX1100: rocdl.wmma.i32.16x16x16.iu8 {{.*}} {signB = true}
tile.kernel @mixed(%a: !tile.view<16x32xi8>, %b: !tile.view<32x16xi8>, %c: !tile.view<16x16xi32>) {
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x32xi8> -> tensor<16x32xi8>
  %y = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<32x16xi8> -> tensor<32x16xi8>
  %z = arith.constant dense<0> : tensor<16x16xi32>
  %d = tile.dot %x, %y, %z {unsigned_lhs} : tensor<16x32xi8>, tensor<32x16xi8> -> tensor<16x16xi32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x16xi32>, !tile.view<16x16xi32>
  tile.return
}
