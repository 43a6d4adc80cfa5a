// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-prefetch))' | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-prefetch{ahead=1024}))' \
// RUN:   | FileCheck %s --check-prefix=NEAR

#panels = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>

// The columns' rows come from a panel, 256 bytes each: 24 of them are 6144 bytes.
// CHECK-DAG: #[[$PANEL:.*]] = affine_map<(d0, d1)[s0, s1] -> (d0 + s0 + 24, d1 + s1 * 64)>
// NEAR-DAG: #[[$PANEL:.*]] = affine_map<(d0, d1)[s0, s1] -> (d0 + s0 + 4, d1 + s1 * 64)>
// Rows 4096 bytes apart fall into the same sets of the cache: not more than four.
// CHECK-DAG: #[[$APART:.*]] = affine_map<(d0, d1)[s0] -> (d0 + s0 + 4, d1)>
// CHECK-LABEL: tile.kernel @panel
// NEAR-LABEL: tile.kernel @panel
tile.kernel @panel(%a: !tile.view<6x512xf32>, %b: !tile.view<512x128xf32, #panels>,
                   %c: !tile.view<6x128xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c512 = arith.constant 512 : index
  %zero = arith.constant dense<0.0> : tensor<6x64xf32>
  scf.for %j = %c0 to %c2 step %c1 {
    %sum = scf.for %k = %c0 to %c512 step %c1 iter_args(%acc = %zero) -> tensor<6x64xf32> {
      // CHECK: tile.load %arg0
      // CHECK-NEXT: tile.prefetch [1, 64] of %arg1 at #[[$PANEL]]
      // CHECK-NEXT: tile.load %arg1
      // NEAR: tile.prefetch [1, 64] of %arg1 at #[[$PANEL]]
      %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
           : !tile.view<6x512xf32> -> tensor<6x1xf32>
      %y = tile.load %b at affine_map<(t0, t1)[k, j] -> (t0 + k, t1 + j * 64)>[%k, %j]
           : !tile.view<512x128xf32, #panels> -> tensor<1x64xf32>
      %s = tile.dot %x, %y, %acc : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
      scf.yield %s : tensor<6x64xf32>
    }
    tile.store %sum, %c at affine_map<(t0, t1)[j] -> (t0, t1 + j * 64)>[%j]
               : tensor<6x64xf32>, !tile.view<6x128xf32>
  }
  tile.return
}

// The right operand through other ops of the loop.
// CHECK-LABEL: tile.kernel @apart
tile.kernel @apart(%a: !tile.view<6x512xf32>, %b: !tile.view<512x1024xf32>,
                   %c: !tile.view<6x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c512 = arith.constant 512 : index
  %zero = arith.constant dense<0.0> : tensor<6x64xf32>
  %sum = scf.for %k = %c0 to %c512 step %c1 iter_args(%acc = %zero) -> tensor<6x64xf32> {
    %x = tile.load %a at affine_map<(t0, t1)[k] -> (t0, t1 + k)>[%k]
         : !tile.view<6x512xf32> -> tensor<6x1xf32>
    // CHECK: tile.prefetch [1, 64] of %arg1 at #[[$APART]]
    %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
         : !tile.view<512x1024xf32> -> tensor<1x64xf32>
    %z = math.absf %y : tensor<1x64xf32>
    %s = tile.dot %x, %z, %acc : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
    scf.yield %s : tensor<6x64xf32>
  }
  tile.store %sum, %c at affine_map<(t0, t1) -> (t0, t1)>[]
             : tensor<6x64xf32>, !tile.view<6x64xf32>
  tile.return
}

// What fits the first cache stays there for the next row of tiles.
// CHECK-LABEL: tile.kernel @small
tile.kernel @small(%a: !tile.view<60x64xf32>, %b: !tile.view<64x64xf32>,
                   %c: !tile.view<60x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant dense<0.0> : tensor<6x64xf32>
  // CHECK-NOT: tile.prefetch
  scf.for %i = %c0 to %c10 step %c1 {
    %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %zero) -> tensor<6x64xf32> {
      %x = tile.load %a at affine_map<(t0, t1)[i, k] -> (t0 + i * 6, t1 + k)>[%i, %k]
           : !tile.view<60x64xf32> -> tensor<6x1xf32>
      %y = tile.load %b at affine_map<(t0, t1)[k] -> (t0 + k, t1)>[%k]
           : !tile.view<64x64xf32> -> tensor<1x64xf32>
      %s = tile.dot %x, %y, %acc : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
      scf.yield %s : tensor<6x64xf32>
    }
    tile.store %sum, %c at affine_map<(t0, t1)[i] -> (t0 + i * 6, t1)>[%i]
               : tensor<6x64xf32>, !tile.view<60x64xf32>
  }
  tile.return
}

