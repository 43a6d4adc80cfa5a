// RUN: sectile-opt %s --verify-roundtrip | FileCheck %s
// RUN: sectile-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

// Equal layouts have equal text, however they were written.
// CHECK-DAG: #[[C:.*]] = #tile.layout<[16, 8], register = [2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]>
// CHECK-DAG: #[[R:.*]] = #tile.layout<[16, 8], register = [4:d1*1], lane = [16:d0*1, 2:d1*4]>
// CHECK-DAG: #[[COPIES:.*]] = #tile.layout<[7], lane = [8:d0*1, 4:_], warp = [2:_]>
#c = #tile.layout<[16, 8], lane = [4:d1*2, 8:d0], register = [2:d1, 2:d0*8]>
#r = #tile.layout<[16, 8], register = [2:d1, 2:d1*2], lane = [2:d0, 8:d0*2, 2:d1*4]>
#copies = #tile.layout<[7], lane = [8:d0, 4:_], warp = [2:_]>

// CHECK-LABEL: @convert
// CHECK-SAME: (%{{.*}}: tensor<16x8xf32, #[[C]]>, %{{.*}}: tensor<7xi1, #[[COPIES]]>) -> tensor<16x8xf32, #[[R]]>
func.func @convert(%t: tensor<16x8xf32, #c>, %m: tensor<7xi1, #copies>) -> tensor<16x8xf32, #r> {
  // CHECK: tile.convert_layout %{{.*}} : tensor<16x8xf32, #[[C]]> -> tensor<16x8xf32, #[[R]]>
  %u = tile.convert_layout %t : tensor<16x8xf32, #c> -> tensor<16x8xf32, #r>
  return %u : tensor<16x8xf32, #r>
}

// Elementwise ops and constants take layouts along.
// CHECK-LABEL: @elementwise
func.func @elementwise(%t: tensor<16x8xf32, #c>) -> tensor<16x8xf32, #c> {
  %k = arith.constant dense<1.0> : tensor<16x8xf32, #c>
  %m = arith.cmpf olt, %t, %k : tensor<16x8xf32, #c>
  %h = arith.truncf %t : tensor<16x8xf32, #c> to tensor<16x8xf16, #c>
  %w = arith.extf %h : tensor<16x8xf16, #c> to tensor<16x8xf32, #c>
  %s = arith.select %m, %w, %k : tensor<16x8xi1, #c>, tensor<16x8xf32, #c>
  %e = math.exp %s : tensor<16x8xf32, #c>
  return %e : tensor<16x8xf32, #c>
}

// FOLD-LABEL: @chain
// FOLD-NEXT: return %arg0
func.func @chain(%t: tensor<16x8xf32, #c>) -> tensor<16x8xf32, #c> {
  %u = tile.convert_layout %t : tensor<16x8xf32, #c> -> tensor<16x8xf32, #r>
  %v = tile.convert_layout %u : tensor<16x8xf32, #r> -> tensor<16x8xf32, #c>
  return %v : tensor<16x8xf32, #c>
}

// A transposition that moves nothing but the layout stays.
// FOLD-LABEL: @relabel
// FOLD-NEXT: tile.transpose
func.func @relabel(%t: tensor<16x8xf32, #c>) -> tensor<16x8xf32, #r> {
  %u = tile.transpose %t perm [0, 1] : tensor<16x8xf32, #c> -> tensor<16x8xf32, #r>
  return %u : tensor<16x8xf32, #r>
}
