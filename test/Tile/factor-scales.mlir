// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-factor-scales))' | FileCheck %s

#codes = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64), bits = 4 along 1>

// Groups of 32 steps in a loop, and what is left of the last one behind it; one load of scales for each.
// CHECK-LABEL: tile.kernel @groups
// CHECK: scf.for
// CHECK: scf.for
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: tile.dequantize %{{.*}} scale %[[ONE]]
// CHECK: tile.dot
// CHECK: scf.yield
// CHECK: %[[S:.*]] = tile.load %arg2
// CHECK: tile.broadcast
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: scf.yield
// CHECK: scf.for
// CHECK: tile.dot
// CHECK: scf.yield
// CHECK: tile.load %arg2
// CHECK: arith.addf
// CHECK-NOT: tile.dot
tile.kernel @groups(%x: !tile.view<1x80xf32>, %q: !tile.view<80x64xi8, #codes>, %s: !tile.view<?x64xf32>,
                   %y: !tile.view<1x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c80 = arith.constant 80 : index
  %zero = arith.constant dense<0.0> : tensor<1x64xf32>
  %sum = scf.for %k = %c0 to %c80 step %c1 iter_args(%acc = %zero) -> tensor<1x64xf32> {
    %a = tile.load %x at affine_map<(t0, t1)[k] -> (0, k)>[%k] : !tile.view<1x80xf32> -> tensor<1x1xf32>
    %b = tile.load %q at affine_map<(t0, t1)[k] -> (k, t1)>[%k] : !tile.view<80x64xi8, #codes> -> tensor<1x64xi8>
    %c = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k] : !tile.view<?x64xf32> -> tensor<1x64xf32>
    %w = tile.dequantize %b scale %c {format = "int4"} : (tensor<1x64xi8>, tensor<1x64xf32>) -> tensor<1x64xf32>
    %d = tile.dot %a, %w, %acc : tensor<1x1xf32>, tensor<1x64xf32> -> tensor<1x64xf32>
    scf.yield %d : tensor<1x64xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x64xf32>, !tile.view<1x64xf32>
  tile.return
}

// Sums of eight rows and of their groups do not fit the registers beside each other.
// CHECK-LABEL: tile.kernel @rows
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
tile.kernel @rows(%x: !tile.view<1x80xf32>, %q: !tile.view<80x64xi8, #codes>, %s: !tile.view<?x64xf32>,
                   %y: !tile.view<8x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c80 = arith.constant 80 : index
  %zero = arith.constant dense<0.0> : tensor<8x64xf32>
  %sum = scf.for %k = %c0 to %c80 step %c1 iter_args(%acc = %zero) -> tensor<8x64xf32> {
    %a = tile.load %x at affine_map<(t0, t1)[k] -> (0, k)>[%k] : !tile.view<1x80xf32> -> tensor<8x1xf32>
    %b = tile.load %q at affine_map<(t0, t1)[k] -> (k, t1)>[%k] : !tile.view<80x64xi8, #codes> -> tensor<1x64xi8>
    %c = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k] : !tile.view<?x64xf32> -> tensor<1x64xf32>
    %w = tile.dequantize %b scale %c {format = "int4"} : (tensor<1x64xi8>, tensor<1x64xf32>) -> tensor<1x64xf32>
    %d = tile.dot %a, %w, %acc : tensor<8x1xf32>, tensor<1x64xf32> -> tensor<8x64xf32>
    scf.yield %d : tensor<8x64xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<8x64xf32>, !tile.view<8x64xf32>
  tile.return
}

