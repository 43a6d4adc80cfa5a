// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fold-constants))' --split-input-file | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fold-constants{small-bytes=16}))' --split-input-file --remarks-filter=graph-fold-constants --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=SMALL

// The parameters of a normalisation: scale / sqrt(variance + epsilon), bias - mean * that.
// CHECK-LABEL: func.func @normalisation
// CHECK-DAG: arith.constant dense<[5.000000e-01, 1.000000e+00]> : tensor<2xf32>
// CHECK-DAG: arith.constant dense<[0.000000e+00, -2.000000e+00]> : tensor<2xf32>
// CHECK-NOT: math.sqrt
// CHECK: linalg.generic
// CHECK-NOT: linalg.generic
#id = affine_map<(i) -> (i)>
func.func @normalisation(%x: tensor<2xf32>) -> tensor<2xf32> {
  %scale = arith.constant dense<[1.0, 3.0]> : tensor<2xf32>
  %variance = arith.constant dense<[3.0, 8.0]> : tensor<2xf32>
  %bias = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %mean = arith.constant dense<[2.0, 4.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %factor = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%scale, %variance : tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%s: f32, %v: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %0 = arith.addf %v, %one : f32
    %1 = math.sqrt %0 : f32
    %2 = arith.divf %s, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2xf32>
  %offset = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%bias, %mean, %factor : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%b: f32, %m: f32, %f: f32, %o: f32):
    %0 = arith.mulf %m, %f : f32
    %1 = arith.subf %b, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%x, %factor, %offset : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%a: f32, %f: f32, %p: f32, %o: f32):
    %0 = arith.mulf %a, %f : f32
    %1 = arith.addf %0, %p : f32
    linalg.yield %1 : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// Data movement, and a sum of integers.
// CHECK-LABEL: func.func @movement
// CHECK-NOT: linalg
// CHECK-NOT: tensor.
// CHECK-DAG: arith.constant dense<{{\[}}[9, 9, 9], [4, 3, 9], [6, 5, 9]]> : tensor<3x3xi64>
// CHECK-DAG: arith.constant dense<{{\[}}[3, 4], [7, 8]]> : tensor<2x2xi64>
// CHECK-DAG: arith.constant dense<21> : tensor<i64>
func.func @movement() -> (tensor<3x3xi64>, tensor<2x2xi64>, tensor<i64>) {
  %table = arith.constant dense<[[1, 2], [3, 4], [5, 6], [7, 8]]> : tensor<4x2xi64>
  %rows = arith.constant dense<[1, -1]> : tensor<2xi32>
  %nine = arith.constant 9 : i64
  %zero = arith.constant 0 : i64
  %slice = tensor.extract_slice %table[1, 0] [2, 2] [1, 1] : tensor<4x2xi64> to tensor<2x2xi64>
  %e = tensor.empty() : tensor<2x2xi64>
  %swapped = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, 1 - j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%slice : tensor<2x2xi64>) outs(%e : tensor<2x2xi64>) {
  ^bb0(%a: i64, %o: i64):
    linalg.yield %a : i64
  } -> tensor<2x2xi64>
  %padded = tensor.pad %swapped low[1, 0] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %nine : i64
  } : tensor<2x2xi64> to tensor<3x3xi64>
  %gathered = graph.gather %table[%rows] axis 0 : tensor<4x2xi64>, tensor<2xi32> -> tensor<2x2xi64>
  %head = tensor.extract_slice %table[0, 0] [3, 2] [1, 1] : tensor<4x2xi64> to tensor<3x2xi64>
  %se = tensor.empty() : tensor<i64>
  %init = linalg.fill ins(%zero : i64) outs(%se : tensor<i64>) -> tensor<i64>
  %sum = linalg.reduce { arith.addi } ins(%head : tensor<3x2xi64>) outs(%init : tensor<i64>) dimensions = [0, 1]
  return %padded, %gathered, %sum : tensor<3x3xi64>, tensor<2x2xi64>, tensor<i64>
}

// -----

// Weights that grow when they are dequantized stay as they are; so does a mask that is a function
// of positions alone. What is below the bound is computed.
// CHECK-LABEL: func.func @growth
// CHECK: arith.constant dense<[{{.*}}]> : tensor<8xf32>
// SMALL: remark: [Missed] folds | Category:graph-fold-constants | Remark="is left to run time: its 32 bytes would take the place of 8"
// SMALL-LABEL: func.func @growth
// SMALL: arith.sitofp
func.func @growth() -> tensor<8xf32> {
  %w = arith.constant dense<[1, -2, 3, -4, 5, -6, 7, -8]> : tensor<8xi8>
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%w : tensor<8xi8>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: i8, %o: f32):
    %0 = arith.sitofp %a : i8 to f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// What has no determined value is left to run time.
// CHECK-LABEL: func.func @division
// CHECK: arith.divsi
// CHECK: graph.gather
func.func @division() -> (tensor<2xi32>, tensor<1xi32>) {
  %a = arith.constant dense<[1, 2]> : tensor<2xi32>
  %b = arith.constant dense<[1, 0]> : tensor<2xi32>
  %far = arith.constant dense<[2]> : tensor<1xi32>
  %e = tensor.empty() : tensor<2xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%a, %b : tensor<2xi32>, tensor<2xi32>) outs(%e : tensor<2xi32>) {
  ^bb0(%x: i32, %z: i32, %o: i32):
    %0 = arith.divsi %x, %z : i32
    linalg.yield %0 : i32
  } -> tensor<2xi32>
  %g = graph.gather %a[%far] axis 0 : tensor<2xi32>, tensor<1xi32> -> tensor<1xi32>
  return %y, %g : tensor<2xi32>, tensor<1xi32>
}

