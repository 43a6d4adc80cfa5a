// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=avx512},canonicalize,cse)' | FileCheck %s

// Along rows: the lists lie in the results and are empty at first; vectors of elements are offered to
// the list of their row, the last of them masked, and what stays is sorted.
// CHECK-LABEL: tile.kernel @rows
// CHECK-SAME: sweep = ["d1"]
// CHECK-DAG: %[[NONE:.*]] = arith.constant -1 : i64
// CHECK: tile.store %{{.*}}, %arg1
// CHECK: tile.store %{{.*}}, %arg2
// CHECK: scf.for
// CHECK:   %[[T:.*]] = tile.load %arg0 {{.*}} -> tensor<64xf32>
// CHECK:   %[[P:.*]] = tile.coord
// CHECK:   tile.topk %[[T]], %[[P]] into %arg1, %arg2 axis 1 {{.*}} : tensor<64xf32>, tensor<64xi64> into <?x5xf32>, <?x5xi64> {
// CHECK:   ^bb0(%[[A:.*]]: f32, %{{.*}}: i64, %[[B:.*]]: f32, %[[AT:.*]]: i64):
// CHECK:     arith.cmpf ogt, %[[A]], %[[B]]
// CHECK:     arith.cmpf ogt, %[[B]], %[[A]]
// CHECK:     arith.cmpi slt, %[[AT]]
// CHECK: tile.topk {{.*}} where
// CHECK: tile.sort %arg1, %arg2 axis 1
graph.kernel @rows(%x: tensor<?x?xf32>) -> (tensor<?x5xf32>, tensor<?x5xi64>) attributes {nodes = ["a"]} {
  %v, %i = graph.topk %x axis 1 : tensor<?x?xf32> -> tensor<?x5xf32>, tensor<?x5xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  graph.return %v, %i : tensor<?x5xf32>, tensor<?x5xi64>
}

// Down columns: each lane has a list of its own.
// CHECK-LABEL: tile.kernel @columns
// CHECK-SAME: sweep = ["d0"]
// CHECK: scf.for %{{.*}} = %c0 to %c100
// CHECK:   tile.topk {{.*}} into %arg1, %arg2 axis 0 at #{{.*}}[%{{.*}}] : tensor<32xf32>, tensor<32xi64> into <5x32xf32>, <5x32xi64> {
// CHECK: tile.sort %arg1, %arg2 axis 0
graph.kernel @columns(%x: tensor<100x32xf32>) -> (tensor<5x32xf32>, tensor<5x32xi64>) attributes {nodes = ["a"]} {
  %v, %i = graph.topk %x axis 0 : tensor<100x32xf32> -> tensor<5x32xf32>, tensor<5x32xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  graph.return %v, %i : tensor<5x32xf32>, tensor<5x32xi64>
}
