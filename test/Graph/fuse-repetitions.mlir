// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse))' --split-input-file | FileCheck %s

// Groups of channels, in an image whose channels lie side by side, are reduced by a kernel of
// their own: in the kernel that uses the sums, every tile of the image would form them again.
// CHECK-LABEL: func.func @groups
// CHECK: linalg.reduce {{.*}}{graph.group = [[SUM:.*]] : i64}
// CHECK-NOT: graph.group = [[SUM]] : i64
// CHECK: return
func.func @groups(%x: tensor<64x64x32xf32>) -> tensor<64x64x32xf32> {
  %zero = arith.constant 0.0 : f32
  %planes = tensor.empty() : tensor<32x64x64xf32>
  %t = linalg.transpose ins(%x : tensor<64x64x32xf32>) outs(%planes : tensor<32x64x64xf32>) permutation = [2, 0, 1]
  %flat = tensor.collapse_shape %t [[0, 1, 2]] : tensor<32x64x64xf32> into tensor<131072xf32>
  %g = tensor.expand_shape %flat [[0, 1]] output_shape [4, 32768] : tensor<131072xf32> into tensor<4x32768xf32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.reduce { arith.addf } ins(%g : tensor<4x32768xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  %e2 = tensor.empty() : tensor<4x32768xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(g, i) -> (g, i)>, affine_map<(g, i) -> (g)>, affine_map<(g, i) -> (g, i)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%g, %s : tensor<4x32768xf32>, tensor<4xf32>) outs(%e2 : tensor<4x32768xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x32768xf32>
  %flat2 = tensor.collapse_shape %d [[0, 1]] : tensor<4x32768xf32> into tensor<131072xf32>
  %t2 = tensor.expand_shape %flat2 [[0, 1, 2]] output_shape [32, 64, 64] : tensor<131072xf32> into tensor<32x64x64xf32>
  %image = tensor.empty() : tensor<64x64x32xf32>
  %y = linalg.transpose ins(%t2 : tensor<32x64x64xf32>) outs(%image : tensor<64x64x32xf32>) permutation = [1, 2, 0]
  return %y : tensor<64x64x32xf32>
}

// -----

// Each head of a row is reduced in the kernel that uses its sum, though a reshape lies between.
// CHECK-LABEL: func.func @heads
// CHECK: linalg.reduce {{.*}}{graph.group = [[G:.*]] : i64}
// CHECK: linalg.generic {{.*}}graph.group = [[G]] : i64
func.func @heads(%x: tensor<256x512xf32>) -> tensor<256x512xf32> {
  %zero = arith.constant 0.0 : f32
  %h = tensor.expand_shape %x [[0], [1, 2]] output_shape [256, 8, 64] : tensor<256x512xf32> into tensor<256x8x64xf32>
  %e = tensor.empty() : tensor<256x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<256x8xf32>) -> tensor<256x8xf32>
  %s = linalg.reduce { arith.addf } ins(%h : tensor<256x8x64xf32>) outs(%f : tensor<256x8xf32>) dimensions = [2]
  %e2 = tensor.empty() : tensor<256x8x64xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>, affine_map<(a, b, c) -> (a, b, c)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%h, %s : tensor<256x8x64xf32>, tensor<256x8xf32>) outs(%e2 : tensor<256x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<256x8x64xf32>
  %y = tensor.collapse_shape %d [[0], [1, 2]] : tensor<256x8x64xf32> into tensor<256x512xf32>
  return %y : tensor<256x512xf32>
}
