// RUN: sectile-opt %s --sectile-graph --graph-plan-memory | FileCheck %s
// RUN: sectile verify %s --quiet | count 0
// RUN: sectile compile %s -o %t --cpu-levels=sse4 --quiet
// RUN: sectile run %t --quiet

// What may stand behind a window: constants of any kind, inputs, other windows. Fills exist inside
// kernels only, so a concatenation with one stays a kernel.
// CHECK: func.func @sectile_run
// CHECK: graph.dispatch @copy0(%{{.*}}, %{{.*}}) num_inputs 1 : memref<2x6xf32>, memref<2x6xf32>
// CHECK: graph.dispatch @{{.*}}move(%{{.*}}, %{{.*}}) num_inputs 1 : memref<4x6xf32{{.*}}>, memref<8x6xf32>
// CHECK: graph.dispatch @copy1(%{{.*}}, %{{.*}}) num_inputs 1 : memref<12xf32, strided<[1], offset: 6>>, memref<12xf32>
func.func @main(%x: tensor<4x6xf32>, %w: tensor<6x6xf32>)
    -> (tensor<6x6xf32>, tensor<8x6xf32>, tensor<12xf32>, tensor<2x6xf32>, tensor<6x2xf32>, tensor<24xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %p = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %splat = arith.constant dense<2.5> : tensor<2x6xf32>
  %m = linalg.matmul ins(%p, %w : tensor<4x6xf32>, tensor<6x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %a = tensor.concat dim(0) %splat, %m : (tensor<2x6xf32>, tensor<4x6xf32>) -> tensor<6x6xf32>
  %one = arith.constant 1.0 : f32
  %f1 = linalg.fill ins(%one : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %p2 = linalg.abs ins(%p : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %q = linalg.matmul ins(%p2, %w : tensor<4x6xf32>, tensor<6x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %b = tensor.concat dim(0) %f1, %q : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
  // A part of an input, used by two kernels and returned under other extents.
  %s = tensor.extract_slice %x[1, 0] [2, 6] [1, 1] : tensor<4x6xf32> to tensor<2x6xf32>
  %r = tensor.collapse_shape %s [[0, 1]] : tensor<2x6xf32> into tensor<12xf32>
  %e2 = tensor.empty() : tensor<2x6xf32>
  %c = linalg.exp ins(%s : tensor<2x6xf32>) outs(%e2 : tensor<2x6xf32>) -> tensor<2x6xf32>
  %et = tensor.empty() : tensor<6x2xf32>
  %t = linalg.transpose ins(%s : tensor<2x6xf32>) outs(%et : tensor<6x2xf32>) permutation = [1, 0]
  // The same of a constant.
  %k = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [7.0, 8.0, 9.0, 1.0, 2.0, 3.0]]> : tensor<3x6xf32>
  %ks = tensor.extract_slice %k[1, 0] [2, 6] [1, 1] : tensor<3x6xf32> to tensor<2x6xf32>
  %c2 = linalg.add ins(%c, %ks : tensor<2x6xf32>, tensor<2x6xf32>) outs(%e2 : tensor<2x6xf32>) -> tensor<2x6xf32>
  %t2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%t, %ks : tensor<6x2xf32>, tensor<2x6xf32>) outs(%et : tensor<6x2xf32>) {
  ^bb0(%l: f32, %h: f32, %o: f32):
    %0 = arith.addf %l, %h : f32
    linalg.yield %0 : f32
  } -> tensor<6x2xf32>
  %flat = tensor.collapse_shape %p [[0, 1]] : tensor<4x6xf32> into tensor<24xf32>
  return %a, %b, %r, %c2, %t2, %flat
    : tensor<6x6xf32>, tensor<8x6xf32>, tensor<12xf32>, tensor<2x6xf32>, tensor<6x2xf32>, tensor<24xf32>
}
