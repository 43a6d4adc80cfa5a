// RUN: sectile-opt %s --graph-to-tile="lanes=16 registers=32" | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' | count 0

// What lies side by side in an argument, but not in the result, is read in vectors all the same;
// squares of them are turned in registers. The other argument is read as the result is stored.
// CHECK-LABEL: tile.kernel @turned
// CHECK-SAME: dims = {d0 = [48, 16], d1 = [64, 16]}
// CHECK: scf.for %[[I:.*]] = %c0 to %c3
// CHECK: scf.for %[[J:.*]] = %c0{{.*}} to %c4
// CHECK: %[[ROWS:.*]] = tile.load %{{.*}} at #[[MAP:.*]][%[[J]], %[[I]]] : <64x48xf32> -> tensor<16x16xf32>
// CHECK: %[[COLUMNS:.*]] = tile.transpose %[[ROWS]] perm [1, 0]
// CHECK: %[[OTHER:.*]] = tile.load %{{.*}} at #[[MAP]][%[[I]], %[[J]]] : <48x64xf32> -> tensor<16x16xf32>
// CHECK-NOT: tile.transpose
// CHECK: arith.addf %[[COLUMNS]], %[[OTHER]]
graph.kernel @turned(%x: tensor<64x48xf32>, %y: tensor<48x64xf32>) -> tensor<48x64xf32> {
  %empty = tensor.empty() : tensor<48x64xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>,
                                          affine_map<(d0, d1) -> (d0, d1)>],
                         iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<64x48xf32>, tensor<48x64xf32>) outs(%empty : tensor<48x64xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<48x64xf32>
  graph.return %sum : tensor<48x64xf32>
}

// Half a vector that divides the rows is better than a whole one and a rest.
// CHECK-LABEL: tile.kernel @halves
// CHECK-SAME: dims = {d0 = [56, 8], d1 = [64, 16]}
// CHECK: tile.load {{.*}} -> tensor<16x8xf32>
graph.kernel @halves(%x: tensor<64x56xf32>) -> tensor<56x64xf32> {
  %empty = tensor.empty() : tensor<56x64xf32>
  %t = linalg.transpose ins(%x : tensor<64x56xf32>) outs(%empty : tensor<56x64xf32>) permutation = [1, 0]
  graph.return %t : tensor<56x64xf32>
}

// Three channels are too few: they are gathered.
// CHECK-LABEL: tile.kernel @few
// CHECK-NOT: tile.transpose
graph.kernel @few(%x: tensor<3x56xf32>) -> tensor<56x3xf32> {
  %empty = tensor.empty() : tensor<56x3xf32>
  %t = linalg.transpose ins(%x : tensor<3x56xf32>) outs(%empty : tensor<56x3xf32>) permutation = [1, 0]
  graph.return %t : tensor<56x3xf32>
}

func.func @main(%x: tensor<64x48xf32>, %y: tensor<48x64xf32>, %u: tensor<64x56xf32>, %v: tensor<3x56xf32>)
    -> (tensor<48x64xf32>, tensor<56x64xf32>, tensor<56x3xf32>) {
  %a = graph.launch @turned(%x, %y) sizes [] : (tensor<64x48xf32>, tensor<48x64xf32>) -> tensor<48x64xf32>
  %b = graph.launch @halves(%u) sizes [] : (tensor<64x56xf32>) -> tensor<56x64xf32>
  %c = graph.launch @few(%v) sizes [] : (tensor<3x56xf32>) -> tensor<56x3xf32>
  return %a, %b, %c : tensor<48x64xf32>, tensor<56x64xf32>, tensor<56x3xf32>
}
