//===- Sum.cpp - how far a sum may be off in any order -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sum.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

void Sum::add(const Element &term) {
  if (value.isUndefined() || term.isUndefined()) {
    value = Element::makeUndefined();
    return;
  }
  value = Element::makeReal(value.real + term.real, value.bound + term.bound);
  count(term);
}

Element Sum::get(const NumberFormat &format, double terms) const {
  Element element = value;
  if (element.isUndefined() || !std::isfinite(element.real))
    return element;
  if (isIntegral && magnitude <= 1 / format.unit)
    return element; // every partial sum is exact
  if (magnitude > format.largest)
    element.bound = kUnbounded; // some order overflows
  element.bound += terms * (format.unit * magnitude + format.tiny) + terms * 0x1p-52 * magnitude;
  return element;
}

bool interp::isFloatSum(Block &body, unsigned number, unsigned count) {
  auto add = body.getTerminator()->getOperand(number).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  Value first = body.getArgument(number), second = body.getArgument(count + number);
  return (add.getLhs() == first && add.getRhs() == second) ||
         (add.getLhs() == second && add.getRhs() == first);
}
