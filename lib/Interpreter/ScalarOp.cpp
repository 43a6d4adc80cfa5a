//===- ScalarOp.cpp - which scalar op an operation applies -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarOp.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace sectile::interp;

static const llvm::StringMap<ScalarOp::Kind> &getKinds() {
  static const llvm::StringMap<ScalarOp::Kind> kinds = {
      {"arith.addi", ScalarOp::AddI},
      {"arith.subi", ScalarOp::SubI},
      {"arith.muli", ScalarOp::MulI},
      {"arith.divsi", ScalarOp::DivSI},
      {"arith.divui", ScalarOp::DivUI},
      {"arith.remsi", ScalarOp::RemSI},
      {"arith.remui", ScalarOp::RemUI},
      {"arith.ceildivsi", ScalarOp::CeilDivSI},
      {"arith.ceildivui", ScalarOp::CeilDivUI},
      {"arith.floordivsi", ScalarOp::FloorDivSI},
      {"arith.andi", ScalarOp::AndI},
      {"arith.ori", ScalarOp::OrI},
      {"arith.xori", ScalarOp::XOrI},
      {"arith.shli", ScalarOp::ShLI},
      {"arith.shrsi", ScalarOp::ShRSI},
      {"arith.shrui", ScalarOp::ShRUI},
      {"arith.maxsi", ScalarOp::MaxSI},
      {"arith.minsi", ScalarOp::MinSI},
      {"arith.maxui", ScalarOp::MaxUI},
      {"arith.minui", ScalarOp::MinUI},
      {"arith.cmpi", ScalarOp::CmpI},
      {"arith.extsi", ScalarOp::SignExtend},
      {"arith.trunci", ScalarOp::SignExtend},
      {"arith.index_cast", ScalarOp::SignExtend},
      {"arith.extui", ScalarOp::ZeroExtend},
      {"arith.index_castui", ScalarOp::ZeroExtend},
      {"arith.sitofp", ScalarOp::SignedToFloat},
      {"arith.uitofp", ScalarOp::UnsignedToFloat},
      {"arith.fptosi", ScalarOp::FloatToSigned},
      {"arith.fptoui", ScalarOp::FloatToUnsigned},
      {"arith.extf", ScalarOp::WidenFloat},
      {"arith.truncf", ScalarOp::NarrowFloat},
      {"arith.bitcast", ScalarOp::Bitcast},
      {"arith.addf", ScalarOp::AddF},
      {"arith.subf", ScalarOp::SubF},
      {"arith.mulf", ScalarOp::MulF},
      {"arith.divf", ScalarOp::DivF},
      {"arith.remf", ScalarOp::RemF},
      {"arith.negf", ScalarOp::NegF},
      {"arith.maximumf", ScalarOp::MaximumF},
      {"arith.minimumf", ScalarOp::MinimumF},
      {"arith.maxnumf", ScalarOp::MaxNumF},
      {"arith.minnumf", ScalarOp::MinNumF},
      {"arith.cmpf", ScalarOp::CmpF},
      {"arith.select", ScalarOp::Select},
      {"math.absi", ScalarOp::AbsI},
      {"math.ctpop", ScalarOp::CountOnes},
      {"math.ctlz", ScalarOp::CountLeadingZeros},
      {"math.cttz", ScalarOp::CountTrailingZeros},
      {"math.ipowi", ScalarOp::PowI},
      {"math.absf", ScalarOp::AbsF},
      {"math.copysign", ScalarOp::CopySign},
      {"math.fma", ScalarOp::Fma},
      {"math.powf", ScalarOp::PowF},
      {"math.fpowi", ScalarOp::FPowI},
      {"math.atan2", ScalarOp::Atan2},
      {"math.clampf", ScalarOp::ClampF},
      {"math.isnan", ScalarOp::IsNaN},
      {"math.isinf", ScalarOp::IsInf},
      {"math.isfinite", ScalarOp::IsFinite},
  };
  return kinds;
}

/// What implementations of elementary functions promise: 4 units in the last place.
static constexpr unsigned kElementary = 8;

