// RUN: sectile-opt %s --graph-to-tile="lanes=16 registers=32" | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=2 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=3 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=10 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=11 | count 0

// What six rows at a time leave of an unknown number of rows is one tile, whatever it is: a
// product reads all its columns for each tile of rows.
// CHECK-LABEL: tile.kernel @product
// CHECK-SAME: tails = {d0 = [5, 4, 3, 2]}
// CHECK: tile.store {{.*}} : tensor<6x64xf32>
// CHECK: tile.store {{.*}} : tensor<5x64xf32>
// CHECK: tile.store {{.*}} : tensor<4x64xf32>
// CHECK: tile.store {{.*}} : tensor<3x64xf32>
// CHECK: tile.store {{.*}} : tensor<2x64xf32>
// CHECK: tile.store {{.*}} : tensor<64xf32>
// CHECK-NOT: tile.store
graph.kernel @product(%x: tensor<?x96xf32>, %w: tensor<96x128xf32>, %m: index) -> tensor<?x128xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%m) : tensor<?x128xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x128xf32>) -> tensor<?x128xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x96xf32>, tensor<96x128xf32>)
       outs(%fill : tensor<?x128xf32>) -> tensor<?x128xf32>
  graph.return %y : tensor<?x128xf32>
}

func.func @main(%x: tensor<?x96xf32> {graph.name = "x", graph.dims = ["m", "96"]},
                %w: tensor<96x128xf32>)
    -> tensor<?x128xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x96xf32>
  %y = graph.launch @product(%x, %w, %m) sizes [%m]
       : (tensor<?x96xf32>, tensor<96x128xf32>, index) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
