// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// graph.kernel 1: arguments are ranked tensors or index.
// expected-error @+1 {{'graph.kernel' op expects argument 1 to be a ranked tensor or an index, but got 'f32'}}
graph.kernel @k(%x: tensor<4xf32>, %s: f32) {
  graph.return
}

// -----

// graph.kernel 2: results are ranked tensors.
// expected-error @+1 {{'graph.kernel' op expects result 0 to be a ranked tensor, but got 'index'}}
graph.kernel @k() -> index {
  llvm.unreachable
}

// -----

// graph.return 1: values have the kernel's result types.
graph.kernel @k(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{expects values of the kernel's result types 'tensor<5xf32>', but got 'tensor<4xf32>'}}
  graph.return %x : tensor<4xf32>
}

// -----

// graph.return: only in a kernel.
func.func @f() {
  // expected-error @+1 {{'graph.return' op expects parent op 'graph.kernel'}}
  graph.return
}

// -----

// graph.launch 1: there is such a kernel.
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects a graph.kernel named @k, but found none}}
  %y = graph.launch @k(%x) sizes [] : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// graph.launch 1: its types agree with the kernel's.
graph.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> {
  graph.return %x : tensor<4xf32>
}
func.func @f(%x: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{expects the kernel's type '(tensor<4xf32>) -> tensor<4xf32>', but got '(tensor<5xf32>) -> tensor<5xf32>'}}
  %y = graph.launch @k(%x) sizes [] : (tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// graph.launch 2: one size per dynamic extent.
graph.kernel @k(%x: tensor<?xf32>) -> tensor<?xf32> {
  graph.return %x : tensor<?xf32>
}
func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{expects 1 sizes, one per dynamic extent, but got 0}}
  %y = graph.launch @k(%x) sizes [] : (tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// graph.dispatch 1: operands are memrefs or index.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{operand #0 must be variadic of memref of any type values or index, but got 'tensor<4xf32>'}}
  "graph.dispatch"(%x) {kernel = @k, num_inputs = 0 : i64, operandSegmentSizes = array<i32: 1, 0>} : (tensor<4xf32>) -> ()
  return
}

// -----

// graph.dispatch 2: num_inputs is at most the number of operands.
func.func @f(%x: memref<4xf32>) {
  // expected-error @+1 {{expects num_inputs to be at most 1, the number of operands, but got 2}}
  graph.dispatch @k(%x) num_inputs 2 : memref<4xf32>
  return
}

// -----

// graph.broadcast 1: the result's rank is not smaller.
func.func @f(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects a result of rank at least 2, but got 1}}
  %y = graph.broadcast %x sizes [] : tensor<4x4xf32> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// graph.broadcast 2: one size per dynamic extent.
func.func @f(%x: tensor<?xf32>, %n: index) -> tensor<?x?xf32> {
  // expected-error @+1 {{expects 2 sizes, one per dynamic extent, but got 1}}
  %y = graph.broadcast %x sizes [%n] : tensor<?xf32> -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// graph.broadcast 3: element types agree.
func.func @f(%x: tensor<1xf32>) -> tensor<4xf16> {
  // expected-error @+1 {{expects element type 'f32', but got 'f16'}}
  %y = graph.broadcast %x sizes [] : tensor<1xf32> -> tensor<4xf16>
  return %y : tensor<4xf16>
}

// -----

// graph.broadcast 4: static extents are 1 or equal.
func.func @f(%x: tensor<2xf32>) -> tensor<3x4xf32> {
  // expected-error @+1 {{expects extents to be 1 or equal, but got 2 and 4}}
  %y = graph.broadcast %x sizes [] : tensor<2xf32> -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

// graph.choose 1: the condition is a tensor<i1>.
func.func @f(%c: tensor<4xi1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{operand #0 must be 0D tensor of 1-bit signless integer values, but got 'tensor<4xi1>'}}
  %y = "graph.choose"(%c, %x, %x) : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// graph.choose 2: types agree.
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>, %y: tensor<5xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{failed to verify that all of {taken, otherwise, result} have same type}}
  %z = "graph.choose"(%c, %x, %y) : (tensor<i1>, tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// graph.gather 1: the axis is inside the source's rank.
func.func @f(%x: tensor<4xf32>, %i: tensor<2xi64>) -> tensor<2xf32> {
  // expected-error @+1 {{expects an axis below 1, but got 1}}
  %y = graph.gather %x[%i] axis 1 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// graph.gather 2: the result has the gathered shape.
func.func @f(%x: tensor<4x8xf32>, %i: tensor<2xi64>) -> tensor<3x8xf32> {
  // expected-error @+1 {{expects a result compatible with 'tensor<2x8xf32>', but got 'tensor<3x8xf32>'}}
  %y = graph.gather %x[%i] axis 0 : tensor<4x8xf32>, tensor<2xi64> -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}

// -----

// graph.gather 3: element types agree.
func.func @f(%x: tensor<4xf32>, %i: tensor<2xi64>) -> tensor<2xf16> {
  // expected-error @+1 {{expects a result compatible with 'tensor<2xf32>', but got 'tensor<2xf16>'}}
  %y = graph.gather %x[%i] axis 0 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf16>
  return %y : tensor<2xf16>
}

// -----

// graph.gather 3: indices are integers.
func.func @f(%x: tensor<4xf32>, %i: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{expects indices to be integers, but got 'tensor<2xf32>'}}
  %y = graph.gather %x[%i] axis 0 : tensor<4xf32>, tensor<2xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// graph.alias: three integers.
// expected-error @+1 {{expects 'graph.alias' on a function's result to give the integers input, dim and capacity, but got {dim = 0 : i64}}}
func.func @f(%x: tensor<?xf32>) -> (tensor<?xf32> {graph.alias = {dim = 0 : i64}}) {
  return %x : tensor<?xf32>
}

// -----

// graph.alias: the input exists.
// expected-error @+1 {{expects the input of 'graph.alias' to be below 1, but got 1}}
func.func @f(%x: tensor<?xf32>) -> (tensor<?xf32> {graph.alias = {capacity = 8 : i64, dim = 0 : i64, input = 1 : i64}}) {
  return %x : tensor<?xf32>
}

// -----

// graph.alias: both are of one type.
// expected-error @+1 {{expects the input of 'graph.alias' to be of type 'tensor<?xf32>', but got 'tensor<?xf16>'}}
func.func @f(%x: tensor<?xf16>, %y: tensor<?xf32>) -> (tensor<?xf32> {graph.alias = {capacity = 8 : i64, dim = 0 : i64, input = 0 : i64}}) {
  return %y : tensor<?xf32>
}

// -----

// graph.alias: the dimension exists.
// expected-error @+1 {{expects the dimension of 'graph.alias' to be below 1, but got 1}}
func.func @f(%x: tensor<?xf32>) -> (tensor<?xf32> {graph.alias = {capacity = 8 : i64, dim = 1 : i64, input = 0 : i64}}) {
  return %x : tensor<?xf32>
}

// -----

// graph.alias: a capacity, or -1 for none.
// expected-error @+1 {{expects the capacity of 'graph.alias' to be -1 or more, but got -2}}
func.func @f(%x: tensor<?xf32>) -> (tensor<?xf32> {graph.alias = {capacity = -2 : i64, dim = 0 : i64, input = 0 : i64}}) {
  return %x : tensor<?xf32>
}

// -----

// graph.scan 1: there are inputs and inits.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects inputs and inits, but got 1 and 0}}
  "graph.scan"(%x) <{axis = 0 : i64, operandSegmentSizes = array<i32: 1, 0>}> ({
  ^bb0(%e: f32):
    "graph.yield"() : () -> ()
  }) : (tensor<4xf32>) -> ()
  return
}

// -----

// graph.scan 2: the axis is inside the rank.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects an axis below 1, but got 1}}
  %r = graph.scan %x from %s axis 1 : tensor<4xf32> from tensor<f32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 2: inputs have one shape.
func.func @f(%x: tensor<4xf32>, %y: tensor<5xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects inputs of one shape, but got 'tensor<4xf32>' and 'tensor<5xf32>'}}
  %r = graph.scan %x, %y from %s axis 0 : tensor<4xf32>, tensor<5xf32> from tensor<f32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f32, %c: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 3: inits lack the axis.
func.func @f(%x: tensor<4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{expects inits compatible with 'tensor<f32>', but got 'tensor<4xf32>'}}
  %r = graph.scan %x from %s axis 0 : tensor<4xf32> from tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 4: a result for each init, of its element type.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects a result for each init, of element types 'f32', but got 'tensor<4xf64>'}}
  %r = graph.scan %x from %s axis 0 : tensor<4xf32> from tensor<f32> -> tensor<4xf64> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 4: results have the inputs' shape.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects results of the inputs' shape, but got 'tensor<5xf32>' for 'tensor<4xf32>'}}
  %r = graph.scan %x from %s axis 0 : tensor<4xf32> from tensor<f32> -> tensor<5xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 5: the step takes the state and an element of each input.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects a step that takes the state and an element of each input, 'f32', 'f32', but got 'f32'}}
  %r = graph.scan %x from %s axis 0 : tensor<4xf32> from tensor<f32> -> tensor<4xf32> {
  ^bb0(%a: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scan 5: the step yields the state.
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{expects a step that yields 'f32', but got 'f32', 'f32'}}
  %r = graph.scan %x from %s axis 0 : tensor<4xf32> from tensor<f32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a, %b : f32, f32
  }
  return
}

