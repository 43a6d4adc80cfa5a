// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet --dims=n=0,m=3 | count 0
// RUN: sectile verify %s --quiet --dims=n=1,m=0 | count 0
// RUN: sectile verify %s --quiet --dims=n=5,m=18 | count 0

// Products are written where their concatenations lie: along the outermost dimension as they are,
// along an inner one by strides that the kernel knows. The whole is an output, so there is no copy.
// CHECK: func.func @sectile_run(%[[X:.*]]: memref<?x8xf32>, %[[Y:.*]]: memref<?x8xf32>, %{{.*}}: memref<8x24xf32>, %{{.*}}: memref<8x24xf32>, %[[ROWS:.*]]: memref<?x24xf32>, %[[COLUMNS:.*]]: memref<?x32xf32>,
// CHECK-DAG: %[[N:.*]] = memref.dim %[[X]]
// CHECK: %[[TOP:.*]] = memref.reinterpret_cast %[[ROWS]] to offset: [0], sizes: [%[[N]], 24], strides: [24, 1]
// CHECK: graph.dispatch @[[PRODUCT:.*]](%[[X]], {{.*}}, %[[TOP]])
// CHECK: %[[OFFSET:.*]] = affine.apply #{{.*}}()[%[[N]]]
// CHECK: %[[REST:.*]] = memref.reinterpret_cast %[[ROWS]] to offset: [%[[OFFSET]]]
// CHECK: graph.dispatch @[[PRODUCT]](%[[Y]], {{.*}}, %[[REST]])
// CHECK: %[[RIGHT:.*]] = memref.reinterpret_cast %[[COLUMNS]] to offset: [8], sizes: [%[[N]], 24], strides: [32, 1]
// CHECK: graph.dispatch @[[STRIDED:.*]](%[[X]], {{.*}}, %[[RIGHT]])
// A model input has another place already: a kernel copies it.
// CHECK: %[[LEFT:.*]] = memref.reinterpret_cast %[[COLUMNS]] to offset: [0], sizes: [%[[N]], 8], strides: [32, 1]
// CHECK: graph.dispatch @copy0(%[[X]], %[[LEFT]])
// CHECK-NOT: memref.copy
// CHECK: graph.kernel @[[PRODUCT]]
// CHECK-NOT: graph.layout
// CHECK: graph.kernel @[[STRIDED]]({{.*}} -> (tensor<?x24xf32> {graph.layout = strided<[32, 1]>, graph.noalias, graph.unaligned})
func.func @main(%x: tensor<?x8xf32> {graph.name = "x", graph.dims = ["n", "8"]},
                %y: tensor<?x8xf32> {graph.name = "y", graph.dims = ["m", "8"]}, %v: tensor<8x24xf32>,
                %u: tensor<8x24xf32>)
    -> (tensor<?x24xf32>, tensor<?x32xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %m = tensor.dim %y, %c0 : tensor<?x8xf32>
  %en = tensor.empty(%n) : tensor<?x24xf32>
  %em = tensor.empty(%m) : tensor<?x24xf32>
  %fn = linalg.fill ins(%zero : f32) outs(%en : tensor<?x24xf32>) -> tensor<?x24xf32>
  %fm = linalg.fill ins(%zero : f32) outs(%em : tensor<?x24xf32>) -> tensor<?x24xf32>
  %a = linalg.matmul ins(%x, %v : tensor<?x8xf32>, tensor<8x24xf32>) outs(%fn : tensor<?x24xf32>) -> tensor<?x24xf32>
  %b = linalg.matmul ins(%y, %v : tensor<?x8xf32>, tensor<8x24xf32>) outs(%fm : tensor<?x24xf32>) -> tensor<?x24xf32>
  %rows = tensor.concat dim(0) %a, %b : (tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  %c = linalg.matmul ins(%x, %u : tensor<?x8xf32>, tensor<8x24xf32>) outs(%fn : tensor<?x24xf32>) -> tensor<?x24xf32>
  %columns = tensor.concat dim(1) %x, %c : (tensor<?x8xf32>, tensor<?x24xf32>) -> tensor<?x32xf32>
  return %rows, %columns : tensor<?x24xf32>, tensor<?x32xf32>
}
