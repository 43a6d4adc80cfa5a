// RUN: sectile-opt %s --simt-to-rocdl --split-input-file -verify-diagnostics

// expected-error @+1 {{is not supported by simt-to-rocdl: expects attribute 'tile.target' to name a target of AMD}}
gpu.module @bare {
}

// -----

// expected-error @+1 {{is not supported by simt-to-rocdl: expects attribute 'tile.target' to name a target of AMD}}
gpu.module @other attributes {tile.target = "sm_80"} {
}

// -----

gpu.module @first attributes {tile.target = "gfx942"} {
}
// expected-error @+1 {{is not supported by simt-to-rocdl: expects kernels of one device}}
gpu.module @second attributes {tile.target = "gfx90a"} {
}

// -----

gpu.module @half attributes {tile.target = "gfx942"} {
  gpu.func @k(%x: i32) kernel {
    %width = arith.constant 32 : i32
    %one = arith.constant 1 : i32
    // expected-error @+1 {{is not supported by simt-to-rocdl: expects 32 bits of whole wavefronts of 64 lanes}}
    %r, %v = gpu.shuffle xor %x, %one, %width : i32
    gpu.return
  }
}

// -----

gpu.module @down attributes {tile.target = "gfx1100"} {
  gpu.func @k(%x: i32) kernel {
    %width = arith.constant 32 : i32
    %one = arith.constant 1 : i32
    // expected-error @+1 {{is not supported by simt-to-rocdl: expects mode idx, or xor of a constant below 32}}
    %r, %v = gpu.shuffle down %x, %one, %width : i32
    gpu.return
  }
}

// -----

gpu.module @sizes attributes {tile.target = "gfx942"} {
  gpu.func @k() kernel {
    // expected-error @+1 {{'gpu.grid_dim' op is not supported by simt-to-rocdl}}
    %n = gpu.grid_dim x
    gpu.return
  }
}
