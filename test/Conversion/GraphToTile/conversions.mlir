// RUN: sectile-opt %s --graph-to-tile | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// Conversions of floats carry no fast-math flags and get none: a rounding that the model asks for stays.
// CHECK: tile.kernel @convert
// CHECK: arith.extf %{{.*}} : tensor<16xf32> to tensor<16xf64>
// CHECK: arith.addf %{{.*}} fastmath<contract> : tensor<16xf64>
// CHECK: arith.truncf %{{.*}} : tensor<16xf64> to tensor<16xf32>
graph.kernel @convert(%x: tensor<16xf32>) -> tensor<16xf32> {
  %e = tensor.empty() : tensor<16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %w = arith.extf %a : f32 to f64
    %s = arith.addf %w, %w : f64
    %n = arith.truncf %s : f64 to f32
    linalg.yield %n : f32
  } -> tensor<16xf32>
  graph.return %y : tensor<16xf32>
}