// -----

// graph.scan 6: an associative step combines states.
func.func @f(%x: tensor<4xf64>, %s: tensor<f32>) {
  // expected-error @+1 {{expects an associative step to combine values of the same types, but got 'f32' and 'f64'}}
  %r = graph.scan %x from %s axis 0 associative : tensor<4xf64> from tensor<f32> -> tensor<4xf32> {
  ^bb0(%a: f32, %b: f64):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.scatter 1: indices are integers.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>) {
  // expected-error @+1 {{expects indices to be integers, but got 'tensor<8xf32>'}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%u : tensor<8xf32>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 2: reads for each tensor of indices.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects 1 reads, one for each tensor of indices, but got 0}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 2: reads go from the updates' dimensions to those of indices.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects reads from 1 dimensions to the 1 of 'tensor<8xi64>', but got affine_map<(d0) -> (d0, d0)>}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0, u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 3: the place goes from updates and indices to the data.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects a place from 1 dimensions and 1 indices to 1 dimensions, but got affine_map<(d0) -> (d0)>}}
  %r = graph.scatter %u into %x at affine_map<(u0) -> (u0)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 4: coordinates are different dimensions.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects a place of different dimensions, but got affine_map<(d0, d1) -> (d1 + 1)>}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i + 1)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 4: every index is used.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects a place that uses every index, but got affine_map<(d0, d1) -> (d0)>}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (u0)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 5: not more updates than data.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>) {
  // expected-error @+1 {{expects at most 4 updates along dimension 0, but got 8}}
  %r = graph.scatter %u into %x at affine_map<(u0) -> (u0)> reads [] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 6: element types agree.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf16>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects updates of element type 'f32', but got 'f16'}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf16> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// -----

