// RUN: sectile-opt %s --canonicalize | FileCheck %s
// RUN: sectile-opt %s --sectile-graph --graph-plan-memory | FileCheck %s --check-prefix=PLAN

// A number that is known folds, inside of its bounds.
// CHECK-LABEL: func.func private @known
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[THREE:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : index
// CHECK: return %[[THREE]], %[[ZERO]], %[[EIGHT]]
func.func private @known() -> (index, index, index) {
  %most = arith.constant 8 : index
  %a = arith.constant dense<3> : tensor<i64>
  %b = arith.constant dense<-1> : tensor<i64>
  %c = arith.constant dense<9> : tensor<i64>
  %r = graph.count %a upto %most : tensor<i64>
  %s = graph.count %b upto %most : tensor<i64>
  %t = graph.count %c upto %most : tensor<i64>
  return %r, %s, %t : index, index, index
}

// Before the run only the bound is known: of the result, and of the arena. The number is read behind the kernel that
// counts, kept inside its bounds, and is what the kernels behind it and the caller are told.
// PLAN-LABEL: func.func @sectile_prepare
// PLAN-DAG: %[[BOUND:.*]] = arith.constant 64 : index
// PLAN: return %[[BOUND]], %{{.*}} : index, index
// PLAN-LABEL: func.func @sectile_run
// PLAN-SAME: (%[[X:.*]]: memref<64xf32>, %[[OUT:.*]]: memref<?xf32>, %[[ARENA:.*]]: memref<?xi8>, %{{.*}}: memref<?xi8>) -> index attributes {graph.decided_dims = array<i64: 0, 0>}
// PLAN: %[[PLACE:.*]] = memref.view %[[ARENA]]{{.*}} : memref<?xi8> to memref<i64>
// PLAN: graph.dispatch @{{.*}}(%[[X]], %[[PLACE]])
// PLAN: %[[READ:.*]] = memref.load %[[PLACE]][] : memref<i64>
// PLAN: %[[INDEX:.*]] = arith.index_cast %[[READ]]
// PLAN: %[[LOW:.*]] = arith.maxsi %[[INDEX]]
// PLAN: %[[COUNT:.*]] = arith.minsi %[[LOW]]
// PLAN: %[[SHOWN:.*]] = memref.reinterpret_cast %[[OUT]] to offset: [0], sizes: [%[[COUNT]]], strides: [1]
// PLAN: graph.dispatch @{{.*}}(%[[X]], %[[COUNT]], %[[SHOWN]])
// PLAN: return %[[COUNT]] : index
func.func @main(%x: tensor<64xf32>) -> tensor<?xf32> {
  %most = arith.constant 64 : index
  %zero = arith.constant 0 : i64
  %none = tensor.empty() : tensor<i64>
  %start = linalg.fill ins(%zero : i64) outs(%none : tensor<i64>) -> tensor<i64>
  %n = linalg.reduce ins(%x : tensor<64xf32>) outs(%start : tensor<i64>) dimensions = [0]
    (%v: f32, %sum: i64) {
      %f = arith.constant 0.0 : f32
      %is = arith.cmpf one, %v, %f : f32
      %one = arith.extui %is : i1 to i64
      %next = arith.addi %sum, %one : i64
      linalg.yield %next : i64
    }
  %count = graph.count %n upto %most : tensor<i64>
  %part = tensor.extract_slice %x[0] [%count] [1] : tensor<64xf32> to tensor<?xf32>
  %e = tensor.empty(%count) : tensor<?xf32>
  %y = linalg.exp ins(%part : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
