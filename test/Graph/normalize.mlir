// RUN: sectile-opt %s --graph-normalize | FileCheck %s

// A named op becomes a generic and its fill stays; aggregates are decomposed; what is unknown is left alone.
// CHECK-LABEL: func.func @named
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: linalg.generic {{.*}} outs(%[[F]]
// CHECK-NOT: linalg.matmul
// CHECK-NOT: linalg.softmax
// CHECK: tensor.insert_slice
func.func @named(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %m = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = linalg.softmax dimension(1) ins(%m : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %i = tensor.insert_slice %s into %c[1, 0] [4, 6] [1, 1] : tensor<4x6xf32> into tensor<5x6xf32>
  return %i : tensor<5x6xf32>
}

// A fill that is a result is computed like any other; the one that another op starts from stays.
// CHECK-LABEL: func.func @returned
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: %[[S:.*]] = linalg.generic {{.*}} outs(%[[F]]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%{{.*}} : f32)
// CHECK: return %[[R]], %[[S]]
func.func @returned(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<4x8xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  return %f, %s : tensor<4xf32>, tensor<4xf32>
}

// Sizes that become a tensor are selected by position; the conversion from index happens in the kernel.
// CHECK-LABEL: func.func @sizes
// CHECK: linalg.generic
// CHECK: linalg.index 0
// CHECK: arith.index_cast
// CHECK: arith.select
// CHECK-NOT: tensor.from_elements
func.func @sizes(%x: tensor<?x4xf32>) -> tensor<2xi64> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : i64
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %m = arith.index_cast %n : index to i64
  %s = tensor.from_elements %m, %c4 : tensor<2xi64>
  return %s : tensor<2xi64>
}

// Numbers of any width are elementwise ops; a scale is repeated along its block by views, and what a shorter
// last block does not reach is cut off. One scale for all elements of a dimension does not depend on it.
// CHECK-LABEL: func.func @numbers
// CHECK-SAME: %[[Q:.*]]: tensor<5x33xi8>, %[[S:.*]]: tensor<5x3xf32>, %[[Z:.*]]: tensor<1x1xi8>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[S]] : tensor<5x3xf32>) outs(%{{.*}} : tensor<5x3x16xf32>)
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[R]] {{\[\[}}0], [1, 2]] : tensor<5x3x16xf32> into tensor<5x48xf32>
// CHECK: %[[W:.*]] = tensor.extract_slice %[[C]][0, 0] [5, 33] [1, 1]
// CHECK: linalg.generic {{.*}} ins(%[[Q]], %[[W]] : tensor<5x33xi8>, tensor<5x33xf32>)
// CHECK: graph.dequantize %{{.*}} scale %{{.*}} {format = "uint4"} : (i8, f32) -> f32
// CHECK: %[[O:.*]] = tensor.collapse_shape %[[Z]] [] : tensor<1x1xi8> into tensor<i8>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %[[O]] : tensor<5x33xf32>, tensor<f32>, tensor<i8>)
// CHECK: graph.quantize %{{.*}} scale %{{.*}} zero %{{.*}} {format = "uint8", special} : (f32, f32, i8) -> i8
// CHECK-NOT: graph.check
func.func @numbers(%q: tensor<5x33xi8>, %s: tensor<5x3xf32>, %z: tensor<1x1xi8>) -> tensor<5x33xi8> {
  %x = graph.dequantize %q scale %s {format = "uint4", block = [1, 16]}
       : (tensor<5x33xi8>, tensor<5x3xf32>) -> tensor<5x33xf32>
  %one = arith.constant dense<1.0> : tensor<1x1xf32>
  %r = graph.quantize %x scale %one zero %z {format = "uint8", special}
       : (tensor<5x33xf32>, tensor<1x1xf32>, tensor<1x1xi8>) -> tensor<5x33xi8>
  return %r : tensor<5x33xi8>
}

// Where only the run knows how many blocks there are, it is checked.
// CHECK-LABEL: func.func @blocks
// CHECK: %[[N:.*]] = arith.ceildivui %{{.*}}, %c16
// CHECK: %[[OK:.*]] = arith.cmpi eq, %[[B:.*]], %[[N]]
// CHECK: graph.check %[[OK]], "{{.*}}expects scales and zero points for %1 blocks along dimension 0, but got %0"(%[[B]], %[[N]])
func.func @blocks(%q: tensor<?xi8>, %s: tensor<?xf32>) -> tensor<?xf32> {
  %x = graph.dequantize %q scale %s {format = "uint4", block = [16]} : (tensor<?xi8>, tensor<?xf32>) -> tensor<?xf32>
  return %x : tensor<?xf32>
}
