// RUN: sectile-opt %s --graph-to-tile="lanes=16 registers=32" --canonicalize | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=1,n=37 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=5,n=37 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=0,n=37 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' --dims=m=1,n=0 | count 0

// Rows of both operands lie along the summed dimension. For many rows, one operand is copied to
// panels; for a single one it is read where it lies. Both programs are branches of one kernel.
// CHECK-LABEL: tile.kernel @scores
// CHECK-SAME: variants = [{argument = 2 : i64, schedule = #tile.schedule<v1, dims = {d1 = [16, 16]}
// CHECK-SAME: value = 1 : i64}]
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %arg2, %c1 : index
// CHECK: tile.block_id grid [%{{.*}}, %{{.*}}]
// CHECK: scf.if %[[ONE]] {
// CHECK-NOT: tile.alloc
// CHECK: tile.reduce
// CHECK: } else {
// CHECK: tile.alloc
// CHECK: tile.transpose
graph.kernel @scores(%q: tensor<?x64xf32> {graph.dims = ["m", "64"]}, %k: tensor<?x64xf32> {graph.dims = ["n", "64"]},
                     %m: index {graph.name = "m"}, %n: index {graph.name = "n"}) -> tensor<?x?xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x64xf32>, tensor<?x64xf32>) outs(%fill : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x?xf32>
  graph.return %y : tensor<?x?xf32>
}

func.func @main(%q: tensor<?x64xf32> {graph.name = "q", graph.dims = ["m", "64"]},
                %k: tensor<?x64xf32> {graph.name = "k", graph.dims = ["n", "64"]}) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %q, %c0 : tensor<?x64xf32>
  %n = tensor.dim %k, %c0 : tensor<?x64xf32>
  %y = graph.launch @scores(%q, %k, %m, %n) sizes [%m, %n]
       : (tensor<?x64xf32>, tensor<?x64xf32>, index, index) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
