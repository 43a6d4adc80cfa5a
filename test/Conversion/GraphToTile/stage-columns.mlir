// RUN: sectile-opt %s --graph-to-tile | FileCheck %s

// Rows of %b are 4096 bytes apart: eight of them fill a set of the first cache. With many rows of
// the result to use it, a panel of them is copied side by side first.
// CHECK-LABEL: tile.kernel @apart
// CHECK: %[[PANEL:.*]] = tile.alloc[] : <1024x64xf32>
// CHECK: scf.for
// CHECK: tile.load %arg1 {{.*}} -> tensor<64xf32>
// CHECK: tile.store {{.*}}, %[[PANEL]]
// CHECK: tile.load %arg0
// CHECK: tile.load %[[PANEL]]
// CHECK: tile.dot
graph.kernel @apart(%a: tensor<512x1024xf32>, %b: tensor<1024x1024xf32>) -> tensor<512x1024xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<512x1024xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<512x1024xf32>) -> tensor<512x1024xf32>
  %m = linalg.matmul ins(%a, %b : tensor<512x1024xf32>, tensor<1024x1024xf32>)
                     outs(%f : tensor<512x1024xf32>) -> tensor<512x1024xf32>
  graph.return %m : tensor<512x1024xf32>
}

// A few rows would not use the copy often enough.
// CHECK-LABEL: tile.kernel @few_rows
// CHECK-NOT: tile.alloc
graph.kernel @few_rows(%a: tensor<8x1024xf32>, %b: tensor<1024x1024xf32>) -> tensor<8x1024xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x1024xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x1024xf32>) -> tensor<8x1024xf32>
  %m = linalg.matmul ins(%a, %b : tensor<8x1024xf32>, tensor<1024x1024xf32>)
                     outs(%f : tensor<8x1024xf32>) -> tensor<8x1024xf32>
  graph.return %m : tensor<8x1024xf32>
}

// Rows of 4000 bytes spread over the sets.
// CHECK-LABEL: tile.kernel @spread
// CHECK-NOT: tile.alloc
graph.kernel @spread(%a: tensor<512x1024xf32>, %b: tensor<1024x1000xf32>) -> tensor<512x1000xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<512x1000xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<512x1000xf32>) -> tensor<512x1000xf32>
  %m = linalg.matmul ins(%a, %b : tensor<512x1024xf32>, tensor<1024x1000xf32>)
                     outs(%f : tensor<512x1000xf32>) -> tensor<512x1000xf32>
  graph.return %m : tensor<512x1000xf32>
}

// Columns of an unknown number may lie apart by any distance.
// CHECK-LABEL: tile.kernel @unknown
// CHECK: tile.alloc[] : <1024x64xf32>
graph.kernel @unknown(%a: tensor<512x1024xf32>, %b: tensor<1024x?xf32>, %n: index)
    -> tensor<512x?xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<512x?xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<512x?xf32>) -> tensor<512x?xf32>
  %m = linalg.matmul ins(%a, %b : tensor<512x1024xf32>, tensor<1024x?xf32>)
                     outs(%f : tensor<512x?xf32>) -> tensor<512x?xf32>
  graph.return %m : tensor<512x?xf32>
}

// A block takes rows from both dimensions, so that it reads its columns once for all 49 rows.
// CHECK-LABEL: tile.kernel @image
// CHECK-SAME: dims = {d1 = [7, 1], d2 = [8, 4], d3 = [64, 64]}
// CHECK-SAME: order = ["d3", "d1", "d2"]
graph.kernel @image(%a: tensor<1x7x7x512xf32>, %b: tensor<512x512xf32>) -> tensor<1x7x7x512xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x7x7x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x7x7x512xf32>) -> tensor<1x7x7x512xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(n, h, w, o, i) -> (n, h, w, i)>,
                                        affine_map<(n, h, w, o, i) -> (i, o)>,
                                        affine_map<(n, h, w, o, i) -> (n, h, w, o)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel",
                                         "reduction"]}
       ins(%a, %b : tensor<1x7x7x512xf32>, tensor<512x512xf32>) outs(%f : tensor<1x7x7x512xf32>) {
    ^bb0(%x: f32, %y: f32, %s: f32):
      %p = arith.mulf %x, %y : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
  } -> tensor<1x7x7x512xf32>
  graph.return %m : tensor<1x7x7x512xf32>
}
