// RUN: sectile-opt %s --graph-normalize | FileCheck %s

// A named op becomes a generic and its fill stays; aggregates are decomposed; what is unknown is left alone.
// CHECK-LABEL: func.func @named
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: linalg.generic {{.*}} outs(%[[F]]
// CHECK-NOT: linalg.matmul
// CHECK-NOT: linalg.softmax
// CHECK: tensor.insert_slice
func.func @named(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %m = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = linalg.softmax dimension(1) ins(%m : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %i = tensor.insert_slice %s into %c[1, 0] [4, 6] [1, 1] : tensor<4x6xf32> into tensor<5x6xf32>
  return %i : tensor<5x6xf32>
}

// A fill that is a result is computed like any other; the one that another op starts from stays.
// CHECK-LABEL: func.func @returned
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: %[[S:.*]] = linalg.generic {{.*}} outs(%[[F]]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%{{.*}} : f32)
// CHECK: return %[[R]], %[[S]]
func.func @returned(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<4x8xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  return %f, %s : tensor<4xf32>, tensor<4xf32>
}

// Sizes that become a tensor are selected by position; the conversion from index happens in the kernel.
// CHECK-LABEL: func.func @sizes
// CHECK: linalg.generic
// CHECK: linalg.index 0
// CHECK: arith.index_cast
// CHECK: arith.select
// CHECK-NOT: tensor.from_elements
func.func @sizes(%x: tensor<?x4xf32>) -> tensor<2xi64> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : i64
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %m = arith.index_cast %n : index to i64
  %s = tensor.from_elements %m, %c4 : tensor<2xi64>
  return %s : tensor<2xi64>
}
