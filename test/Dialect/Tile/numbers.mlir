// RUN: sectile-opt %s --verify-roundtrip | FileCheck %s
// RUN: sectile-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func.func @numbers
// CHECK: tile.convert %{{.*}} {from = "e2m1", to = "e4m3fn"} : tensor<4x8xi4> -> tensor<4x8xi8>
// CHECK: tile.dequantize %{{.*}} scale %{{.*}} zero %{{.*}} {format = "e4m3fn"} : (tensor<4x8xi8>, tensor<4x1xf16>, f32) -> tensor<4x8xf32>
// CHECK: tile.quantize %{{.*}} scale %{{.*}} {format = "nf4", precision = f16} : (tensor<4x8xf32>, tensor<4x1xf16>) -> tensor<4x8xi4>
// CHECK: tile.convert %{{.*}} {from = "uint2"} : i2 -> f32
func.func @numbers(%q: tensor<4x8xi4>, %s: tensor<4x1xf16>, %z: f32, %one: i2) -> (tensor<4x8xi4>, f32) {
  %c = tile.convert %q {from = "e2m1", to = "e4m3fn"} : tensor<4x8xi4> -> tensor<4x8xi8>
  %x = tile.dequantize %c scale %s zero %z {format = "e4m3fn"}
       : (tensor<4x8xi8>, tensor<4x1xf16>, f32) -> tensor<4x8xf32>
  %r = tile.quantize %x scale %s {format = "nf4", precision = f16}
       : (tensor<4x8xf32>, tensor<4x1xf16>) -> tensor<4x8xi4>
  %f = tile.convert %one {from = "uint2"} : i2 -> f32
  return %r, %f : tensor<4x8xi4>, f32
}

// FOLD-LABEL: func.func @nothing
// FOLD-NEXT: return %arg0
func.func @nothing(%q: tensor<8xf8E4M3FN>) -> tensor<8xf8E4M3FN> {
  %c = tile.convert %q {from = "e4m3fn", to = "e4m3fn"} : tensor<8xf8E4M3FN> -> tensor<8xf8E4M3FN>
  return %c : tensor<8xf8E4M3FN>
}

// Without `special` an infinity becomes the largest number.
// FOLD-LABEL: func.func @infinities
// FOLD-NEXT: %[[C:.*]] = tile.convert %arg0
// FOLD-NEXT: return %[[C]], %arg0
func.func @infinities(%q: tensor<8xf8E5M2>) -> (tensor<8xf8E5M2>, tensor<8xf8E5M2>) {
  %c = tile.convert %q {from = "e5m2", to = "e5m2"} : tensor<8xf8E5M2> -> tensor<8xf8E5M2>
  %d = tile.convert %q {from = "e5m2", to = "e5m2", special} : tensor<8xf8E5M2> -> tensor<8xf8E5M2>
  return %c, %d : tensor<8xf8E5M2>, tensor<8xf8E5M2>
}
