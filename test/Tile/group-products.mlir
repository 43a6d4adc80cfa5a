// Products of warp groups: both sides in shared memory as descriptors can say it, one product, its
// waits; and what does not suit.
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_90a},tile-stage-operands))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_90a},tile-stage-operands,tile-pipeline))' --split-input-file | FileCheck %s --check-prefix=PIPE
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_90a},tile-stage-operands,tile-pipeline))' --split-input-file --remarks-filter='tile-.*' --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_89},tile-stage-operands))' --split-input-file | FileCheck %s --check-prefix=OTHER
// OTHER-NOT: wgmma
// OTHER-NOT: tile.in_memory

// The left side lies along k, in rows of 64 bytes; the right one along n, two atoms of 128 bytes
// beside each other.
// CHECK-LABEL: tile.kernel @product
// CHECK-DAG: tile.alloc[] {tile.placement = "[32, 128] x 16, d0 = [32:1024], d1 = [64:16, 2:32768], bit = [16:1], swizzle = [3 of 7 at 4]"}
// CHECK-DAG: tile.alloc[] {tile.placement = "[128, 32] x 16, d0 = [128:512], d1 = [32:16], bit = [16:1], swizzle = [2 of 7 at 4]"}
// CHECK: tile.load {{.*}}tile.in_memory{{.*}} tensor<128x32xf16
// CHECK: tile.load {{.*}}tile.in_memory{{.*}} tensor<32x128xf16
// CHECK: tile.dot {{.*}}tile.instruction = "wgmma.m64n128k16.f16"{{.*}} tensor<128x128xf32, #layout
// CHECK-NEXT: scf.yield
// Three buffers, of which one is copied ahead; the products of an iteration end in the next one.
// PIPE-LABEL: tile.kernel @product
// PIPE-COUNT-1: tile.commit_copies
// PIPE: %[[FIRST:.*]] = tile.wait_products 0 of
// PIPE: %[[SUM:.*]] = scf.for {{.*}} = %[[FIRST]])
// PIPE: tile.wait_copies 0
// PIPE: tile.commit_copies
// PIPE: %[[D:.*]] = tile.dot {{.*}}tile.async{{.*}}wgmma
// PIPE: %[[W:.*]] = tile.wait_products 1 of %[[D]]
// PIPE: scf.yield %[[W]]
// PIPE: tile.wait_products 0 of %[[SUM]]
// PIPE-NEXT: tile.wait_copies 0
// REMARK: is computed by {{.*}}instruction=wgmma.m64n128k16.f16
// REMARK: products of an iteration end in the next one
tile.kernel @product(%a: !tile.view<128x256xf16>, %b: !tile.view<256x128xf16>, %c: !tile.view<128x128xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 3, warps = 8}> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c256 = arith.constant 256 : index
  %zero = arith.constant dense<0.0> : tensor<128x128xf32>
  %sum = scf.for %k = %c0 to %c256 step %c32 iter_args(%acc = %zero) -> tensor<128x128xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<128x256xf16> -> tensor<128x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<256x128xf16> -> tensor<32x128xf16>
    %d = tile.dot %x, %y, %acc : tensor<128x32xf16>, tensor<32x128xf16> -> tensor<128x128xf32>
    scf.yield %d : tensor<128x128xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<128x128xf32>, !tile.view<128x128xf32>
  tile.return
}

// -----

// A product whose sums the loop looks at ends where it stands, as with two buffers all do.
// PIPE-LABEL: tile.kernel @looked_at
// PIPE: tile.dot {{[^,]*, [^,]*, [^,]*}} {tile.instruction = "wgmma.m64n64k16.f16"}
// PIPE-NOT: tile.wait_products
tile.kernel @looked_at(%a: !tile.view<64x256xf16>, %b: !tile.view<256x64xf16>, %c: !tile.view<64x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {stages = 3, warps = 4}> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c256 = arith.constant 256 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c256 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x256xf16> -> tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<256x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %x, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    %e = arith.maximumf %d, %zero : tensor<64x64xf32>
    scf.yield %e : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  tile.return
}

// -----

// Rows of 129 halves cannot be copied: single warps multiply from registers, with the same sums.
// CHECK-LABEL: tile.kernel @narrow
// CHECK-NOT: tile.in_memory
// CHECK: tile.dot {{.*}}tile.instruction = "mma.m16n8k16.f16"
// REMARK: operand 0 is not staged: only 2 bytes can be copied at once, and 4 are the least
// REMARK: is computed by mma.m16n8k16.f16 instead, from registers
tile.kernel @narrow(%a: !tile.view<64x129xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 4}> {
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

// What is computed on the way is no matter of memory, and 48 rows are no whole group's.
// CHECK-LABEL: tile.kernel @computed
// CHECK-NOT: wgmma
// REMARK: is not computed by warp groups: a side is no tile that is loaded for it alone
// REMARK: is not computed by warp groups: its types, or 48 x 64 x 32 by 4 warps, are none of whole instructions
tile.kernel @computed(%a: !tile.view<64x128xf16>, %b: !tile.view<128x64xf16>, %c: !tile.view<64x64xf32>,
                      %e: !tile.view<48x64xf32>)
    schedule #tile.schedule<v1, dims = {}, choices = {warps = 4}> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %sum = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<64x32xf16>
    %n = arith.negf %x : tensor<64x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %n, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %d : tensor<64x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<64x64xf32>, !tile.view<64x64xf32>
  %none = arith.constant dense<0.0> : tensor<48x64xf32>
  %less = scf.for %k = %c0 to %c128 step %c32 iter_args(%acc = %none) -> tensor<48x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k] : !tile.view<64x128xf16> -> tensor<48x32xf16>
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k] : !tile.view<128x64xf16> -> tensor<32x64xf16>
    %d = tile.dot %x, %y, %acc : tensor<48x32xf16>, tensor<32x64xf16> -> tensor<48x64xf32>
    scf.yield %d : tensor<48x64xf32>
  }
  tile.store %less, %e at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<48x64xf32>, !tile.view<48x64xf32>
  tile.return
}
