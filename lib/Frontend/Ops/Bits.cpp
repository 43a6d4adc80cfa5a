//===- Bits.cpp - operators on the bits of elements -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

LogicalResult sectile::frontend::importBitShift(Node &n) {
  Tensor *x = n.in(0), *y = n.in(1);
  std::string direction = n.stringAttr("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return n.fail("expects the direction to be LEFT or RIGHT, but got '" + direction + "'");
  // Signed integers came with opset 28.
  bool takesSigned = n.opset() >= 28;
  if (bitsOf(x->dtype) < 8 || !(isUnsigned(x->dtype) || (takesSigned && isSigned(x->dtype))))
    return n.fail(Twine("expects an ") + (takesSigned ? "integer" : "unsigned") +
                  " type of at least 8 bits, but got " + nameOf(x->dtype));
  if (failed(n.expectSameType({x, y})))
    return failure();
  FailureOr<Shape> shape = n.broadcast({x, y});
  if (failed(shape))
    return failure();
  n.result(0, n.emit.pointwise({x, y}, *shape, x->dtype, [&](const Scalar &s, ValueRange args) {
    // All bits go where there are fewer than the shift is long; arith leaves that open. Without
    // regard to its sign a negative shift is longer than any.
    Value bits = s.integer(bitsOf(s.dtype)), zero = s.integer(0);
    Value stays = arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::ult, args[1], bits);
    if (direction == "RIGHT" && isSigned(s.dtype)) {
      Value most = s.integer(bitsOf(s.dtype) - 1);
      return Value(arith::ShRSIOp::create(s.b, s.loc, args[0], s.select(stays, args[1], most)));
    }
    Value amount = s.select(stays, args[1], zero);
    Value shifted = direction == "LEFT"
                        ? Value(arith::ShLIOp::create(s.b, s.loc, args[0], amount))
                        : Value(arith::ShRUIOp::create(s.b, s.loc, args[0], amount));
    return s.select(stays, shifted, zero);
  }));
  return success();
}

LogicalResult sectile::frontend::importBitCast(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<int64_t> number = n.requiredIntAttr("to");
  if (failed(number))
    return failure();
  std::optional<DType> to = dtypeOf(*number);
  if (!to || bitsOf(*to) != bitsOf(x->dtype))
    return n.fail("expects a type of " + Twine(bitsOf(x->dtype)) + " bits, which " +
                  nameOf(x->dtype) + " has, but got " + nameOfNumber(*number));
  // Elements of less than a byte are held in one, each kind in its own way.
  if (bitsOf(*to) < 8 || isSmallFloat(*to) || isSmallFloat(x->dtype))
    return n.fail("elements of " + nameOf(x->dtype) + " and " + nameOf(*to) + " are not supported");
  // A bool's byte is 0 or 1, and any other byte would be no bool.
  if (*to == DType::Bool && x->dtype != DType::Bool)
    return n.fail("a cast to bool is not supported", "compare with 0");
  if (x->dtype == DType::Bool ||
      mlirType(*to, n.emit.b.getContext()) == mlirType(x->dtype, n.emit.b.getContext())) {
    n.result(0, n.emit.cast(x, *to));
    return success();
  }
  n.result(0, n.emit.pointwise({x}, x->shape, *to, [&](const Scalar &s, ValueRange args) {
    return Value(arith::BitcastOp::create(s.b, s.loc, s.as(*to).type(), args[0]));
  }));
  return success();
}
