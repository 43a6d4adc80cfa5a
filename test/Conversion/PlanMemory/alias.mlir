// RUN: sectile-opt %s --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile verify %s --quiet --dims=batch=1,past=0 | count 0
// RUN: sectile verify %s --quiet --dims=batch=3,past=1 | count 0
// RUN: sectile verify %s --quiet --dims=batch=2,past=6 | count 0
// RUN: sectile verify %s --quiet --dims=batch=0,past=5 | count 0

// The new rows are written behind the past ones, of which none moves; whoever reads the past or the
// present finds it by the strides of the capacity. A state of constant extents is overwritten.
// CHECK: func.func @sectile_run(%[[PAST:.*]]: memref<?x?x4xf32, strided<[32, 4, 1]>>, %[[ROWS:.*]]: memref<?x2x4xf32>, %[[STATE:.*]]: memref<?x5xf32>, %[[PRESENT:.*]]: memref<?x?x4xf32, strided<[32, 4, 1]>>, %{{.*}}: memref<?x5xf32>, %[[SUM:.*]]: memref<?x4xf32>,
// CHECK-DAG: %[[NEW:.*]] = memref.reinterpret_cast %[[PRESENT]] to offset: [%{{.*}}], sizes: [%{{.*}}, 2, 4], strides: [32, 4, 1]
// CHECK-DAG: graph.dispatch @[[APPEND:.*]](%[[ROWS]], {{.*}}%[[NEW]])
// CHECK-DAG: graph.dispatch @[[READ:.*]](%[[PRESENT]], {{.*}}%[[SUM]])
// CHECK-DAG: graph.dispatch @[[STEP:.*]](%[[STATE]], {{.*}}%[[STATE]])
// CHECK-NOT: memref.copy
// CHECK-DAG: graph.kernel @[[APPEND]](%{{.*}}: tensor<?x2x4xf32> {graph.noalias, graph.readonly}{{.*}} -> (tensor<?x2x4xf32> {graph.layout = strided<[32, 4, 1]>, graph.noalias, graph.unaligned})
// CHECK-DAG: graph.kernel @[[READ]](%{{.*}}: tensor<?x?x4xf32> {graph.layout = strided<[32, 4, 1]>, graph.noalias, graph.readonly}
// CHECK-DAG: graph.kernel @[[STEP]](%{{.*}}: tensor<?x5xf32>, {{.*}}) -> tensor<?x5xf32>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(
    %past: tensor<?x?x4xf32> {graph.name = "past", graph.dims = ["batch", "past", "4"]},
    %rows: tensor<?x2x4xf32> {graph.name = "rows", graph.dims = ["batch", "2", "4"]},
    %state: tensor<?x5xf32> {graph.name = "state", graph.dims = ["batch", "5"]})
    -> (tensor<?x?x4xf32> {graph.alias = {capacity = 8 : i64, dim = 1 : i64, input = 0 : i64}},
        tensor<?x5xf32> {graph.alias = {capacity = -1 : i64, dim = 0 : i64, input = 2 : i64}},
        tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %batch = tensor.dim %past, %c0 : tensor<?x?x4xf32>
  %e = tensor.empty(%batch) : tensor<?x2x4xf32>
  %new = linalg.exp ins(%rows : tensor<?x2x4xf32>) outs(%e : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %present = tensor.concat dim(1) %past, %new : (tensor<?x?x4xf32>, tensor<?x2x4xf32>) -> tensor<?x?x4xf32>
  %es = tensor.empty(%batch) : tensor<?x4xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<?x4xf32>) -> tensor<?x4xf32>
  %sum = linalg.reduce ins(%present : tensor<?x?x4xf32>) outs(%fs : tensor<?x4xf32>) dimensions = [1]
    (%in: f32, %acc: f32) {
      %0 = arith.addf %in, %acc : f32
      linalg.yield %0 : f32
    }
  %e5 = tensor.empty(%batch) : tensor<?x5xf32>
  %next = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%state : tensor<?x5xf32>) outs(%e5 : tensor<?x5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.mulf %in, %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x5xf32>
  return %present, %next, %sum : tensor<?x?x4xf32>, tensor<?x5xf32>, tensor<?x4xf32>
}
