// RUN: sectile-opt %s --cpu-expand-math=level=cortex-m4 | FileCheck %s --check-prefixes=CHECK,NONE
// RUN: sectile-opt %s --cpu-expand-math=level=cortex-m4f | FileCheck %s --check-prefixes=CHECK,SINGLE
// RUN: sectile-opt %s --cpu-expand-math=level=cortex-m7 | FileCheck %s --check-prefixes=CHECK,BOTH

// CHECK-LABEL: @single
// NONE-NOT: math.{{sqrt|roundeven|fma}}
// NONE-NOT: arith.maximumf
// SINGLE-NOT: math.roundeven
// SINGLE-NOT: arith.maximumf
// SINGLE: math.sqrt
// SINGLE: math.fma
// BOTH: math.roundeven
// BOTH: math.sqrt
// BOTH: math.fma
// BOTH: arith.maximumf
func.func @single(%x: f32, %y: f32) -> (f32, f32, f32, f32) {
  %r = math.roundeven %x : f32
  %s = math.sqrt %x : f32
  %f = math.fma %x, %y, %x : f32
  %m = arith.maximumf %x, %y : f32
  return %r, %s, %f, %m : f32, f32, f32, f32
}

// CHECK-LABEL: @double
// NONE-NOT: math.{{sqrt|floor|fma}}
// SINGLE-NOT: math.{{sqrt|floor|fma}}
// BOTH: math.floor
// BOTH: math.sqrt
// BOTH: math.fma
func.func @double(%x: f64, %y: f64) -> (f64, f64, f64) {
  %r = math.floor %x : f64
  %s = math.sqrt %x : f64
  %f = math.fma %x, %y, %x : f64
  return %r, %s, %f : f64, f64, f64
}
