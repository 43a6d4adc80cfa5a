// RUN: sectile-opt %s --split-input-file --sectile-graph --graph-plan-memory | FileCheck %s
// RUN: sectile-opt %s --split-input-file --sectile-graph | FileCheck %s --check-prefix=GROUPS

// Both sides are written where the result lies, here the output, each in its case only. What both need is not waited
// for; a product that one side alone needs is, and does not become part of a kernel that runs anyway.
// CHECK-LABEL: func.func @sectile_run
// CHECK-SAME: (%[[C:.*]]: memref<i1>, %[[X:.*]]: memref<8x8xf32>, %[[W:.*]]: memref<8x8xf32>, %[[Y:.*]]: memref<8x8xf32>, %{{.*}}: memref<?xi8>, %{{.*}}: memref<?xi8>)
// CHECK: graph.dispatch @[[SHARED:.*]](%[[X]], %[[H:.*]]) num_inputs 1
// CHECK: %[[TAKEN:.*]] = memref.load %[[C]][] : memref<i1>
// CHECK: graph.dispatch @{{.*}}(%[[H]], %[[W]], %[[Y]]) when %[[TAKEN]] num_inputs 2
// CHECK: %[[NOT:.*]] = arith.xori %[[TAKEN]]
// CHECK: graph.dispatch @{{.*}}(%[[H]], %[[Y]]) when %[[NOT]] num_inputs 1
// CHECK-NOT: graph.dispatch
// GROUPS-COUNT-3: graph.launch
// GROUPS: graph.choose
func.func @main(%c: tensor<i1>, %x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %zero = arith.constant 0.0 : f32
  %h = linalg.exp ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %a = linalg.matmul ins(%h, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%fill : tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = linalg.negf ins(%h : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %r = graph.choose %c, %a, %b : tensor<8x8xf32>
  return %r : tensor<8x8xf32>
}

// -----

// A side that is used elsewhere too is computed anyway, and copied in its case.
// CHECK-LABEL: func.func @sectile_run
// CHECK-SAME: (%[[C:.*]]: memref<i1>, %[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>, %[[Z:.*]]: memref<8xf32>, %{{.*}}: memref<?xi8>, %{{.*}}: memref<?xi8>)
// CHECK-DAG: graph.dispatch @{{.*}}(%[[X]], %[[Z]]) num_inputs 1
// CHECK-DAG: graph.dispatch @{{.*}}(%[[Z]], %[[Y]]) when
// CHECK-DAG: graph.dispatch @{{.*}}(%[[X]], %[[Y]]) when
// CHECK: return
func.func @used(%c: tensor<i1>, %x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %a = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %b = linalg.negf ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %r = graph.choose %c, %a, %b : tensor<8xf32>
  return %r, %a : tensor<8xf32>, tensor<8xf32>
}

// -----

// A choice that is known, or none, is folded.
// CHECK-LABEL: func.func @sectile_run
// CHECK-NOT: graph.dispatch
// CHECK: memref.copy
// CHECK-NOT: graph.dispatch
func.func @known(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c = arith.constant dense<true> : tensor<i1>
  %e = tensor.empty() : tensor<8xf32>
  %b = linalg.negf ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %r = graph.choose %c, %x, %b : tensor<8xf32>
  return %r : tensor<8xf32>
}
