// RUN: sectile-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(graph-normalize,graph-propagate-layouts,graph-fuse),graph-outline,graph-pack-constants)' | FileCheck %s
// RUN: sectile-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(graph-normalize,graph-fuse{device=memoryBytesPerCycle=1e6,coreBytesPerCycle=1e6,launchCycles=1}),graph-outline)' | FileCheck %s --check-prefix=FAST
// RUN: sectile-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(graph-normalize,graph-fuse{device=memoryBytesPerCycle=0.05}),graph-outline)' | FileCheck %s --check-prefix=SLOW

// Weights are dequantized by the product that reads them: one kernel. It reads them transposed where they are,
// and both constants are laid out for that, the codes in panels, the scales with the columns last.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-1: graph.launch
// CHECK-NOT: graph.launch
// CHECK: graph.kernel
// CHECK-DAG: tensor<512x256xi8> {graph.memory = #tile.memory<(d0, d1) -> (d0 floordiv [[N:[0-9]+]], d1, d0 mod [[N]]), bits = 4 along 1>
// CHECK-DAG: tensor<512x8xf32> {graph.memory = #tile.memory<(d0, d1) -> (d1, d0)>
// CHECK-NOT: linalg.transpose
func.func @main(%x: tensor<4x256xf32>) -> tensor<4x512xf32> {
  %q = arith.constant dense_resource<q> : tensor<512x256xi8>
  %s = arith.constant dense_resource<s> : tensor<512x8xf32>
  %w = graph.dequantize %q scale %s {format = "int4", block = [1, 32]} : (tensor<512x256xi8>, tensor<512x8xf32>) -> tensor<512x256xf32>
  %e = tensor.empty() : tensor<256x512xf32>
  %t = linalg.transpose ins(%w : tensor<512x256xf32>) outs(%e : tensor<256x512xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %i = tensor.empty() : tensor<4x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<4x512xf32>) -> tensor<4x512xf32>
  %y = linalg.matmul ins(%x, %t : tensor<4x256xf32>, tensor<256x512xf32>) outs(%f : tensor<4x512xf32>) -> tensor<4x512xf32>
  return %y : tensor<4x512xf32>
}

// -----

// Weights that two products read are computed once.
// CHECK-LABEL: func.func @shared
// CHECK: graph.launch
// CHECK: graph.launch
func.func @shared(%x: tensor<4x512xf32>) -> tensor<4x512xf32> {
  %q = arith.constant dense_resource<p> : tensor<512x512xi8>
  %s = arith.constant dense<0.5> : tensor<1x512xf32>
  %w = graph.dequantize %q scale %s {format = "int8", block = [0, 1]} : (tensor<512x512xi8>, tensor<1x512xf32>) -> tensor<512x512xf32>
  %zero = arith.constant 0.0 : f32
  %i = tensor.empty() : tensor<4x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<4x512xf32>) -> tensor<4x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x512xf32>, tensor<512x512xf32>) outs(%f : tensor<4x512xf32>) -> tensor<4x512xf32>
  %z = linalg.matmul ins(%y, %w : tensor<4x512xf32>, tensor<512x512xf32>) outs(%f : tensor<4x512xf32>) -> tensor<4x512xf32>
  return %z : tensor<4x512xf32>
}

// -----

// For many rows, ten blocks of them would compute the weights: whether that is cheaper than storing them is the
// cost model's choice.
// FAST-LABEL: func.func @tall
// FAST-COUNT-2: graph.launch
// SLOW-LABEL: func.func @tall
// SLOW-COUNT-1: graph.launch
// SLOW-NOT: graph.launch
// SLOW: graph.kernel
func.func @tall(%x: tensor<960x64xf32>) -> tensor<960x512xf32> {
  %q = arith.constant dense_resource<r> : tensor<64x512xi8>
  %s = arith.constant dense<0.5> : tensor<1x512xf32>
  %w = graph.dequantize %q scale %s {format = "e4m3fn", block = [0, 1]} : (tensor<64x512xi8>, tensor<1x512xf32>) -> tensor<64x512xf32>
  %zero = arith.constant 0.0 : f32
  %i = tensor.empty() : tensor<960x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<960x512xf32>) -> tensor<960x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<960x64xf32>, tensor<64x512xf32>) outs(%f : tensor<960x512xf32>) -> tensor<960x512xf32>
  return %y : tensor<960x512xf32>
}
