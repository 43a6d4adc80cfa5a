// RUN: sectile verify %s --pipeline='builtin.module(func.func(graph-normalize))' --samples=20 --trials=0 | FileCheck %s
// RUN: sectile verify %s --pipeline='builtin.module(sectile-graph)' --samples=20 --trials=0 | FileCheck %s --check-prefix=KERNEL
// Two results that differ by rounding alone: neither is taken for the other, after a pass that changes
// nothing, and in one kernel, which rounds nothing on the way.
// CHECK: equal {{.*}}graph-normalize
// CHECK-NOT: DIFFERENT
// KERNEL: equal {{.*}}graph-outline
// KERNEL-NOT: DIFFERENT
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %third = arith.constant 0.333333343 : f32
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %s = linalg.map { arith.addf } ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>)
  %t = linalg.map { math.exp } ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>)
  %product = linalg.map ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %out: f32) {
    %0 = arith.mulf %a, %third : f32
    linalg.yield %0 : f32
  }
  %quotient = linalg.map ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %out: f32) {
    %0 = arith.divf %a, %three : f32
    linalg.yield %0 : f32
  }
  return %product, %quotient : tensor<4xf32>, tensor<4xf32>
}
