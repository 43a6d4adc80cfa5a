// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-place-tensors)' | FileCheck %s --check-prefix=PLACE
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-place-tensors,graph-plan-memory,canonicalize,cse)' | FileCheck %s --check-prefix=PLAN
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-place-tensors,graph-to-tile,graph-plan-memory,canonicalize,cse)' --dims=n=0 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-place-tensors,graph-to-tile,graph-plan-memory,canonicalize,cse)' --dims=n=1 | count 0
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-place-tensors,graph-to-tile,graph-plan-memory,canonicalize,cse)' --dims=n=37 | count 0

// A residual sum takes the memory of the operand that dies. What else the kernel does with its
// other operands does not matter.
// PLACE-LABEL: func.func @main
// PLACE: graph.launch @exp
// PLACE-NOT: graph.in_place
// PLACE-SAME: ->
// %a is read again by @second and @rows.
// PLACE: graph.launch @first
// PLACE-NOT: graph.in_place
// PLACE-SAME: ->
// PLACE: graph.launch @residual{{.*}} {graph.in_place = array<i64: 0>}
// A row is summed before it is divided: not one to one.
// PLACE: graph.launch @rows
// PLACE-NOT: graph.in_place
// PLACE-SAME: ->
// The second result reads the input, so only that may be written over it.
// PLACE: graph.launch @pair{{.*}} {graph.in_place = array<i64: -1, 0>}

// PLACE: graph.kernel @exp(%{{.*}}: tensor<?x16xf32> {graph.noalias, graph.readonly}) -> (tensor<?x16xf32> {graph.noalias})
// PLACE: graph.kernel @residual(%{{.*}}: tensor<?x16xf32>, %{{.*}}: tensor<?x16xf32> {graph.noalias, graph.readonly}, %{{.*}}: tensor<16x16xf32> {graph.noalias, graph.readonly}) -> tensor<?x16xf32>
// PLACE: graph.kernel @pair(%{{.*}}: tensor<?x16xf32>) -> (tensor<?x16xf32> {graph.noalias}, tensor<?x16xf32>)

// PLAN-LABEL: func.func @sectile_run
// PLAN: graph.dispatch @first(%[[A:.*]], %[[B:[a-z0-9_]*]])
// PLAN: graph.dispatch @residual(%[[B]], %[[A]], %{{.*}}, %[[B]]) num_inputs 3
func.func @main(%x: tensor<?x16xf32> {graph.name = "x", graph.dims = ["n", "16"]}, %w: tensor<16x16xf32>)
    -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %a = graph.launch @exp(%x) sizes [%n] : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %b = graph.launch @first(%a) sizes [%n] : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %c = graph.launch @residual(%b, %a, %w) sizes [%n]
       : (tensor<?x16xf32>, tensor<?x16xf32>, tensor<16x16xf32>) -> tensor<?x16xf32>
  %d = graph.launch @rows(%a) sizes [%n] : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %e = graph.launch @first(%d) sizes [%n] : (tensor<?x16xf32>) -> tensor<?x16xf32>
  %f:2 = graph.launch @pair(%e) sizes [%n, %n]
       : (tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>)
  return %c, %f#0, %f#1 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
}

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
graph.kernel @exp(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  graph.return %y : tensor<?x16xf32>
}
graph.kernel @first(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.sqrt %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  graph.return %y : tensor<?x16xf32>
}
graph.kernel @residual(%b: tensor<?x16xf32>, %a: tensor<?x16xf32>, %w: tensor<16x16xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %b, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %p = linalg.matmul ins(%a, %w : tensor<?x16xf32>, tensor<16x16xf32>) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b : tensor<?x16xf32>, tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %out: f32):
    %0 = arith.addf %l, %r : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  graph.return %y : tensor<?x16xf32>
}
graph.kernel @rows(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %s = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%s : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x16xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %0 = arith.addf %in, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x16xf32>, tensor<?xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %out: f32):
    %0 = arith.divf %l, %r : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  graph.return %y : tensor<?x16xf32>
}
graph.kernel @pair(%x: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.mulf %in, %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x16xf32>
  graph.return %y, %z : tensor<?x16xf32>, tensor<?x16xf32>
}
