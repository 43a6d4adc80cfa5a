// RUN: sectile-opt %s --graph-multiply-integers --split-input-file | FileCheck %s
// RUN: sectile-opt %s --graph-multiply-integers --split-input-file | FileCheck %s --check-prefix=SCALES

// Codes of a zero point become halves; the sums are scaled by both scales, one of them for each column.
// CHECK-LABEL: func.func @product
// CHECK: arith.extui %{{.*}} : i8 to i16
// CHECK: arith.subi {{.*}} : i16
// CHECK: arith.extsi %{{.*}} : i8 to i16
// CHECK: ins(%{{.*}}, %{{.*}} : tensor<4x32xi16>, tensor<32x8xi16>) outs(%{{.*}} : tensor<4x8xi32>)
// CHECK: arith.muli
// CHECK: arith.addi
// CHECK: arith.sitofp
// CHECK-NOT: graph.dequantize
// SCALES: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d1)>
// SCALES: func.func @product
// SCALES: linalg.generic {indexing_maps = [#{{[^,]*}}, #{{[^,]*}}, #[[COLUMN]], #{{[^,]*}}], iterator_types = ["parallel", "parallel"]} ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xi32>, tensor<f32>, tensor<8xf32>)
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#one = affine_map<(i, j) -> ()>
#column = affine_map<(i, j) -> (j)>
func.func @product(%p: tensor<4x32xi8>, %s: tensor<f32>, %z: tensor<i8>, %q: tensor<32x8xi8>, %t: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4x32xf32>
  %a = linalg.generic {indexing_maps = [#id, #one, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %s, %z : tensor<4x32xi8>, tensor<f32>, tensor<i8>) outs(%e0 : tensor<4x32xf32>) {
  ^bb0(%code: i8, %scale: f32, %point: i8, %o: f32):
    %r = graph.dequantize %code scale %scale zero %point {format = "uint8"} : (i8, f32, i8) -> f32
    linalg.yield %r : f32
  } -> tensor<4x32xf32>
  %e1 = tensor.empty() : tensor<32x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %t : tensor<32x8xi8>, tensor<8xf32>) outs(%e1 : tensor<32x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<32x8xf32>
  %e2 = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#rows, #columns, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x32xf32>, tensor<32x8xf32>) outs(%f : tensor<4x8xf32>) {
  ^bb0(%x: f32, %w: f32, %o: f32):
    %u = arith.mulf %x, %w : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// A scale for each step of the sum; and more terms than 32 bits hold.
// CHECK-LABEL: func.func @steps
// CHECK-NOT: arith.muli
// CHECK: arith.mulf
// CHECK-LABEL: func.func @long
// CHECK-NOT: arith.muli
// CHECK: arith.mulf
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#one = affine_map<(i, j) -> ()>
#step = affine_map<(i, j) -> (i)>
func.func @steps(%p: tensor<4x32xi8>, %s: tensor<f32>, %q: tensor<32x8xi8>, %t: tensor<32xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4x32xf32>
  %a = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %s : tensor<4x32xi8>, tensor<f32>) outs(%e0 : tensor<4x32xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<4x32xf32>
  %e1 = tensor.empty() : tensor<32x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #step, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %t : tensor<32x8xi8>, tensor<32xf32>) outs(%e1 : tensor<32x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<32x8xf32>
  %e2 = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#rows, #columns, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x32xf32>, tensor<32x8xf32>) outs(%f : tensor<4x8xf32>) {
  ^bb0(%x: f32, %w: f32, %o: f32):
    %u = arith.mulf %x, %w : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
func.func @long(%p: tensor<4x140000xi8>, %s: tensor<f32>, %q: tensor<140000x8xi8>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4x140000xf32>
  %a = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %s : tensor<4x140000xi8>, tensor<f32>) outs(%e0 : tensor<4x140000xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<4x140000xf32>
  %e1 = tensor.empty() : tensor<140000x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %s : tensor<140000x8xi8>, tensor<f32>) outs(%e1 : tensor<140000x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<140000x8xf32>
  %e2 = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#rows, #columns, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x140000xf32>, tensor<140000x8xf32>) outs(%f : tensor<4x8xf32>) {
  ^bb0(%x: f32, %w: f32, %o: f32):
    %u = arith.mulf %x, %w : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// Rows that only the run knows: what is made in front of an op takes its sizes from what was there.
// CHECK-LABEL: func.func @dynamic
// CHECK: tensor.empty(%{{.*}}) : tensor<?x32xi16>
// CHECK: tensor.empty(%{{.*}}) : tensor<?x8xi32>
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#one = affine_map<(i, j) -> ()>
func.func @dynamic(%p: tensor<?x32xi8>, %s: tensor<f32>, %z: tensor<i8>, %q: tensor<32x8xi8>) -> tensor<?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %m = tensor.dim %p, %c0 : tensor<?x32xi8>
  %e0 = tensor.empty(%m) : tensor<?x32xf32>
  %a = linalg.generic {indexing_maps = [#id, #one, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %s, %z : tensor<?x32xi8>, tensor<f32>, tensor<i8>) outs(%e0 : tensor<?x32xf32>) {
  ^bb0(%code: i8, %scale: f32, %point: i8, %o: f32):
    %r = graph.dequantize %code scale %scale zero %point {format = "uint8"} : (i8, f32, i8) -> f32
    linalg.yield %r : f32
  } -> tensor<?x32xf32>
  %e1 = tensor.empty() : tensor<32x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %s : tensor<32x8xi8>, tensor<f32>) outs(%e1 : tensor<32x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %o: f32):
    %r = graph.dequantize %code scale %scale {format = "int8"} : (i8, f32) -> f32
    linalg.yield %r : f32
  } -> tensor<32x8xf32>
  %e2 = tensor.empty(%m) : tensor<?x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [#rows, #columns, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x32xf32>, tensor<32x8xf32>) outs(%f : tensor<?x8xf32>) {
  ^bb0(%x: f32, %w: f32, %o: f32):
    %u = arith.mulf %x, %w : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
