// RUN: sectile verify %s --pipeline='builtin.module(sectile-graph)' | FileCheck %s

// The sum, rounded to f16 and made f32 again, is close to the sum: but it is not the sum. Once all of it is one
// kernel, its result must not be taken for the sum, which is another tensor of that type.
// CHECK: equal {{.*}}graph-outline
// CHECK-NOT: DIFFERENT

#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d1)>
func.func @main(%arg0: tensor<1x1xf32>, %arg1: tensor<1xf32>) -> tensor<1x1xf32> {
  %0 = tensor.empty() : tensor<1x1xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0, %arg1 : tensor<1x1xf32>, tensor<1xf32>) outs(%0 : tensor<1x1xf32>) {
  ^bb0(%in: f32, %in_0: f32, %out: f32):
    %6 = arith.addf %in, %in_0 : f32
    linalg.yield %6 : f32
  } -> tensor<1x1xf32>
  %2 = tensor.empty() : tensor<1x1xf16>
  %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<1x1xf32>) outs(%2 : tensor<1x1xf16>) {
  ^bb0(%in: f32, %out: f16):
    %6 = arith.truncf %in : f32 to f16
    linalg.yield %6 : f16
  } -> tensor<1x1xf16>
  %4 = tensor.empty() : tensor<1x1xf32>
  %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%3 : tensor<1x1xf16>) outs(%4 : tensor<1x1xf32>) {
  ^bb0(%in: f16, %out: f32):
    %6 = arith.extf %in : f16 to f32
    linalg.yield %6 : f32
  } -> tensor<1x1xf32>
  return %5 : tensor<1x1xf32>
}
