// All that cannot be compiled is said at once, before any pass, by check and by compile.
// RUN: not sectile check %s > %t.txt
// RUN: FileCheck %s --input-file=%t.txt
// RUN: not sectile compile %s -o %t.stp 2>&1 | FileCheck %s --check-prefix=COMPILE
// RUN: not ls %t.stp

// CHECK: error: line {{[0-9]+}}: 'func.func': expects argument 1 to be a ranked tensor, but got f32
// CHECK-NEXT: error: line {{[0-9]+}}: 'func.func': argument 2 expects elements of type i1, i8, i16, i32, i64, f16, bf16, f32 or f64, but got i4
// CHECK-NEXT: error: line {{[0-9]+}}: 'tensor.insert_slice': is not in this version
// CHECK-NEXT: error: line 29: 'scf.for': control flow is not in this version
// CHECK-NEXT: error: line {{[0-9]+}}: 'linalg.generic': its body holds 'math.cbrt', which this target has no code for
// CHECK-NEXT: error: line {{[0-9]+}}: 'stablehlo.add': expects dialect 'stablehlo' to be lowered to linalg, tensor, arith and math first
// CHECK-NEXT: error: line {{[0-9]+}}: 'tosa.tanh': expects dialect 'tosa' to be lowered to linalg, tensor, arith and math first
// CHECK-NEXT: error: line {{[0-9]+}}: 'tensor.extract': is not in this version
// CHECK-NEXT: error: line {{[0-9]+}}: 'arith.addf': computes on a single float outside of tensors, which is not in this version
// CHECK-NEXT: error: line {{[0-9]+}}: 'linalg.fill': uses a run-time scalar of type f32, which is not in this version
// CHECK-NEXT: error: line {{[0-9]+}}: 'func.call': expects a function with a body that does not call itself
// CHECK-NEXT: error: line {{[0-9]+}}: 'linalg.generic': expects elements of type i1, i8, i16, i32, i64, f16, bf16, f32 or f64, but got i4
// CHECK-NEXT: 12 ops of '{{.*}}' cannot be compiled for cpu

// COMPILE: sectile: error: {{.*}}mlir-gaps.mlir: line {{[0-9]+}}: 'tensor.insert_slice': is not in this version
// COMPILE: line {{[0-9]+}}: 'linalg.generic': expects elements of type
func.func @main(%x: tensor<4x4xf32>, %s: f32, %i: tensor<4xi4>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xi4>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %h = tensor.extract_slice %x[0, 0] [2, 4] [1, 1] : tensor<4x4xf32> to tensor<2x4xf32>
  %w = tensor.insert_slice %h into %x[1, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<4x4xf32>
  %y = scf.for %k = %c0 to %c4 step %c1 iter_args(%t = %w) -> tensor<4x4xf32> {
    %m = arith.addf %t, %t : tensor<4x4xf32>
    scf.yield %m : tensor<4x4xf32>
  }
  %z = math.cbrt %x : tensor<4x4xf32>
  %u = "stablehlo.add"(%x, %z) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %v = tosa.tanh %u : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %e = tensor.extract %v[%c0, %c1] : tensor<4x4xf32>
  %f = arith.addf %e, %s : f32
  %q = tensor.splat %f : tensor<4x4xf32>
  %l = arith.addf %q, %y : tensor<4x4xf32>
  %r = func.call @outside(%l) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %n = arith.addi %i, %i : tensor<4xi4>
  return %q, %r, %n : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xi4>
}
func.func private @outside(%x: tensor<4x4xf32>) -> tensor<4x4xf32>
