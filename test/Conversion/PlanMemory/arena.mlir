// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-plan-memory,canonicalize,cse)' | FileCheck %s

// Two symbols are compared where they occur again; %a and %c share a slot, since %a is dead when %c is
// made; the last launch writes the output itself; the second output is an input and is copied.
// CHECK-LABEL: func.func @sectile_prepare
// CHECK-SAME: (%[[N0:.*]]: index, %[[N1:.*]]: index)
// CHECK: %[[EQ:.*]] = arith.cmpi eq, %[[N1]], %[[N0]]
// CHECK: graph.check %[[EQ]], "input 'z' has extent %0 in dimension 0, but 'n' is %1 in input 'x'"
// CHECK-LABEL: func.func @sectile_run
// CHECK: %[[A:.*]] = memref.view %arg4[%c0][%{{.*}}]
// CHECK: graph.dispatch @k(%arg0, %[[A]])
// CHECK: %[[B:.*]] = memref.view %arg4[%[[OFFSET:.*]]][%{{.*}}]
// CHECK: graph.dispatch @k(%[[A]], %[[B]])
// CHECK: graph.dispatch @k(%[[B]], %[[A]])
// CHECK: graph.dispatch @k(%[[A]], %arg2)
// CHECK: memref.copy %arg1, %arg3
func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = ["n", "4"]},
                %z: tensor<?xf32> {graph.name = "z", graph.dims = ["n"]})
    -> (tensor<?x4xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %a = graph.launch @k(%x) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = graph.launch @k(%a) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = graph.launch @k(%b) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %d = graph.launch @k(%c) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %d, %z : tensor<?x4xf32>, tensor<?xf32>
}
graph.kernel @k(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  graph.return %x : tensor<?x4xf32>
}
