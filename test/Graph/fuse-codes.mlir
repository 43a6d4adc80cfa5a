// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-normalize,graph-simplify,graph-fuse{codes=true}),graph-outline)' | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-normalize,graph-simplify,graph-fuse),graph-outline)' | FileCheck %s --check-prefix=NUMBERS

// Both products read the codes of their rows, which are computed once, and no numbers of them.
// CHECK-LABEL: func.func @shared
// CHECK: %[[CODES:.*]] = graph.launch {{.*}} -> tensor<1x64xi8>
// CHECK: graph.launch {{.*}}%[[CODES]]{{.*}} -> tensor<1x48xf32>
// CHECK: graph.launch {{.*}}%[[CODES]]{{.*}} -> tensor<1x48xf32>
// CHECK-NOT: graph.launch
// CHECK: return
// NUMBERS-LABEL: func.func @shared
// NUMBERS: %[[ROWS:.*]] = graph.launch {{.*}} -> tensor<1x64xf32>
// NUMBERS: graph.launch {{.*}}%[[ROWS]]
// NUMBERS: graph.launch {{.*}}%[[ROWS]]
func.func @shared(%x: tensor<1x64xf32>, %s: tensor<1x2xf32>, %t: tensor<2x48xf32>)
    -> (tensor<1x48xf32>, tensor<1x48xf32>) {
  %w0 = arith.constant dense<3> : tensor<64x48xi8>
  %w1 = arith.constant dense<5> : tensor<64x48xi8>
  %zero = arith.constant 0.0 : f32
  %codes = graph.quantize %x scale %s {format = "int8", block = [1, 32]} : (tensor<1x64xf32>, tensor<1x2xf32>) -> tensor<1x64xi8>
  %rows = graph.dequantize %codes scale %s {format = "int8", block = [1, 32]} : (tensor<1x64xi8>, tensor<1x2xf32>) -> tensor<1x64xf32>
  %a = graph.dequantize %w0 scale %t {format = "int4", block = [32, 1]} : (tensor<64x48xi8>, tensor<2x48xf32>) -> tensor<64x48xf32>
  %b = graph.dequantize %w1 scale %t {format = "int4", block = [32, 1]} : (tensor<64x48xi8>, tensor<2x48xf32>) -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<1x48xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x48xf32>) -> tensor<1x48xf32>
  %y = linalg.matmul ins(%rows, %a : tensor<1x64xf32>, tensor<64x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  %z = linalg.matmul ins(%rows, %b : tensor<1x64xf32>, tensor<64x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y, %z : tensor<1x48xf32>, tensor<1x48xf32>
}

// Rows with a zero point are numbers in memory.
// CHECK-LABEL: func.func @zero_point
// CHECK: %[[ROWS:.*]] = graph.launch {{.*}} -> tensor<1x64xf32>
// CHECK: graph.launch {{.*}}%[[ROWS]]
func.func @zero_point(%codes: tensor<1x64xi8>, %s: tensor<1x2xf32>, %zp: tensor<1x2xi8>, %t: tensor<2x48xf32>) -> tensor<1x48xf32> {
  %w = arith.constant dense<3> : tensor<64x48xi8>
  %zero = arith.constant 0.0 : f32
  %rows = graph.dequantize %codes scale %s zero %zp {format = "int8", block = [1, 32]} : (tensor<1x64xi8>, tensor<1x2xf32>, tensor<1x2xi8>) -> tensor<1x64xf32>
  %a = graph.dequantize %w scale %t {format = "int4", block = [32, 1]} : (tensor<64x48xi8>, tensor<2x48xf32>) -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<1x48xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x48xf32>) -> tensor<1x48xf32>
  %y = linalg.matmul ins(%rows, %a : tensor<1x64xf32>, tensor<64x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y : tensor<1x48xf32>
}

// So are rows of products with weights whose numbers are no linear function of their codes, ...
// CHECK-LABEL: func.func @table
// CHECK: %[[ROWS:.*]] = graph.launch {{.*}} -> tensor<1x64xf32>
// CHECK: graph.launch {{.*}}%[[ROWS]]
func.func @table(%codes: tensor<1x64xi8>, %s: tensor<1x2xf32>, %t: tensor<2x48xf32>) -> tensor<1x48xf32> {
  %w = arith.constant dense<3> : tensor<64x48xi8>
  %zero = arith.constant 0.0 : f32
  %rows = graph.dequantize %codes scale %s {format = "int8", block = [1, 32]} : (tensor<1x64xi8>, tensor<1x2xf32>) -> tensor<1x64xf32>
  %a = graph.dequantize %w scale %t {format = "nf4", block = [32, 1]} : (tensor<64x48xi8>, tensor<2x48xf32>) -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<1x48xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x48xf32>) -> tensor<1x48xf32>
  %y = linalg.matmul ins(%rows, %a : tensor<1x64xf32>, tensor<64x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y : tensor<1x48xf32>
}

// ... with groups that no kernel sums as a whole, ...
// CHECK-LABEL: func.func @groups
// CHECK: %[[ROWS:.*]] = graph.launch {{.*}} -> tensor<1x96xf32>
// CHECK: graph.launch {{.*}}%[[ROWS]]
func.func @groups(%codes: tensor<1x96xi8>, %s: tensor<1x1xf32>, %t: tensor<4x48xf32>) -> tensor<1x48xf32> {
  %w = arith.constant dense<3> : tensor<96x48xi8>
  %zero = arith.constant 0.0 : f32
  %rows = graph.dequantize %codes scale %s {format = "int8"} : (tensor<1x96xi8>, tensor<1x1xf32>) -> tensor<1x96xf32>
  %a = graph.dequantize %w scale %t {format = "int4", block = [24, 1]} : (tensor<96x48xi8>, tensor<4x48xf32>) -> tensor<96x48xf32>
  %e = tensor.empty() : tensor<1x48xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x48xf32>) -> tensor<1x48xf32>
  %y = linalg.matmul ins(%rows, %a : tensor<1x96xf32>, tensor<96x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y : tensor<1x48xf32>
}

// ... and with weights that are no constant, which nobody packs.
// CHECK-LABEL: func.func @input
// CHECK: %[[ROWS:.*]] = graph.launch {{.*}} -> tensor<1x64xf32>
// CHECK: graph.launch {{.*}}%[[ROWS]]
func.func @input(%codes: tensor<1x64xi8>, %s: tensor<1x2xf32>, %w: tensor<64x48xi8>, %t: tensor<2x48xf32>) -> tensor<1x48xf32> {
  %zero = arith.constant 0.0 : f32
  %rows = graph.dequantize %codes scale %s {format = "int8", block = [1, 32]} : (tensor<1x64xi8>, tensor<1x2xf32>) -> tensor<1x64xf32>
  %a = graph.dequantize %w scale %t {format = "int4", block = [32, 1]} : (tensor<64x48xi8>, tensor<2x48xf32>) -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<1x48xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x48xf32>) -> tensor<1x48xf32>
  %y = linalg.matmul ins(%rows, %a : tensor<1x64xf32>, tensor<64x48xf32>) outs(%i : tensor<1x48xf32>) -> tensor<1x48xf32>
  return %y : tensor<1x48xf32>
}
