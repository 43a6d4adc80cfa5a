// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-pack-constants{target=sm_90a})' | FileCheck %s
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-pack-constants{target=sm_90a})' --remarks-filter=graph-pack-constants --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: sectile-opt %s --pass-pipeline='builtin.module(graph-pack-constants{target=gfx942})' | FileCheck %s --check-prefix=AMD

// Runs in the order of the instruction, for columns that lie last and first; nothing for f32, and no panels.
// CHECK: graph.kernel @columns_last(%{{.*}}: tensor<16x256xf16>, %{{.*}}: tensor<256x64xi8> {graph.memory = #tile.memory<(d0, d1) -> (d0 floordiv 128, d1, d0 mod 128), bits = 3 along 2, order = [2:2, 4:32, 2:1, 8:4]>}
// CHECK: graph.kernel @columns_first(%{{.*}}: tensor<16x256xbf16>, %{{.*}}: tensor<64x256xi8> {graph.memory = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64), bits = 8 along 2, order = [2:2, 4:16, 2:1, 4:4]>}
// CHECK: graph.kernel @wide(%{{.*}}: tensor<16x256xf32>, %{{.*}}: tensor<256x64xi8>, %{{.*}}: tensor<256x64xf32>)
// REMARK: constant argument 1 in runs of 128 for mma.m16n8k16.f16, codes of 3 bits packed in 6144 bytes instead of 16384
// REMARK: constant argument 1 in runs of 64 for mma.m16n8k16.bf16, codes of 8 bits packed in 16384 bytes instead of 16384
// REMARK: constant argument 1 stays row-major: no matrix instruction of sm_90a multiplies the numbers of its codes
// AMD-NOT: graph.memory
#id = affine_map<(d0, d1) -> (d0, d1)>
#one = affine_map<(d0, d1) -> ()>
#row = affine_map<(d0, d1, d2) -> (d0, d2)>
#last = affine_map<(d0, d1, d2) -> (d2, d1)>
#first = affine_map<(d0, d1, d2) -> (d1, d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @main(%x: tensor<16x256xf16>, %y: tensor<16x256xbf16>, %z: tensor<16x256xf32>) -> (tensor<16x64xf16>, tensor<16x64xbf16>, tensor<16x64xf32>) {
  %q = arith.constant dense_resource<q> : tensor<256x64xi8>
  %p = arith.constant dense_resource<p> : tensor<64x256xi8>
  %w = arith.constant dense_resource<w> : tensor<256x64xf32>
  %a = graph.launch @columns_last(%x, %q) sizes [] : (tensor<16x256xf16>, tensor<256x64xi8>) -> tensor<16x64xf16>
  %b = graph.launch @columns_first(%y, %p) sizes [] : (tensor<16x256xbf16>, tensor<64x256xi8>) -> tensor<16x64xbf16>
  %c = graph.launch @wide(%z, %q, %w) sizes [] : (tensor<16x256xf32>, tensor<256x64xi8>, tensor<256x64xf32>) -> tensor<16x64xf32>
  return %a, %b, %c : tensor<16x64xf16>, tensor<16x64xbf16>, tensor<16x64xf32>
}
graph.kernel @columns_last(%x: tensor<16x256xf16>, %q: tensor<256x64xi8>) -> tensor<16x64xf16> {
  %s = arith.constant 0.5 : f16
  %zero = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<256x64xf16>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<256x64xi8>) outs(%e : tensor<256x64xf16>) {
  ^bb0(%in: i8, %o: f16):
    %n = graph.dequantize %in scale %s {format = "int3"} : (i8, f16) -> f16
    linalg.yield %n : f16
  } -> tensor<256x64xf16>
  %i = tensor.empty() : tensor<16x64xf16>
  %f = linalg.fill ins(%zero : f16) outs(%i : tensor<16x64xf16>) -> tensor<16x64xf16>
  %m = linalg.generic {indexing_maps = [#row, #last, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<16x256xf16>, tensor<256x64xf16>) outs(%f : tensor<16x64xf16>) {
  ^bb0(%l: f16, %r: f16, %o: f16):
    %t = arith.mulf %l, %r : f16
    %u = arith.addf %o, %t : f16
    linalg.yield %u : f16
  } -> tensor<16x64xf16>
  graph.return %m : tensor<16x64xf16>
}
graph.kernel @columns_first(%x: tensor<16x256xbf16>, %q: tensor<64x256xi8>) -> tensor<16x64xbf16> {
  %s = arith.constant 0.5 : bf16
  %zero = arith.constant 0.0 : bf16
  %e = tensor.empty() : tensor<64x256xbf16>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<64x256xi8>) outs(%e : tensor<64x256xbf16>) {
  ^bb0(%in: i8, %o: bf16):
    %n = graph.dequantize %in scale %s {format = "int8"} : (i8, bf16) -> bf16
    linalg.yield %n : bf16
  } -> tensor<64x256xbf16>
  %i = tensor.empty() : tensor<16x64xbf16>
  %f = linalg.fill ins(%zero : bf16) outs(%i : tensor<16x64xbf16>) -> tensor<16x64xbf16>
  %m = linalg.generic {indexing_maps = [#row, #first, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<16x256xbf16>, tensor<64x256xbf16>) outs(%f : tensor<16x64xbf16>) {
  ^bb0(%l: bf16, %r: bf16, %o: bf16):
    %t = arith.mulf %l, %r : bf16
    %u = arith.addf %o, %t : bf16
    linalg.yield %u : bf16
  } -> tensor<16x64xbf16>
  graph.return %m : tensor<16x64xbf16>
}
graph.kernel @wide(%x: tensor<16x256xf32>, %q: tensor<256x64xi8>, %v: tensor<256x64xf32>) -> tensor<16x64xf32> {
  %s = arith.constant 0.5 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<256x64xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<256x64xi8>) outs(%e : tensor<256x64xf32>) {
  ^bb0(%in: i8, %o: f32):
    %n = graph.dequantize %in scale %s {format = "int4"} : (i8, f32) -> f32
    linalg.yield %n : f32
  } -> tensor<256x64xf32>
  %i = tensor.empty() : tensor<16x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<16x64xf32>) -> tensor<16x64xf32>
  %m = linalg.generic {indexing_maps = [#row, #last, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<16x256xf32>, tensor<256x64xf32>) outs(%f : tensor<16x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %t = arith.mulf %l, %r : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<16x64xf32>
  %n = linalg.generic {indexing_maps = [#row, #last, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %v : tensor<16x256xf32>, tensor<256x64xf32>) outs(%m : tensor<16x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %t = arith.mulf %l, %r : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<16x64xf32>
  graph.return %n : tensor<16x64xf32>
}