// -----

// Resources: another shape keeps the bytes, a transposition makes a new resource, and what lies
// between two computed values is gone.
// CHECK-LABEL: func.func @resources
// CHECK-DAG: dense_resource<w> : tensor<128xf16>
// CHECK-DAG: dense_resource<folded> : tensor<16x8xf16>
// CHECK-NOT: linalg
func.func @resources() -> (tensor<128xf16>, tensor<16x8xf16>) {
  %w = arith.constant dense_resource<w> : tensor<8x16xf16>
  %flat = tensor.collapse_shape %w [[0, 1]] : tensor<8x16xf16> into tensor<128xf16>
  %e = tensor.empty() : tensor<16x8xf16>
  %t = linalg.transpose ins(%w : tensor<8x16xf16>) outs(%e : tensor<16x8xf16>) permutation = [1, 0]
  return %flat, %t : tensor<128xf16>, tensor<16x8xf16>
}

{-#
  dialect_resources: {
    builtin: {
      w: "0x02000000003C013C023C033C043C053C063C073C083C093C0A3C0B3C0C3C0D3C0E3C0F3C103C113C123C133C143C153C163C173C183C193C1A3C1B3C1C3C1D3C1E3C1F3C203C213C223C233C243C253C263C273C283C293C2A3C2B3C2C3C2D3C2E3C2F3C303C313C323C333C343C353C363C373C383C393C3A3C3B3C3C3C3D3C3E3C3F3C403C413C423C433C443C453C463C473C483C493C4A3C4B3C4C3C4D3C4E3C4F3C503C513C523C533C543C553C563C573C583C593C5A3C5B3C5C3C5D3C5E3C5F3C603C613C623C633C643C653C663C673C683C693C6A3C6B3C6C3C6D3C6E3C6F3C703C713C723C733C743C753C763C773C783C793C7A3C7B3C7C3C7D3C7E3C7F3C"
    }
  }
#-}

// -----

// A sum of itself, forty times: what is too large to fold is not walked again on every path.
// CHECK-LABEL: func.func @paths
// CHECK: return
func.func @paths() -> tensor<512x512xf32> {
  %c = arith.constant dense<[[1.5], [2.5]]> : tensor<2x1xf32>
  %z = arith.constant dense<0.5> : tensor<512x512xf32>
  %e = tensor.empty() : tensor<512x512xf32>
  %x0 = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a floordiv 256, 0)>, affine_map<(a, b) -> (a, b)>],
                        iterator_types = ["parallel", "parallel"]} ins(%c : tensor<2x1xf32>) outs(%e : tensor<512x512xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<512x512xf32>
  %x1 = linalg.add ins(%x0, %x0 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x2 = linalg.add ins(%x1, %x1 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x3 = linalg.add ins(%x2, %x2 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x4 = linalg.add ins(%x3, %x3 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x5 = linalg.add ins(%x4, %x4 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x6 = linalg.add ins(%x5, %x5 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x7 = linalg.add ins(%x6, %x6 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x8 = linalg.add ins(%x7, %x7 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x9 = linalg.add ins(%x8, %x8 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x10 = linalg.add ins(%x9, %x9 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x11 = linalg.add ins(%x10, %x10 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x12 = linalg.add ins(%x11, %x11 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x13 = linalg.add ins(%x12, %x12 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x14 = linalg.add ins(%x13, %x13 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x15 = linalg.add ins(%x14, %x14 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x16 = linalg.add ins(%x15, %x15 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x17 = linalg.add ins(%x16, %x16 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x18 = linalg.add ins(%x17, %x17 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x19 = linalg.add ins(%x18, %x18 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x20 = linalg.add ins(%x19, %x19 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x21 = linalg.add ins(%x20, %x20 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x22 = linalg.add ins(%x21, %x21 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x23 = linalg.add ins(%x22, %x22 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x24 = linalg.add ins(%x23, %x23 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x25 = linalg.add ins(%x24, %x24 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x26 = linalg.add ins(%x25, %x25 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x27 = linalg.add ins(%x26, %x26 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x28 = linalg.add ins(%x27, %x27 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x29 = linalg.add ins(%x28, %x28 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x30 = linalg.add ins(%x29, %x29 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x31 = linalg.add ins(%x30, %x30 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x32 = linalg.add ins(%x31, %x31 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x33 = linalg.add ins(%x32, %x32 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x34 = linalg.add ins(%x33, %x33 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x35 = linalg.add ins(%x34, %x34 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x36 = linalg.add ins(%x35, %x35 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x37 = linalg.add ins(%x36, %x36 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x38 = linalg.add ins(%x37, %x37 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x39 = linalg.add ins(%x38, %x38 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %x40 = linalg.add ins(%x39, %x39 : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %x40 : tensor<512x512xf32>
}
