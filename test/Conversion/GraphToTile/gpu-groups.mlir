// Tiles that suit warp groups, where the device has them: up to 128 x 256, 128 bytes along k, steps of
// whole instructions. Other devices keep to theirs.
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(sectile-graph,graph-to-tile{level=sm_90a target=sm_90a},builtin.module(canonicalize,cse))' | FileCheck %s
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(sectile-graph,graph-to-tile{level=sm_89 target=sm_89},builtin.module(canonicalize,cse))' | FileCheck %s --check-prefix=OTHER

// CHECK: tile.kernel @k0_contract({{.*}}dims = {d0 = [128, 128], d1 = [256, 256]}
// CHECK: tile.dot {{.*}} : tensor<128x64xf16>, tensor<64x256xf16> -> tensor<128x256xf32>
// OTHER: tile.kernel @k0_contract
// OTHER: tile.dot {{.*}} : tensor<{{[0-9]+}}x32xf16>
func.func @large(%a: tensor<4096x4096xf16>, %b: tensor<4096x4096xf16>) -> tensor<4096x4096xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x4096xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %c = linalg.matmul ins(%a, %b : tensor<4096x4096xf16>, tensor<4096x4096xf16>) outs(%f : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %c : tensor<4096x4096xf32>
}

// -----

// 40 values of k are three instructions, masked; 192 rows are three of 64.
// CHECK: tile.kernel @k0_contract({{.*}}[64, 64]
// CHECK: tile.dot {{.*}} : tensor<64x48xf16>, tensor<48x{{[0-9]+}}xf16>
func.func @short(%a: tensor<40x192x40xf16>, %b: tensor<40x40x256xf16>) -> tensor<40x192x256xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<40x192x256xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<40x192x256xf32>) -> tensor<40x192x256xf32>
  %c = linalg.batch_matmul ins(%a, %b : tensor<40x192x40xf16>, tensor<40x40x256xf16>) outs(%f : tensor<40x192x256xf32>) -> tensor<40x192x256xf32>
  return %c : tensor<40x192x256xf32>
}
