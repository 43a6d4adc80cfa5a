// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-absorb-scales,graph-fold-constants))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-absorb-scales{reassociate=false}))' --split-input-file | FileCheck %s --check-prefix=STRICT

// A depthwise convolution and what a normalisation leaves behind it: the factor goes into the
// weights, the offset stays.
// CHECK-LABEL: func.func @depthwise
// CHECK: arith.constant dense<{{\[\[}}5.000000e-01, 6.000000e+00], [1.500000e+00, 1.200000e+01]]> : tensor<2x2xf32>
// CHECK: linalg.generic
// CHECK: arith.mulf
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x4x2xf32>, tensor<2xf32>)
// CHECK-NOT: arith.mulf
// STRICT-LABEL: func.func @depthwise
// STRICT: arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]>
#x = affine_map<(n, w, c, q) -> (n, w + q, c)>
#k = affine_map<(n, w, c, q) -> (q, c)>
#y = affine_map<(n, w, c, q) -> (n, w, c)>
#id = affine_map<(n, w, c) -> (n, w, c)>
#last = affine_map<(n, w, c) -> (c)>
func.func @depthwise(%x: tensor<1x5x2xf32>) -> tensor<1x4x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %f = arith.constant dense<[0.5, 3.0]> : tensor<2xf32>
  %o = arith.constant dense<[7.0, 8.0]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4x2xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x2xf32>) -> tensor<1x4x2xf32>
  %p = linalg.generic {indexing_maps = [#x, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<1x5x2xf32>, tensor<2x2xf32>) outs(%z : tensor<1x4x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x4x2xf32>
  %y = linalg.generic {indexing_maps = [#id, #last, #last, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%p, %f, %o : tensor<1x4x2xf32>, tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<1x4x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %c : f32
    linalg.yield %1 : f32
  } -> tensor<1x4x2xf32>
  return %y : tensor<1x4x2xf32>
}

// -----

// A factor along rows is not the weights'; nor is one that would make a weight infinite.
// CHECK-LABEL: func.func @stays
// CHECK-DAG: arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]>
// CHECK-DAG: arith.constant dense<{{\[\[}}1.000000e+30, 2.000000e+00], [3.000000e+00, 4.000000e+00]]>
#x = affine_map<(i, j, k) -> (i, k)>
#w = affine_map<(i, j, k) -> (k, j)>
#y = affine_map<(i, j, k) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>
#first = affine_map<(i, j) -> (i)>
#last = affine_map<(i, j) -> (j)>
func.func @stays(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[1.0e30, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %f = arith.constant dense<[0.5, 3.0]> : tensor<2xf32>
  %g = arith.constant dense<[1.0e9, 3.0]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %p = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%z : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #first, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %f : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  %q = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %v : tensor<2x2xf32>, tensor<2x2xf32>) outs(%z : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%q, %g : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  return %r, %s : tensor<2x2xf32>, tensor<2x2xf32>
}
