// RUN: sectile-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: tile.kernel @relu(%arg0: !tile.view<?xf32>, %arg1: !tile.view<?xf32>)
// CHECK-SAME: schedule #tile.schedule<v1, dims = {d0 = [64]}, choices = {}>
tile.kernel @relu(%x: !tile.view<?xf32>, %y: !tile.view<?xf32>)
    schedule #tile.schedule<v1, dims = {d0 = [64]}, choices = {}> attributes {nodes = ["relu"]} {
  %n = tile.dim %x, 0 : !tile.view<?xf32>
  %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 64)>()[%n]
  %b = tile.block_id grid [%blocks]
  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)> [%b] where affine_set<(t)[b, n] : (n - b * 64 - t - 1 >= 0)>[%b, %n] else 0.0 : f32
       : !tile.view<?xf32> -> tensor<64xf32>
  %z = arith.constant dense<0.0> : tensor<64xf32>
  %r = arith.maximumf %t, %z : tensor<64xf32>
  tile.store %r, %y at affine_map<(t)[b] -> (b * 64 + t)> [%b] where affine_set<(t)[b, n] : (n - b * 64 - t - 1 >= 0)>[%b, %n] : tensor<64xf32>, !tile.view<?xf32>
  %s = tile.reduce %r dims [0] : tensor<64xf32> -> f32 {
    ^bb0(%a: f32, %c: f32):
      %d = arith.addf %a, %c : f32
      tile.yield %d : f32
  }
  tile.return
}

// CHECK-LABEL: tile.kernel @panels
// CHECK-SAME: #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>
tile.kernel @panels(%x: !tile.view<?x100xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>>, %i: index) {
  // CHECK: tile.load %arg0 at {{.*}}[%arg1, %arg1]
  %a = tile.load %x at affine_map<(t0, t1)[s0, s1] -> (s0 + t0, s1 + t1)> [%i, %i]
       : !tile.view<?x100xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>> -> tensor<6x16xf32>
  %v = tile.load %x at affine_map<()[s0] -> (s0, 0)> [%i]
       : !tile.view<?x100xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>> -> f32
  %b = tile.broadcast %v dims [0, 1] : f32 -> tensor<16x64xf32>
  %c = arith.constant dense<0.0> : tensor<6x64xf32>
  // CHECK: tile.dot {{.*}} : tensor<6x16xf32>, tensor<16x64xf32> -> tensor<6x64xf32>
  %d = tile.dot %a, %b, %c : tensor<6x16xf32>, tensor<16x64xf32> -> tensor<6x64xf32>
  // CHECK: tile.prefetch [1, 16] of %{{.*}} at #{{.*}}[%arg1] : <
  tile.prefetch [1, 16] of %x at affine_map<(t0, t1)[k] -> (t0 + k + 3, t1)>[%i]
       : !tile.view<?x100xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>>
  // CHECK: tile.alloc[%arg1] : <6x?xf32>
  %s = tile.alloc [%i] : !tile.view<6x?xf32>
  tile.store %d, %s at affine_map<(t0, t1) -> (t0, t1)> [] : tensor<6x64xf32>, !tile.view<6x?xf32>
  %t = tile.transpose %d perm [1, 0] : tensor<6x64xf32> -> tensor<64x6xf32>
  %r = tile.reshape %t : tensor<64x6xf32> -> tensor<384xf32>
  %n = tile.coord affine_map<(t0)[s0] -> (s0 + t0)> [%i] : tensor<384xi64>
  %m = tile.mask affine_set<(t0)[s0] : (s0 - t0 - 1 >= 0)> [%i] : tensor<384xi1>
  // CHECK: tile.assert {{.*}}, "index %0"({{.*}} : tensor<384xi64>) : tensor<384xi1>
  tile.assert %m, "index %0" (%n : tensor<384xi64>) : tensor<384xi1>
  tile.return
}

