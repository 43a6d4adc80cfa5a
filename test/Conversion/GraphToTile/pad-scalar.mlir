// RUN: sectile-opt %s --graph-to-tile="lanes=16 registers=32" | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' | count 0

// A load that does not vary along the padded dimension has no mask there: the padding is chosen.
// CHECK-LABEL: tile.kernel @scalar
// CHECK: %[[X:.*]] = tile.load %{{.*}} : <f32> -> f32
// CHECK: %[[INSIDE:.*]] = tile.mask
// CHECK: arith.select %[[INSIDE]]
func.func @main(%x: tensor<f32>, %y: tensor<1x5xf32>) -> (tensor<1x3xf32>, tensor<3x5xf32>) {
  %0 = graph.launch @scalar(%x) sizes [] : (tensor<f32>) -> tensor<1x3xf32>
  %1 = graph.launch @row(%y) sizes [] : (tensor<1x5xf32>) -> tensor<3x5xf32>
  return %0, %1 : tensor<1x3xf32>, tensor<3x5xf32>
}
graph.kernel @scalar(%x: tensor<f32>) -> tensor<1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %matrix = tensor.expand_shape %x [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
  %padded = tensor.pad %matrix low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<1x1xf32> to tensor<1x3xf32>
  graph.return %padded : tensor<1x3xf32>
}

// One that does vary along it is masked, and yields the zeros itself.
// CHECK-LABEL: tile.kernel @row
// CHECK: tile.load %{{.*}} where
// CHECK-NOT: arith.select
graph.kernel @row(%x: tensor<1x5xf32>) -> tensor<3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<1x5xf32> into tensor<5xf32>
  %row = tensor.expand_shape %flat [[0, 1]] output_shape [1, 5] : tensor<5xf32> into tensor<1x5xf32>
  %padded = tensor.pad %row low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<1x5xf32> to tensor<3x5xf32>
  graph.return %padded : tensor<3x5xf32>
}
