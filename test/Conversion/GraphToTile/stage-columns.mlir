// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-simplify,graph-fuse{device=cores=1}),graph-outline,sectile-tile)' | FileCheck %s
// RUN: sectile verify %s --pipeline='builtin.module(func.func(graph-simplify,graph-fuse{device=cores=1}),graph-outline,sectile-tile)'

// The keys of these scores are read through a transposition: their columns lie a row apart in
// memory. They are staged once per block, transposed in registers, into panels that the product
// then reads front to back.
// CHECK: tile.kernel @k0_contract
// CHECK: %[[STRIP:.*]] = tile.alloc[] : <32x200xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>>
// CHECK: %[[SQUARE:.*]] = tile.load %{{.*}} -> tensor<16x16xf32>
// CHECK: %[[TURNED:.*]] = tile.transpose %[[SQUARE]]
// CHECK: tile.store %[[TURNED]], %[[STRIP]]
// CHECK: scf.for
// CHECK: %[[COLUMNS:.*]] = tile.load %[[STRIP]] {{.*}} -> tensor<1x32xf32>
// CHECK-NEXT: tile.dot %{{.*}}, %[[COLUMNS]]

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%q: tensor<70x32xf32>, %k: tensor<200x32xf32>, %v: tensor<200x32xf32>) -> tensor<70x32xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<32x200xf32>
  %kt = linalg.transpose ins(%k : tensor<200x32xf32>) outs(%e0 : tensor<32x200xf32>) permutation = [1, 0]
  %e1 = tensor.empty() : tensor<70x200xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<70x200xf32>) -> tensor<70x200xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<70x32xf32>, tensor<32x200xf32>) outs(%f1 : tensor<70x200xf32>) -> tensor<70x200xf32>
  %e2 = tensor.empty() : tensor<70xf32>
  %f2 = linalg.fill ins(%lowest : f32) outs(%e2 : tensor<70xf32>) -> tensor<70xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%s : tensor<70x200xf32>) outs(%f2 : tensor<70xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<70xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %m : tensor<70x200xf32>, tensor<70xf32>) outs(%e1 : tensor<70x200xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %u = arith.subf %a, %b : f32
    %t = math.exp %u : f32
    linalg.yield %t : f32
  } -> tensor<70x200xf32>
  %e3 = tensor.empty() : tensor<70x32xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<70x32xf32>) -> tensor<70x32xf32>
  %y = linalg.matmul ins(%p, %v : tensor<70x200xf32>, tensor<200x32xf32>) outs(%f3 : tensor<70x32xf32>) -> tensor<70x32xf32>
  return %y : tensor<70x32xf32>
}