// graph.scatter 6: the body combines two values.
func.func @f(%x: tensor<4xf32>, %u: tensor<8xf32>, %i: tensor<8xi64>) {
  // expected-error @+1 {{expects a body that combines two values of type 'f32'}}
  %r = graph.scatter %u into %x at affine_map<(u0, i) -> (i)> indices (%i : tensor<8xi64>) reads [affine_map<(u0) -> (u0)>] : tensor<8xf32> into tensor<4xf32> {
  ^bb0(%a: f32, %b: f64):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.topk 1: the axis is inside the rank.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{expects an axis below 2, but got 2}}
  %v, %i = graph.topk %x axis 2 : tensor<4x8xf32> -> tensor<4x2xf32>, tensor<4x2xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  return
}

// -----

// graph.topk 2: values have the input's shape but for the axis.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{expects values like 'tensor<4x8xf32>' but for the extent along the axis, but got 'tensor<3x2xf32>'}}
  %v, %i = graph.topk %x axis 1 : tensor<4x8xf32> -> tensor<3x2xf32>, tensor<3x2xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  return
}

// -----

// graph.topk 2: the extent is known and not larger than the input's.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{expects a known extent, at least 1 and at most the input's, along the results' axis, but got 'tensor<4x9xf32>' of 'tensor<4x8xf32>'}}
  %v, %i = graph.topk %x axis 1 : tensor<4x8xf32> -> tensor<4x9xf32>, tensor<4x9xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  return
}

