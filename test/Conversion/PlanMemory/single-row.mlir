// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet | count 0
// RUN: sectile compile %s -o %t --cpu-levels=sse4 --quiet

// A part of a single row is contiguous, whatever the length of the row.
// CHECK: func.func @sectile_run(%[[X:.*]]: memref<1x12xf32>,
// CHECK: memref.reinterpret_cast %[[X]] to offset: [0], sizes: [1, 8], strides: [8, 1] : memref<1x12xf32> to memref<1x8xf32>
func.func @main(%x: tensor<1x12xf32>) -> (tensor<1x8xf32>, tensor<8x1xf32>) {
  %e = tensor.empty() : tensor<1x8xf32>
  %et = tensor.empty() : tensor<8x1xf32>
  %s = tensor.extract_slice %x[0, 0] [1, 8] [1, 1] : tensor<1x12xf32> to tensor<1x8xf32>
  %a = linalg.exp ins(%s : tensor<1x8xf32>) outs(%e : tensor<1x8xf32>) -> tensor<1x8xf32>
  %b = linalg.transpose ins(%s : tensor<1x8xf32>) outs(%et : tensor<8x1xf32>) permutation = [1, 0]
  return %a, %b : tensor<1x8xf32>, tensor<8x1xf32>
}