// Groups of 6 codes do not end with a word.
// CHECK-LABEL: tile.kernel @words
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
tile.kernel @words(%x: !tile.view<1x80xf32>, %q: !tile.view<80x64xi8, #codes>, %s: !tile.view<?x64xf32>,
                   %y: !tile.view<1x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c80 = arith.constant 80 : index
  %zero = arith.constant dense<0.0> : tensor<1x64xf32>
  %sum = scf.for %k = %c0 to %c80 step %c1 iter_args(%acc = %zero) -> tensor<1x64xf32> {
    %a = tile.load %x at affine_map<(t0, t1)[k] -> (0, k)>[%k] : !tile.view<1x80xf32> -> tensor<1x1xf32>
    %b = tile.load %q at affine_map<(t0, t1)[k] -> (k, t1)>[%k] : !tile.view<80x64xi8, #codes> -> tensor<1x64xi8>
    %c = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 6, t1)>[%k] : !tile.view<?x64xf32> -> tensor<1x64xf32>
    %w = tile.dequantize %b scale %c {format = "int4"} : (tensor<1x64xi8>, tensor<1x64xf32>) -> tensor<1x64xf32>
    %d = tile.dot %a, %w, %acc : tensor<1x1xf32>, tensor<1x64xf32> -> tensor<1x64xf32>
    scf.yield %d : tensor<1x64xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x64xf32>, !tile.view<1x64xf32>
  tile.return
}

// Sums of numbers that may be infinite are not taken apart.
// CHECK-LABEL: tile.kernel @infinite
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
tile.kernel @infinite(%x: !tile.view<1x80xf32>, %q: !tile.view<80x64xi8, #codes>, %s: !tile.view<?x64xf32>,
                   %y: !tile.view<1x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c80 = arith.constant 80 : index
  %zero = arith.constant dense<0.0> : tensor<1x64xf32>
  %sum = scf.for %k = %c0 to %c80 step %c1 iter_args(%acc = %zero) -> tensor<1x64xf32> {
    %a = tile.load %x at affine_map<(t0, t1)[k] -> (0, k)>[%k] : !tile.view<1x80xf32> -> tensor<1x1xf32>
    %b = tile.load %q at affine_map<(t0, t1)[k] -> (k, t1)>[%k] : !tile.view<80x64xi8, #codes> -> tensor<1x64xi8>
    %c = tile.load %s at affine_map<(t0, t1)[k] -> (k floordiv 32, t1)>[%k] : !tile.view<?x64xf32> -> tensor<1x64xf32>
    %w = tile.dequantize %b scale %c {format = "e2m1ieee"} : (tensor<1x64xi8>, tensor<1x64xf32>) -> tensor<1x64xf32>
    %d = tile.dot %a, %w, %acc : tensor<1x1xf32>, tensor<1x64xf32> -> tensor<1x64xf32>
    scf.yield %d : tensor<1x64xf32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x64xf32>, !tile.view<1x64xf32>
  tile.return
}

// A loop inside one over blocks of the depth: the rest of the scales' place does not depend on its counter.
// CHECK-LABEL: tile.kernel @blocks
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: tile.dot
tile.kernel @blocks(%x: !tile.view<1x512xf32>, %q: !tile.view<512x64xi8, #codes>, %s: !tile.view<4x64xf32>,
                    %y: !tile.view<1x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c256 = arith.constant 256 : index
  %zero = arith.constant dense<0.0> : tensor<1x64xf32>
  %all = scf.for %o = %c0 to %c2 step %c1 iter_args(%sum = %zero) -> tensor<1x64xf32> {
    %part = scf.for %k = %c0 to %c256 step %c1 iter_args(%acc = %zero) -> tensor<1x64xf32> {
      %a = tile.load %x at affine_map<(t0, t1)[o, k] -> (0, o * 256 + k)>[%o, %k] : !tile.view<1x512xf32> -> tensor<1x1xf32>
      %b = tile.load %q at affine_map<(t0, t1)[o, k] -> (o * 256 + k, t1)>[%o, %k] : !tile.view<512x64xi8, #codes> -> tensor<1x64xi8>
      %c = tile.load %s at affine_map<(t0, t1)[o, k] -> (o * 2 + k floordiv 128, t1)>[%o, %k] : !tile.view<4x64xf32> -> tensor<1x64xf32>
      %w = tile.dequantize %b scale %c {format = "int4"} : (tensor<1x64xi8>, tensor<1x64xf32>) -> tensor<1x64xf32>
      %d = tile.dot %a, %w, %acc : tensor<1x1xf32>, tensor<1x64xf32> -> tensor<1x64xf32>
      scf.yield %d : tensor<1x64xf32>
    }
    %next = arith.addf %sum, %part : tensor<1x64xf32>
    scf.yield %next : tensor<1x64xf32>
  }
  tile.store %all, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<1x64xf32>, !tile.view<1x64xf32>
  tile.return
}
