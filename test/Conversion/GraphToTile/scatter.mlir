// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=avx512},canonicalize,cse)' | FileCheck %s

// Rows chosen by indices. Blocks share the columns, which every update has too; each makes its
// changes in order, a row's index read and checked once. The data is copied first.
// CHECK-LABEL: tile.kernel @rows
// CHECK-SAME: sweep = ["d0"]
// CHECK: tile.block_id
// CHECK: tile.load %arg0
// CHECK: tile.store %{{.*}}, %arg3
// CHECK: scf.for %{{.*}} = %c0 to %c40
// CHECK:   %[[INDEX:.*]] = tile.load %arg2
// CHECK:   %[[OK:.*]] = arith.andi
// CHECK:   tile.assert %[[OK]], "index %0 is out of range [-%1, %1) along axis 0"
// CHECK:   scf.for
// CHECK:     %[[UPDATE:.*]] = tile.load %arg1
// CHECK:     tile.scatter %[[UPDATE]], %arg3 at {{.*}} if(%[[OK]] : i1) : tensor<64xf32>, <1000x4096xf32>
// CHECK:       arith.addf
graph.kernel @rows(%x: tensor<1000x4096xf32>, %u: tensor<40x4096xf32>, %i: tensor<40x1xi64>) -> tensor<1000x4096xf32> attributes {nodes = ["a"]} {
  %y = graph.scatter %u into %x at affine_map<(u0, u1, i) -> (i, u1)> indices (%i : tensor<40x1xi64>)
       reads [affine_map<(u0, u1) -> (u0, 0)>] : tensor<40x4096xf32> into tensor<1000x4096xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    graph.yield %s : f32
  }
  graph.return %y : tensor<1000x4096xf32>
}

// The result lies over the data: nothing is copied. Indices that differ within a tile are checked
// together; the changes are made in turn.
// CHECK-LABEL: tile.kernel @elements
// CHECK-NOT: tile.load %arg0
// CHECK: %[[INDEX:.*]] = tile.load %arg2 {{.*}} -> tensor<16xi64>
// CHECK: tile.scatter %{{.*}}, %arg3 {{.*}} indices(%{{.*}} : tensor<16xindex>) if(%{{.*}} : tensor<16xi1>) : tensor<16xf32>, <?x50xf32>
// CHECK: tile.scatter {{.*}} : tensor<4xf32>
graph.kernel @elements(%x: tensor<?x50xf32>, %u: tensor<?x20xf32>, %i: tensor<?x20xi64>) -> (tensor<?x50xf32> {graph.overwrites = 0 : i64}) attributes {nodes = ["a"]} {
  %y = graph.scatter %u into %x at affine_map<(u0, u1, i) -> (u0, i)> indices (%i : tensor<?x20xi64>)
       reads [affine_map<(u0, u1) -> (u0, u1)>] : tensor<?x20xf32> into tensor<?x50xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  graph.return %y : tensor<?x50xf32>
}
