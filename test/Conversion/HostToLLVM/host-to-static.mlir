// RUN: sectile-opt %s --split-input-file --host-to-static="name=net suffix=.neon" --verify-diagnostics | FileCheck %s

// All sizes are known: one function, kernels called directly, private memory behind the slots.
module attributes {graph.constants = [], graph.interface = {inputs = [
    {dims = ["4"], name = "x", type = tensor<4xf32>}], outputs = [
    {dims = ["4"], name = "y", type = tensor<4xf32>}], symbols = []}} {
  func.func @sectile_prepare() -> (index, index) {
    %c4 = arith.constant 4 : index
    %c100 = arith.constant 100 : index
    return %c4, %c100 : index, index
  }
  func.func @sectile_run(%x: memref<4xf32>, %y: memref<4xf32>, %arena: memref<?xi8>,
                         %constants: memref<?xi8>) {
    graph.dispatch @k(%x, %y) num_inputs 1 : memref<4xf32>, memref<4xf32>
    return
  }
  graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32>
      attributes {graph.scratch_bytes = 192 : i64, graph.failures = ["first", "second"]} {
    graph.return %x : tensor<4xf32>
  }
}
// CHECK-LABEL: module
// CHECK: llvm.func hidden @k.run.neon(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr) -> i32
// CHECK: llvm.func hidden @k.info.neon(!llvm.ptr, !llvm.ptr, !llvm.ptr)
// CHECK: llvm.func internal @sectile_run_static
// CHECK: llvm.call @k.info.neon
// CHECK: %[[STATUS:.*]] = llvm.call @k.run.neon
// A check that fails has the number of its message, from 16 on.
// CHECK: %[[FIRST:.*]] = llvm.mlir.constant(15 : i32)
// CHECK: llvm.add %[[STATUS]], %[[FIRST]]
// CHECK: llvm.func @net_run(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i32
// CHECK: llvm.mlir.constant(192 : i64)
// CHECK-NOT: net_sizes

// -----

// A size is a parameter, and so are the bytes of the arena; equal symbols are one parameter.
module attributes {graph.constants = [], graph.interface = {inputs = [
    {dims = ["n"], name = "x", type = tensor<?xf32>}, {dims = ["n"], name = "z", type = tensor<?xf32>}],
    outputs = [{dims = ["n"], name = "y", type = tensor<?xf32>}], symbols = ["n"]}} {
  func.func @sectile_prepare(%n: index, %m: index) -> (index, index, index) {
    %c0 = arith.constant 0 : index
    %same = arith.cmpi eq, %n, %m : index
    graph.check %same, "expects equal sizes"
    return %n, %n, %c0 : index, index, index
  }
  func.func @sectile_run(%x: memref<?xf32>, %z: memref<?xf32>, %y: memref<?xf32>, %arena: memref<?xi8>,
                         %constants: memref<?xi8>) {
    graph.dispatch @k(%x, %y) num_inputs 1 : memref<?xf32>, memref<?xf32>
    return
  }
  graph.kernel @k(%x: tensor<?xf32>) -> tensor<?xf32> {
    graph.return %x : tensor<?xf32>
  }
}
// CHECK-LABEL: module
// The kernel's private memory is asked for before anything runs.
// CHECK: llvm.func internal @sectile_measure_static
// CHECK-NOT: k.run
// CHECK: llvm.call @k.info.neon
// CHECK: llvm.func @net_run(%{{.*}}: i64, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64) -> i32
// CHECK: llvm.func @net_sizes(%{{.*}}: i64, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i32

// -----

// What the run computes cannot say how large private memory is.
module attributes {graph.constants = [], graph.interface = {inputs = [
    {dims = ["4"], name = "x", type = tensor<4xf32>}], outputs = [
    {dims = ["4"], name = "y", type = tensor<4xf32>}], symbols = []}} {
  func.func @sectile_prepare() -> (index, index) {
    %c4 = arith.constant 4 : index
    return %c4, %c4 : index, index
  }
  func.func @sectile_run(%x: memref<4xf32>, %y: memref<4xf32>, %arena: memref<?xi8>,
                         %constants: memref<?xi8>) {
    %c0 = arith.constant 0 : index
    %byte = memref.load %arena[%c0] : memref<?xi8>
    %n = arith.index_cast %byte : i8 to index
    // expected-error @+1 {{kernel 'k' needs private memory whose size is computed during the run; static output has to know it before the run (--emit=package does not)}}
    graph.dispatch @k(%x, %n, %y) num_inputs 2 : memref<4xf32>, index, memref<4xf32>
    return
  }
  graph.kernel @k(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
    graph.return %x : tensor<4xf32>
  }
}

// -----

module attributes {graph.constants = [], graph.interface = {inputs = [
    {dims = ["4"], name = "x", type = tensor<4xf32>}], outputs = [
    {dims = ["4"], name = "y", type = tensor<4xf32>}], symbols = []}} {
  func.func @sectile_prepare() -> (index, index) {
    %c4 = arith.constant 4 : index
    return %c4, %c4 : index, index
  }
  func.func @sectile_run(%x: memref<4xf32>, %y: memref<4xf32>, %arena: memref<?xi8>,
                         %constants: memref<?xi8>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    scf.for %i = %c0 to %c4 step %c1 {
      // expected-error @+1 {{kernel 'k' needs private memory whose size changes during the run}}
      graph.dispatch @k(%x, %i, %y) num_inputs 2 : memref<4xf32>, index, memref<4xf32>
    }
    return
  }
  graph.kernel @k(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
    graph.return %x : tensor<4xf32>
  }
}

// -----

// expected-error @+1 {{expects the functions that graph-plan-memory writes, @sectile_prepare and @sectile_run}}
module {
}
