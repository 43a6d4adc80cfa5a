// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet --dims=n=0 | count 0
// RUN: sectile verify %s --quiet --dims=n=3 | count 0
// RUN: sectile compile %s -o %t --cpu-levels=avx2 --quiet
// RUN: sectile run %t --quiet --dims=n=3

// Whatever a shared buffer is to hold gets there: another input, the input itself, a constant, what
// another output holds too, a slice that grows, one result for two buffers.
// CHECK: func.func @sectile_run(%{{.*}}: memref<?x4xf32>, %[[B:.*]]: memref<?x4xf32>, %{{.*}}: memref<2x4xf32>, %[[D:.*]]: memref<?x4xf32>, %[[E:.*]]: memref<1x?x4xf32>, %{{.*}}: memref<?x4xf32>, %[[OA:.*]]: memref<?x4xf32>, %{{.*}}: memref<?x4xf32>, %[[OC:.*]]: memref<2x4xf32>, %{{.*}}: memref<?x4xf32>, %[[OE:.*]]: memref<1x?x4xf32>, %[[OF:.*]]: memref<?x4xf32>, %[[OUT:.*]]: memref<?x4xf32>, %{{.*}}: memref<?xi8>
// CHECK: graph.dispatch @{{.*}}_map(%[[D]], %{{.*}}, %[[D]])
// CHECK: %[[NEW:.*]] = memref.reinterpret_cast %[[OE]]
// CHECK: graph.dispatch @copy0(%[[E]], %[[NEW]])
// CHECK: graph.dispatch @copy1(%[[B]], %[[OA]])
// CHECK: graph.dispatch @copy2(%{{.*}}, %[[OC]])
// CHECK: graph.dispatch @copy1(%[[D]], %[[OF]])
// CHECK-NEXT: memref.copy %[[D]], %[[OUT]]
// CHECK-NEXT: return
func.func @main(%a: tensor<?x4xf32> {graph.name = "a", graph.dims = ["n", "4"]},
                %b: tensor<?x4xf32> {graph.name = "b", graph.dims = ["n", "4"]},
                %c: tensor<2x4xf32> {graph.name = "c"},
                %d: tensor<?x4xf32> {graph.name = "d", graph.dims = ["n", "4"]},
                %e: tensor<1x?x4xf32> {graph.name = "e", graph.dims = ["1", "n", "4"]},
                %f: tensor<?x4xf32> {graph.name = "f", graph.dims = ["n", "4"]})
    -> (tensor<?x4xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 0 : i64}},
        tensor<?x4xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 1 : i64}},
        tensor<2x4xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 2 : i64}},
        tensor<?x4xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 3 : i64}},
        tensor<1x?x4xf32> {graph.alias = {capacity = 9 : i64, dim = 1 : i64, input = 4 : i64}},
        tensor<?x4xf32> {graph.alias = {capacity = 5 : i64, dim = 0 : i64, input = 5 : i64}},
        tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x4xf32>
  %k = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %init = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.exp ins(%d : tensor<?x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %g = tensor.concat dim(1) %e, %e : (tensor<1x?x4xf32>, tensor<1x?x4xf32>) -> tensor<1x?x4xf32>
  return %b, %b, %k, %y, %g, %y, %y
    : tensor<?x4xf32>, tensor<?x4xf32>, tensor<2x4xf32>, tensor<?x4xf32>, tensor<1x?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}
