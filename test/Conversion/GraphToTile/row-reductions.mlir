// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{level=avx512},canonicalize,cse)' | FileCheck %s

// Rows outside, three sweeps over a row inside; the exponentials are computed once, into private
// memory; the row's size is static, so nothing is masked.
// CHECK-LABEL: tile.kernel @softmax
// CHECK-SAME: sweep = ["d1"]
// CHECK-NOT: where
// CHECK: %[[STRIP:.*]] = tile.alloc[] : <512xf32>
// CHECK: scf.for
// CHECK:   scf.for {{.*}} -> (tensor<64xf32>)
// CHECK:     arith.maximumf
// CHECK:   %[[MAX:.*]] = tile.reduce
// CHECK:   scf.for
// CHECK:     math.exp
// CHECK:     tile.store %{{.*}}, %[[STRIP]]
// CHECK:   scf.for {{.*}} -> (tensor<64xf32>)
// CHECK:     tile.load %[[STRIP]]
// CHECK:   tile.reduce
// CHECK:   scf.for
// CHECK:     arith.divf
// CHECK:     tile.store %{{.*}}, %arg1
#id = affine_map<(d0,d1)->(d0,d1)>
#row = affine_map<(d0,d1)->(d0)>
graph.kernel @softmax(%x: tensor<?x512xf32>) -> tensor<?x512xf32> attributes {nodes = ["a"]} {
  %z = arith.constant 0.0 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x512xf32>
  %e = tensor.empty(%n) : tensor<?x512xf32>
  %e1 = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%ninf : f32) outs(%e1 : tensor<?xf32>) -> tensor<?xf32>
  %f0 = linalg.fill ins(%z : f32) outs(%e1 : tensor<?xf32>) -> tensor<?xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel","reduction"]} ins(%x : tensor<?x512xf32>) outs(%f : tensor<?xf32>) {
   ^bb0(%a: f32, %o: f32):
     %s = arith.maximumf %a, %o : f32
     linalg.yield %s : f32
  } -> tensor<?xf32>
  %ex = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel","parallel"]} ins(%x, %m : tensor<?x512xf32>, tensor<?xf32>) outs(%e : tensor<?x512xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %s = arith.subf %a, %b : f32
     %t = math.exp %s : f32
     linalg.yield %t : f32
  } -> tensor<?x512xf32>
  %su = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel","reduction"]} ins(%ex : tensor<?x512xf32>) outs(%f0 : tensor<?xf32>) {
   ^bb0(%a: f32, %o: f32):
     %s = arith.addf %a, %o : f32
     linalg.yield %s : f32
  } -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel","parallel"]} ins(%ex, %su : tensor<?x512xf32>, tensor<?xf32>) outs(%e : tensor<?x512xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %s = arith.divf %a, %b : f32
     linalg.yield %s : f32
  } -> tensor<?x512xf32>
  graph.return %r : tensor<?x512xf32>
}

// In strict mode nothing may be contracted, and sums keep their order: no partial sums.
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-to-tile{strict=true})' | FileCheck %s --check-prefix=STRICT
// STRICT: tile.kernel
// STRICT-NOT: fastmath
// STRICT-NOT: arith.addf {{.*}} : tensor
