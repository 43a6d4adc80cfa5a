// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions{device=cores=1}))' --split-input-file | FileCheck %s --check-prefix=ONE
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-split-reductions{reassociate=false}))' --split-input-file | FileCheck %s --check-prefix=STRICT
// RUN: split-file %s %t
// RUN: sectile verify %t/even.mlir
// RUN: sectile verify %t/padded.mlir
// RUN: sectile verify %t/whole.mlir
// RUN: sectile verify %t/columns.mlir
// RUN: sectile verify %t/dynamic.mlir

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

// -----

//--- dynamic.mlir
// An extent known only at run time: whole parts of a fixed size, and a rest that the second stage
// starts from. The squares are computed in both.
// CHECK-LABEL: func.func @main(%arg0: tensor<?xf32>
// CHECK: %[[PARTS:.*]] = arith.divui
// CHECK: %[[WHOLE:.*]] = arith.muli %[[PARTS]]
// CHECK: %[[REST:.*]] = arith.subi
// CHECK: tensor.extract_slice %arg0[0] [%[[WHOLE]]] [1]
// CHECK: tensor.expand_shape {{.*}} output_shape [%[[PARTS]], 16384]
// CHECK: tensor.extract_slice %arg0[%[[WHOLE]]] [%[[REST]]] [1]
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: %[[START:.*]] = linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} {{.*}} outs(%[[START]]
func.func @main(%x: tensor<?xf32> {graph.dims = ["n"]}, %init: tensor<f32>) -> tensor<f32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.mulf %a, %a : f32
    linalg.yield %m : f32
  } -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%s : tensor<?xf32>) outs(%init : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %y : tensor<f32>
}

// -----

//--- product.mlir
// A long product with few results, in 32 parts; one that softmax feeds stays whole.
// CHECK-LABEL: func.func @main(%arg0: tensor<5x65536xf32>
// CHECK: tensor.expand_shape %arg0 {{.*}} into tensor<5x32x2048xf32>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel", "parallel"]
// CHECK-LABEL: func.func private @attention
// CHECK-NOT: tensor.expand_shape
// CHECK-LABEL: func.func private @few
// CHECK-NOT: tensor.expand_shape
#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
func.func @main(%x: tensor<5x65536xf32>, %y: tensor<65536x7xf32>, %init: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<5x65536xf32>, tensor<65536x7xf32>) outs(%init : tensor<5x7xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %o, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}
func.func private @attention(%x: tensor<5x65536xf32>, %y: tensor<65536x7xf32>, %init: tensor<5x7xf32>, %sums: tensor<5xf32>) -> tensor<5x7xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<5x65536xf32>) outs(%sums : tensor<5xf32>) {
  ^bb0(%p: f32, %o: f32):
    %t = arith.subf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<5xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>, affine_map<(i, k) -> (i, k)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<5x65536xf32>, tensor<5xf32>) outs(%x : tensor<5x65536xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.divf %p, %q : f32
    linalg.yield %t : f32
  } -> tensor<5x65536xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%d, %y : tensor<5x65536xf32>, tensor<65536x7xf32>) outs(%init : tensor<5x7xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %o, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}
func.func private @few(%x: tensor<5x512xf32>, %y: tensor<512x7xf32>, %init: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<5x512xf32>, tensor<512x7xf32>) outs(%init : tensor<5x7xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %o, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}
