//===- MathFunctions.h - elementary functions on lanes ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_CONVERSION_SUPPORT_MATHFUNCTIONS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_MATHFUNCTIONS_H

#include "Lanes.h"

namespace sectile::lowering {

/// x = 2^exponent (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
struct Decomposed {
  Num exponent, f;
};
/// For positive finite x, subnormal ones included.
Decomposed decompose(Lanes &l, Num x);

/// Bounds in units in the last place: f32 (all inputs tested), f64 (sampled). Functions without a
/// bound for f32 are computed in f64 and rounded, which leaves them within 1.
Num makeExp(Lanes &l, Num x);   // 1      1.5
Num makeExp2(Lanes &l, Num x);  // 1      1.5
Num makeExpM1(Lanes &l, Num x); // 2      2
Num makeLog(Lanes &l, Num x);   // 1      1
Num makeLog2(Lanes &l, Num x);  // 2      2
Num makeLog10(Lanes &l, Num x); // 2      2
Num makeLog1P(Lanes &l, Num x); // 2      2
Num makeTanh(Lanes &l, Num x);  // 2      2
Num makeErf(Lanes &l, Num x);   // 2      2
/// f64 of magnitude 2^20 and beyond (2^30 with fused multiply-add): to 2^-50 absolute.
Num makeSin(Lanes &l, Num x);          // 2      2
Num makeCos(Lanes &l, Num x);          // 2      2
Num makeTan(Lanes &l, Num x);          //        4
Num makeAtan(Lanes &l, Num x);         //        2
Num makeAsin(Lanes &l, Num x);         //        4
Num makeAcos(Lanes &l, Num x);         //        4
Num makeSinh(Lanes &l, Num x);         //        4
Num makeCosh(Lanes &l, Num x);         //        4
Num makeAsinh(Lanes &l, Num x);        //        4
Num makeAcosh(Lanes &l, Num x);        //        4
Num makeAtanh(Lanes &l, Num x);        //        4
Num makeRsqrt(Lanes &l, Num x);        // 2      2
Num makePow(Lanes &l, Num x, Num y);   // 1      2
Num makeAtan2(Lanes &l, Num y, Num x); //        4
/// x - y * trunc(x / y), exact.
Num makeRem(Lanes &l, Num x, Num y);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_MATHFUNCTIONS_H
