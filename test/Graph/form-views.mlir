// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse,graph-form-views))' | FileCheck %s

// Groups of reshapes and slices alone are left to the memory plan; one whose slice is returned is
// not, since its elements move in any case.
// CHECK-LABEL: func.func @views
// CHECK: tensor.extract_slice %{{.*}}[3, 0] [3, 8] [1, 1] : tensor
// CHECK: linalg.exp {graph.group
// CHECK: linalg.transpose {{.*}} {graph.group
// CHECK: tensor.extract_slice %{{.*}}[0, 0] [2, 8] [1, 1] {graph.group
// CHECK: tensor.extract_slice %{{.*}}[0, 0] [3, 8] [2, 1] {graph.group
func.func @views(%x: tensor<6x8xf32>) -> (tensor<3x8xf32>, tensor<8x3xf32>, tensor<2x8xf32>, tensor<3x8xf32>, tensor<8x3xf32>) {
  %e = tensor.empty() : tensor<3x8xf32>
  %et = tensor.empty() : tensor<8x3xf32>
  %s = tensor.extract_slice %x[3, 0] [3, 8] [1, 1] : tensor<6x8xf32> to tensor<3x8xf32>
  %a = linalg.exp ins(%s : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  %b = linalg.transpose ins(%s : tensor<3x8xf32>) outs(%et : tensor<8x3xf32>) permutation = [1, 0]
  %r = tensor.extract_slice %x[0, 0] [2, 8] [1, 1] : tensor<6x8xf32> to tensor<2x8xf32>
  %t = tensor.extract_slice %x[0, 0] [3, 8] [2, 1] : tensor<6x8xf32> to tensor<3x8xf32>
  %c = linalg.exp ins(%t : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  %d = linalg.transpose ins(%t : tensor<3x8xf32>) outs(%et : tensor<8x3xf32>) permutation = [1, 0]
  return %a, %b, %r, %c, %d : tensor<3x8xf32>, tensor<8x3xf32>, tensor<2x8xf32>, tensor<3x8xf32>, tensor<8x3xf32>
}

// A product is computed for the concatenation alone, so that is written in place; the square root
// beside it gets a kernel of its own. Where a concatenation computes all its operands, or they are
// needed elsewhere, its kernel writes each element once and stays.
// CHECK-LABEL: func.func @concatenations
// CHECK: linalg.matmul {graph.group = [[PRODUCT:.*]] : i64}
// CHECK: linalg.sqrt {graph.group = [[ROOT:.*]] : i64}
// CHECK: tensor.concat dim(0) %{{.*}}, %{{.*}} : (
// CHECK: linalg.exp {graph.group = [[WHOLE:.*]] : i64}
// CHECK: linalg.log {graph.group = [[WHOLE]] : i64}
// CHECK: tensor.concat dim(0) %{{.*}}, %{{.*}} {graph.group = [[WHOLE]] : i64}
func.func @concatenations(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>) -> (tensor<16x8xf32>, tensor<16x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %p = linalg.matmul ins(%x, %y : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %q = linalg.sqrt ins(%y : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %c = tensor.concat dim(0) %p, %q : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<16x8xf32>
  %a = linalg.exp ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = linalg.log ins(%y : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %d = tensor.concat dim(0) %a, %b : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<16x8xf32>
  return %c, %d : tensor<16x8xf32>, tensor<16x8xf32>
}
