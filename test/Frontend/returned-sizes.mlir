// Results that nothing computes: a fill, sizes, an input. All are there after a run.
// RUN: sectile verify %s --quiet
// RUN: sectile compile %s -o %t.stp --cpu-levels=avx2
// RUN: sectile run %t.stp --input in0=random:1 --dims=n=7 | FileCheck %s
// CHECK: out0  f32[7,3]  min 2.5  max 2.5
// CHECK: out1  i64[2]  min 4  max 7
// CHECK: out2  f32[7,4]
// CHECK: out3  i64[]  min 7  max 7
func.func @main(%x: tensor<?x4xf32> {graph.dims = ["n", "4"]}) -> (tensor<?x3xf32>, tensor<2xi64>, tensor<?x4xf32>, tensor<i64>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 2.5 : f32
  %c4 = arith.constant 4 : i64
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %m = arith.index_cast %n : index to i64
  %s = tensor.from_elements %m, %c4 : tensor<2xi64>
  %k = tensor.from_elements %m : tensor<i64>
  return %f, %s, %x, %k : tensor<?x3xf32>, tensor<2xi64>, tensor<?x4xf32>, tensor<i64>
}
