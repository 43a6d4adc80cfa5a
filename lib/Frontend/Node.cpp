//===- Node.cpp - one node of a model, as its import sees it ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

Node::Node(Emitter &emit, const onnx::NodeProto &proto, std::string shownName, int64_t opset,
           SmallVector<Tensor *> inputs,
           const llvm::StringMap<const onnx::AttributeProto *> *outerAttributes,
           ConstantReader reader, Repeater repeater)
    : proto(proto), emit(emit), syms(emit.syms), name(std::move(shownName)), version(opset),
      inputs(std::move(inputs)), results(proto.output_size()), outerAttributes(outerAttributes),
      reader(reader), repeater(repeater) {}

std::string Node::title() const { return "node '" + name + "' (" + proto.op_type() + ")"; }

bool Node::wants(unsigned i) const {
  return i < numResults() && !proto.output(static_cast<int>(i)).empty();
}

LogicalResult Node::fail(const Twine &why, const Twine &what) {
  reason = why.str();
  suggestion = what.str();
  return failure();
}

std::string Node::text(ArrayRef<SymExpr> shape) {
  auto parts = llvm::map_range(shape, [](const SymExpr &extent) { return extent.str(); });
  return "[" + llvm::join(parts, ", ") + "]";
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

const onnx::AttributeProto *Node::find(StringRef wanted) {
  readAttributes.insert(wanted);
  for (const onnx::AttributeProto &attr : proto.attribute()) {
    if (StringRef(attr.name()) != wanted)
      continue;
    if (attr.ref_attr_name().empty())
      return &attr;
    // In a model-local function: what the call gave, or nothing.
    if (outerAttributes)
      return outerAttributes->lookup(attr.ref_attr_name());
    malformedAttribute = wanted.str();
  }
  return nullptr;
}

const onnx::AttributeProto *Node::attribute(StringRef wanted,
                                            onnx::AttributeProto::AttributeType type) {
  const onnx::AttributeProto *attr = find(wanted);
  if (attr && (!attr->has_type() || attr->type() != type)) {
    malformedAttribute = wanted.str();
    return nullptr;
  }
  return attr;
}

int64_t Node::intAttr(StringRef wanted, int64_t otherwise) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::INT);
  return attr ? attr->i() : otherwise;
}

FailureOr<int64_t> Node::requiredIntAttr(StringRef wanted) {
  if (const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::INT))
    return attr->i();
  return fail("expects an integer attribute '" + wanted + "'");
}

double Node::floatAttr(StringRef wanted, double otherwise) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::FLOAT);
  // A default is a float too, as the standard writes it: 1e-5 for doubles as well is not 1e-5.
  return attr ? attr->f() : static_cast<float>(otherwise);
}

std::string Node::stringAttr(StringRef wanted, StringRef otherwise) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::STRING);
  return attr ? attr->s() : otherwise.str();
}

std::optional<SmallVector<int64_t>> Node::intsAttr(StringRef wanted) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::INTS);
  if (!attr)
    return std::nullopt;
  return SmallVector<int64_t>(attr->ints().begin(), attr->ints().end());
}

std::optional<SmallVector<double>> Node::floatsAttr(StringRef wanted) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::FLOATS);
  if (!attr)
    return std::nullopt;
  return SmallVector<double>(attr->floats().begin(), attr->floats().end());
}

std::vector<std::string> Node::stringsAttr(StringRef wanted) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::STRINGS);
  if (!attr)
    return {};
  return {attr->strings().begin(), attr->strings().end()};
}

const onnx::TensorProto *Node::tensorAttr(StringRef wanted) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::TENSOR);
  return attr ? &attr->t() : nullptr;
}

const onnx::GraphProto *Node::graphAttr(StringRef wanted) {
  const onnx::AttributeProto *attr = attribute(wanted, onnx::AttributeProto::GRAPH);
  return attr ? &attr->g() : nullptr;
}

FailureOr<Tensor *> Node::readTensor(const onnx::TensorProto &tensor) {
  std::string why;
  FailureOr<Tensor *> read = reader(tensor, why);
  if (failed(read))
    return fail(why);
  return read;
}

