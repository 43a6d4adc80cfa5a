// RUN: sectile-opt %s --graph-to-tile="level=avx2 lanes=8 registers=16" | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile{level=avx2 lanes=8 registers=16},graph-plan-memory)' | count 0

// A pool over images whose channels lie side by side: vectors run along the channels, whatever the
// number of registers. The operand that says how large windows are is not read, and says nothing about where elements lie.
// CHECK-LABEL: tile.kernel @pool
// CHECK-NOT: tensor<16x3x
// CHECK: scf.for {{.*}} -> (tensor<16xf32>)
// CHECK: tile.load {{.*}} -> tensor<16xf32>
// CHECK-NOT: tile.reduce
#in = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 2 + d3, d1 * 2 + d4, d2)>
#window = affine_map<(d0, d1, d2, d3, d4) -> (d3, d4)>
#out = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
graph.kernel @pool(%x: tensor<15x15x64xf32>) -> tensor<7x7x64xf32> {
  %low = arith.constant 0xFF800000 : f32
  %w = tensor.empty() : tensor<3x3xf32>
  %e = tensor.empty() : tensor<7x7x64xf32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<7x7x64xf32>) -> tensor<7x7x64xf32>
  %y = linalg.generic {indexing_maps = [#in, #window, #out],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
       ins(%x, %w : tensor<15x15x64xf32>, tensor<3x3xf32>) outs(%f : tensor<7x7x64xf32>) {
  ^bb0(%a: f32, %unused: f32, %acc: f32):
    %m = arith.maximumf %acc, %a : f32
    linalg.yield %m : f32
  } -> tensor<7x7x64xf32>
  graph.return %y : tensor<7x7x64xf32>
}

func.func @main(%x: tensor<15x15x64xf32>) -> tensor<7x7x64xf32> {
  %y = graph.launch @pool(%x) sizes [] : (tensor<15x15x64xf32>) -> tensor<7x7x64xf32>
  return %y : tensor<7x7x64xf32>
}