// A row is summed, then divided: the last loop over it asks for the next one, and for its place in
// the result.
// CHECK-LABEL: tile.kernel @rows
tile.kernel @rows(%x: !tile.view<100x512xf32>, %y: !tile.view<100x512xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c100 = arith.constant 100 : index
  %zero = arith.constant dense<0.0> : tensor<64xf32>
  scf.for %i = %c0 to %c100 step %c1 {
    // CHECK: scf.for
    // CHECK-NOT: tile.prefetch
    // CHECK: tile.reduce
    %sums = scf.for %j = %c0 to %c8 step %c1 iter_args(%acc = %zero) -> tensor<64xf32> {
      %t = tile.load %x at affine_map<(t)[i, j] -> (i, j * 64 + t)>[%i, %j]
           : !tile.view<100x512xf32> -> tensor<64xf32>
      %s = arith.addf %acc, %t : tensor<64xf32>
      scf.yield %s : tensor<64xf32>
    }
    %sum = tile.reduce %sums dims [0] : tensor<64xf32> -> f32 {
      ^bb0(%a: f32, %b: f32):
        %s = arith.addf %a, %b : f32
        tile.yield %s : f32
    }
    %d = tile.broadcast %sum dims [0] : f32 -> tensor<64xf32>
    scf.for %j = %c0 to %c8 step %c1 {
      // CHECK: tile.prefetch [64] of %arg0
      // CHECK-NEXT: tile.load %arg0
      // CHECK: tile.prefetch [64] of %arg1
      // CHECK-NEXT: tile.store
      %t = tile.load %x at affine_map<(t)[i, j] -> (i, j * 64 + t)>[%i, %j]
           : !tile.view<100x512xf32> -> tensor<64xf32>
      %q = arith.divf %t, %d : tensor<64xf32>
      tile.store %q, %y at affine_map<(t)[i, j] -> (i, j * 64 + t)>[%i, %j]
            : tensor<64xf32>, !tile.view<100x512xf32>
    }
  }
  tile.return
}

// Rows that do not fit the first cache are on their way out of it when their turn comes.
// CHECK-LABEL: tile.kernel @long_rows
tile.kernel @long_rows(%x: !tile.view<100x8192xf32>, %y: !tile.view<100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %c100 = arith.constant 100 : index
  %zero = arith.constant dense<0.0> : tensor<64xf32>
  // CHECK-NOT: tile.prefetch
  scf.for %i = %c0 to %c100 step %c1 {
    %once = scf.for %j = %c0 to %c128 step %c1 iter_args(%acc = %zero) -> tensor<64xf32> {
      %t = tile.load %x at affine_map<(t)[i, j] -> (i, j * 64 + t)>[%i, %j]
           : !tile.view<100x8192xf32> -> tensor<64xf32>
      %s = arith.addf %acc, %t : tensor<64xf32>
      scf.yield %s : tensor<64xf32>
    }
    %again = scf.for %j = %c0 to %c128 step %c1 iter_args(%acc = %once) -> tensor<64xf32> {
      %t = tile.load %x at affine_map<(t)[i, j] -> (i, j * 64 + t)>[%i, %j]
           : !tile.view<100x8192xf32> -> tensor<64xf32>
      %s = arith.maximumf %acc, %t : tensor<64xf32>
      scf.yield %s : tensor<64xf32>
    }
    %sum = tile.reduce %again dims [0] : tensor<64xf32> -> f32 {
      ^bb0(%a: f32, %b: f32):
        %s = arith.addf %a, %b : f32
        tile.yield %s : f32
    }
    tile.store %sum, %y at affine_map<()[i] -> (i)>[%i] : f32, !tile.view<100xf32>
  }
  tile.return
}
