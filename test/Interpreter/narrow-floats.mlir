// RUN: sectile-interpret %s | FileCheck %s

// Floats of 4 and 8 bits are what lib/Formats says they are. LLVM's conversion would make an
// infinity of the NaN of a scale.

// CHECK: out0: f32[2] = nan 1
// CHECK: out1: f32[2] = 4 -1
// CHECK: out2: i8[1] = -126
func.func @f() -> (tensor<2xf32>, tensor<2xf32>, tensor<1xi8>) {
  %c = arith.constant dense<[255, 127]> : tensor<2xi8>
  %f = arith.bitcast %c : tensor<2xi8> to tensor<2xf8E8M0FNU>
  %w = arith.extf %f : tensor<2xf8E8M0FNU> to tensor<2xf32>
  %d = arith.constant dense<[5.0, -0.75]> : tensor<2xf4E2M1FN>
  %x = arith.extf %d : tensor<2xf4E2M1FN> to tensor<2xf32>
  %s = arith.constant dense<8.0> : tensor<1xf8E8M0FNU>
  %sb = arith.bitcast %s : tensor<1xf8E8M0FNU> to tensor<1xi8>
  return %w, %x, %sb : tensor<2xf32>, tensor<2xf32>, tensor<1xi8>
}