// -----

// graph.topk 3: indices have the values' shape.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{expects indices of i64 and of the values' shape, but got 'tensor<4x2xi32>'}}
  %v, %i = graph.topk %x axis 1 : tensor<4x8xf32> -> tensor<4x2xf32>, tensor<4x2xi32> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  return
}

// -----

// graph.topk 4: the body compares two values.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{expects a body that takes two values of type 'f32' and yields an i1}}
  %v, %i = graph.topk %x axis 1 : tensor<4x8xf32> -> tensor<4x2xf32>, tensor<4x2xi64> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %a : f32
  }
  return
}

// -----

// graph.loop 1: something ends it.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects a number of trips or a condition}}
  %y = graph.loop @body carried(%x : tensor<4xf32>) sizes [] -> tensor<4xf32>
  return
}

// -----

// graph.loop 2: one size per dynamic extent.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects 0 sizes, one per dynamic extent, but got 1}}
  %y = graph.loop @body trips %n carried(%x : tensor<4xf32>) sizes [%n] -> tensor<4xf32>
  return
}

// -----

// graph.loop 3: results begin with what is carried.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects results that begin with the types of what is carried}}
  %y = graph.loop @body trips %n carried(%x : tensor<4xf32>) sizes [] -> tensor<5xf32>
  return
}

// -----

// graph.loop 4: rows are counted.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects a number of trips and no condition, to know how many rows there are}}
  %y, %r = graph.loop @body while %c : tensor<i1> carried(%x : tensor<4xf32>) sizes [%n] -> tensor<4xf32>, tensor<?x4xf32>
  return
}

// -----

// graph.loop 4: rows have a dimension.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects rows to have a dimension}}
  %y, %r = graph.loop @body trips %n carried(%x : tensor<4xf32>) sizes [] -> tensor<4xf32>, tensor<f32>
  return
}

// -----

// graph.loop 5: the body is a private function.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects a private function with a body named @gone, but found none}}
  %y = graph.loop @gone trips %n carried(%x : tensor<4xf32>) sizes [] -> tensor<4xf32>
  return
}

// -----

// graph.loop 5: the body has the types.
func.func private @body(%i: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>, %n: index, %c: tensor<i1>) {
  // expected-error @+1 {{expects a body of type '(index, tensor<4xf32>, index) -> tensor<4xf32>', but got '(index, tensor<4xf32>) -> tensor<4xf32>'}}
  %y = graph.loop @body trips %n carried(%x : tensor<4xf32>) captured(%n : index) sizes [] -> tensor<4xf32>
  return
}

// -----

// graph.count 1: the number is a tensor<i64>.
func.func @f(%n: tensor<i32>, %most: index) -> index {
  // expected-error @+1 {{operand #0 must be 0D tensor of 64-bit signless integer values}}
  %r = graph.count %n upto %most : tensor<i32>
  return %r : index
}
