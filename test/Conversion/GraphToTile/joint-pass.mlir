// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(graph-to-tile{device=firstCacheBytes=256,secondCacheBytesPerCycle=0.01,thirdCacheBytesPerCycle=0.01})' | FileCheck %s
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(graph-to-tile)' | FileCheck %s --check-prefix=WHOLE
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(graph-to-tile{strict device=firstCacheBytes=256,secondCacheBytesPerCycle=0.01,thirdCacheBytesPerCycle=0.01})' | FileCheck %s --check-prefix=WHOLE

// Where rows of 100 elements are too long for the first cache, and the second is slow, reductions
// over a row share one pass over its blocks; where they are not, and in strict order, they do not.
// WHOLE-NOT: r0 =

// A maximum leads a sum of exponentials: its terms see the maximum so far, and what was summed
// before is rescaled. The row's exponentials are not kept.
// CHECK-LABEL: tile.kernel @softmax
// CHECK-SAME: r0 = [32]
// CHECK-NOT: tile.alloc
// CHECK: scf.for {{.*}} iter_args
// CHECK: arith.maximumf
// CHECK: tile.reduce
// CHECK: tile.yield
// CHECK: %[[M:.*]] = arith.maximumf
// CHECK: arith.cmpf oeq, %[[M]]
// CHECK: %[[CHANGE:.*]] = arith.subf
// CHECK: math.exp %[[CHANGE]]
// CHECK: arith.addf
// CHECK: scf.yield %{{.*}}
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
graph.kernel @softmax(%x: tensor<3x100xf32>) -> tensor<3x100xf32> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<3x100xf32>
  %r = tensor.empty() : tensor<3xf32>
  %fm = linalg.fill ins(%least : f32) outs(%r : tensor<3xf32>) -> tensor<3xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%r : tensor<3xf32>) -> tensor<3xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x100xf32>) outs(%fm : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<3x100xf32>, tensor<3xf32>) outs(%e : tensor<3x100xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %t = math.exp %d : f32
    linalg.yield %t : f32
  } -> tensor<3x100xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%p : tensor<3x100xf32>) outs(%fs : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<3x100xf32>, tensor<3xf32>) outs(%e : tensor<3x100xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.divf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3x100xf32>
  graph.return %y : tensor<3x100xf32>
}

// -----

// A sum leads a sum of squared distances to the mean: a block's are to its own mean.
// CHECK-LABEL: tile.kernel @variance
// CHECK-SAME: r0 = [32]
// CHECK: scf.for {{.*}} iter_args
// CHECK: arith.sitofp
// CHECK: scf.yield
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
graph.kernel @variance(%x: tensor<3x100xf32>) -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 100.0 : f32
  %r = tensor.empty() : tensor<3xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%r : tensor<3xf32>) -> tensor<3xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x100xf32>) outs(%fs : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %v = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %s : tensor<3x100xf32>, tensor<3xf32>) outs(%fs : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.divf %b, %count : f32
    %d = arith.subf %a, %m : f32
    %q = arith.mulf %d, %d : f32
    %t = arith.addf %o, %q : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  graph.return %v : tensor<3xf32>
}

// -----

// The distance to anything but the mean has no law: the sum is complete before the next starts.
// CHECK-LABEL: tile.kernel @no_law
// CHECK-NOT: r0 =
// CHECK: tile.return
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
graph.kernel @no_law(%x: tensor<3x100xf32>) -> tensor<3xf32> {
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 99.0 : f32
  %r = tensor.empty() : tensor<3xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%r : tensor<3xf32>) -> tensor<3xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<3x100xf32>) outs(%fs : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %v = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %s : tensor<3x100xf32>, tensor<3xf32>) outs(%fs : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.divf %b, %count : f32
    %d = arith.subf %a, %m : f32
    %q = arith.mulf %d, %d : f32
    %t = arith.addf %o, %q : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  graph.return %v : tensor<3xf32>
}
