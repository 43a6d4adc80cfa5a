// RUN: sectile-opt %s --split-input-file --pass-pipeline='builtin.module(sectile-graph,graph-to-tile{level=sm_80 target=sm_80},builtin.module(canonicalize,cse))' | FileCheck %s

// A block computes a tile of rows and columns; a step takes 16 elements of f32 along the reduced
// dimension. Rows that no tile has whole are masked, and so is what lies beyond.
// CHECK-LABEL: module @sm_80
// CHECK: tile.kernel @k0_contract({{.*}}schedule #tile.schedule<v1, dims = {d0 = [[[M:[0-9]+]], [[M]]], d1 = [[[N:[0-9]+]], [[N]]]}, choices = {}>
// CHECK: scf.for
// CHECK: tile.load %arg0 at {{.*}} where {{.*}} -> tensor<[[M]]x16xf32>
// CHECK: tile.load %arg1 at {{.*}} -> tensor<16x[[N]]xf32>
// CHECK-NOT: tile.transpose
// CHECK: tile.dot {{.*}} : tensor<[[M]]x16xf32>, tensor<16x[[N]]xf32> -> tensor<[[M]]x[[N]]xf32>
// CHECK: tile.store {{.*}} where
func.func @main(%a: tensor<100x64xf32>, %b: tensor<64x128xf32>) -> tensor<100x128xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100x128xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<100x128xf32>) -> tensor<100x128xf32>
  %r = linalg.matmul ins(%a, %b : tensor<100x64xf32>, tensor<64x128xf32>) outs(%f : tensor<100x128xf32>) -> tensor<100x128xf32>
  return %r : tensor<100x128xf32>
}

// -----

// What products extend, they extend themselves: matrix instructions take f16. Steps are twice as
// long, a number of rows that only the run knows is masked.
// CHECK-LABEL: module @sm_80
// CHECK: tile.load {{.*}} where {{.*}} -> tensor<[[M:[0-9]+]]x32xf16>
// CHECK: tile.load {{.*}} -> tensor<32x[[N:[0-9]+]]xf16>
// CHECK-NOT: arith.extf
// CHECK: tile.dot {{.*}} : tensor<[[M]]x32xf16>, tensor<32x[[N]]xf16> -> tensor<[[M]]x[[N]]xf32>
func.func @main(%a: tensor<?x256xf16> {graph.dims=["m","256"]}, %b: tensor<256x512xf16>) -> (tensor<?x512xf32> {graph.dims=["m","512"]}) {
  %z = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?x256xf16>
  %e = tensor.empty(%m) : tensor<?x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x512xf32>) -> tensor<?x512xf32>
  %r = linalg.matmul ins(%a, %b : tensor<?x256xf16>, tensor<256x512xf16>) outs(%f : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %r : tensor<?x512xf32>
}

// -----

// A depth that no step divides: the last step is masked on both sides of the product, here by the
// loads themselves.
// CHECK-LABEL: module @sm_80
// CHECK: tile.dot {{.*}} : tensor<{{[0-9]+}}x16xf32>, tensor<16x{{[0-9]+}}xf32>
// CHECK: tile.load %arg0 {{.*}} where {{.*}} else 0.0
// CHECK: tile.load %arg1 {{.*}} where {{.*}} else 0.0
// CHECK-NOT: tile.mask
// CHECK: tile.dot {{.*}} : tensor<{{[0-9]+}}x16xf32>, tensor<16x{{[0-9]+}}xf32>
func.func @main(%a: tensor<64x101xf32>, %b: tensor<101x64xf32>) -> tensor<64x64xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %r = linalg.matmul ins(%a, %b : tensor<64x101xf32>, tensor<101x64xf32>) outs(%f : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %r : tensor<64x64xf32>
}

// -----

// Elementwise: a thousand neighbours, with the rows that go into them.
// CHECK-LABEL: module @sm_80
// CHECK: tile.load {{.*}} -> tensor<10x100xf32>
// CHECK-NOT: scf.for
// CHECK: tile.store
func.func @main(%a: tensor<100x100xf32>) -> tensor<100x100xf32> {
  %e = tensor.empty() : tensor<100x100xf32>
  %r = linalg.exp ins(%a : tensor<100x100xf32>) outs(%e : tensor<100x100xf32>) -> tensor<100x100xf32>
  return %r : tensor<100x100xf32>
}

// -----

// A row's sum is formed by the whole block.
// CHECK-LABEL: module @sm_80
// CHECK: tile.load {{.*}} -> tensor<{{.*}}1024xf32>
// CHECK: tile.reduce
func.func @main(%a: tensor<64x4096xf32>) -> tensor<64xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %r = linalg.reduce { arith.addf } ins(%a : tensor<64x4096xf32>) outs(%f : tensor<64xf32>) dimensions = [1]
  return %r : tensor<64xf32>
}
