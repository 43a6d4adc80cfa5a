// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-place-tensors)' | FileCheck %s
// RUN: sectile verify %s --quiet --least=-4 --most=3 --pipeline='builtin.module(graph-place-tensors,graph-to-tile,tile-check-in-place,graph-plan-memory,canonicalize,cse)' | count 0

// A scatter writes over its data where that dies. An input of the model and what is read again live
// on: it gets a copy. A kernel that always finds the data in its result's place is told so.
// CHECK-LABEL: func.func @main
// CHECK: %[[COPY:.*]] = graph.launch @copy0(%arg0)
// CHECK: %[[A:.*]] = graph.launch @scatter(%[[COPY]], %arg1, %arg2){{.*}} {graph.in_place = array<i64: 0>}
// CHECK: %[[B:.*]] = graph.launch @double(%[[A]])
// CHECK: %[[AGAIN:.*]] = graph.launch @copy0(%[[B]])
// CHECK: graph.launch @scatter(%[[AGAIN]], %arg1, %arg2){{.*}} {graph.in_place = array<i64: 0>}
// CHECK: graph.launch @scatter(%[[B]], %arg1, %arg2){{.*}} {graph.in_place = array<i64: 0>}
// CHECK: graph.kernel @scatter({{.*}}) -> (tensor<4x16xf32> {graph.overwrites = 0 : i64})
func.func @main(%x: tensor<4x16xf32>, %u: tensor<8x16xf32>, %i: tensor<8xi64>)
    -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %a = graph.launch @scatter(%x, %u, %i) sizes [] : (tensor<4x16xf32>, tensor<8x16xf32>, tensor<8xi64>) -> tensor<4x16xf32>
  %b = graph.launch @double(%a) sizes [] : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %c = graph.launch @scatter(%b, %u, %i) sizes [] : (tensor<4x16xf32>, tensor<8x16xf32>, tensor<8xi64>) -> tensor<4x16xf32>
  %d = graph.launch @scatter(%b, %u, %i) sizes [] : (tensor<4x16xf32>, tensor<8x16xf32>, tensor<8xi64>) -> tensor<4x16xf32>
  return %c, %d : tensor<4x16xf32>, tensor<4x16xf32>
}

graph.kernel @scatter(%x: tensor<4x16xf32>, %u: tensor<8x16xf32>, %i: tensor<8xi64>) -> tensor<4x16xf32> attributes {nodes = ["a"]} {
  %y = graph.scatter %u into %x at affine_map<(u0, u1, i) -> (i, u1)> indices (%i : tensor<8xi64>)
       reads [affine_map<(u0, u1) -> (u0)>] : tensor<8x16xf32> into tensor<4x16xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    graph.yield %s : f32
  }
  graph.return %y : tensor<4x16xf32>
}

#id = affine_map<(d0, d1) -> (d0, d1)>
graph.kernel @double(%x: tensor<4x16xf32>) -> tensor<4x16xf32> attributes {nodes = ["b"]} {
  %e = tensor.empty() : tensor<4x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  } -> tensor<4x16xf32>
  graph.return %y : tensor<4x16xf32>
}
