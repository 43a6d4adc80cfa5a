// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// #tile.layout 1: digits reach the extent.
// expected-error @+1 {{expects a layout: dimension 0: expects an extent from 1 to 32, which its digits fill, but got 33}}
#l = #tile.layout<[33], lane = [32:d0]>

// -----

// #tile.layout 1: digits nest.
// expected-error @+1 {{expects a layout: }}
#l = #tile.layout<[64], register = [2:d0*3], lane = [32:d0*2]>

// -----

// #tile.layout 1: known axes.
// expected-error @+1 {{expects a layout: expects register, lane, warp, cta, tmem_column or tmem_lane at 'thread = [32:d0]'}}
#l = #tile.layout<[32], thread = [32:d0]>

// -----

// #tile.layout 2.
#l = #tile.layout<[32], lane = [32:d0]>
// expected-error @+1 {{expects a tile of shape [32], its layout's, but got [16]}}
func.func private @f(%t: tensor<16xf32, #l>)

// -----

// tile.convert_layout 1.
#a = #tile.layout<[32], lane = [32:d0]>
#b = #tile.layout<[64], register = [2:d0], lane = [32:d0*2]>
func.func @f(%t: tensor<32xf32, #a>) {
  // expected-error @+1 {{expects a tile of the same shape and elements, but got 'tensor<32xf32, #tile.layout<[32], lane = [32:d0*1]>>' and 'tensor<64xf32, #tile.layout<[64], register = [2:d0*1], lane = [32:d0*2]>>'}}
  %u = tile.convert_layout %t : tensor<32xf32, #a> -> tensor<64xf32, #b>
  return
}

// -----

// tile.convert_layout 2.
#a = #tile.layout<[32], lane = [32:d0]>
func.func @f(%t: tensor<32xf32, #a>) {
  // expected-error @+1 {{expects both tiles to have layouts, but got 'tensor<32xf32, #tile.layout<[32], lane = [32:d0*1]>>' and 'tensor<32xf32>'}}
  %u = tile.convert_layout %t : tensor<32xf32, #a> -> tensor<32xf32>
  return
}
