// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-pack-constants)' | FileCheck %s --check-prefix=NARROW
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-pack-constants{device=thirdCacheBytesPerCycle=64})' | FileCheck %s --check-prefix=WIDE

// A panel of 64 columns of this deep product does not fit the second cache: narrower ones that
// do are the better choice, unless the third cache delivers as fast.
// WIDE: d1 floordiv 64
// NARROW: d1 floordiv 32

func.func @main(%x: tensor<96x5000xf32>) -> tensor<96x512xf32> {
  %w = arith.constant dense_resource<weights> : tensor<5000x512xf32>
  %y = graph.launch @product(%x, %w) sizes[] : (tensor<96x5000xf32>, tensor<5000x512xf32>) -> tensor<96x512xf32>
  return %y : tensor<96x512xf32>
}
graph.kernel @product(%x: tensor<96x5000xf32>, %w: tensor<5000x512xf32>) -> tensor<96x512xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x512xf32>) -> tensor<96x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<96x5000xf32>, tensor<5000x512xf32>) outs(%f : tensor<96x512xf32>) -> tensor<96x512xf32>
  graph.return %y : tensor<96x512xf32>
}
{-#
  dialect_resources: {
    builtin: {
      weights: "0x08000000"
    }
  }
#-}
