// RUN: sectile-opt %s --pass-pipeline='builtin.module(func.func(graph-rescale-reductions))' --split-input-file | FileCheck %s

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// The weights are multiplied as they are, the result is divided.
// CHECK-LABEL: func.func @attention
// CHECK: %[[E:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK: math.exp
// CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[E]] :
// CHECK-NOT: expand_shape
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[E]], %arg1 :
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[Y]], %[[S]] :
// CHECK: arith.divf
// CHECK: return %[[R]]
func.func @attention(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// With the least element taken off, weights may be as large as they like.
// CHECK-LABEL: func.func @minimum
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @minimum(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.minimumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// Nothing bounds the weights.
// CHECK-LABEL: func.func @power
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @power(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.tanh %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// The sum is not that of the weights.
// CHECK-LABEL: func.func @other_sum
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @other_sum(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// The products are not all that is summed.
// CHECK-LABEL: func.func @started
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @started(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 1.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// The normalised weights are wanted themselves.
// CHECK-LABEL: func.func @weights_needed
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @weights_needed(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %n : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// A maximum that starts above the elements makes all weights small.
// CHECK-LABEL: func.func @high
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @high(%x: tensor<4x8xf32>, %v: tensor<8x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x8xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 100.0 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%w : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// Nothing may be summed: the result is then 0.
// CHECK-LABEL: func.func @dynamic
// CHECK: arith.mulf
// CHECK: arith.cmpf oeq
// CHECK: arith.select
// CHECK: arith.divf
func.func @dynamic(%x: tensor<4x?xf32>, %v: tensor<?x16xf32>, %rows: tensor<4xf32>, %zeros: tensor<4xf32>,
                  %w: tensor<4x?xf32>, %y: tensor<4x16xf32>) -> (tensor<4x16xf32>, tensor<4x?xf32>) {
  %start = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x?xf32>) outs(%low : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x?xf32>, tensor<4xf32>) outs(%w : tensor<4x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %r = math.exp %d : f32
    linalg.yield %r : f32
  } -> tensor<4x?xf32>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x?xf32>) outs(%zeros : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x?xf32>, tensor<4x1xf32>) outs(%w : tensor<4x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x?xf32>
  %f = linalg.fill ins(%start : f32) outs(%y : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x?xf32>, tensor<?x16xf32>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x16xf32>
  return %r, %x : tensor<4x16xf32>, tensor<4x?xf32>
}

// -----

#pn = affine_map<(p, n) -> (p, n)>
#p = affine_map<(p, n) -> (p)>
#pq = affine_map<(p, q, n) -> (p, q)>
#nq = affine_map<(p, q, n) -> (n, q)>
#qpn = affine_map<(p, q, n) -> (p, n)>

// Sums of unnormalised weights leave the range of f16.
// CHECK-LABEL: func.func @half
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
func.func @half(%x: tensor<4x8xf16>, %v: tensor<8x16xf16>, %rows: tensor<4xf16>, %zeros: tensor<4xf16>,
                  %w: tensor<4x8xf16>, %y: tensor<4x16xf16>) -> (tensor<4x16xf16>, tensor<4x8xf16>) {
  %start = arith.constant 0.0 : f16
  %least = arith.constant 0xFC00 : f16
  %low = linalg.fill ins(%least : f16) outs(%rows : tensor<4xf16>) -> tensor<4xf16>
  %m = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf16>) outs(%low : tensor<4xf16>) {
  ^bb0(%a: f16, %o: f16):
    %r = arith.maximumf %a, %o : f16
    linalg.yield %r : f16
  } -> tensor<4xf16>
  %e = linalg.generic {indexing_maps = [#pn, #p, #pn], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x8xf16>, tensor<4xf16>) outs(%w : tensor<4x8xf16>) {
  ^bb0(%a: f16, %b: f16, %o: f16):
    %d = arith.subf %a, %b : f16
    %r = math.exp %d : f16
    linalg.yield %r : f16
  } -> tensor<4x8xf16>
  %s = linalg.generic {indexing_maps = [#pn, #p], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<4x8xf16>) outs(%zeros : tensor<4xf16>) {
  ^bb0(%a: f16, %o: f16):
    %r = arith.addf %a, %o : f16
    linalg.yield %r : f16
  } -> tensor<4xf16>
  %s1 = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf16> into tensor<4x1xf16>
  %n = linalg.generic {indexing_maps = [#pn, affine_map<(p, n) -> (p, 0)>, #pn],
                       iterator_types = ["parallel", "parallel"]}
      ins(%e, %s1 : tensor<4x8xf16>, tensor<4x1xf16>) outs(%w : tensor<4x8xf16>) {
  ^bb0(%a: f16, %b: f16, %o: f16):
    %r = arith.divf %a, %b : f16
    linalg.yield %r : f16
  } -> tensor<4x8xf16>
  %f = linalg.fill ins(%start : f16) outs(%y : tensor<4x16xf16>) -> tensor<4x16xf16>
  %r = linalg.generic {indexing_maps = [#qpn, #nq, #pq], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%n, %v : tensor<4x8xf16>, tensor<8x16xf16>) outs(%f : tensor<4x16xf16>) {
  ^bb0(%a: f16, %b: f16, %o: f16):
    %t = arith.mulf %a, %b : f16
    %u = arith.addf %o, %t : f16
    linalg.yield %u : f16
  } -> tensor<4x16xf16>
  return %r, %x : tensor<4x16xf16>, tensor<4x8xf16>
}
