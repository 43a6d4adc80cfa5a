// RUN: sectile-opt %s --split-input-file --verify-diagnostics --tile-check-in-place

// Each load is followed by a store of the same elements, whatever comes between.
func.func @good(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = graph.launch @k(%x) sizes [] {graph.in_place = array<i64: 0>} : (tensor<64xf32>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}
graph.kernel @k(%x: tensor<64xf32>) -> tensor<64xf32> {
  graph.return %x : tensor<64xf32>
}
module @avx2 {
  tile.kernel @k(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    scf.for %i = %c0 to %c8 step %c1 {
      %t = tile.load %x at affine_map<(t)[i] -> (i * 8 + t)> [%i] : !tile.view<64xf32> -> tensor<8xf32>
      %u = arith.addf %t, %t : tensor<8xf32>
      tile.store %u, %y at affine_map<(t)[i] -> (i * 8 + t)> [%i] : tensor<8xf32>, !tile.view<64xf32>
    }
    tile.return
  }
}

// -----

// The last turn reads what the first has written.
func.func @reversed(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = graph.launch @k(%x) sizes [] {graph.in_place = array<i64: 0>} : (tensor<64xf32>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}
graph.kernel @k(%x: tensor<64xf32>) -> tensor<64xf32> {
  graph.return %x : tensor<64xf32>
}
module @avx2 {
  tile.kernel @k(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    scf.for %i = %c0 to %c8 step %c1 {
      // expected-error @below {{tile program of 'k' is launched in place, but may read elements of argument 0 after it has overwritten them as argument 1}}
      %t = tile.load %x at affine_map<(t)[i] -> (i * -8 + 56 + t)> [%i] : !tile.view<64xf32> -> tensor<8xf32>
      tile.store %t, %y at affine_map<(t)[i] -> (i * 8 + t)> [%i] : tensor<8xf32>, !tile.view<64xf32>
    }
    tile.return
  }
}

// -----

func.func @after(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %y:2 = graph.launch @k(%x) sizes [] {graph.in_place = array<i64: 0, -1>} : (tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return %y#0, %y#1 : tensor<8xf32>, tensor<8xf32>
}
graph.kernel @k(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  graph.return %x, %x : tensor<8xf32>, tensor<8xf32>
}
module @avx2 {
  tile.kernel @k(%x: !tile.view<8xf32>, %y: !tile.view<8xf32>, %z: !tile.view<8xf32>) {
    %t = tile.load %x at affine_map<(t) -> (t)> [] : !tile.view<8xf32> -> tensor<8xf32>
    tile.store %t, %y at affine_map<(t) -> (t)> [] : tensor<8xf32>, !tile.view<8xf32>
    // expected-error @below {{tile program of 'k' is launched in place, but may read elements of argument 0 after it has overwritten them as argument 1}}
    %u = tile.load %x at affine_map<(t) -> (t)> [] : !tile.view<8xf32> -> tensor<8xf32>
    tile.store %u, %z at affine_map<(t) -> (t)> [] : tensor<8xf32>, !tile.view<8xf32>
    tile.return
  }
}
