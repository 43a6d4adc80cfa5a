// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{device=cores=2})' | FileCheck %s --check-prefix=FEW
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{device=cores=64})' | FileCheck %s --check-prefix=MANY
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{device=cores=64,blockCycles=1e7})' | FileCheck %s --check-prefix=FEW
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{device=cores=64,thirdCacheBytesPerCycle=0.01})' | FileCheck %s --check-prefix=FEW

// How many rows a block takes is the cost model's choice: with two cores, or where starting a
// block or reading its panel is dear, all 96; with 64 cores that have nothing to do otherwise, few.
// FEW: dims = {d0 = [96, 6], d1 = [64, 64]}
// MANY: dims = {d0 = [12, 6], d1 = [64, 64]}

graph.kernel @product(%x: tensor<96x256xf32>, %w: tensor<256x512xf32>) -> tensor<96x512xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x512xf32>) -> tensor<96x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<96x256xf32>, tensor<256x512xf32>) outs(%f : tensor<96x512xf32>) -> tensor<96x512xf32>
  graph.return %y : tensor<96x512xf32>
}
