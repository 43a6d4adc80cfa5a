//===- Numbers.cpp - quantization and conversion of both levels -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A number that may be off falls between two codes, those of both ends of its
// interval: all codes whose numbers lie between are a tie. A code that is one of
// several stands for a number whose bound covers theirs.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;
using formats::Format;
using formats::Overflow;
using formats::Rounding;

namespace {
/// Codes of a format in the elements of a type.
struct Codes {
  Format format;
  const NumberFormat *held;

  /// What a code held as an integer stands for, as f32.
  double decode(int64_t code) const {
    return static_cast<float>(format.decode(numbers::getCode(format, code)));
  }
  Element decode(const Element &element) const;

  /// The code of a number, as an integer holds it.
  int64_t encode(double value, bool special) const;
  /// The element that holds it.
  Element make(int64_t code) const;
  /// The same where the number is only known to lie between those of `low` and `high`.
  Element makeBetween(int64_t code, int64_t low, int64_t high) const;
};

/// What the ops share, resolved once.
struct NumbersPayload : Payload {
  std::optional<Codes> from, to;
  const NumberFormat *values = nullptr; // of the floats on the other side
  // Of (de)quantization.
  const NumberFormat *scale = nullptr, *compute = nullptr, *precision = nullptr;
  bool hasZero = false, zeroIsCode = false, special = false;
  /// Per dimension how many elements share a scale, 0 for all; on tiles it follows from extents.
  std::optional<SmallVector<int64_t>> block;
};
} // namespace

Element Codes::decode(const Element &element) const {
  if (element.isUndefined() || held->isFloat)
    return element;
  Element result = Element::makeReal(decode(element.integer));
  if (element.isExact())
    return result;
  auto count = static_cast<int64_t>(format.getCodeCount());
  // Any code, if there are as many integers.
  int64_t reach =
      element.bound < static_cast<double>(count) ? static_cast<int64_t>(element.bound) : count;
  for (int64_t off = -reach; off <= reach; ++off) {
    double other = decode(element.integer + off);
    bool isSame = other == result.real || (std::isnan(other) && std::isnan(result.real));
    double distance = isSame ? 0 : std::fabs(other - result.real);
    result.bound = std::max(result.bound, std::isnan(distance) ? kUnbounded : distance);
  }
  return result;
}

int64_t Codes::encode(double value, bool special) const {
  Overflow overflow = special ? Overflow::Special : Overflow::Saturate;
  std::optional<uint32_t> code = format.encode(value, Rounding::NearestEven, overflow);
  return code ? *code : *format.encode(0, Rounding::NearestEven, overflow);
}

Element Codes::make(int64_t code) const {
  if (held->isFloat)
    return Element::makeReal(format.decode(static_cast<uint32_t>(code)));
  return Element::makeInteger(signExtend(
      numbers::holdsSigned(format) ? signExtend(code, format.getBits()) : code, held->bits));
}

Element Codes::makeBetween(int64_t code, int64_t low, int64_t high) const {
  Element result = make(code);
  if (low == code && high == code)
    return result;
  double lowest = decode(low), highest = decode(high);
  if (!std::isfinite(lowest) || !std::isfinite(highest)) {
    result.bound = kUnbounded;
    return result;
  }
  for (uint32_t other = 0; other < format.getCodeCount(); ++other)
    if (double value = decode(other); value >= lowest && value <= highest)
      result.bound = std::max(result.bound, getDistance(*held, make(other), result));
  return result;
}

static Element apply(Machine &machine, ScalarOp::Kind kind, const NumberFormat *format,
                     const Element &a, const Element &b) {
  ScalarOp op{kind, 2, format, format};
  Element operands[] = {a, b};
  return machine.arithmetic.evaluate(op, operands);
}

/// A float in another format: rounded where that has less bits.
static Element toFormat(Machine &machine, const NumberFormat *from, const NumberFormat *to,
                        const Element &element) {
  bool isWider = to->bits >= 32 && to->bits > from->bits;
  if (from == to || isWider)
    return element;
  ScalarOp op{ScalarOp::NarrowFloat, 1, from, to};
  return machine.arithmetic.evaluate(op, &element);
}

static Element dequantize(Machine &machine, const NumbersPayload &p, const NumberFormat *zeroFormat,
                          const Element &code, const Element &scale, const Element *zero) {
  Element value = p.from->decode(code);
  if (zero) {
    Element shift =
        p.zeroIsCode ? p.from->decode(*zero) : toFormat(machine, zeroFormat, p.compute, *zero);
    value = apply(machine, ScalarOp::SubF, p.compute, value, shift);
  }
  value = apply(machine, ScalarOp::MulF, p.compute, value,
                toFormat(machine, p.scale, p.compute, scale));
  return toFormat(machine, p.compute, p.values, value);
}

