// RUN: sectile verify %s --pipeline='builtin.module(sectile-graph)' | FileCheck %s

// (x + x + sum(x)) / 3 is x, and so is sum(x), the sum of one term: but one has been rounded more often. Once
// they are kernels, the tensor between the first additions and the division is not seen any more, and
// x must not be taken for the other x.
// CHECK: equal {{.*}}graph-outline
// CHECK-NOT: DIFFERENT

#image = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2 + d3)>
#window = affine_map<(d0, d1, d2, d3) -> (d3)>
#kept = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @main(%x: tensor<17x15x1xf32> {graph.dims = ["17", "15", "1"], graph.name = "x"})
    -> (tensor<17x15x1xf32> {graph.dims = ["17", "15", "1"], graph.name = "y"}) {
  %lowest = arith.constant 0xFF800000 : f32
  %three = arith.constant 3.0 : f32
  %zero = arith.constant 0.0 : f32
  %one = tensor.empty() : tensor<1xf32>
  %empty = tensor.empty() : tensor<17x15x1xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<17x15x1xf32>) -> tensor<17x15x1xf32>
  %sum = linalg.generic {indexing_maps = [#image, #window, #kept],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %one : tensor<17x15x1xf32>, tensor<1xf32>) outs(%zeros : tensor<17x15x1xf32>) {
  ^bb0(%in: f32, %w: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<17x15x1xf32>
  %twice = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %x : tensor<17x15x1xf32>, tensor<17x15x1xf32>) outs(%empty : tensor<17x15x1xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<17x15x1xf32>
  %thrice = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%twice, %sum : tensor<17x15x1xf32>, tensor<17x15x1xf32>) outs(%empty : tensor<17x15x1xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<17x15x1xf32>
  %mean = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%thrice : tensor<17x15x1xf32>) outs(%empty : tensor<17x15x1xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.divf %a, %three : f32
    linalg.yield %0 : f32
  } -> tensor<17x15x1xf32>
  %lows = linalg.fill ins(%lowest : f32) outs(%empty : tensor<17x15x1xf32>) -> tensor<17x15x1xf32>
  %largest = linalg.generic {indexing_maps = [#image, #window, #kept],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%mean, %one : tensor<17x15x1xf32>, tensor<1xf32>) outs(%lows : tensor<17x15x1xf32>) {
  ^bb0(%in: f32, %w: f32, %out: f32):
    %0 = arith.maximumf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<17x15x1xf32>
  return %largest : tensor<17x15x1xf32>
}
