// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=avx512},canonicalize,cse)' | FileCheck %s

// CHECK-DAG: #[[BACK:.*]] = affine_map<(d0)[s0, s1] -> (-s0 + 99, d0{{.*}})>

#id = affine_map<(d0, d1) -> (d0, d1)>

// Along rows: tiles of columns, the sum of a row carried from one to the next; what consumes the
// scan is stored as it goes. The last tile is masked, and needs no neutral element.
// CHECK-LABEL: tile.kernel @rows
// CHECK-SAME: sweep = ["d1"]
// CHECK: %[[ROWS:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (f32)
// CHECK:   %[[TILE:.*]] = tile.load %arg0
// CHECK:   %[[SCANNED:.*]], %[[LAST:.*]] = tile.scan %[[TILE]] from %[[SUM]] dim 0 associative : tensor<64xf32> from f32 -> tensor<64xf32> and f32
// CHECK:   arith.mulf %[[SCANNED]]
// CHECK:   tile.store
// CHECK:   scf.yield %[[LAST]]
// CHECK: scf.for {{.*}} iter_args({{.*}} = %[[ROWS]]) -> (f32)
// CHECK:   tile.load %arg0 {{.*}} where
// CHECK:   tile.scan
graph.kernel @rows(%x: tensor<8x?xf32>) -> tensor<8x?xf32> attributes {nodes = ["a"]} {
  %zero = arith.constant dense<0.0> : tensor<8xf32>
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<8x?xf32>
  %e = tensor.empty(%n) : tensor<8x?xf32>
  %s = graph.scan %x from %zero axis 1 associative : tensor<8x?xf32> from tensor<8xf32> -> tensor<8x?xf32> {
  ^bb0(%sum: f32, %element: f32):
    %next = arith.addf %sum, %element : f32
    graph.yield %next : f32
  }
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %x : tensor<8x?xf32>, tensor<8x?xf32>) outs(%e : tensor<8x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<8x?xf32>
  graph.return %r : tensor<8x?xf32>
}

// Down columns, from the last row to the first: the state is a vector, a step is elementwise. With
// two inputs the state is multiplied before something is added.
// CHECK-LABEL: tile.kernel @columns
// CHECK-SAME: sweep = ["d0"]
// CHECK-NOT: tile.scan
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %{{.*}}) -> (tensor<64xf32>)
// CHECK:   %[[A:.*]] = tile.load %arg0 at #[[BACK]][
// CHECK:   %[[B:.*]] = tile.load %arg1
// CHECK:   %[[M:.*]] = arith.mulf %[[STATE]], %[[A]]
// CHECK:   %[[NEXT:.*]] = arith.addf %[[M]], %[[B]]
// CHECK:   tile.store %[[STATE]], %arg3
// CHECK:   scf.yield %[[NEXT]]
graph.kernel @columns(%a: tensor<100x64xf32>, %b: tensor<100x64xf32>, %h: tensor<64xf32>) -> tensor<100x64xf32> attributes {nodes = ["a"]} {
  %s = graph.scan %a, %b from %h axis 0 exclusive reverse : tensor<100x64xf32>, tensor<100x64xf32> from tensor<64xf32> -> tensor<100x64xf32> {
  ^bb0(%state: f32, %p: f32, %q: f32):
    %t = arith.mulf %state, %p : f32
    %next = arith.addf %t, %q : f32
    graph.yield %next : f32
  }
  graph.return %s : tensor<100x64xf32>
}