/// The code of a number that is only known within its bound, plus `shift` behind the rounding to an
/// integer.
static Element encode(const NumbersPayload &p, const Element &number, const Element *shift) {
  if (number.isUndefined() || (shift && shift->isUndefined()))
    return Element::makeUndefined();
  auto encodeAt = [&](double value, double behind) {
    // A NaN is no number to shift.
    if (shift && !std::isnan(value))
      value = std::nearbyint(value) + behind;
    return p.to->encode(value, p.special);
  };
  double behind = shift ? shift->real : 0, slack = shift ? shift->bound : 0;
  int64_t code = encodeAt(number.real, behind);
  if (number.bound == 0 && slack == 0)
    return p.to->make(code);
  if (number.bound == kUnbounded || slack == kUnbounded || !std::isfinite(number.real)) {
    Element result = p.to->make(code);
    result.bound = kUnbounded;
    return result;
  }
  return p.to->makeBetween(code, encodeAt(number.real - number.bound, behind - slack),
                           encodeAt(number.real + number.bound, behind + slack));
}

static Element quantize(Machine &machine, const NumbersPayload &p, const NumberFormat *zeroFormat,
                        const Element &value, const Element &scale, const Element *zero) {
  Element ratio =
      apply(machine, ScalarOp::DivF, p.precision, toFormat(machine, p.values, p.precision, value),
            toFormat(machine, p.scale, p.precision, scale));
  if (!zero)
    return encode(p, ratio, nullptr);
  Element shift =
      p.zeroIsCode ? p.to->decode(*zero) : toFormat(machine, zeroFormat, p.compute, *zero);
  if (p.zeroIsCode && p.to->format.isInteger())
    return encode(p, ratio, &shift);
  return encode(p, apply(machine, ScalarOp::AddF, p.compute, ratio, shift), nullptr);
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

static const NumberFormat *getElementFormat(Type type) {
  return getNumberFormat(getElementTypeOrSelf(type));
}

static LogicalResult prepareConvert(Compiler &compiler, Step &step) {
  auto op = cast<tile::ConvertOp>(step.op);
  auto payload = std::make_unique<NumbersPayload>();
  const NumberFormat *source = getElementFormat(op.getSource().getType());
  const NumberFormat *result = getElementFormat(op.getType());
  if (!source || !result)
    return compiler.machine.unsupported(op, "a conversion of these types");
  if (op.getFrom())
    payload->from = Codes{numbers::getFormat(*op.getFrom()), source};
  if (op.getTo())
    payload->to = Codes{numbers::getFormat(*op.getTo()), result};
  payload->special = op.getSpecial();
  payload->values = op.getFrom() ? result : source;
  payload->compute = getNumberFormat(Float32Type::get(op.getContext()));
  step.payload = std::move(payload);
  return success();
}

template <typename Op>
static LogicalResult prepareQuantization(Compiler &compiler, Op op, Type codes, Type values,
                                         NumbersPayload &payload) {
  payload.values = getElementFormat(values);
  payload.scale = getElementFormat(op.getScale().getType());
  const NumberFormat *held = getElementFormat(codes);
  if (!payload.values || !payload.scale || !held ||
      (op.getZero() && !getElementFormat(op.getZero().getType())))
    return compiler.machine.unsupported(op, "a quantization of these types");
  payload.compute = getNumberFormat(numbers::getComputeType(
      {getElementTypeOrSelf(values), getElementTypeOrSelf(op.getScale().getType())}));
  Codes both{numbers::getFormat(op.getFormat()), held};
  (isa<graph::DequantizeOp, tile::DequantizeOp>(op.getOperation()) ? payload.from : payload.to) =
      both;
  payload.hasZero = bool(op.getZero());
  payload.zeroIsCode =
      payload.hasZero &&
      numbers::isCode(getElementTypeOrSelf(op.getZero().getType()), getElementTypeOrSelf(codes));
  if constexpr (requires { op.getBlockSizes(); })
    payload.block = op.getBlockSizes();
  payload.precision = payload.compute;
  if constexpr (requires { op.getPrecision(); }) {
    payload.special = op.getSpecial();
    if (op.getPrecision())
      payload.precision = getNumberFormat(*op.getPrecision());
  }
  if (!payload.precision)
    return compiler.machine.unsupported(op, "a quantization of this precision");
  return success();
}

template <typename Op>
static LogicalResult prepareDequantize(Compiler &compiler, Step &step) {
  auto op = cast<Op>(step.op);
  auto payload = std::make_unique<NumbersPayload>();
  LogicalResult result =
      prepareQuantization(compiler, op, op.getCodes().getType(), op.getType(), *payload);
  step.payload = std::move(payload);
  return result;
}

template <typename Op>
static LogicalResult prepareQuantize(Compiler &compiler, Step &step) {
  auto op = cast<Op>(step.op);
  auto payload = std::make_unique<NumbersPayload>();
  LogicalResult result = prepareQuantization(compiler, op, op.getCodes().getType(),
                                             op.getValues().getType(), *payload);
  step.payload = std::move(payload);
  return result;
}

static LogicalResult executeConvert(Machine &machine, Frame &frame, const Step &step) {
  const auto &p = static_cast<const NumbersPayload &>(*step.payload);
  auto convert = [&](const Element &element) {
    Element number = p.from ? p.from->decode(element) : element;
    if (p.to)
      return encode(p, number, nullptr);
    return toFormat(machine, p.compute, p.values, number);
  };
  const Datum &source = frame[step.operands[0]];
  if (!source.object) {
    frame[step.results[0]] = makeDatum(convert(source.element));
    return machine.charge(step.op, 1);
  }
  const TensorObject &tensor = getTensor(source);
  TensorRef result = makeTensor(p.to ? p.to->held : p.values, tensor.shape);
  for (auto [to, from] : llvm::zip_equal(result->data, tensor.data))
    to = convert(from);
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(step.op, tensor.data.size());
}

namespace {
/// The elements of a scale or a zero point, by the coordinates of what they belong to.
struct Parameter {
  const TensorObject *tensor = nullptr; // null of a scalar
  Element scalar;
  Shape strides, block;

  const Element &at(ArrayRef<int64_t> coords) const {
    if (!tensor)
      return scalar;
    int64_t place = 0;
    for (size_t dim = 0; dim < strides.size(); ++dim)
      if (block[dim] != 0)
        place += coords[dim] / block[dim] * strides[dim];
    return tensor->data[place];
  }
};
} // namespace

/// Reads a parameter that belongs to a tensor of `shape`.
static FailureOr<Parameter> getParameter(Machine &machine, const Step &step, const Datum &datum,
                                         ArrayRef<int64_t> shape) {
  const auto &p = static_cast<const NumbersPayload &>(*step.payload);
  Parameter parameter;
  if (!datum.object) {
    parameter.scalar = datum.element;
    return parameter;
  }
  parameter.tensor = &getTensor(datum);
  parameter.strides = getRowMajorStrides(parameter.tensor->shape);
  for (auto [dim, extent] : llvm::enumerate(parameter.tensor->shape)) {
    int64_t size = p.block ? (*p.block)[dim] : extent == 1 ? 0 : 1;
    int64_t blocks = size == 0 ? 1 : static_cast<int64_t>(llvm::divideCeil(shape[dim], size));
    if (extent != blocks)
      return machine.fault(step.op, "has " + Twine(extent) +
                                        " scales or zero points along dimension " + Twine(dim) +
                                        " for " + Twine(blocks) + " blocks");
    parameter.block.push_back(size);
  }
  return parameter;
}

template <Element (*compute)(Machine &, const NumbersPayload &, const NumberFormat *,
                             const Element &, const Element &, const Element *)>
static LogicalResult executeQuantization(Machine &machine, Frame &frame, const Step &step) {
  const auto &p = static_cast<const NumbersPayload &>(*step.payload);
  const Datum &source = frame[step.operands[0]];
  const NumberFormat *zeroFormat =
      p.hasZero ? getElementFormat(step.op->getOperand(2).getType()) : nullptr;
  ArrayRef<int64_t> shape =
      source.object ? ArrayRef<int64_t>(getTensor(source).shape) : ArrayRef<int64_t>();
  FailureOr<Parameter> scale = getParameter(machine, step, frame[step.operands[1]], shape);
  FailureOr<Parameter> zero = p.hasZero
                                  ? getParameter(machine, step, frame[step.operands[2]], shape)
                                  : FailureOr<Parameter>(Parameter());
  if (failed(scale) || failed(zero))
    return failure();
  Shape coords(shape.size(), 0);
  auto at = [&](const Element &element) {
    return compute(machine, p, zeroFormat, element, scale->at(coords),
                   p.hasZero ? &zero->at(coords) : nullptr);
  };
  if (!source.object) {
    frame[step.results[0]] = makeDatum(at(source.element));
    return machine.charge(step.op, 1);
  }
  const TensorObject &tensor = getTensor(source);
  TensorRef result = makeTensor(p.to ? p.to->held : p.values, shape);
  for (auto [to, from] : llvm::zip_equal(result->data, tensor.data)) {
    to = at(from);
    advance(coords, shape);
  }
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(step.op, tensor.data.size());
}

void interp::addNumberHandlers(HandlerTable &table) {
  table["graph.dequantize"] = {executeQuantization<dequantize>,
                               prepareDequantize<graph::DequantizeOp>};
  table["graph.quantize"] = {executeQuantization<quantize>, prepareQuantize<graph::QuantizeOp>};
  table["tile.dequantize"] = {executeQuantization<dequantize>,
                              prepareDequantize<tile::DequantizeOp>};
  table["tile.quantize"] = {executeQuantization<quantize>, prepareQuantize<tile::QuantizeOp>};
  table["tile.convert"] = {executeConvert, prepareConvert};
}
