// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=launchCycles=1,blockCycles=1},graph-form-views))' | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse,graph-form-views))' | FileCheck %s --check-prefix=KERNEL
// RUN: sectile verify %s --pipeline='func.func(graph-fuse{device=launchCycles=1,blockCycles=1},graph-form-views),graph-outline,func.func(graph-simplify),graph-pack-constants,graph-place-tensors,graph-to-tile,graph-plan-memory'

// An image that one product computes and another reads padded: the first one stores it, clipped,
// where it belongs, and three kernels write the frame: nothing is added above.
// CHECK-LABEL: func.func @main
// CHECK: %[[IMAGE:.*]] = linalg.generic {{.*}}"reduction"{{.*}} {graph.group = [[PRODUCT:.*]] : i64}
// CHECK: %[[CLIPPED:.*]] = linalg.generic {{.*}} ins(%[[IMAGE]] {{.*}} {graph.group = [[PRODUCT]] : i64}
// CHECK: arith.maximumf
// CHECK: %[[LEFT:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x5x2x4xf32>) {{.*}}graph.group
// CHECK: %[[RIGHT:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x5x1x4xf32>) {{.*}}graph.group
// CHECK: %[[ROWS:.*]] = tensor.concat dim(2) %[[LEFT]], %[[CLIPPED]], %[[RIGHT]] : (
// CHECK: %[[BELOW:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x2x10x4xf32>) {{.*}}graph.group
// CHECK: %[[PADDED:.*]] = tensor.concat dim(1) %[[ROWS]], %[[BELOW]] : (
// CHECK: linalg.generic {{.*}} ins(%[[PADDED]], 

// Where kernels are dear for what they write, one kernel clips and pads.
// KERNEL-LABEL: func.func @main
// KERNEL-NOT: tensor.concat
// KERNEL: tensor.pad
// KERNEL-NOT: tensor.concat
#x = affine_map<(n, h, w, c, k) -> (n, h, w, k)>
#y = affine_map<(n, h, w, c, k) -> (k, c)>
#z = affine_map<(n, h, w, c, k) -> (n, h, w, c)>
#window = affine_map<(n, h, w, c, p, q) -> (n, h + p, w + q, c)>
#weights = affine_map<(n, h, w, c, p, q) -> (p, q, c)>
#out = affine_map<(n, h, w, c, p, q) -> (n, h, w, c)>
#id = affine_map<(n, h, w, c) -> (n, h, w, c)>
func.func @main(%x: tensor<1x5x7x3xf32>, %u: tensor<3x4xf32>, %v: tensor<3x3x4xf32>) -> tensor<1x5x8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x5x7x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x5x7x4xf32>) -> tensor<1x5x7x4xf32>
  %a = linalg.generic {indexing_maps = [#x, #y, #z], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %u : tensor<1x5x7x3xf32>, tensor<3x4xf32>) outs(%f : tensor<1x5x7x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x5x7x4xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a : tensor<1x5x7x4xf32>) outs(%e : tensor<1x5x7x4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %m = arith.maximumf %p, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x5x7x4xf32>
  %c = tensor.pad %b low[0, 0, 2, 0] high[0, 2, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x5x7x4xf32> to tensor<1x7x10x4xf32>
  %e2 = tensor.empty() : tensor<1x5x8x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x5x8x4xf32>) -> tensor<1x5x8x4xf32>
  %d = linalg.generic {indexing_maps = [#window, #weights, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%c, %v : tensor<1x7x10x4xf32>, tensor<3x3x4xf32>) outs(%f2 : tensor<1x5x8x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x5x8x4xf32>
  return %d : tensor<1x5x8x4xf32>
}
