// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse),graph-outline)' \
// RUN:   | FileCheck %s --check-prefix=APART
// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-fuse{device=cores=1}),graph-outline)' \
// RUN:   | FileCheck %s --check-prefix=JOINED

// A decode step: one row for each of a batch. A normalised row is a block's work. With 128 of them
// that would do, but the run may have one: then one core reads nine megabytes of weights, and
// seven wait.
// APART-COUNT-3: graph.launch
// JOINED-COUNT-1: graph.launch
// JOINED-NOT: graph.launch

#id = affine_map<(n, i, j) -> (n, i, j)>
#row = affine_map<(n, i, j) -> (n, i)>
#rows = affine_map<(n, i, j, k) -> (n, i, k)>
#columns = affine_map<(n, i, j, k) -> (k, j)>
#product = affine_map<(n, i, j, k) -> (n, i, j)>
#contraction = {indexing_maps = [#rows, #columns, #product],
                iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
func.func @main(%x: tensor<?x1x3072xf32> {graph.dims = ["n", "1", "3072"]},
                %w: tensor<3072x768xf32>, %v: tensor<768x128xf32>)
    -> (tensor<?x1x128xf32> {graph.dims = ["n", "1", "128"]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x1x3072xf32>
  %e0 = tensor.empty(%n) : tensor<?x1x768xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x1x768xf32>) -> tensor<?x1x768xf32>
  %s = linalg.generic #contraction ins(%x, %w : tensor<?x1x3072xf32>, tensor<3072x768xf32>)
                                   outs(%f0 : tensor<?x1x768xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x1x768xf32>
  %e1 = tensor.empty(%n) : tensor<?x1xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x1xf32>) -> tensor<?x1xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row],
                         iterator_types = ["parallel", "parallel", "reduction"]}
         ins(%s : tensor<?x1x768xf32>) outs(%f1 : tensor<?x1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<?x1xf32>
  %d = linalg.generic {indexing_maps = [#id, #row, #id],
                       iterator_types = ["parallel", "parallel", "parallel"]}
       ins(%s, %sum : tensor<?x1x768xf32>, tensor<?x1xf32>) outs(%e0 : tensor<?x1x768xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.divf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<?x1x768xf32>
  %e2 = tensor.empty(%n) : tensor<?x1x128xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x1x128xf32>) -> tensor<?x1x128xf32>
  %y = linalg.generic #contraction ins(%d, %v : tensor<?x1x768xf32>, tensor<768x128xf32>)
                                   outs(%f2 : tensor<?x1x128xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x1x128xf32>
  return %y : tensor<?x1x128xf32>
}
