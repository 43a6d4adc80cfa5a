// RUN: sectile-opt %s --tile-to-simt --split-input-file -verify-diagnostics

// expected-error @+1 {{expects attributes 'tile.target' and 'tile.warps', which tile-assign-layouts leaves}}
tile.kernel @nothing() {
  tile.return
}

// -----

// expected-error @+1 {{expects 'tile.target' to be one of sm_80, sm_86, sm_89, sm_90a, gfx90a, gfx942, gfx1100, but got "sm_70"}}
tile.kernel @old() attributes {tile.target = "sm_70", tile.warps = 1} {
  tile.return
}

// -----

// expected-error @+1 {{expects 'tile.warps' to be from 1 to 32 on "sm_80", but got 64}}
tile.kernel @many() attributes {tile.target = "sm_80", tile.warps = 64} {
  tile.return
}

// -----

tile.kernel @bare(%x: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1} {
  // expected-error @+1 {{expects tiles with layouts, but got 'tensor<64xf32>'; tile-assign-layouts gives them}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32>
  tile.store %t, %x at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
  tile.return
}

// -----

#half = #tile.layout<[64], register = [4:d0], lane = [16:d0*4]>
tile.kernel @half(%x: !tile.view<64xf32>) attributes {tile.target = "sm_80", tile.warps = 1} {
  // expected-error @+1 {{expects layouts of 32 lanes and 1 warps, but got #tile.layout<[64], register = [4:d0*1], lane = [16:d0*4]>}}
  %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32, #half>
  tile.return
}
