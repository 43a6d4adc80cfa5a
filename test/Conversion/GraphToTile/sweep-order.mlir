// RUN: sectile-opt %s --graph-to-tile="lanes=16 registers=32" | FileCheck %s
// RUN: sectile verify %s --quiet --pipeline='builtin.module(graph-to-tile,graph-plan-memory)' | count 0

// Reductions along two dimensions of one kernel: the loop over the one whose reduction would be repeated most goes
// inside, and the maximum of 500 elements is formed outside of the loop over them.
// CHECK-LABEL: tile.kernel @crossed
// CHECK-SAME: order = ["d2", "d1"], sweep = ["d1", "d2"]
graph.kernel @crossed(%x: tensor<3x500x2xf32>) -> tensor<3x500x2xf32> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<3x500x2xf32>
  %e2 = tensor.empty() : tensor<3x500xf32>
  %e1 = tensor.empty() : tensor<3x2xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<3x500xf32>) -> tensor<3x500xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<3x500x2xf32>) outs(%f2 : tensor<3x500xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<3x500xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b)>,
                                        affine_map<(a, b, c) -> (a, b, c)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %s : tensor<3x500x2xf32>, tensor<3x500xf32>) outs(%e : tensor<3x500x2xf32>) {
  ^bb0(%in: f32, %sum: f32, %out: f32):
    %v = arith.subf %in, %sum : f32
    linalg.yield %v : f32
  } -> tensor<3x500x2xf32>
  %f1 = linalg.fill ins(%least : f32) outs(%e1 : tensor<3x2xf32>) -> tensor<3x2xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(a, c, b) -> (a, b, c)>, affine_map<(a, c, b) -> (a, c)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%d : tensor<3x500x2xf32>) outs(%f1 : tensor<3x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.maximumf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, c)>,
                                        affine_map<(a, b, c) -> (a, b, c)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%d, %m : tensor<3x500x2xf32>, tensor<3x2xf32>) outs(%e : tensor<3x500x2xf32>) {
  ^bb0(%in: f32, %max: f32, %out: f32):
    %v = arith.subf %in, %max : f32
    linalg.yield %v : f32
  } -> tensor<3x500x2xf32>
  graph.return %y : tensor<3x500x2xf32>
}

func.func @main(%x: tensor<3x500x2xf32>) -> tensor<3x500x2xf32> {
  %y = graph.launch @crossed(%x) sizes [] : (tensor<3x500x2xf32>) -> tensor<3x500x2xf32>
  return %y : tensor<3x500x2xf32>
}