LogicalResult Node::checkAttributes() {
  if (!malformedAttribute.empty())
    return fail("attribute '" + malformedAttribute + "' has the wrong type");
  llvm::StringSet<> seen;
  for (const onnx::AttributeProto &attr : proto.attribute()) {
    if (!readAttributes.contains(attr.name()))
      return fail("attribute '" + attr.name() + "' is not known");
    if (!seen.insert(attr.name()).second)
      return fail("attribute '" + attr.name() + "' is given twice");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

FailureOr<int64_t> Node::axis(int64_t value, int64_t rank) {
  if (value < -rank || value >= rank)
    return fail("expects an axis in [" + Twine(-rank) + ", " + Twine(rank) + "), but got " +
                Twine(value));
  return value < 0 ? value + rank : value;
}

FailureOr<SmallVector<int64_t>> Node::axes(ArrayRef<int64_t> values, int64_t rank) {
  SmallVector<int64_t> sorted;
  for (int64_t value : values) {
    FailureOr<int64_t> known = axis(value, rank);
    if (failed(known))
      return failure();
    if (llvm::is_contained(sorted, *known))
      return fail("expects distinct axes, but got " + Twine(value) + " twice");
    sorted.push_back(*known);
  }
  llvm::sort(sorted);
  return sorted;
}

FailureOr<Shape> Node::elements(unsigned input, StringRef what, bool mayBeCut) {
  std::optional<Shape> known = emit.elements(in(input));
  if (!known)
    return fail("expects " + what +
                    " to follow from constants and input sizes, but it depends "
                    "on the data",
                "fold the computation of " + what + " into constants before exporting");
  llvm::SetVector<const SymAtom *> values;
  for (const SymExpr &element : *known)
    SymContext::visitValues(element, [&](const SymAtom *atom) { values.insert(atom); });
  for (const SymAtom *atom : values) {
    if (mayBeCut)
      break;
    SymExpr value = SymExpr::of(atom);
    SymExpr inside =
        syms.less(value, Emitter::kMostValue) * syms.less(SymExpr(-Emitter::kMostValue), value);
    if (failed(require(inside,
                       "expects numbers below 2^31 in magnitude for " + what + ", but got %0",
                       {value})))
      return failure();
  }
  return *known;
}

FailureOr<SmallVector<int64_t>> Node::integers(unsigned input, StringRef what) {
  FailureOr<Shape> known = elements(input, what);
  if (failed(known))
    return failure();
  SmallVector<int64_t> values;
  for (const SymExpr &element : *known) {
    std::optional<int64_t> value = element.constant();
    if (!value)
      return fail("expects " + what + " to be constant, but got " + element.str());
    values.push_back(*value);
  }
  return values;
}

FailureOr<SymExpr> Node::scaledExtent(const SymExpr &extent, Tensor *scales, int64_t number,
                                      StringRef what) {
  double most = static_cast<double>(Emitter::kMostElements);
  std::optional<int64_t> size = syms.simplify(extent).constant();
  // In float32, as everybody computes it: 5 * 1.4 is 7, though the float32 next to 1.4 is below it.
  bool isDouble = scales->dtype == DType::F64;
  Value factor;
  if (scales->constant) {
    double scale = emit.constantElement(scales, number);
    if (!(scale >= 0 && scale <= most))
      return fail("expects a " + what + " from 0 to 2^40, but got " + std::to_string(scale));
    if (scale == std::floor(scale))
      return extent * SymExpr(static_cast<int64_t>(scale));
    if (size)
      return SymExpr(
          isDouble ? static_cast<int64_t>(static_cast<double>(*size) * scale)
                   : static_cast<int64_t>(static_cast<float>(*size) * static_cast<float>(scale)));
    factor = emit.scalars(DType::F64).constant(scale);
  } else {
    factor = emit.readNumber(scales, number);
  }
  if (!factor)
    return fail("expects a " + what + " that is constant or an input, but it depends on the data",
                "fold the computation of the " + what + " into constants before exporting");
  Scalar s = emit.scalars(isDouble ? DType::F64 : DType::F32);
  factor = emit.scalars(DType::F64).convert(factor, s.dtype);
  Value product = s.mul(s.fromIndex(emit.index(extent)), factor);
  // What is no size must not reach the conversion, which leaves open what becomes of it.
  Value isLow = s.compare(Compare::GreaterEqual, product, s.constant(0));
  Value isHigh = s.compare(Compare::LessEqual, product, s.constant(most));
  Value fits = mlir::arith::AndIOp::create(emit.b, emit.loc, isLow, isHigh);
  Value whole = s.convert(s.select(fits, product, s.constant(-1)), DType::I64);
  Value index = mlir::arith::IndexCastOp::create(emit.b, emit.loc, emit.b.getIndexType(), whole);
  // Kernels take indices alone: what would fold with their conversions must not.
  Value none = mlir::arith::ConstantIndexOp::create(emit.b, emit.loc, -1);
  index = mlir::arith::MaxSIOp::create(emit.b, emit.loc, index, none);
  return emit.nameSize(index, what,
                       llvm::Twine(title()) + ": expects a " + what +
                           " that gives sizes from 0 to 2^40");
}

FailureOr<std::optional<SmallVector<int64_t>>> Node::integers(StringRef attribute, unsigned input) {
  if (std::optional<SmallVector<int64_t>> values = intsAttr(attribute))
    return values;
  if (!has(input))
    return std::optional<SmallVector<int64_t>>();
  FailureOr<SmallVector<int64_t>> values = integers(input, attribute);
  if (failed(values))
    return failure();
  return std::optional<SmallVector<int64_t>>(std::move(values));
}

FailureOr<double> Node::number(unsigned input, StringRef what) {
  std::optional<double> value = emit.constantScalar(in(input));
  if (!value)
    return fail("expects " + what + " to be one constant");
  return *value;
}

LogicalResult Node::expectSameType(ArrayRef<Tensor *> tensors) {
  for (Tensor *tensor : tensors)
    if (tensor && tensor->dtype != tensors[0]->dtype)
      return fail("expects inputs of one type, but got " + nameOf(tensors[0]->dtype) + " and " +
                  nameOf(tensor->dtype));
  return success();
}

LogicalResult Node::expectFloat(Tensor *tensor) {
  if (isFloat(tensor->dtype) && bitsOf(tensor->dtype) >= 16)
    return success();
  return fail("expects float32, float64, float16 or bfloat16, but got " + nameOf(tensor->dtype));
}

LogicalResult Node::expectNumber(Tensor *tensor) {
  if (tensor->dtype != DType::Bool && bitsOf(tensor->dtype) >= 8 &&
      (!isFloat(tensor->dtype) || bitsOf(tensor->dtype) >= 16))
    return success();
  return fail("expects a numeric type of at least 8 bits, but got " + nameOf(tensor->dtype));
}

LogicalResult Node::expectRank(Tensor *tensor, int64_t low, int64_t high) {
  if (tensor->rank() >= low && tensor->rank() <= high)
    return success();
  return fail("expects an input of rank " +
              (low == high ? Twine(low) : Twine(low) + " to " + Twine(high)) + ", but got " +
              text(tensor->shape));
}

LogicalResult Node::require(const SymExpr &condition, const Twine &what, ArrayRef<SymExpr> values) {
  SymExpr holds = syms.simplify(condition);
  if (!holds.isValid())
    return fail("the sizes overflow 64 bits");
  std::string message = what.str();
  if (!holds.isConstant(0)) {
    emit.check(holds, title() + ": " + message, values);
    return success();
  }
  for (auto [i, value] : llvm::enumerate(values)) {
    std::string place = "%" + std::to_string(i);
    for (size_t at = message.find(place); at != std::string::npos; at = message.find(place))
      message.replace(at, place.size(), syms.simplify(value).str());
  }
  return fail(message);
}

/// Has what was checked known from here on: a == b.
static void assumeEqual(SymContext &syms, const SymExpr &a, const SymExpr &b) {
  const SymAtom *x = a.asAtom(), *y = b.asAtom();
  bool isDerived = x && x->kind != SymAtom::Kind::Symbol;
  // Symbols stay, what is derived from them goes; between symbols the first one stays.
  if (x && (isDerived || b.constant() || !y || (y->kind == SymAtom::Kind::Symbol && x->id > y->id)))
    syms.assume(x, b);
  else if (y)
    syms.assume(y, a);
}

LogicalResult Node::expectEqual(const SymExpr &left, const SymExpr &right, StringRef what) {
  SymExpr a = syms.simplify(left), b = syms.simplify(right);
  if (a == b)
    return success();
  if (failed(
          require(syms.equal(a, b), "expects " + what + " to be equal, but got %0 and %1", {a, b})))
    return failure();
  assumeEqual(syms, a, b);
  return success();
}

/// Whether two extents that may be broadcast must in fact be equal: min(s, 1024) is 1 only where
/// s is 1 (or less, and then they are equal too).
static bool broadcastMeansEqual(const SymExpr &a, const SymExpr &b) {
  const SymAtom *atom = a.asAtom();
  if (!atom || atom->kind != SymAtom::Kind::Min)
    return false;
  for (const auto &[arg, other] :
       {std::pair(atom->args[0], atom->args[1]), std::pair(atom->args[1], atom->args[0])})
    if (arg == b && other.constant() && *other.constant() >= 2)
      return true;
  return false;
}

FailureOr<SymExpr> Node::broadcastExtent(const SymExpr &left, const SymExpr &right) {
  SymExpr a = syms.simplify(left), b = syms.simplify(right);
  if (a == b || b.isConstant(1))
    return a;
  if (a.isConstant(1))
    return b;
  if (broadcastMeansEqual(a, b) || broadcastMeansEqual(b, a)) {
    if (failed(expectEqual(a, b, "extents")))
      return failure();
    return syms.simplify(a);
  }
  // max of three flags: 1 if any holds.
  SymExpr isAllowed = syms.max(syms.equal(a, b), syms.max(syms.equal(a, 1), syms.equal(b, 1)));
  if (failed(require(isAllowed, "expects extents to be equal or 1, but got %0 and %1", {a, b})))
    return failure();
  return syms.broadcast(a, b);
}

FailureOr<Shape> Node::broadcast(ArrayRef<ArrayRef<SymExpr>> shapes) {
  Shape result;
  for (ArrayRef<SymExpr> shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), SymExpr(1));
    size_t shift = result.size() - shape.size();
    for (auto [dim, extent] : llvm::enumerate(shape)) {
      FailureOr<SymExpr> joined = broadcastExtent(result[shift + dim], extent);
      if (failed(joined))
        return failure();
      result[shift + dim] = *joined;
    }
  }
  for (SymExpr &extent : result)
    extent = syms.simplify(extent);
  return result;
}

FailureOr<Shape> Node::broadcast(ArrayRef<Tensor *> tensors) {
  return broadcast(llvm::map_to_vector(
      tensors, [](Tensor *tensor) { return ArrayRef<SymExpr>(tensor->shape); }));
}
