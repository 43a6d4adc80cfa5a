// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-unroll-codes,canonicalize,cse))' | FileCheck %s

// Eight codes of 4 bits fill a word: 20 steps are two times eight, and four.
#four = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64), bits = 4 along 1>
// CHECK-LABEL: tile.kernel @four
// CHECK: %[[END:.*]] = arith.constant 16 : index
// CHECK: %[[STEP:.*]] = arith.constant 8 : index
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %[[STEP]]
// CHECK-COUNT-8: tile.load %arg0
// CHECK: scf.yield
// CHECK-COUNT-4: tile.load %arg0
// CHECK-NOT: tile.load
tile.kernel @four(%q: !tile.view<20x64xi8, #four>, %y: !tile.view<64xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant dense<0> : tensor<64xi8>
  %sum = scf.for %k = %c0 to %c20 step %c1 iter_args(%acc = %zero) -> tensor<64xi8> {
    %x = tile.load %q at affine_map<(t)[k] -> (k, t)>[%k] : !tile.view<20x64xi8, #four> -> tensor<64xi8>
    %s = arith.addi %acc, %x : tensor<64xi8>
    scf.yield %s : tensor<64xi8>
  }
  tile.store %sum, %y at affine_map<(t) -> (t)>[] : tensor<64xi8>, !tile.view<64xi8>
  tile.return
}

// Codes that always begin at one bit, other layouts and loops of unknown bounds stay as they are.
#rows = #tile.memory<(d0, d1) -> (d0, d1), bits = 4 along 1>
// CHECK-LABEL: tile.kernel @stays
// CHECK-COUNT-3: tile.load
// CHECK-NOT: tile.load
tile.kernel @stays(%q: !tile.view<20x64xi8, #rows>, %p: !tile.view<20x64xi8, #four>, %n: index,
                   %y: !tile.view<64xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant dense<0> : tensor<64xi8>
  %first = scf.for %k = %c0 to %c20 step %c1 iter_args(%acc = %zero) -> tensor<64xi8> {
    %x = tile.load %q at affine_map<(t)[k] -> (k, t)>[%k] : !tile.view<20x64xi8, #rows> -> tensor<64xi8>
    %s = arith.addi %acc, %x : tensor<64xi8>
    scf.yield %s : tensor<64xi8>
  }
  %second = scf.for %k = %c0 to %n step %c1 iter_args(%acc = %first) -> tensor<64xi8> {
    %x = tile.load %p at affine_map<(t)[k] -> (k, t)>[%k] : !tile.view<20x64xi8, #four> -> tensor<64xi8>
    %s = arith.addi %acc, %x : tensor<64xi8>
    scf.yield %s : tensor<64xi8>
  }
  %third = scf.for %k = %c0 to %c20 step %c1 iter_args(%acc = %second) -> tensor<64xi8> {
    %x = tile.load %y at affine_map<(t) -> (t)>[] : !tile.view<64xi8> -> tensor<64xi8>
    %s = arith.addi %acc, %x : tensor<64xi8>
    scf.yield %s : tensor<64xi8>
  }
  tile.store %third, %y at affine_map<(t) -> (t)>[] : tensor<64xi8>, !tile.view<64xi8>
  tile.return
}
