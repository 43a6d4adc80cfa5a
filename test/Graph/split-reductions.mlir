// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions{device=cores=1}))' --split-input-file | FileCheck %s --check-prefix=ONE
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions{reassociate=false}))' --split-input-file | FileCheck %s --check-prefix=STRICT
// RUN: split-file %s %t
// RUN: sectile verify %t/even.mlir
// RUN: sectile verify %t/padded.mlir
// RUN: sectile verify %t/whole.mlir
// RUN: sectile verify %t/columns.mlir

// One core gains nothing from parts.
// ONE-NOT: tensor.expand_shape
// ONE-NOT: tensor<12xf32>

//--- even.mlir
// A sum of squares: the squares become an op of their own. 32 divides the extent.
// CHECK-LABEL: func.func @main(%arg0: tensor<262144xf32>, 
// CHECK: %[[SQUARES:.*]] = linalg.generic {{.*}} ins(%arg0
// CHECK: %[[PARTS:.*]] = tensor.expand_shape %[[SQUARES]] {{\[}}[0, 1]] {{.*}} into tensor<32x8192xf32>
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[PARTS]]
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%[[FIRST]] : tensor<32xf32>) outs(%arg1
// STRICT-LABEL: func.func @main(%arg0: tensor<262144xf32>
// STRICT-NOT: tensor.expand_shape
func.func @main(%x: tensor<262144xf32>, %init: tensor<f32>) -> tensor<f32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<262144xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.mulf %a, %a : f32
    %t = arith.addf %o, %s : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %y : tensor<f32>
}

// -----

//--- padded.mlir
// A prime extent: the last part is padded by what a maximum ignores. A maximum rounds nothing, so
// it is split in strict mode too.
// CHECK-LABEL: func.func @main(%arg0: tensor<131101xf32>)
// CHECK: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: tensor.pad %arg0
// CHECK: tensor.expand_shape
// STRICT-LABEL: func.func @main(%arg0: tensor<131101xf32>)
// STRICT: tensor.expand_shape
func.func @main(%x: tensor<131101xf32>) -> tensor<f32> {
  %lowest = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<131101xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %y : tensor<f32>
}

// -----

//--- whole.mlir
// The outer of two loops has about as many iterations as parts are wanted.
// CHECK-LABEL: func.func @main(%arg0: tensor<12x20011xi32>)
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%arg0 : {{.*}} outs(%{{.*}} : tensor<12xi32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%[[FIRST]]
func.func @main(%x: tensor<12x20011xi32>) -> tensor<i32> {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<i32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<i32>) -> tensor<i32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<12x20011xi32>) outs(%f : tensor<i32>) {
  ^bb0(%a: i32, %o: i32):
    %t = arith.addi %o, %a : i32
    linalg.yield %t : i32
  } -> tensor<i32>
  return %y : tensor<i32>
}

// -----

//--- columns.mlir
// Sums of columns: the loop over rows is cut, the columns stay last and contiguous.
// CHECK-LABEL: func.func @main(%arg0: tensor<7003x40xf32>)
// CHECK: tensor.expand_shape %arg0 {{\[}}[0, 1], [2]] output_shape [47, 149, 40]
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]}
func.func @main(%x: tensor<7003x40xf32>) -> tensor<40xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<40xf32>) -> tensor<40xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<7003x40xf32>) outs(%f : tensor<40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<40xf32>
  return %y : tensor<40xf32>
}
