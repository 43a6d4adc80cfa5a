// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-multiply-codes,canonicalize,cse))' | FileCheck %s

// Two groups of 32 steps, each one product of bytes; codes of int4 are numbers after their sign bit
// is flipped, less 8 for each of the row's; one step is left over.
#codes = #tile.memory<(d0, d1) -> (d0, d1), bits = 4 along 0>
// CHECK-LABEL: tile.kernel @signed
// CHECK-DAG: %[[FLIP:.*]] = arith.constant dense<8> : tensor<32x16xi8>
// CHECK-DAG: %[[ONES:.*]] = arith.constant dense<1> : tensor<32x1xi8>
// CHECK-DAG: %[[OFFSET:.*]] = arith.constant dense<-8> : tensor<1x16xi32>
// CHECK: scf.for %[[K:.*]] = %{{.*}} to %c64 step %c32
// CHECK: %[[A:.*]] = tile.load %arg0 at #{{.*}}[%[[K]]] : {{.*}} -> tensor<1x32xi8>
// CHECK: %[[Q:.*]] = tile.load %arg2 at #{{.*}}[%[[K]]] : {{.*}} -> tensor<32x16xi8>
// CHECK: %[[B:.*]] = arith.xori %[[Q]], %[[FLIP]] : tensor<32x16xi8>
// CHECK: %[[SUM:.*]] = tile.dot %[[A]], %[[B]], %{{.*}} {unsigned_rhs} : tensor<1x32xi8>, tensor<32x16xi8> -> tensor<1x16xi32>
// CHECK: tile.dot %[[A]], %[[ONES]], %{{.*}} {unsigned_rhs}
// CHECK: arith.muli %{{.*}}, %[[OFFSET]]
// CHECK: arith.sitofp
// CHECK: scf.yield
// CHECK-NOT: scf.for
// CHECK: tile.dequantize %{{.*}} {format = "int8"}
// CHECK: tile.dequantize %{{.*}} {format = "int4"}
tile.kernel @signed(%p: !tile.view<1x65xi8>, %t: !tile.view<1x3xf32>,
                    %q: !tile.view<65x16xi8, #codes>, %s: !tile.view<3x16xf32>,
                    %y: !tile.view<1x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c65 = arith.constant 65 : index
  %zero = arith.constant dense<0.0> : tensor<1x16xf32>
  %sum = scf.for %k = %c0 to %c65 step %c1 iter_args(%acc = %zero) -> tensor<1x16xf32> {
    %a = tile.load %p at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<1x65xi8> -> tensor<1x1xi8>
    %b = tile.load %t at affine_map<(t0, t1)[k] -> (t0, k floordiv 32)>[%k] : !tile.view<1x3xf32> -> tensor<1x1xf32>
    %x = tile.dequantize %a scale %b {format = "int8"} : (tensor<1x1xi8>, tensor<1x1xf32>) -> tensor<1x1xf32>
    %c = tile.load %q at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<65x16xi8, #codes> -> tensor<1x16xi8>
    %d = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k] : !tile.view<3x16xf32> -> tensor<1x16xf32>
    %w = tile.dequantize %c scale %d {format = "int4"} : (tensor<1x16xi8>, tensor<1x16xf32>) -> tensor<1x16xf32>
    %e = tile.dot %x, %w, %acc : tensor<1x1xf32>, tensor<1x16xf32> -> tensor<1x16xf32>
    scf.yield %e : tensor<1x16xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x16xf32>, !tile.view<1x16xf32>
  tile.return
}

// Numbers of nf4 are no linear function of their codes.
// CHECK-LABEL: tile.kernel @table
// CHECK-NOT: tensor<{{.*}}xi32>
// CHECK: tile.dequantize %{{.*}} {format = "nf4"}
tile.kernel @table(%p: !tile.view<1x64xi8>, %q: !tile.view<64x16xi8, #codes>,
                   %y: !tile.view<1x16xf32>) {
  %t = arith.constant 0.5 : f32
  %s = arith.constant 0.25 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant dense<0.0> : tensor<1x16xf32>
  %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %zero) -> tensor<1x16xf32> {
    %a = tile.load %p at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<1x64xi8> -> tensor<1x1xi8>
    %x = tile.dequantize %a scale %t {format = "int8"} : (tensor<1x1xi8>, f32) -> tensor<1x1xf32>
    %c = tile.load %q at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<64x16xi8, #codes> -> tensor<1x16xi8>
    %w = tile.dequantize %c scale %s {format = "nf4"} : (tensor<1x16xi8>, f32) -> tensor<1x16xf32>
    %e = tile.dot %x, %w, %acc : tensor<1x1xf32>, tensor<1x16xf32> -> tensor<1x16xf32>
    scf.yield %e : tensor<1x16xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x16xf32>, !tile.view<1x16xf32>
  tile.return
}
