// RUN: sectile verify %s --samples=3 --trials=0
// An operand that is staged transposed, with an unknown number of columns: tiles beyond its edge must not
// be filled from outside of the argument.

func.func @main(%a: tensor<?x?xf32> {graph.dims = ["m", "k"]}, %b: tensor<?x1xf32> {graph.dims = ["k", "1"]}) -> tensor<?x1xf32> {
%c0 = arith.constant 0 : index
%c1 = arith.constant 1 : index
%c2 = arith.constant 2 : index
%z = arith.constant 0.0 : f32
%n0 = tensor.dim %a, %c0 : tensor<?x?xf32>
%e = tensor.empty(%n0) : tensor<?x1xf32>
%f = linalg.fill ins(%z : f32) outs(%e : tensor<?x1xf32>) -> tensor<?x1xf32>
%r = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x1xf32>) outs(%f : tensor<?x1xf32>) -> tensor<?x1xf32>
return %r : tensor<?x1xf32>
}
