// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// 1: a format, of at most 8 bits and of one number per code.
func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'graph.dequantize' op expects a number format: }}
  %x = graph.dequantize %q scale %s {format = "uint9x"} : (tensor<4xi8>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<4xi16>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects a format of at most 8 bits, but bf16 has 16}}
  %x = graph.dequantize %q scale %s {format = "bf16"} : (tensor<4xi16>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects a format of one number per code, but codebook[(0,1),(1,2)] has 2}}
  %x = graph.dequantize %q scale %s {format = "codebook[(0,1),(1,2)]"} : (tensor<4xi8>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

// 2: codes fit.
func.func @f(%q: tensor<4xi3>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects codes in integers of 4 to 64 bits or in the float type of format uint4, but got 'i3'}}
  %x = graph.dequantize %q scale %s {format = "uint4"} : (tensor<4xi3>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<4xf8E5M2>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects codes in integers of 8 to 64 bits or in the float type of format e4m3fn, but got 'f8E5M2'}}
  %x = graph.dequantize %q scale %s {format = "e4m3fn"} : (tensor<4xf8E5M2>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

// 3: element types.
func.func @f(%q: tensor<4xi8>, %s: tensor<1xi32>) {
  // expected-error @+1 {{expects scales to be floats, but got 'i32'}}
  %x = graph.dequantize %q scale %s {format = "int8"} : (tensor<4xi8>, tensor<1xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>, %z: tensor<1xi16>) {
  // expected-error @+1 {{expects zero points to be floats or codes in 'i8', but got 'i16'}}
  %x = graph.dequantize %q scale %s zero %z {format = "int8"} : (tensor<4xi8>, tensor<1xf32>, tensor<1xi16>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xi32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects values to be floats, but got 'i32'}}
  %q = graph.quantize %x scale %s {format = "int8"} : (tensor<4xi32>, tensor<1xf32>) -> tensor<4xi8>
  return
}

// -----

// 4: one shape.
func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects codes and values of one shape, but got 'tensor<4xi8>' and 'tensor<5xf32>'}}
  %x = graph.dequantize %q scale %s {format = "int8"} : (tensor<4xi8>, tensor<1xf32>) -> tensor<5xf32>
  return
}

// -----

// 5: blocks.
func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects a block size for each of 1 dimensions, but got 2}}
  %x = graph.dequantize %q scale %s {format = "int8", block = [0, 1]} : (tensor<4xi8>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<4xi8>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects block sizes of at least 0, but got -1}}
  %x = graph.dequantize %q scale %s {format = "int8", block = [-1]} : (tensor<4xi8>, tensor<1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%q: tensor<5x4xi8>, %s: tensor<2x4xf32>) {
  // expected-error @+1 {{expects scales compatible with 'tensor<3x4xf32>', one for each block, but got 'tensor<2x4xf32>'}}
  %x = graph.dequantize %q scale %s {format = "int8", block = [2, 1]} : (tensor<5x4xi8>, tensor<2x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @f(%q: tensor<5x4xi8>, %s: tensor<1x1xf32>, %z: tensor<1xf32>) {
  // expected-error @+1 {{expects zero points compatible with 'tensor<1x1xf32>', one for each block, but got 'tensor<1xf32>'}}
  %x = graph.dequantize %q scale %s zero %z {format = "int8"} : (tensor<5x4xi8>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<5x4xf32>
  return
}

// -----

// graph.quantize 6: precision.
func.func @f(%x: tensor<4xf32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{expects precision to be a float type, but got 'i8'}}
  %q = graph.quantize %x scale %s {format = "int8", precision = i8} : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xi8>
  return
}

// -----

// On scalars.
func.func @f(%q: i8, %s: tensor<f32>) {
  // expected-error @+1 {{'graph.dequantize' op expects scales that are scalars like codes, but got 'tensor<f32>'}}
  %x = graph.dequantize %q scale %s {format = "uint4"} : (i8, tensor<f32>) -> f32
  return
}

// -----

func.func @f(%q: i8, %s: f32) {
  // expected-error @+1 {{expects codes and values of one shape, but got 'i8' and 'tensor<f32>'}}
  %x = graph.dequantize %q scale %s {format = "uint4"} : (i8, f32) -> tensor<f32>
  return
}

// -----

func.func @f(%q: i8, %s: f32) {
  // expected-error @+1 {{expects a block size for each of 0 dimensions, but got 1}}
  %x = graph.dequantize %q scale %s {format = "uint4", block = [4]} : (i8, f32) -> f32
  return
}
