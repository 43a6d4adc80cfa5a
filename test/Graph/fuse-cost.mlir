// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse),graph-outline)' | FileCheck %s --check-prefix=APART
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=launchCycles=1e6}),graph-outline)' | FileCheck %s --check-prefix=JOINED
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=memoryBytesPerCycle=0.5}),graph-outline)' | FileCheck %s --check-prefix=JOINED
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=memoryBytesPerCycle=0.5,cores=64}),graph-outline)' | FileCheck %s --check-prefix=JOINED
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=cores=1}),graph-outline)' | FileCheck %s --check-prefix=JOINED
// RUN: not sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=speed=9}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=cores=-1}))' 2>&1 | FileCheck %s --check-prefix=NEGATIVE

// Whether an attention becomes one kernel is the cost model's choice. One block of rows would
// leave seven of eight cores idle here; where launches or memory are dear, or there is one core,
// that is the better choice all the same.
// APART-COUNT-4: graph.launch
// APART-NOT: graph.launch
// JOINED-COUNT-1: graph.launch
// JOINED-NOT: graph.launch
// UNKNOWN: error: expects a device parameter out of cores, {{.*}}, but got 'speed'
// NEGATIVE: error: expects a positive number for cores, but got '-1'

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @main(%q: tensor<70x32xf32>, %k: tensor<200x32xf32>, %v: tensor<200x32xf32>) -> tensor<70x32xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<32x200xf32>
  %kt = linalg.transpose ins(%k : tensor<200x32xf32>) outs(%e0 : tensor<32x200xf32>) permutation = [1, 0]
  %e1 = tensor.empty() : tensor<70x200xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<70x200xf32>) -> tensor<70x200xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<70x32xf32>, tensor<32x200xf32>) outs(%f1 : tensor<70x200xf32>) -> tensor<70x200xf32>
  %e2 = tensor.empty() : tensor<70xf32>
  %f2 = linalg.fill ins(%lowest : f32) outs(%e2 : tensor<70xf32>) -> tensor<70xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%s : tensor<70x200xf32>) outs(%f2 : tensor<70xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<70xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %m : tensor<70x200xf32>, tensor<70xf32>) outs(%e1 : tensor<70x200xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %u = arith.subf %a, %b : f32
    %t = math.exp %u : f32
    linalg.yield %t : f32
  } -> tensor<70x200xf32>
  %e3 = tensor.empty() : tensor<70x32xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<70x32xf32>) -> tensor<70x32xf32>
  %y = linalg.matmul ins(%p, %v : tensor<70x200xf32>, tensor<200x32xf32>) outs(%f3 : tensor<70x32xf32>) -> tensor<70x32xf32>
  return %y : tensor<70x32xf32>
}
