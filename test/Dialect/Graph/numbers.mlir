// RUN: sectile-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @blocks
// CHECK: graph.dequantize %{{.*}} scale %{{.*}} zero %{{.*}} {block = [1, 32], format = "uint4"} : (tensor<?x64xi8>, tensor<?x2xf16>, tensor<?x2xi8>) -> tensor<?x64xf32>
func.func @blocks(%q: tensor<?x64xi8>, %s: tensor<?x2xf16>, %z: tensor<?x2xi8>) -> tensor<?x64xf32> {
  %w = graph.dequantize %q scale %s zero %z {format = "uint4", block = [1, 32]}
       : (tensor<?x64xi8>, tensor<?x2xf16>, tensor<?x2xi8>) -> tensor<?x64xf32>
  return %w : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @floats
// CHECK: graph.quantize %{{.*}} scale %{{.*}} {format = "e4m3fn", precision = f16, special} : (tensor<3xf16>, tensor<1xf16>) -> tensor<3xf8E4M3FN>
func.func @floats(%x: tensor<3xf16>, %s: tensor<1xf16>) -> tensor<3xf8E4M3FN> {
  %q = graph.quantize %x scale %s {format = "e4m3fn", special, precision = f16}
       : (tensor<3xf16>, tensor<1xf16>) -> tensor<3xf8E4M3FN>
  return %q : tensor<3xf8E4M3FN>
}
