// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-factor-scales))' --split-input-file | FileCheck %s --check-prefix=FACTOR
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-factor-scales,tile-assign-layouts{target=sm_80},tile-stage-operands,tile-pipeline))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80},tile-stage-operands))' --split-input-file --remarks-filter=tile-stage-operands --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// Scales of groups multiply sums; words are copied, and codes taken from them in the layout of the product.
// FACTOR-LABEL: tile.kernel @product
// FACTOR: %[[S:.*]] = tile.load %arg2 at {{.*}} -> tensor<16x32xf16>
// FACTOR-DAG: %[[E:.*]] = arith.extf %[[S]]
// FACTOR-DAG: tile.dequantize %{{.*}} scale %{{.*}} : (tensor<32x128xi8>, f16)
// FACTOR-DAG: %[[D:.*]] = tile.dot
// FACTOR: %[[M:.*]] = arith.mulf %[[D]], %[[E]] fastmath<contract>
// FACTOR: arith.addf %{{.*}}, %[[M]] fastmath<contract>
// CHECK-LABEL: tile.kernel @product
// CHECK: %[[W:.*]] = tile.alloc[] : <3x128x32xi8, #tile.memory<(d0, d1, d2) -> (d0, d1 floordiv 128, d2, d1 mod 128), bits = 4 along 3, order = [2:2, 4:32, 2:1, 8:4]>>
// CHECK: tile.load %arg2 at {{.*}} -> tensor<16x32xf16, #[[SUM:.*]]>
// CHECK: tile.wait_copies 1
// CHECK: tile.load %[[W]] {{.*}} -> tensor<16x32xi8, #[[RIGHT:.*]]>
// CHECK-NEXT: tile.dequantize
// CHECK-NEXT: tile.dot {{.*}} -> tensor<16x32xf32, #[[SUM]]>
// CHECK-NOT: tile.convert_layout
// REMARK: is copied to shared memory by words, 2048 bytes
#codes = #tile.memory<(d0, d1) -> (d0 floordiv 128, d1, d0 mod 128), bits = 4 along 2, order = [2:2, 4:32, 2:1, 8:4]>
tile.kernel @product(%a: !tile.view<16x512xf16>, %b: !tile.view<512x32xi8, #codes>, %s: !tile.view<2x32xf16>, %c: !tile.view<16x32xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 3 : i64}> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant dense<0.0> : tensor<16x32xf32>
  %sum = scf.for %k = %c0 to %c4 step %c1 iter_args(%acc = %zero) -> tensor<16x32xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k * 128)>[%k] : !tile.view<16x512xf16> -> tensor<16x128xf16>
    %q = tile.load %b at affine_map<(t0, t1)[k] -> (t1 + k * 128, t0)>[%k] : !tile.view<512x32xi8, #codes> -> tensor<32x128xi8>
    %f = tile.load %s at affine_map<(t0, t1)[k] -> ((t1 + k * 128) floordiv 256, t0)>[%k] : !tile.view<2x32xf16> -> tensor<32x128xf16>
    %w = tile.dequantize %q scale %f {format = "int4"} : (tensor<32x128xi8>, tensor<32x128xf16>) -> tensor<32x128xf16>
    %y = tile.transpose %w perm [1, 0] : tensor<32x128xf16> -> tensor<128x32xf16>
    %d = tile.dot %x, %y, %acc : tensor<16x128xf16>, tensor<128x32xf16> -> tensor<16x32xf32>
    scf.yield %d : tensor<16x32xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x32xf32>, !tile.view<16x32xf32>
  tile.return
}

// -----

// A step that begins within a run, of groups of 32: nothing is copied, and scales stay with the numbers.
// FACTOR-LABEL: tile.kernel @part
// FACTOR: tile.dequantize %{{.*}} scale %{{.*}} : (tensor<64x32xi8>, tensor<64x32xf16>)
// FACTOR-NOT: arith.mulf
// CHECK-LABEL: tile.kernel @part
// CHECK-NOT: tile.async
// REMARK: operand 1 is not staged: it does not read whole runs of packed codes
#codes = #tile.memory<(d0, d1) -> (d0 floordiv 128, d1, d0 mod 128), bits = 4 along 2, order = [2:2, 4:32, 2:1, 8:4]>
tile.kernel @part(%a: !tile.view<16x512xf16>, %b: !tile.view<512x32xi8, #codes>, %s: !tile.view<16x32xf16>, %c: !tile.view<16x32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant dense<0.0> : tensor<16x32xf32>
  %sum = scf.for %k = %c0 to %c8 step %c1 iter_args(%acc = %zero) -> tensor<16x32xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k * 64)>[%k] : !tile.view<16x512xf16> -> tensor<16x64xf16>
    %q = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k * 64, t1)>[%k] : !tile.view<512x32xi8, #codes> -> tensor<64x32xi8>
    %f = tile.load %s at affine_map<(t0, t1)[k] -> ((t0 + k * 64) floordiv 32, t1)>[%k] : !tile.view<16x32xf16> -> tensor<64x32xf16>
    %w = tile.dequantize %q scale %f {format = "int4"} : (tensor<64x32xi8>, tensor<64x32xf16>) -> tensor<64x32xf16>
    %d = tile.dot %x, %w, %acc : tensor<16x64xf16>, tensor<64x32xf16> -> tensor<16x32xf32>
    scf.yield %d : tensor<16x32xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x32xf32>, !tile.view<16x32xf32>
  tile.return
}

// -----

// A table whose numbers f16 does not have is rounded with its scale, once.
// FACTOR-LABEL: tile.kernel @table
// FACTOR: tile.dequantize %{{.*}} scale %{{.*}} : (tensor<128x32xi8>, tensor<128x32xf16>)
// CHECK-LABEL: tile.kernel @table
tile.kernel @table(%a: !tile.view<16x128xf16>, %b: !tile.view<128x32xi8>, %s: !tile.view<32xf16>, %c: !tile.view<16x32xf32>) {
  %zero = arith.constant dense<0.0> : tensor<16x32xf32>
  %x = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x128xf16> -> tensor<16x128xf16>
  %q = tile.load %b at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<128x32xi8> -> tensor<128x32xi8>
  %f = tile.load %s at affine_map<(t0) -> (t0)>[] : !tile.view<32xf16> -> tensor<32xf16>
  %r = tile.broadcast %f dims [0] : tensor<32xf16> -> tensor<128x32xf16>
  %w = tile.dequantize %q scale %r {format = "nf4"} : (tensor<128x32xi8>, tensor<128x32xf16>) -> tensor<128x32xf16>
  %d = tile.dot %x, %w, %zero : tensor<16x128xf16>, tensor<128x32xf16> -> tensor<16x32xf32>
  tile.store %d, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x32xf32>, !tile.view<16x32xf32>
  tile.return
}
