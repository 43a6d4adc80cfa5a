// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet --dims=n=3 | count 0
// RUN: sectile verify %s --quiet --dims=n=4 | count 0
// RUN: sectile verify %s --quiet --dims=n=7 | count 0

// Parts of a product that several kernels use are windows, not copies: the last rows lie one after
// the other, between parts of rows are gaps that the kernels know of.
// CHECK: func.func @sectile_run
// CHECK: %[[P:.*]] = memref.view
// CHECK: graph.dispatch @[[PRODUCT:.*]]({{.*}}, %[[P]])
// CHECK-DAG: %[[ROWS:.*]] = memref.reinterpret_cast %[[P]] to offset: [%{{.*}}], sizes: [3, %[[N:.*]]], strides: [%[[N]], 1]
// CHECK-DAG: graph.dispatch @[[EXP:.*]](%[[ROWS]]
// CHECK-DAG: %[[PARTS:.*]] = memref.reinterpret_cast %[[P]] to offset: [1], sizes: [6, 2], strides: [%[[N]], 1]
// CHECK-DAG: graph.dispatch @[[SQRT:.*]](%[[PARTS]]
// CHECK-NOT: memref.copy
// CHECK: graph.kernel @[[PRODUCT]]
// CHECK-NOT: _move
// CHECK: graph.kernel @[[SQRT]](%{{.*}}: tensor<6x2xf32> {graph.layout = strided<[?, 1]>, graph.noalias, graph.readonly, graph.unaligned})
func.func @main(%x: tensor<6x8xf32>, %w: tensor<8x?xf32> {graph.name = "w", graph.dims = ["8", "n"]})
    -> (tensor<3x?xf32>, tensor<?xf32>, tensor<?x3xf32>, tensor<6x2xf32>, tensor<2x6xf32>) {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %w, %c1 : tensor<8x?xf32>
  %e = tensor.empty(%n) : tensor<6x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x?xf32>) -> tensor<6x?xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x8xf32>, tensor<8x?xf32>) outs(%f : tensor<6x?xf32>) -> tensor<6x?xf32>
  %s = tensor.extract_slice %p[3, 0] [3, %n] [1, 1] : tensor<6x?xf32> to tensor<3x?xf32>
  %e3 = tensor.empty(%n) : tensor<3x?xf32>
  %a = linalg.exp ins(%s : tensor<3x?xf32>) outs(%e3 : tensor<3x?xf32>) -> tensor<3x?xf32>
  %en = tensor.empty(%n) : tensor<?xf32>
  %fn = linalg.fill ins(%zero : f32) outs(%en : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.reduce ins(%p : tensor<6x?xf32>) outs(%fn : tensor<?xf32>) dimensions = [0]
    (%in: f32, %acc: f32) {
      %0 = arith.addf %in, %acc : f32
      linalg.yield %0 : f32
    }
  %et = tensor.empty(%n) : tensor<?x3xf32>
  %t = linalg.transpose ins(%s : tensor<3x?xf32>) outs(%et : tensor<?x3xf32>) permutation = [1, 0]
  %c = tensor.extract_slice %p[0, 1] [6, 2] [1, 1] : tensor<6x?xf32> to tensor<6x2xf32>
  %ec = tensor.empty() : tensor<6x2xf32>
  %b = linalg.sqrt ins(%c : tensor<6x2xf32>) outs(%ec : tensor<6x2xf32>) -> tensor<6x2xf32>
  %ect = tensor.empty() : tensor<2x6xf32>
  %ct = linalg.transpose ins(%c : tensor<6x2xf32>) outs(%ect : tensor<2x6xf32>) permutation = [1, 0]
  return %a, %sum, %t, %b, %ct
    : tensor<3x?xf32>, tensor<?xf32>, tensor<?x3xf32>, tensor<6x2xf32>, tensor<2x6xf32>
}
