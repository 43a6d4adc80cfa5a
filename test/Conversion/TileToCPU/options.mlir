// RUN: not sectile-opt %s --tile-to-cpu=level=mmx 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not sectile-opt %s --cpu-expand-math=level=mmx 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not sectile-opt %s --tile-to-cpu=fp=loose 2>&1 | FileCheck %s --check-prefix=FP
// RUN: sectile-opt %s --cpu-expand-math -verify-diagnostics

// LEVEL: error: expects level to be one of {{.*}}, but got 'mmx'
// FP: error: expects fp to be strict, default or fast, but got 'loose'
module {
  func.func @f(%x: vector<16xf32>) -> vector<16xf32> {
    // expected-error @+1 {{'math.cbrt' op is not supported by cpu-expand-math on 'vector<16xf32>' at level avx512}}
    %y = math.cbrt %x : vector<16xf32>
    return %y : vector<16xf32>
  }
}