static const llvm::StringMap<RealFunction> &getFunctions() {
  static const llvm::StringMap<RealFunction> functions = {
      {"math.exp", {[](double x) { return std::exp(x); }, RealFunction::Monotone, kElementary}},
      {"math.exp2", {[](double x) { return std::exp2(x); }, RealFunction::Monotone, kElementary}},
      {"math.expm1", {[](double x) { return std::expm1(x); }, RealFunction::Monotone, kElementary}},
      {"math.log", {[](double x) { return std::log(x); }, RealFunction::Monotone, kElementary}},
      {"math.log2", {[](double x) { return std::log2(x); }, RealFunction::Monotone, kElementary}},
      {"math.log10", {[](double x) { return std::log10(x); }, RealFunction::Monotone, kElementary}},
      {"math.log1p", {[](double x) { return std::log1p(x); }, RealFunction::Monotone, kElementary}},
      {"math.sqrt", {[](double x) { return std::sqrt(x); }, RealFunction::Monotone, 1}},
      {"math.rsqrt",
       {[](double x) { return 1 / std::sqrt(x); }, RealFunction::Monotone, kElementary}},
      {"math.cbrt", {[](double x) { return std::cbrt(x); }, RealFunction::Monotone, kElementary}},
      {"math.sin", {[](double x) { return std::sin(x); }, RealFunction::Oscillating, kElementary}},
      {"math.cos", {[](double x) { return std::cos(x); }, RealFunction::Oscillating, kElementary}},
      {"math.tan", {[](double x) { return std::tan(x); }, RealFunction::Tangent, kElementary}},
      {"math.asin", {[](double x) { return std::asin(x); }, RealFunction::Monotone, kElementary}},
      {"math.acos", {[](double x) { return std::acos(x); }, RealFunction::Monotone, kElementary}},
      {"math.atan", {[](double x) { return std::atan(x); }, RealFunction::Monotone, kElementary}},
      {"math.sinh", {[](double x) { return std::sinh(x); }, RealFunction::Monotone, kElementary}},
      {"math.cosh", {[](double x) { return std::cosh(x); }, RealFunction::Even, kElementary}},
      {"math.tanh", {[](double x) { return std::tanh(x); }, RealFunction::Monotone, kElementary}},
      {"math.asinh", {[](double x) { return std::asinh(x); }, RealFunction::Monotone, kElementary}},
      {"math.acosh", {[](double x) { return std::acosh(x); }, RealFunction::Monotone, kElementary}},
      {"math.atanh", {[](double x) { return std::atanh(x); }, RealFunction::Monotone, kElementary}},
      {"math.erf", {[](double x) { return std::erf(x); }, RealFunction::Monotone, kElementary}},
      {"math.erfc", {[](double x) { return std::erfc(x); }, RealFunction::Monotone, kElementary}},
      {"math.floor", {[](double x) { return std::floor(x); }, RealFunction::Monotone, 0}},
      {"math.ceil", {[](double x) { return std::ceil(x); }, RealFunction::Monotone, 0}},
      {"math.round", {[](double x) { return std::round(x); }, RealFunction::Monotone, 0}},
      {"math.roundeven", {[](double x) { return std::nearbyint(x); }, RealFunction::Monotone, 0}},
      {"math.trunc", {[](double x) { return std::trunc(x); }, RealFunction::Monotone, 0}},
  };
  return functions;
}

std::optional<ScalarOp> sectile::interp::getScalarOp(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 || op->getNumRegions() != 0)
    return std::nullopt;
  StringRef name = op->getName().getStringRef();
  ScalarOp result{};
  auto kind = getKinds().find(name);
  auto function = getFunctions().find(name);
  if (kind != getKinds().end()) {
    result.kind = kind->second;
  } else if (function != getFunctions().end()) {
    result.kind = ScalarOp::Apply;
    result.function = &function->second;
  } else {
    return std::nullopt;
  }
  result.numOperands = op->getNumOperands();
  result.in = getNumberFormat(getElementTypeOrSelf(op->getOperands().back().getType()));
  result.out = getNumberFormat(getElementTypeOrSelf(op->getResult(0).getType()));
  if (!result.in || !result.out)
    return std::nullopt;
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    result.predicate = static_cast<int64_t>(compare.getPredicate());
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    result.predicate = static_cast<int64_t>(compare.getPredicate());
    result.isReflexive = compare.getLhs() == compare.getRhs();
  }
  return result;
}
