// RUN: sectile-opt %s -verify-diagnostics -split-input-file

// tile.convert 1: a format.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'tile.convert' op expects a format to convert from or to}}
  %q = tile.convert %x : tensor<4xf32> -> tensor<4xf16>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'tile.convert' op expects a number format: }}
  %q = tile.convert %x {to = "float4"} : tensor<4xf32> -> tensor<4xi8>
  return
}

// -----

// 2: codes fit, the other side is a float.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects codes in integers of 4 to 64 bits or in the float type of format nf4, but got 'i2'}}
  %q = tile.convert %x {to = "nf4"} : tensor<4xf32> -> tensor<4xi2>
  return
}

// -----

func.func @f(%x: tensor<4xi32>) {
  // expected-error @+1 {{expects the source to be floats, but got 'i32'}}
  %q = tile.convert %x {to = "nf4"} : tensor<4xi32> -> tensor<4xi4>
  return
}

// -----

func.func @f(%x: tensor<4xi8>) {
  // expected-error @+1 {{expects results to be floats, but got 'i32'}}
  %q = tile.convert %x {from = "int8"} : tensor<4xi8> -> tensor<4xi32>
  return
}

// -----

// 3: one shape.
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects source and result of one shape, but got 'tensor<4xf32>' and 'tensor<5xi8>'}}
  %q = tile.convert %x {to = "e4m3fn"} : tensor<4xf32> -> tensor<5xi8>
  return
}

// -----

// tile.dequantize 4: shapes.
func.func @f(%q: tensor<4xi8>, %s: f32) {
  // expected-error @+1 {{expects codes and values of one shape, but got 'tensor<4xi8>' and 'f32'}}
  %x = tile.dequantize %q scale %s {format = "int8"} : (tensor<4xi8>, f32) -> f32
  return
}

// -----

func.func @f(%q: tensor<4x8xi8>, %s: tensor<4x2xf32>) {
  // expected-error @+1 {{expects scales with the extents of 'tensor<4x8xi8>' or 1, but got 'tensor<4x2xf32>'}}
  %x = tile.dequantize %q scale %s {format = "int8"} : (tensor<4x8xi8>, tensor<4x2xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x8xi8>, %s: f32, %z: tensor<8xi8>) {
  // expected-error @+1 {{expects zero points with the extents of 'tensor<4x8xi8>' or 1, but got 'tensor<8xi8>'}}
  %x = tile.dequantize %q scale %s zero %z {format = "int8"} : (tensor<4x8xi8>, f32, tensor<8xi8>) -> tensor<4x8xf32>
  return
}

// -----

// tile.quantize 5: precision.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects precision to be a float type, but got 'i8'}}
  %q = tile.quantize %x scale %s {format = "int8", precision = i8} : (tensor<4xf32>, f32) -> tensor<4xi8>
  return
}

// -----

// Formats and element types are those of graph.quantize.
func.func @f(%x: tensor<4xf32>, %s: f32) {
  // expected-error @+1 {{expects a format of at most 8 bits, but f16 has 16}}
  %q = tile.quantize %x scale %s {format = "f16"} : (tensor<4xf32>, f32) -> tensor<4xi16>
  return
}
