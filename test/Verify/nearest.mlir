// RUN: sectile verify %s --pipeline='builtin.module(func.func(graph-normalize))' --samples=20 --trials=0 | FileCheck %s
// Two results that differ by rounding alone: what the first one is after the pass is not taken for
// the second.
// CHECK: equal {{.*}}graph-normalize
// CHECK-NOT: DIFFERENT
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %third = arith.constant 0.333333343 : f32
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %s = linalg.map { arith.addf } ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>)
  %product = linalg.map ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %out: f32) {
    %0 = arith.mulf %a, %third : f32
    linalg.yield %0 : f32
  }
  %quotient = linalg.map ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %out: f32) {
    %0 = arith.divf %a, %three : f32
    linalg.yield %0 : f32
  }
  return %product, %quotient : tensor<4xf32>, tensor<4xf32>
}
