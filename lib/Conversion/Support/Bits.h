//===- Bits.h - arithmetic on the bits of f32 -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_BITS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_BITS_H

#include "lib/Conversion/Support/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sectile::lowering {

/// Integer and float arithmetic on a part of 32-bit elements.
struct Bits {
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type i32, f32, i16, i8;

  Bits(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value like)
      : builder(builder), loc(loc), i32(getPartType(builder.getI32Type(), getNumLanes(like))),
        f32(getPartType(builder.getF32Type(), getNumLanes(like))),
        i16(getPartType(builder.getIntegerType(16), getNumLanes(like))),
        i8(getPartType(builder.getIntegerType(8), getNumLanes(like))) {}

  mlir::Value constant(uint32_t value) {
    return makeConstant(builder, loc, i32, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  mlir::Value floatConstant(float value) {
    return makeConstant(builder, loc, f32, builder.getF32FloatAttr(value));
  }
  mlir::Value asInt(mlir::Value v) { return mlir::arith::BitcastOp::create(builder, loc, i32, v); }
  mlir::Value asFloat(mlir::Value v) {
    return mlir::arith::BitcastOp::create(builder, loc, f32, v);
  }
  mlir::Value widen(mlir::Value v) { return mlir::arith::ExtUIOp::create(builder, loc, i32, v); }
  mlir::Value narrow(mlir::Value v) { return mlir::arith::TruncIOp::create(builder, loc, i16, v); }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return mlir::arith::AddIOp::create(builder, loc, a, b);
  }
  mlir::Value sub(mlir::Value a, mlir::Value b) {
    return mlir::arith::SubIOp::create(builder, loc, a, b);
  }
  mlir::Value both(mlir::Value a, uint32_t b) {
    return mlir::arith::AndIOp::create(builder, loc, a, constant(b));
  }
  mlir::Value either(mlir::Value a, mlir::Value b) {
    return mlir::arith::OrIOp::create(builder, loc, a, b);
  }
  mlir::Value left(mlir::Value a, unsigned n) {
    return mlir::arith::ShLIOp::create(builder, loc, a, constant(n));
  }
  mlir::Value right(mlir::Value a, unsigned n) {
    return mlir::arith::ShRUIOp::create(builder, loc, a, constant(n));
  }
  mlir::Value less(mlir::Value a, uint32_t b) {
    return mlir::arith::CmpIOp::create(builder, loc, mlir::arith::CmpIPredicate::ult, a,
                                       constant(b));
  }
  mlir::Value select(mlir::Value c, mlir::Value a, mlir::Value b) {
    return mlir::arith::SelectOp::create(builder, loc, c, a, b);
  }
};

/// bits + (half - 1) + lowest kept bit: what rounding to nearest even drops then carries over.
inline mlir::Value roundBits(Bits &b, mlir::Value bits, unsigned dropped) {
  mlir::Value even = b.both(b.right(bits, dropped), 1);
  return b.add(b.add(bits, b.constant((1u << (dropped - 1)) - 1)), even);
}

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_BITS_H
