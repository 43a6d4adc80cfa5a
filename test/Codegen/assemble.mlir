// What ptxas takes, and what the kernels take by it: nothing is spilled.
// REQUIRES: ptxas
// RUN: sectile-ptx %s --target=sm_80 --resources | FileCheck %s
// RUN: sectile-ptx %s --target=sm_86 --resources | FileCheck %s
// RUN: sectile-ptx %s --target=sm_89 --resources | FileCheck %s
// RUN: sectile-ptx %s --target=sm_90a --resources | FileCheck %s

// CHECK-DAG: types: {{[0-9]+}} registers, 0 bytes spilled, {{[0-9]+}} bytes shared
// CHECK-DAG: functions: {{[0-9]+}} registers, 0 bytes spilled, 0 bytes shared
// CHECK-DAG: product: {{[0-9]+}} registers, 0 bytes spilled, {{8192|16384}} bytes shared
#map = affine_map<(t0, t1) -> (t0, t1)>
tile.kernel @types(%a: !tile.view<64x32xbf16>, %b: !tile.view<32x32xbf16>, %p: !tile.view<32x64xi8>,
                   %q: !tile.view<64x16xi8>, %u: !tile.view<16x16xf64>, %c: !tile.view<64x32xf32>,
                   %r: !tile.view<32x16xi32>, %v: !tile.view<16x16xf64>) {
  %x = tile.load %a at #map[] : !tile.view<64x32xbf16> -> tensor<64x32xbf16>
  %y = tile.load %b at #map[] : !tile.view<32x32xbf16> -> tensor<32x32xbf16>
  %z = arith.constant dense<0.0> : tensor<64x32xf32>
  %d = tile.dot %x, %y, %z : tensor<64x32xbf16>, tensor<32x32xbf16> -> tensor<64x32xf32>
  tile.store %d, %c at #map[] : tensor<64x32xf32>, !tile.view<64x32xf32>
  %i = tile.load %p at #map[] : !tile.view<32x64xi8> -> tensor<32x64xi8>
  %j = tile.load %q at #map[] : !tile.view<64x16xi8> -> tensor<64x16xi8>
  %k = arith.constant dense<0> : tensor<32x16xi32>
  %l = tile.dot %i, %j, %k : tensor<32x64xi8>, tensor<64x16xi8> -> tensor<32x16xi32>
  tile.store %l, %r at #map[] : tensor<32x16xi32>, !tile.view<32x16xi32>
  %f = tile.load %u at #map[] : !tile.view<16x16xf64> -> tensor<16x16xf64>
  %g = tile.dot %f, %f, %f : tensor<16x16xf64>, tensor<16x16xf64> -> tensor<16x16xf64>
  tile.store %g, %v at #map[] : tensor<16x16xf64>, !tile.view<16x16xf64>
  tile.return
}

tile.kernel @functions(%x: !tile.view<8x128xf32>, %y: !tile.view<8x128xf32>, %h: !tile.view<8x128xf16>) {
  %t = tile.load %x at #map[] : !tile.view<8x128xf32> -> tensor<8x128xf32>
  %0 = math.exp %t : tensor<8x128xf32>
  %1 = math.erf %0 : tensor<8x128xf32>
  %2 = math.tanh %1 : tensor<8x128xf32>
  %3 = math.rsqrt %2 : tensor<8x128xf32>
  %4 = math.roundeven %3 : tensor<8x128xf32>
  %5 = arith.maximumf %4, %t : tensor<8x128xf32>
  %6 = arith.minnumf %5, %3 : tensor<8x128xf32>
  %7 = math.log %6 : tensor<8x128xf32>
  tile.store %7, %y at #map[] : tensor<8x128xf32>, !tile.view<8x128xf32>
  %8 = arith.truncf %7 : tensor<8x128xf32> to tensor<8x128xf16>
  tile.store %8, %h at #map[] : tensor<8x128xf16>, !tile.view<8x128xf16>
  tile.return
}

// Eight warps, 64 x 32 of the accumulator each.
tile.kernel @product(%a: !tile.view<128x512xf16>, %b: !tile.view<512x128xf16>, %c: !tile.view<128x128xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c512 = arith.constant 512 : index
  %zero = arith.constant dense<0.0> : tensor<128x128xf32>
  %sum = scf.for %k = %c0 to %c512 step %c32 iter_args(%acc = %zero) -> tensor<128x128xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<128x512xf16> -> tensor<128x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<512x128xf16> -> tensor<32x128xf16>
    %s = tile.dot %x, %y, %acc : tensor<128x32xf16>, tensor<32x128xf16> -> tensor<128x128xf32>
    scf.yield %s : tensor<128x128xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<128x128xf32>, !tile.view<128x128xf32>
  tile.return
}
