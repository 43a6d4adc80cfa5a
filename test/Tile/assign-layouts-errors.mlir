// RUN: sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_80}))' --split-input-file -verify-diagnostics
// RUN: not sectile-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-assign-layouts{target=sm_70}))' --split-input-file 2>&1 | FileCheck %s
// CHECK: expects target to be one of sm_80, sm_86, sm_89, sm_90a, gfx90a, gfx942, gfx1100, but got 'sm_70'

// expected-error @+1 {{expects choice 'warps' to be a power of two up to 32 on sm_80, but got 3}}
tile.kernel @k() schedule #tile.schedule<v1, dims = {}, choices = {warps = 3}> {
  tile.return
}
