// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet --dims=n=0 | count 0
// RUN: sectile verify %s --quiet --dims=n=1 | count 0
// RUN: sectile verify %s --quiet --dims=n=19 | count 0

// What no kernel can write to its output is copied: an input, the same under other extents, a
// constant, what another output holds already. A slice is moved by a kernel.
// CHECK: func.func @sectile_run(%[[X:.*]]: memref<?x6xf32>, %[[INPUT:.*]]: memref<?x6xf32>, %[[FLAT:.*]]: memref<?xf32>, %[[CONSTANT:.*]]: memref<2x2xf32>, %[[FIRST:.*]]: memref<?x6xf32>, %[[AGAIN:.*]]: memref<?x6xf32>, %[[RESHAPED:.*]]: memref<?x2x3xf32>, %[[SLICE:.*]]: memref<?x2xf32>,
// CHECK: graph.dispatch @k0_map(%[[X]], {{.*}}%[[FIRST]])
// CHECK: graph.dispatch @{{.*}}move(%[[X]], {{.*}}%[[SLICE]])
// CHECK: memref.copy %[[X]], %[[INPUT]]
// CHECK: %[[XFLAT:.*]] = memref.reinterpret_cast %[[X]]
// CHECK: memref.copy %[[XFLAT]], %[[FLAT]]
// CHECK: memref.copy %{{.*}}, %[[CONSTANT]] : memref<2x2xf32> to memref<2x2xf32>
// CHECK: memref.copy %[[FIRST]], %[[AGAIN]]
// CHECK: memref.copy %{{.*}}, %[[RESHAPED]]
func.func @main(%x: tensor<?x6xf32> {graph.name = "x", graph.dims = ["n", "6"]})
    -> (tensor<?x6xf32>, tensor<?xf32>, tensor<2x2xf32>, tensor<?x6xf32>, tensor<?x6xf32>,
        tensor<?x2x3xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<?x6xf32> into tensor<?xf32>
  %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty(%n) : tensor<?x6xf32>
  %y = linalg.exp ins(%x : tensor<?x6xf32>) outs(%e : tensor<?x6xf32>) -> tensor<?x6xf32>
  %r = tensor.expand_shape %y [[0], [1, 2]] output_shape [%n, 2, 3] : tensor<?x6xf32> into tensor<?x2x3xf32>
  %s = tensor.extract_slice %x[0, 3] [%n, 2] [1, 1] : tensor<?x6xf32> to tensor<?x2xf32>
  return %x, %flat, %c, %y, %y, %r, %s
    : tensor<?x6xf32>, tensor<?xf32>, tensor<2x2xf32>, tensor<?x6xf32>, tensor<?x6xf32>,
      tensor<?x2x3xf32>, tensor<?x2xf32>
}
