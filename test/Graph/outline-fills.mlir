// A fill belongs to the kernels that use it, but is computed where the host needs it, or where it is read at places
// that the data says.
// RUN: sectile-opt %s --graph-outline | FileCheck %s

// CHECK-LABEL: func.func @reshaped
// CHECK: %[[FILL:.*]] = graph.launch @[[K0:.*]](%{{.*}}) sizes
// CHECK: tensor.collapse_shape %[[FILL]]
func.func @reshaped(%n: index) -> tensor<?xf32> {
  %c = arith.constant 2.5 : f32
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %fill = linalg.fill ins(%c : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %flat = tensor.collapse_shape %fill [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  return %flat : tensor<?xf32>
}

// CHECK-LABEL: func.func @gathered
// CHECK: %[[FILL:.*]] = graph.launch @{{.*}}() sizes[] : () -> tensor<8xf32>
// CHECK: graph.launch @{{.*}}(%[[FILL]], %arg0)
// CHECK: %[[SPLAT:.*]] = arith.constant dense<1.000000e+00> : tensor<8xf32>
// CHECK: graph.launch @{{.*}}(%[[SPLAT]], %arg0)
func.func @gathered(%at: tensor<3xi64>) -> (tensor<3xf32>, tensor<3xf32>) {
  %c = arith.constant 2.5 : f32
  %empty = tensor.empty() : tensor<8xf32>
  %fill = linalg.fill ins(%c : f32) outs(%empty : tensor<8xf32>) -> tensor<8xf32>
  %0 = graph.gather %fill[%at] axis 0 {graph.group = 0 : i64} : tensor<8xf32>, tensor<3xi64> -> tensor<3xf32>
  %splat = arith.constant dense<1.0> : tensor<8xf32>
  %1 = graph.gather %splat[%at] axis 0 {graph.group = 1 : i64} : tensor<8xf32>, tensor<3xi64> -> tensor<3xf32>
  return %0, %1 : tensor<3xf32>, tensor<3xf32>
}
