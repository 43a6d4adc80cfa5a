// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80},tile-stage-operands))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80},tile-stage-operands))' --split-input-file --remarks-filter=tile-stage-operands --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-operands))' --split-input-file 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: 'tile.kernel' op expects attributes 'tile.target' and 'tile.warps', which tile-assign-layouts leaves

// Both operands are copied as they lie and read in steps of 16; swizzles keep both free of conflicts.
// CHECK-LABEL: tile.kernel @product
// CHECK-DAG: %[[B:.*]] = tile.alloc[] {tile.placement = "[32, 64] x 16, {{.*}}swizzle = [3 of 7 at 4]"}
// CHECK-DAG: %[[A:.*]] = tile.alloc[] {tile.placement = "[64, 32] x 16, {{.*}}swizzle = [2 of 7 at 4]"}
// CHECK: scf.for
// CHECK: tile.store %{{.*}}, %[[A]] at {{.*}} {tile.async}
// CHECK: tile.store %{{.*}}, %[[B]] at {{.*}} {tile.async}
// CHECK-NEXT: tile.commit_copies
// CHECK-NEXT: tile.wait_copies 0
// CHECK-COUNT-2: tile.dot {{.*}} tensor<64x16xf16, {{.*}} tensor<16x64xf16,
// CHECK-NOT: tile.dot
// REMARK: is copied to shared memory: {{.*}}placement="[64, 32] x 16
tile.kernel @product(%a: !tile.view<64x128xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %x, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// Elementwise ops are done on what the product reads; a load of which many elements have the same is read where it is.
// CHECK-LABEL: tile.kernel @computed
// CHECK-DAG: %[[Q:.*]] = tile.alloc[] {tile.placement = "[32, 64] x 8, {{.*}}"}
// CHECK-DAG: %[[A:.*]] = tile.alloc[] {tile.placement = "[64, 32] x 16, {{.*}}"}
// CHECK: scf.for
// CHECK: tile.commit_copies
// CHECK-NEXT: tile.wait_copies 0
// CHECK: %[[X:.*]] = tile.load %[[A]] {{.*}} -> tensor<64x16xf16, #[[LEFT:.*]]>
// CHECK-NEXT: arith.negf %[[X]]
// CHECK: %[[C:.*]] = tile.load %[[Q]] {{.*}} -> tensor<16x64xi8, #[[RIGHT:.*]]>
// CHECK: %[[S:.*]] = tile.load %arg2 at {{.*}} -> tensor<16x64xf16, #[[RIGHT]]>
// CHECK: tile.dequantize %[[C]] scale %[[S]]
// CHECK: tile.dot {{.*}} tensor<64x16xf16, {{.*}} tensor<16x64xf16,
// CHECK-NOT: tile.convert_layout
// REMARK: is copied to shared memory: {{.*}}placement="[64, 32] x 16
tile.kernel @computed(%a: !tile.view<64x128xf16>, %b: !tile.view<128x64xi8>, %c: !tile.view<1x64xf16>, %e: !tile.view<64x64xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<64x32xf16>
    %n = arith.negf %x : tensor<64x32xf16>
    %q = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xi8> -> tensor<32x64xi8>
    %t = tile.transpose %q perm [1, 0] : tensor<32x64xi8> -> tensor<64x32xi8>
    %s = tile.load %c at affine_map<(t0, t1)[k] -> ((t1 + k) floordiv 128, t0)>[%k] : !tile.view<1x64xf16> -> tensor<64x32xf16>
    %w = tile.dequantize %t scale %s {format = "int8"} : (tensor<64x32xi8>, tensor<64x32xf16>) -> tensor<64x32xf16>
    %y = tile.transpose %w perm [1, 0] : tensor<64x32xf16> -> tensor<32x64xf16>
    %d = tile.dot %n, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %e at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// What takes long is computed once, in registers, and so the other side stays there.
// CHECK-LABEL: tile.kernel @long
// CHECK-NOT: tile.async
// REMARK: operand 0 is not staged: it takes long to compute, and 2 threads need each element
tile.kernel @long(%a: !tile.view<64x128xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<64x32xf16>
    %n = math.exp %x : tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %n, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// Elements that are not computed from those of the same place; neither is a table of constants.
// CHECK-LABEL: tile.kernel @others
// CHECK-NOT: tile.async
// REMARK: operand 0 is not staged: 'tile.reshape' cuts its coordinates otherwise
// REMARK: operand 1 is not staged: a constant of several values takes part
tile.kernel @others(%a: !tile.view<16x132xf16>, %c: !tile.view<16x2xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<16x2xf32>
  %sum = scf.for %k = %c0 to %c128 step %c2 iter_args(%acc = %zero) -> tensor<16x2xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<16x132xf16> -> tensor<8x4xf16>
    %n = tile.reshape %x : tensor<8x4xf16> -> tensor<16x2xf16>
    %y = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf16>
    %d = tile.dot %n, %y, %acc : tensor<16x2xf16>, tensor<2x2xf16> -> tensor<16x2xf32>
    scf.yield %d : tensor<16x2xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x2xf32>, !tile.view<16x2xf32>
  tile.return
}

// -----

// Rows of 129 halves begin at odd multiples of two bytes.
// CHECK-LABEL: tile.kernel @narrow
// CHECK-NOT: tile.async
// REMARK: operand 0 is not staged: only 2 bytes can be copied at once, and 4 are the least
tile.kernel @narrow(%a: !tile.view<64x129xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x129xf16> -> tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %x, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// Arguments of one element type may be one memory.
// CHECK-LABEL: tile.kernel @written
// CHECK-NOT: tile.async
// REMARK: operand 0 is not staged: the loop writes what it may read
// REMARK: operand 1 is not staged: the loop writes what it may read
tile.kernel @written(%a: !tile.view<64x128xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>, %e: !tile.view<128x64xf16>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %h = arith.constant dense<0.0> : tensor<32x64xf16>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %x, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    tile.store %h, %e at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : tensor<32x64xf16>, !tile.view<128x64xf16>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}
