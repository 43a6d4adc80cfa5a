// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-fuse))' | FileCheck %s
// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(sectile-graph,graph-to-tile)' | FileCheck %s --check-prefix=TILE

// A kernel stores what it computes on the way, if others use it too: a row's maximum, of another
// shape than what it is subtracted from, outside of the loop along the row.
// CHECK-LABEL: func.func @most
// CHECK-COUNT-2: graph.group = 0
// TILE-LABEL: tile.kernel @k0_reduce
// TILE: tile.reduce
// TILE: tile.store {{.*}} : f32
// TILE: scf.for
// TILE: arith.subf
// TILE: tile.store
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
func.func @most(%x: tensor<64x100xf32>) -> (tensor<64x100xf32>, tensor<64xf32>) {
  %least = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<64x100xf32>
  %r = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%least : f32) outs(%r : tensor<64xf32>) -> tensor<64xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x100xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<64xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<64x100xf32>, tensor<64xf32>) outs(%e : tensor<64x100xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<64x100xf32>
  return %y, %m : tensor<64x100xf32>, tensor<64xf32>
}

// -----

// Not where the kernel would have to wait for what uses the result: the sum would go into what scans
// it, and both into what could store the sum.
// CHECK-LABEL: func.func @waits
// CHECK: linalg.reduce {{.*}}graph.group = 0
// CHECK: graph.scan {{.*}}graph.group = 1
// CHECK: linalg.generic {{.*}}graph.group = 2
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
func.func @waits(%x: tensor<64x100xf32>) -> tensor<64x100xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x100xf32>
  %r = tensor.empty() : tensor<64xf32>
  %start = tensor.empty() : tensor<f32>
  %fs = linalg.fill ins(%zero : f32) outs(%start : tensor<f32>) -> tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%r : tensor<64xf32>) -> tensor<64xf32>
  %m = linalg.reduce { arith.addf } ins(%x : tensor<64x100xf32>) outs(%f : tensor<64xf32>) dimensions = [1]
  %c = graph.scan %m from %fs axis 0 associative : tensor<64xf32> from tensor<f32> -> tensor<64xf32> {
  ^bb0(%sum: f32, %element: f32):
    %next = arith.addf %sum, %element : f32
    graph.yield %next : f32
  }
  %y = linalg.generic {indexing_maps = [#id, #row, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m, %c : tensor<64x100xf32>, tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64x100xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    %t = arith.mulf %s, %d : f32
    linalg.yield %t : f32
  } -> tensor<64x100xf32>
  return %y : tensor<64x100xf32>
}

// -----

// Rows' and columns' maxima cannot both be stored outside of the loops over what they lack: one is
// computed apart.
// TILE-LABEL: tile.kernel @k0_reduce
// TILE-LABEL: tile.kernel @k1_reduce
#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
#column = affine_map<(r, n) -> (n)>
func.func @both(%x: tensor<16x17xf32>) -> (tensor<16x17xf32>, tensor<16xf32>, tensor<17xf32>) {
  %least = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<16x17xf32>
  %r = tensor.empty() : tensor<16xf32>
  %c = tensor.empty() : tensor<17xf32>
  %fr = linalg.fill ins(%least : f32) outs(%r : tensor<16xf32>) -> tensor<16xf32>
  %fc = linalg.fill ins(%least : f32) outs(%c : tensor<17xf32>) -> tensor<17xf32>
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<16x17xf32>) outs(%fr : tensor<16xf32>) dimensions = [1]
  %w = linalg.reduce { arith.maximumf } ins(%x : tensor<16x17xf32>) outs(%fc : tensor<17xf32>) dimensions = [0]
  %y = linalg.generic {indexing_maps = [#id, #row, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m, %w : tensor<16x17xf32>, tensor<16xf32>, tensor<17xf32>) outs(%e : tensor<16x17xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    %t = arith.subf %s, %d : f32
    linalg.yield %t : f32
  } -> tensor<16x17xf32>
  return %y, %m, %w : tensor<16x17xf32>, tensor<16xf32>, tensor<17xf32>
}
