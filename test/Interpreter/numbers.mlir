// RUN: sectile-interpret %s --bounds --entry=ties | FileCheck %s --check-prefix=TIES
// RUN: sectile-interpret %s --entry=types | FileCheck %s --check-prefix=TYPES

// 0.7 / 0.2 is 3.5 within the rounding of a division: both codes may be right, and what is computed
// from the code is 0.2 off. An exact quotient has one code.
// TIES: out0: i8[3] = 3(1) 4 -128
// TIES: out1: f32[3] = 0.6(0.2) 0.8 -25.6
func.func @ties() -> (tensor<3xi8>, tensor<3xf32>) {
  %x = arith.constant dense<[0.7, 0.75, -1000.0]> : tensor<3xf32>
  %s = arith.constant dense<0.2> : tensor<1xf32>
  %q = graph.quantize %x scale %s {format = "int8"} : (tensor<3xf32>, tensor<1xf32>) -> tensor<3xi8>
  %y = graph.dequantize %q scale %s {format = "int8"} : (tensor<3xi8>, tensor<1xf32>) -> tensor<3xf32>
  return %q, %y : tensor<3xi8>, tensor<3xf32>
}

// Float types hold codes of their format, integers their bits, of any width.
// TYPES: out0: f8[4] = 448 nan 0.5 -448
// TYPES: out1: i8[4] = 126 127 48 -2
// TYPES: out2: f16[4] = 448 nan 0.5 -448
// TYPES: out3: i4[4] = 7 0 1 -1
// TYPES: out4: i1[2] = 1 0
func.func @types() -> (tensor<4xf8E4M3FN>, tensor<4xi8>, tensor<4xf16>, tensor<4xi4>, tensor<2xi1>) {
  %x = arith.constant dense<[1.0e9, 0x7fc00000, 0.5, -1000.0]> : tensor<4xf32>
  %q = tile.convert %x {to = "e4m3fn"} : tensor<4xf32> -> tensor<4xf8E4M3FN>
  %c = tile.convert %q {from = "e4m3fn", to = "e4m3fn"} : tensor<4xf8E4M3FN> -> tensor<4xi8>
  %y = tile.convert %c {from = "e4m3fn"} : tensor<4xi8> -> tensor<4xf16>
  %n = tile.convert %c {from = "e4m3fn", to = "e2m1"} : tensor<4xi8> -> tensor<4xi4>
  %b = arith.constant dense<[3.0, -3.0]> : tensor<2xf32>
  %one = tile.convert %b {to = "bipolar1"} : tensor<2xf32> -> tensor<2xi1>
  return %q, %c, %y, %n, %one : tensor<4xf8E4M3FN>, tensor<4xi8>, tensor<4xf16>, tensor<4xi4>, tensor<2xi1>
}
