// RUN: sectile-opt %s --verify-roundtrip | FileCheck %s

// CHECK: graph.kernel @pass(%arg0: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nodes = ["a"]}
graph.kernel @pass(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nodes = ["a"]} {
  graph.return %x : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = ["batch", "4"]},
                %ids: tensor<2x8xi64>) -> (tensor<?x4xf32> {graph.name = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  // CHECK: graph.launch @pass(%arg0) sizes[%{{.*}}] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = graph.launch @pass(%x) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %ok = arith.cmpi sge, %n, %c1 : index
  // CHECK: graph.check %{{.*}}, "expects a batch, but got %0"(%{{.*}})
  graph.check %ok, "expects a batch, but got %0" (%n)
  // CHECK: graph.broadcast %{{.*}} sizes[%c1, %{{.*}}] : tensor<?x4xf32> -> tensor<?x?x4xf32>
  %b = graph.broadcast %y sizes [%c1, %n] : tensor<?x4xf32> -> tensor<?x?x4xf32>
  // CHECK: graph.gather %{{.*}}[%{{.*}}] axis 0 : tensor<?x4xf32>, tensor<2x8xi64> -> tensor<2x8x4xf32>
  %g = graph.gather %y[%ids] axis 0 : tensor<?x4xf32>, tensor<2x8xi64> -> tensor<2x8x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @count
// CHECK: graph.count %arg0 upto %arg1 : tensor<i64>
func.func @count(%n: tensor<i64>, %most: index) -> index {
  %r = graph.count %n upto %most : tensor<i64>
  return %r : index
}

// CHECK-LABEL: func.func @choose
// CHECK: graph.choose %arg0, %arg1, %arg2 : tensor<?x4xf32>
// CHECK: graph.dispatch @k(%arg3) when %arg4 num_inputs 0 : memref<4xf32>
func.func @choose(%c: tensor<i1>, %x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %m: memref<4xf32>, %w: i1) -> tensor<?x4xf32> {
  %r = graph.choose %c, %x, %y : tensor<?x4xf32>
  graph.dispatch @k(%m) when %w num_inputs 0 : memref<4xf32>
  return %r : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @scan
// CHECK: graph.scan %arg0, %arg0 from %arg1 axis 1 exclusive reverse : tensor<?x4xf32>, tensor<?x4xf32> from tensor<?xf32> -> tensor<?x4xf32> {
// CHECK: graph.scan %arg0 from %arg1 axis 1 associative : tensor<?x4xf32> from tensor<?xf32> -> tensor<?x4xf32> {
func.func @scan(%x: tensor<?x4xf32>, %s: tensor<?xf32>) {
  %a = graph.scan %x, %x from %s axis 1 exclusive reverse : tensor<?x4xf32>, tensor<?x4xf32> from tensor<?xf32> -> tensor<?x4xf32> {
  ^bb0(%h: f32, %p: f32, %q: f32):
    %t = arith.mulf %h, %p : f32
    %u = arith.addf %t, %q : f32
    graph.yield %u : f32
  }
  %b = graph.scan %x from %s axis 1 associative : tensor<?x4xf32> from tensor<?xf32> -> tensor<?x4xf32> {
  ^bb0(%h: f32, %p: f32):
    %t = arith.addf %h, %p : f32
    graph.yield %t : f32
  }
  return
}

// CHECK-LABEL: func.func @scatter
// CHECK: graph.scatter %arg1 into %arg0 at #{{.*}} indices(%arg2, %arg2 : tensor<8x2xi64>, tensor<8x2xi64>) reads [#{{.*}}, #{{.*}}] : tensor<8x3xf32> into tensor<?x4x3xf32> {
func.func @scatter(%x: tensor<?x4x3xf32>, %u: tensor<8x3xf32>, %i: tensor<8x2xi64>) {
  %r = graph.scatter %u into %x at affine_map<(u0, u1, i, j) -> (i, j, u1)> indices (%i, %i : tensor<8x2xi64>, tensor<8x2xi64>)
       reads [affine_map<(u0, u1) -> (u0, 0)>, affine_map<(u0, u1) -> (u0, 1)>] : tensor<8x3xf32> into tensor<?x4x3xf32> {
  ^bb0(%a: f32, %b: f32):
    graph.yield %b : f32
  }
  return
}

// CHECK-LABEL: func.func @topk
// CHECK: graph.topk %arg0 axis 1 : tensor<?x?xf32> -> tensor<?x3xf32>, tensor<?x3xi64> {
func.func @topk(%x: tensor<?x?xf32>) {
  %v, %i = graph.topk %x axis 1 : tensor<?x?xf32> -> tensor<?x3xf32>, tensor<?x3xi64> {
  ^bb0(%a: f32, %b: f32):
    %t = arith.cmpf ogt, %a, %b : f32
    graph.yield %t : i1
  }
  return
}

func.func private @step(%i: index, %x: tensor<?xf32>, %w: tensor<4xf32>) -> (tensor<i1>, tensor<?xf32>) {
  %true = arith.constant dense<true> : tensor<i1>
  return %true, %x : tensor<i1>, tensor<?xf32>
}

func.func private @row(%i: index, %w: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  return %w : tensor<4xf32>
}

// CHECK-LABEL: @loop
func.func @loop(%c: tensor<i1>, %x: tensor<?xf32>, %w: tensor<4xf32>, %n: index) -> (tensor<?xf32>, tensor<?x4xf32>) {
  // CHECK: graph.loop @step trips %{{.*}} while %{{.*}} : tensor<i1> carried(%{{.*}} : tensor<?xf32>) captured(%{{.*}} : tensor<4xf32>) sizes[%{{.*}}] -> tensor<?xf32>
  %y = graph.loop @step trips %n while %c : tensor<i1> carried(%x : tensor<?xf32>) captured(%w : tensor<4xf32>) sizes [%n] -> tensor<?xf32>
  // CHECK: graph.loop @row trips %{{.*}} captured(%{{.*}}, %{{.*}} : tensor<4xf32>, index) sizes[%{{.*}}] -> tensor<?x4xf32>
  %r = graph.loop @row trips %n captured(%w, %n : tensor<4xf32>, index) sizes [%n] -> tensor<?x4xf32>
  return %y, %r : tensor<?xf32>, tensor<?x4xf32>
}