// CHECK-LABEL: func.func @scan
// CHECK: tile.scan %arg0, %arg0 from %arg1 dim 0 exclusive reverse : tensor<8x4xf32>, tensor<8x4xf32> from tensor<4xf32> -> tensor<8x4xf32> and tensor<4xf32> {
// CHECK: tile.scan %{{.*}} from %{{.*}} dim 0 associative : tensor<8xi32> from i32 -> tensor<8xi32> and i32 {
func.func @scan(%x: tensor<8x4xf32>, %s: tensor<4xf32>, %i: tensor<8xi32>, %n: i32) {
  %a:2 = tile.scan %x, %x from %s dim 0 exclusive reverse : tensor<8x4xf32>, tensor<8x4xf32> from tensor<4xf32> -> tensor<8x4xf32> and tensor<4xf32> {
  ^bb0(%h: f32, %p: f32, %q: f32):
    %t = arith.mulf %h, %p : f32
    %u = arith.addf %t, %q : f32
    tile.yield %u : f32
  }
  %b:2 = tile.scan %i from %n dim 0 associative : tensor<8xi32> from i32 -> tensor<8xi32> and i32 {
  ^bb0(%h: i32, %p: i32):
    %t = arith.addi %h, %p : i32
    tile.yield %t : i32
  }
  return
}

// CHECK-LABEL: tile.kernel @scatter
// CHECK: tile.scatter %{{.*}}, %arg0 at #{{.*}}[%arg2] indices(%{{.*}} : tensor<8xi64>) where #{{.*}}[%arg2] if(%{{.*}} : tensor<8xi1>) : tensor<8xf32>, <?x?xf32> {
// CHECK: tile.scatter %{{.*}}, %arg0 at #{{.*}}[%arg2, %arg2] if(%{{.*}} : i1) : f32, <?x?xf32> {
tile.kernel @scatter(%x: !tile.view<?x?xf32>, %y: !tile.view<8xi64>, %n: index) {
  %i = tile.load %y at affine_map<(t0) -> (t0)>[] : !tile.view<8xi64> -> tensor<8xi64>
  %t = arith.constant dense<1.0> : tensor<8xf32>
  %m = arith.cmpi sge, %i, %i : tensor<8xi64>
  tile.scatter %t, %x at affine_map<(t0, i)[s0] -> (s0, i)>[%n] indices (%i : tensor<8xi64>)
      where affine_set<(t0)[s0] : (s0 - t0 >= 0)>[%n] if (%m : tensor<8xi1>) : tensor<8xf32>, !tile.view<?x?xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    tile.yield %s : f32
  }
  %one = arith.constant 1.0 : f32
  %c = arith.cmpi sge, %n, %n : index
  tile.scatter %one, %x at affine_map<()[s0, s1] -> (s0, s1)>[%n, %n] if (%c : i1) : f32, !tile.view<?x?xf32> {
  ^bb0(%a: f32, %b: f32):
    tile.yield %b : f32
  }
  tile.return
}

// CHECK-LABEL: tile.kernel @topk
// CHECK: tile.topk %{{.*}}, %{{.*}} into %arg0, %arg1 axis 1 at #{{.*}}[%arg2] where #{{.*}}[%arg2] : tensor<8xf32>, tensor<8xi64> into <?x4xf32>, <?x4xi64> {
tile.kernel @topk(%v: !tile.view<?x4xf32>, %i: !tile.view<?x4xi64>, %n: index) {
  %t = arith.constant dense<1.0> : tensor<8xf32>
  %p = tile.coord affine_map<(t0) -> (t0)>[] : tensor<8xi64>
  tile.topk %t, %p into %v, %i axis 1 at affine_map<(t0)[s0] -> (s0, 0)>[%n]
      where affine_set<(t0)[s0] : (s0 - t0 >= 0)>[%n] : tensor<8xf32>, tensor<8xi64> into !tile.view<?x4xf32>, !tile.view<?x4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  tile.return
}

// CHECK-LABEL: tile.kernel @sort
// CHECK: tile.sort %arg0, %arg1 axis 1 at #{{.*}}[%arg2] : <?x4xf32>, <?x4xi64> {
tile.kernel @sort(%v: !tile.view<?x4xf32>, %i: !tile.view<?x4xi64>, %n: index) {
  tile.sort %v, %i axis 1 at affine_map<()[s0] -> (s0, 0)>[%n] : !tile.view<?x4xf32>, !tile.view<?x4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %g = arith.cmpf ogt, %a, %b : f32
    tile.yield %g : i1
  }
  tile.return
}
