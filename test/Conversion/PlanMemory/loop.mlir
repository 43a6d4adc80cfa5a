// RUN: sectile-opt %s --split-input-file --sectile-graph --graph-plan-memory --canonicalize --cse | FileCheck %s
// RUN: sectile-opt %s --split-input-file --sectile-graph --sectile-host | FileCheck %s --check-prefix=LLVM

// What is carried begins in the memory of the result and changes between it and a place of the body's; the condition
// has a byte of its own. The arena is sized once, in front of the loop.
// CHECK-LABEL: func.func @sectile_prepare
// CHECK-NOT: scf
// CHECK-LABEL: func.func @sectile_run
// CHECK-SAME: (%[[X:.*]]: memref<?xf32>, %[[W:.*]]: memref<?xf32>, %[[Y:.*]]: memref<?xf32>, %[[ARENA:.*]]: memref<?xi8>, %{{.*}}: memref<?xi8>)
// CHECK: graph.dispatch @{{.*}}(%[[X]], %[[Y]]) num_inputs 1
// CHECK: %[[OTHER:.*]] = memref.view %[[ARENA]]
// CHECK: %[[GOES:.*]] = memref.view %[[ARENA]]{{.*}} to memref<i1>
// CHECK: scf.while (%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}, %{{.*}} = %[[Y]], %{{.*}} = %[[OTHER]])
// CHECK: scf.condition
// CHECK: ^bb0(%{{.*}}: index, %[[HERE:.*]]: memref<?xf32>, %[[THERE:.*]]: memref<?xf32>):
// CHECK-DAG: graph.dispatch @{{.*}}(%[[HERE]], %[[W]], %{{.*}}, %[[THERE]])
// CHECK-DAG: memref.load %[[GOES]]
// CHECK: scf.yield %{{.*}}, %{{.*}}, %[[THERE]], %[[HERE]]
// CHECK: scf.if
// CHECK: memref.copy %[[OTHER]], %[[Y]]
// LLVM-LABEL: llvm.func @sectile_host_run
// LLVM-NOT: scf
#id = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
func.func private @body(%i: index, %x: tensor<?xf32> {graph.dims = ["n"]}, %w: tensor<?xf32> {graph.dims = ["n"]}) -> (tensor<i1>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
    ins(%x, %w : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %false = arith.constant false
  %e0 = tensor.empty() : tensor<i1>
  %f0 = linalg.fill ins(%false : i1) outs(%e0 : tensor<i1>) -> tensor<i1>
  %go = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction"]}
    ins(%y : tensor<?xf32>) outs(%f0 : tensor<i1>) {
  ^bb0(%a: f32, %o: i1):
    %one = arith.constant 1.0 : f32
    %m = arith.cmpf ogt, %a, %one : f32
    %r = arith.ori %o, %m : i1
    linalg.yield %r : i1
  } -> tensor<i1>
  return %go, %y : tensor<i1>, tensor<?xf32>
}
func.func @main(%x: tensor<?xf32> {graph.name = "x", graph.dims = ["n"]}, %w: tensor<?xf32> {graph.name = "w", graph.dims = ["n"]}) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %true = arith.constant dense<true> : tensor<i1>
  %y = graph.loop @body while %true : tensor<i1> carried(%x : tensor<?xf32>) captured(%w : tensor<?xf32>) sizes [%n] -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// Rows are written where they lie. What is checked of an iteration is checked in it, what is known before in front.
// CHECK-LABEL: func.func @sectile_prepare
// CHECK: graph.check %{{.*}}, "in front"
// CHECK-LABEL: func.func @sectile_run
// CHECK-SAME: (%[[X:.*]]: memref<?x4xf32>, %[[Y:.*]]: memref<?x4xf32>
// CHECK: ^bb0(%[[I:.*]]: index):
// CHECK: %[[PLACE:.*]] = arith.muli %[[I]], %c4
// CHECK: graph.check %{{.*}}, "in each"
// CHECK: %[[ROW:.*]] = memref.reinterpret_cast %[[Y]] to offset: [%[[PLACE]]], sizes: [4], strides: [1]
// CHECK: graph.dispatch @{{.*}}(%[[X]], %[[I]], %[[ROW]]) num_inputs 2
#id1 = affine_map<(d0) -> (d0)>
func.func private @row(%i: index, %x: tensor<?x4xf32>, %m: index) -> tensor<4xf32> {
  %c9 = arith.constant 9 : index
  %few = arith.cmpi slt, %m, %c9 : index
  graph.check %few, "in front"
  %early = arith.cmpi slt, %i, %c9 : index
  graph.check %early, "in each"
  %row = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<?x4xf32> to tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
    ins(%row : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = ["m", "4"]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x4xf32>
  %y = graph.loop @row trips %m captured(%x, %m : tensor<?x4xf32>, index) sizes [%m] -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
