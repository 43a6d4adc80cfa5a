// RUN: sectile verify %s --quiet --dims=n=3 --pipeline='builtin.module(graph-to-tile)' | count 0

// A slice whose outermost stride the type leaves open: it must not lie between the elements along dimension 1,
// which are 6 apart.
#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
graph.kernel @double(%x: tensor<?x?x2xf32> {graph.layout = strided<[?, 6, 3]>}, %n: index) -> tensor<?x?x2xf32> {
  %e = tensor.empty(%n, %n) : tensor<?x?x2xf32>
  %y = linalg.map { arith.addf } ins(%x, %x : tensor<?x?x2xf32>, tensor<?x?x2xf32>)
                                 outs(%e : tensor<?x?x2xf32>)
  graph.return %y : tensor<?x?x2xf32>
}
func.func @main(%x: tensor<?x?x6xf32> {graph.name = "x", graph.dims = ["n", "n", "6"]}) -> tensor<?x?x2xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x?x6xf32>
  %s = tensor.extract_slice %x[0, 0, 1] [%n, %n, 2] [1, 1, 3] : tensor<?x?x6xf32> to tensor<?x?x2xf32>
  %y = graph.launch @double(%s, %n) sizes[%n, %n] : (tensor<?x?x2xf32>, index) -> tensor<?x?x2xf32>
  return %y : tensor<?x?x2xf32>
}
