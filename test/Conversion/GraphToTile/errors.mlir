// RUN: sectile-opt %s --graph-to-tile -verify-diagnostics -split-input-file

#id = affine_map<(d0) -> (d0)>

// An op without a rule.
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'tensor.bitcast' op cannot become part of a tile program: there is no rule for this op}}
  %y = tensor.bitcast %x : tensor<4xf32> to tensor<4xf32>
  graph.return %y : tensor<4xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Control flow in the body of a linalg op.
graph.kernel @k(%x: tensor<4xf32>, %c: tensor<4xi1>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %c : tensor<4xf32>, tensor<4xi1>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %b: i1, %o: f32):
    // expected-error @+1 {{'scf.if' op cannot become part of a tile program: expects an elementwise op in the body of a linalg op}}
    %t = scf.if %b -> f32 {
      scf.yield %a : f32
    } else {
      scf.yield %o : f32
    }
    linalg.yield %t : f32
  } -> tensor<4xf32>
  graph.return %y : tensor<4xf32>
}

// -----

// A result that two coordinates of one loop index: its other elements are not computed.
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  // expected-error @+1 {{cannot become part of a tile program: expects a result indexed by distinct loops, but got affine_map<(d0) -> (d0, d0)>}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0, d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4x4xf32>
  graph.return %y : tensor<4x4xf32>
}

// -----

// A parallel loop that writes one element several times.
graph.kernel @k(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{cannot become part of a tile program: parallel loop 1 does not index the result}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  graph.return %y : tensor<4xf32>
}

// -----

// A pad value that is computed.
graph.kernel @k(%x: tensor<4xf32>) -> tensor<6xf32> {
  // expected-error @+1 {{'tensor.pad' op cannot become part of a tile program: expects a constant pad value}}
  %y = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    %n = arith.index_cast %i : index to i32
    %f = arith.sitofp %n : i32 to f32
    tensor.yield %f : f32
  } : tensor<4xf32> to tensor<6xf32>
  graph.return %y : tensor<6xf32>
}

// -----

// A gather from what the kernel computes itself.
graph.kernel @k(%x: tensor<8xf32>, %i: tensor<64xi64>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %s = linalg.map { math.exp } ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>)
  // expected-error @+1 {{'graph.gather' op cannot become part of a tile program: indices vary inside a tile, but the source is not a kernel argument}}
  %y = graph.gather %s[%i] axis 0 : tensor<8xf32>, tensor<64xi64> -> tensor<64xf32>
  graph.return %y : tensor<64xf32>
}

// -----

// Results of different shapes.
// expected-error @+1 {{'graph.kernel' op expects results of one shape, or such that the greatest is computed from the others element by element, but got 'tensor<5xf32>' and 'tensor<4xf32>'}}
graph.kernel @k(%x: tensor<4xf32>, %y: tensor<5xf32>) -> (tensor<4xf32>, tensor<5xf32>) {
  graph.return %x, %y : tensor<4xf32>, tensor<5xf32>
}

// -----

// expected-error@+1 {{expects a variant to name an index argument, but got 0}}
graph.kernel @bad_variant(%x: tensor<8xf32>) -> tensor<8xf32>
    attributes {graph.schedule = #tile.schedule<v1, dims = {}, choices = {variants = [{argument = 0, value = 1, schedule = #tile.schedule<v1, dims = {}, choices = {}>}]}>} {
  graph.return %x : tensor<8xf32>
}

// -----

// Scans that run along different dimensions.
graph.kernel @k(%x: tensor<4x4xf32>, %s: tensor<4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %y = graph.scan %x from %s axis 0 : tensor<4x4xf32> from tensor<4xf32> -> tensor<4x4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  // expected-error @+1 {{cannot become part of a tile program: another scan of the kernel runs along another dimension or the other way}}
  %z = graph.scan %x from %s axis 1 : tensor<4x4xf32> from tensor<4xf32> -> tensor<4x4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  graph.return %y, %z : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A scan of another shape than the kernel's results.
graph.kernel @k(%x: tensor<4x4xf32>, %s: tensor<4xf32>) -> tensor<16xf32> {
  // expected-error @+1 {{cannot become part of a tile program: expects the shape of the kernel's results, 'tensor<16xf32>', but got 'tensor<4x4xf32>'}}
  %y = graph.scan %x from %s axis 0 : tensor<4x4xf32> from tensor<4xf32> -> tensor<4x4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  %z = tensor.collapse_shape %y [[0, 1]] : tensor<4x4xf32> into tensor<16xf32>
  graph.return %z : tensor<16xf32>
}

// -----

// A scan that is read in another order than it is computed in.
graph.kernel @k(%x: tensor<4x4xf32>, %s: tensor<4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{cannot become part of a tile program: expects consumers that read each of its elements for the result at the same place}}
  %y = graph.scan %x from %s axis 0 : tensor<4x4xf32> from tensor<4xf32> -> tensor<4x4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  %e = tensor.empty() : tensor<4x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4x4xf32>
  graph.return %z : tensor<4x4xf32>
}

// -----

// A step that uses a value from outside.
graph.kernel @k(%x: tensor<4x4xi32>, %s: tensor<4xi32>, %n: index) -> tensor<4x4xi32> {
  %y = graph.scan %x from %s axis 0 : tensor<4x4xi32> from tensor<4xi32> -> tensor<4x4xi32> {
  ^bb0(%a: i32, %b: i32):
    // expected-error @+1 {{cannot become part of a tile program: expects the body of 'graph.scan' to use nothing but its arguments and constants from outside}}
    %m = arith.index_cast %n : index to i32
    %t = arith.addi %m, %b : i32
    graph.yield %t : i32
  }
  graph.return %y : tensor<4x4xi32>
}

// -----

// A schedule that cuts the dimension of a scan.
// expected-error @+1 {{expects a schedule that sweeps d0 in its innermost loop, since the kernel scans along it, but got}}
graph.kernel @k(%x: tensor<4x4xf32>, %s: tensor<4xf32>) -> tensor<4x4xf32> attributes {graph.schedule = #tile.schedule<v1, dims = {d0 = [2]}, choices = {}>} {
  %y = graph.scan %x from %s axis 0 : tensor<4x4xf32> from tensor<4xf32> -> tensor<4x4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  graph.return %y : tensor<4x4xf32>
}

// -----

// A scatter whose result is consumed in its own kernel.
#id = affine_map<(d0) -> (d0)>
graph.kernel @k(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) -> tensor<4xf32> {
  // expected-error @+1 {{cannot become part of a tile program: expects its result to be the kernel's only one}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%r : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.negf %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  graph.return %y : tensor<4xf32>
}

// -----

// A selection of which one result is missing.
graph.kernel @k(%x: tensor<8xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{cannot become part of a tile program: expects its results to be the kernel's only ones}}
  %v, %i = graph.topk %x axis 0 : tensor<8xf32> -> tensor<2xf32>, tensor<2xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  graph.return %v : tensor<2xf32>
}
