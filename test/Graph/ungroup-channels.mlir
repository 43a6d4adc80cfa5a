// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-ungroup-channels,graph-simplify))' | FileCheck %s
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-ungroup-channels{reassociate=false},graph-simplify))' | FileCheck %s --check-prefix=STRICT

// What is computed on groups of channels is computed on the image; the batch may be known at run time
// only.
// CHECK-LABEL: func.func @groups
// CHECK-NOT: tensor<?x2x144xf32>
// CHECK: %[[C:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%arg0 : tensor<?x8x6x6xf32>)
// CHECK: %[[P:.*]] = tensor.expand_shape %[[C]] {{\[\[}}0], [1, 2]]
// CHECK: %[[S:.*]] = linalg.generic {{.*}}ins(%[[P]] : tensor<?x2x4xf32>)
// CHECK: %[[B:.*]] = linalg.broadcast ins(%[[S]]
// CHECK: %[[CS:.*]] = tensor.collapse_shape %[[B]] {{\[\[}}0], [1, 2]] : tensor<?x2x4xf32> into tensor<?x8xf32>
// CHECK: linalg.generic {{.*}}ins(%arg0, %[[CS]] : tensor<?x8x6x6xf32>, tensor<?x8xf32>)
// The order of a sum is kept if it must be.
// STRICT-LABEL: func.func @groups
// STRICT: ins({{.*}} : tensor<?x2x144xf32>)
#id = affine_map<(n, g, i) -> (n, g, i)>
#group = affine_map<(n, g, i) -> (n, g)>
func.func @groups(%x: tensor<?x8x6x6xf32>) -> tensor<?x8x6x6xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8x6x6xf32>
  %flat = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x8x6x6xf32> into tensor<?x288xf32>
  %v = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%n, 2, 144] : tensor<?x288xf32> into tensor<?x2x144xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x2xf32>) -> tensor<?x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #group], iterator_types = ["parallel", "parallel", "reduction"]} ins(%v : tensor<?x2x144xf32>) outs(%f : tensor<?x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<?x2xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x144xf32>
  %d = linalg.generic {indexing_maps = [#id, #group, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v, %s : tensor<?x2x144xf32>, tensor<?x2xf32>) outs(%e3 : tensor<?x2x144xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<?x2x144xf32>
  %flat2 = tensor.collapse_shape %d [[0], [1, 2]] : tensor<?x2x144xf32> into tensor<?x288xf32>
  %y = tensor.expand_shape %flat2 [[0], [1, 2, 3]] output_shape [%n, 8, 6, 6] : tensor<?x288xf32> into tensor<?x8x6x6xf32>
  return %y : tensor<?x8x6x6xf32>
}

// -----

// Not what reads along the group: its elements belong to places of several channels.
// CHECK-LABEL: func.func @along
// CHECK: linalg.generic {{.*}}ins({{.*}} : tensor<1x2x144xf32>, tensor<144xf32>)
#id = affine_map<(n, g, i) -> (n, g, i)>
#along = affine_map<(n, g, i) -> (i)>
func.func @along(%x: tensor<1x8x6x6xf32>, %w: tensor<144xf32>) -> tensor<1x8x6x6xf32> {
  %flat = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<1x8x6x6xf32> into tensor<1x288xf32>
  %v = tensor.expand_shape %flat [[0], [1, 2]] output_shape [1, 2, 144] : tensor<1x288xf32> into tensor<1x2x144xf32>
  %e3 = tensor.empty() : tensor<1x2x144xf32>
  %d = linalg.generic {indexing_maps = [#id, #along, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v, %w : tensor<1x2x144xf32>, tensor<144xf32>) outs(%e3 : tensor<1x2x144xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<1x2x144xf32>
  %flat2 = tensor.collapse_shape %d [[0], [1, 2]] : tensor<1x2x144xf32> into tensor<1x288xf32>
  %y = tensor.expand_shape %flat2 [[0], [1, 2, 3]] output_shape [1, 8, 6, 6] : tensor<1x288xf32> into tensor<1x8x6x6xf32>
  return %y : tensor<1x8x6x6xf32>
}
