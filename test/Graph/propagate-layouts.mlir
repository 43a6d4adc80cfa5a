// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-propagate-layouts))' | FileCheck %s

#x = affine_map<(n, o, h, w, i, kh, kw) -> (n, i, h + kh, w + kw)>
#k = affine_map<(n, o, h, w, i, kh, kw) -> (o, i, kh, kw)>
#y = affine_map<(n, o, h, w, i, kh, kw) -> (n, o, h, w)>
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// The image is transposed once on the way in and once on the way out; what lies between works on
// [n, h, w, c], and the convolution's channels are its innermost loop.
// CHECK-LABEL: func.func @main
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %arg1 : tensor<1x6x6x3xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<1x4x4x8xf32>)
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
// CHECK-NOT: linalg.transpose
func.func @main(%x: tensor<1x3x6x6xf32>, %k: tensor<8x3x3x3xf32>) -> tensor<1x8x4x4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x4x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %c = linalg.generic {indexing_maps = [#x, #k, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %k : tensor<1x3x6x6xf32>, tensor<8x3x3x3xf32>) outs(%f : tensor<1x8x4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x8x4x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c : tensor<1x8x4x4xf32>) outs(%e : tensor<1x8x4x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %z : f32
    linalg.yield %t : f32
  } -> tensor<1x8x4x4xf32>
  return %r : tensor<1x8x4x4xf32>
}
