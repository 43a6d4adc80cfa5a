// RUN: split-file %s %t
// RUN: sectile-interpret %t/good.mlir | FileCheck %t/good.mlir
// RUN: not sectile-interpret %t/readonly.mlir 2>&1 | FileCheck %t/readonly.mlir
// RUN: not sectile-interpret %t/noalias.mlir 2>&1 | FileCheck %t/noalias.mlir
// RUN: not sectile-interpret %t/overlap.mlir 2>&1 | FileCheck %t/overlap.mlir
// RUN: not sectile-interpret %t/stride.mlir 2>&1 | FileCheck %t/stride.mlir

// What the plan tells kernels of their arguments is held against every dispatch.

//--- good.mlir
// An input without facts may be overwritten; windows that interleave share no element.
// CHECK: out0: f32[2,4] = 8 8 1 1 8 8 1 1
module attributes {graph.interface = {inputs = [], outputs = []}} {
func.func @sectile_prepare() -> (index, index, index) {
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  return %c2, %c4, %c0 : index, index, index
}
func.func @sectile_run(%y: memref<2x4xf32>, %arena: memref<?xi8>, %constants: memref<?xi8>) {
  %l = memref.reinterpret_cast %y to offset: [0], sizes: [2, 2], strides: [4, 1]
     : memref<2x4xf32> to memref<2x2xf32, strided<[4, 1]>>
  %r = memref.reinterpret_cast %y to offset: [2], sizes: [2, 2], strides: [4, 1]
     : memref<2x4xf32> to memref<2x2xf32, strided<[4, 1], offset: 2>>
  graph.dispatch @one(%r) num_inputs 0 : memref<2x2xf32, strided<[4, 1], offset: 2>>
  graph.dispatch @twice(%r, %l) num_inputs 1 : memref<2x2xf32, strided<[4, 1], offset: 2>>, memref<2x2xf32, strided<[4, 1]>>
  graph.dispatch @over(%l, %l) num_inputs 1 : memref<2x2xf32, strided<[4, 1]>>, memref<2x2xf32, strided<[4, 1]>>
  graph.dispatch @over(%l, %l) num_inputs 1 : memref<2x2xf32, strided<[4, 1]>>, memref<2x2xf32, strided<[4, 1]>>
  return
}
graph.kernel @one() -> (tensor<2x2xf32> {graph.noalias}) {
  %c = arith.constant dense<1.0> : tensor<2x2xf32>
  graph.return %c : tensor<2x2xf32>
}
graph.kernel @twice(%x: tensor<2x2xf32> {graph.noalias, graph.readonly}) -> (tensor<2x2xf32> {graph.noalias}) {
  %y = arith.addf %x, %x : tensor<2x2xf32>
  graph.return %y : tensor<2x2xf32>
}
graph.kernel @over(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %y = arith.addf %x, %x : tensor<2x2xf32>
  graph.return %y : tensor<2x2xf32>
}
}

//--- readonly.mlir
// CHECK: argument 0 of 'k' is said to be read only, but argument 1 writes to its memory
module attributes {graph.interface = {inputs = [], outputs = []}} {
func.func @sectile_prepare() -> (index, index) {
  %c4 = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  return %c4, %c0 : index, index
}
func.func @sectile_run(%y: memref<4xf32>, %arena: memref<?xi8>, %constants: memref<?xi8>) {
  graph.dispatch @one(%y) num_inputs 0 : memref<4xf32>
  graph.dispatch @k(%y, %y) num_inputs 1 : memref<4xf32>, memref<4xf32>
  return
}
graph.kernel @one() -> tensor<4xf32> {
  %c = arith.constant dense<1.0> : tensor<4xf32>
  graph.return %c : tensor<4xf32>
}
graph.kernel @k(%x: tensor<4xf32> {graph.readonly}) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
}

//--- noalias.mlir
// CHECK: argument 1 of 'k' is said to have no alias, but shares memory with argument 0
module attributes {graph.interface = {inputs = [], outputs = []}} {
func.func @sectile_prepare() -> (index, index) {
  %c4 = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  return %c4, %c0 : index, index
}
func.func @sectile_run(%y: memref<4xf32>, %arena: memref<?xi8>, %constants: memref<?xi8>) {
  graph.dispatch @one(%y) num_inputs 0 : memref<4xf32>
  graph.dispatch @k(%y, %y) num_inputs 1 : memref<4xf32>, memref<4xf32>
  return
}
graph.kernel @one() -> tensor<4xf32> {
  %c = arith.constant dense<1.0> : tensor<4xf32>
  graph.return %c : tensor<4xf32>
}
graph.kernel @k(%x: tensor<4xf32>) -> (tensor<4xf32> {graph.noalias}) {
  graph.return %x : tensor<4xf32>
}
}

//--- overlap.mlir
// Whatever the facts, a window that is written meets another only as a whole.
// CHECK: argument 1 of 'k' is written and overlaps argument 0
module attributes {graph.interface = {inputs = [], outputs = []}} {
func.func @sectile_prepare() -> (index, index) {
  %c4 = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  return %c4, %c0 : index, index
}
func.func @sectile_run(%y: memref<4xf32>, %arena: memref<?xi8>, %constants: memref<?xi8>) {
  %a = memref.reinterpret_cast %y to offset: [0], sizes: [3], strides: [1] : memref<4xf32> to memref<3xf32>
  %b = memref.reinterpret_cast %y to offset: [1], sizes: [3], strides: [1]
     : memref<4xf32> to memref<3xf32, strided<[1], offset: 1>>
  graph.dispatch @one(%y) num_inputs 0 : memref<4xf32>
  graph.dispatch @k(%a, %b) num_inputs 1 : memref<3xf32>, memref<3xf32, strided<[1], offset: 1>>
  return
}
graph.kernel @one() -> tensor<4xf32> {
  %c = arith.constant dense<1.0> : tensor<4xf32>
  graph.return %c : tensor<4xf32>
}
graph.kernel @k(%x: tensor<3xf32>) -> tensor<3xf32> {
  graph.return %x : tensor<3xf32>
}
}

//--- stride.mlir
// A kernel that was compiled for a contiguous buffer must not get another one.
// CHECK: argument 0 of the tile kernel has stride 4 in dimension 0, but is read with 2
module attributes {graph.interface = {inputs = [], outputs = []}} {
func.func @sectile_prepare() -> (index, index, index) {
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  return %c2, %c4, %c0 : index, index, index
}
func.func @sectile_run(%y: memref<2x4xf32>, %arena: memref<?xi8>, %constants: memref<?xi8>) {
  %l = memref.reinterpret_cast %y to offset: [0], sizes: [2, 2], strides: [4, 1]
     : memref<2x4xf32> to memref<2x2xf32, strided<[4, 1]>>
  graph.dispatch @one(%l) num_inputs 0 : memref<2x2xf32, strided<[4, 1]>>
  return
}
graph.kernel @one() -> tensor<2x2xf32> {
  %c = arith.constant dense<1.0> : tensor<2x2xf32>
  graph.return %c : tensor<2x2xf32>
}
module @avx2 {
  tile.kernel @one(%y: !tile.view<2x2xf32>) {
    %c = arith.constant dense<1.0> : tensor<2x2xf32>
    tile.store %c, %y at affine_map<(i, j) -> (i, j)> [] : tensor<2x2xf32>, !tile.view<2x2xf32>
    tile.return
  }
}
}
