// RUN: sectile-opt %s --sectile-graph --graph-to-tile=device=firstCacheBytes=65536,secondCacheBytesPerCycle=0.01,thirdCacheBytesPerCycle=0.01 | FileCheck %s
// RUN: sectile verify %s --pipeline='builtin.module(sectile-graph,graph-to-tile{device=firstCacheBytes=65536,secondCacheBytesPerCycle=0.01,thirdCacheBytesPerCycle=0.01})' --trials=0
// Rows that are reduced along two dimensions, of which the inner one may be empty: a sum of exponentials
// of no elements is 0, though their greatest is -inf.
// CHECK: r0 = [
#id = affine_map<(r, n, k) -> (r, n, k)>
#row = affine_map<(r, n, k) -> (r)>
func.func @main(%x: tensor<3x40x?xf32> {graph.dims = ["3", "40", "k"]}) -> (tensor<3xf32>) {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %empty = tensor.empty() : tensor<3xf32>
  %ms = linalg.fill ins(%least : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %ss = linalg.fill ins(%zero : f32) outs(%empty : tensor<3xf32>) -> tensor<3xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction", "reduction"]} ins(%x : tensor<3x40x?xf32>) outs(%ms : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %s = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction", "reduction"]} ins(%x, %m : tensor<3x40x?xf32>, tensor<3xf32>) outs(%ss : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %e = math.exp %d : f32
    %t = arith.addf %o, %e : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  return %s : tensor<3xf32>
}
