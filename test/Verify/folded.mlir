// RUN: sectile verify %s --trials=0 | FileCheck %s
// Two ops that constants determine: computed at compile time, the second one follows the first one's
// rounding, not the value that the reference would cut to in between.
// CHECK: equal {{.*}}graph-fold-constants
// CHECK-NOT: DIFFERENT
#map = affine_map<(d0) -> (d0)>
func.func @main() -> tensor<8xf32> {
  %scale = arith.constant dense<[0.988340735, 1.01599646, 0.905900418, 0.863116919, 1.1010977, 0.863658607, 1.14082861, 1.00762391]> : tensor<8xf32>
  %variance = arith.constant dense<[0.882059276, 0.889728128, 1.03606141, 0.881199717, 0.992391228, 0.985118806, 1.0879637, 1.00080061]> : tensor<8xf32>
  %bias = arith.constant dense<[0.0237458311, -0.00900037307, -0.238695905, 0.0584286749, 0.00772357453, -0.0942283347, -0.0835822672, 0.0442556851]> : tensor<8xf32>
  %mean = arith.constant dense<[-0.147540793, 0.100048758, -0.129581258, 0.123073719, -0.0389950313, 0.229473159, -0.158575341, 0.0897965431]> : tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %factor = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]} ins(%scale, %variance : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%s: f32, %v: f32, %out: f32):
    %epsilon = arith.constant 9.99999974E-6 : f32
    %0 = arith.addf %v, %epsilon : f32
    %1 = math.sqrt %0 : f32
    %2 = arith.divf %s, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  %offset = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel"]} ins(%bias, %mean, %factor : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%b: f32, %m: f32, %f: f32, %out: f32):
    %0 = arith.mulf %m, %f : f32
    %1 = arith.subf %b, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %offset : tensor<8xf32>
}
