// RUN: sectile-opt %s --pass-pipeline='builtin.module(sectile-graph)' | FileCheck %s --check-prefix=GRAPH
// RUN: sectile-opt %s --pass-pipeline='builtin.module(sectile-graph,sectile-tile)' | FileCheck %s --check-prefix=TILE

// An attention, written as products, a normalisation and transpositions, is one kernel.
// GRAPH-LABEL: func.func @main
// GRAPH: graph.launch @[[K:[a-z0-9_]+]](%arg0, %arg1, %arg2, %arg3)
// GRAPH-NOT: graph.launch

// The keys are staged transposed, once per block; scores and exponentials stay in
// private memory.
// TILE: tile.kernel @k0_contract
// TILE-COUNT-3: tile.alloc
// TILE: tile.transpose
// TILE: scf.for
// TILE: tile.dot
// TILE: math.exp
// TILE: tile.dot

#id = affine_map<(d0,d1,d2,d3)->(d0,d1,d2,d3)>
#row = affine_map<(d0,d1,d2,d3)->(d0,d1,d2)>
#tr = affine_map<(d0,d1,d2,d3)->(d0,d2,d1,d3)>
func.func @main(%q: tensor<1x20x2x16xf32>, %k: tensor<1x20x2x16xf32>, %v: tensor<1x20x2x16xf32>, %mask: tensor<20x20xf32>) -> tensor<1x20x2x16xf32> {
  %z = arith.constant 0.0 : f32
  %c = arith.constant 0.25 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %eq = tensor.empty() : tensor<1x2x20x16xf32>
  %qt = linalg.transpose ins(%q : tensor<1x20x2x16xf32>) outs(%eq : tensor<1x2x20x16xf32>) permutation = [0,2,1,3]
  %kt = linalg.transpose ins(%k : tensor<1x20x2x16xf32>) outs(%eq : tensor<1x2x20x16xf32>) permutation = [0,2,1,3]
  %vt = linalg.transpose ins(%v : tensor<1x20x2x16xf32>) outs(%eq : tensor<1x2x20x16xf32>) permutation = [0,2,1,3]
  %e = tensor.empty() : tensor<1x2x20x20xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x2x20x20xf32>) -> tensor<1x2x20x20xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(b,h,m,n,k)->(b,h,m,k)>, affine_map<(b,h,m,n,k)->(b,h,n,k)>, affine_map<(b,h,m,n,k)->(b,h,m,n)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction"]} ins(%qt, %kt : tensor<1x2x20x16xf32>, tensor<1x2x20x16xf32>) outs(%f : tensor<1x2x20x20xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %p = arith.mulf %a, %b : f32
     %t = arith.addf %o, %p : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20x20xf32>
  %sm = linalg.generic {indexing_maps = [#id, affine_map<(d0,d1,d2,d3)->(d2,d3)>, #id], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%s, %mask : tensor<1x2x20x20xf32>, tensor<20x20xf32>) outs(%e : tensor<1x2x20x20xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %p = arith.mulf %a, %c : f32
     %t = arith.addf %p, %b : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20x20xf32>
  %e1 = tensor.empty() : tensor<1x2x20xf32>
  %f1 = linalg.fill ins(%ninf : f32) outs(%e1 : tensor<1x2x20xf32>) -> tensor<1x2x20xf32>
  %f0 = linalg.fill ins(%z : f32) outs(%e1 : tensor<1x2x20xf32>) -> tensor<1x2x20xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%sm : tensor<1x2x20x20xf32>) outs(%f1 : tensor<1x2x20xf32>) {
   ^bb0(%a: f32, %o: f32):
     %t = arith.maximumf %a, %o : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20xf32>
  %ex = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%sm, %m : tensor<1x2x20x20xf32>, tensor<1x2x20xf32>) outs(%e : tensor<1x2x20x20xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %u = arith.subf %a, %b : f32
     %t = math.exp %u : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20x20xf32>
  %su = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel","parallel","parallel","reduction"]} ins(%ex : tensor<1x2x20x20xf32>) outs(%f0 : tensor<1x2x20xf32>) {
   ^bb0(%a: f32, %o: f32):
     %t = arith.addf %a, %o : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20xf32>
  %pr = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%ex, %su : tensor<1x2x20x20xf32>, tensor<1x2x20xf32>) outs(%e : tensor<1x2x20x20xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
     %t = arith.divf %a, %b : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20x20xf32>
  %fq = linalg.fill ins(%z : f32) outs(%eq : tensor<1x2x20x16xf32>) -> tensor<1x2x20x16xf32>
  %o = linalg.generic {indexing_maps = [affine_map<(b,h,m,d,n)->(b,h,m,n)>, affine_map<(b,h,m,d,n)->(b,h,n,d)>, affine_map<(b,h,m,d,n)->(b,h,m,d)>], iterator_types = ["parallel","parallel","parallel","parallel","reduction"]} ins(%pr, %vt : tensor<1x2x20x20xf32>, tensor<1x2x20x16xf32>) outs(%fq : tensor<1x2x20x16xf32>) {
   ^bb0(%a: f32, %b: f32, %oo: f32):
     %p = arith.mulf %a, %b : f32
     %t = arith.addf %oo, %p : f32
     linalg.yield %t : f32
  } -> tensor<1x2x20x16xf32>
  %ey = tensor.empty() : tensor<1x20x2x16xf32>
  %y = linalg.transpose ins(%o : tensor<1x2x20x16xf32>) outs(%ey : tensor<1x20x2x16xf32>) permutation = [0,2,1,3]
  return %y : tensor<1x20x2x16xf32>
}
