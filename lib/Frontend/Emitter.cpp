//===- Emitter.cpp - tensors, constants and sizes ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/xxhash.h"

#include <sys/mman.h>

#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

static_assert(llvm::endianness::native == llvm::endianness::little,
              "constants are read as the model stores them");

/// Constants below this many elements are attributes, readable and folded by upstream passes.
static constexpr int64_t kSmallConstant = 64;
/// Longer integer tensors are data, not shapes.
static constexpr int64_t kMaxElements = 256;

Emitter::Emitter(MLIRContext *context, SymContext &syms)
    : b(context), loc(UnknownLoc::get(context)), syms(syms) {}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Tensor *Emitter::make(DType dtype, Shape shape, Value value) {
  Tensor &tensor = tensors.emplace_back();
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.value = value;
  return &tensor;
}

Tensor *Emitter::known(DType dtype, Shape shape, Shape elements) {
  Tensor *tensor = make(dtype, std::move(shape), Value());
  overflowed |= !llvm::all_of(elements, [](const SymExpr &expr) { return expr.isValid(); });
  tensor->elements = std::move(elements);
  return tensor;
}

Tensor *Emitter::constant(DType dtype, Shape shape, Constant bytes, StringRef name) {
  Tensor *tensor = make(dtype, std::move(shape), Value());
  tensor->constant = std::move(bytes);
  tensor->name = name.str();
  return tensor;
}

template <typename T>
static Constant bytesOf(T value) {
  auto owner = std::make_shared<T>(value);
  return {ArrayRef<char>(reinterpret_cast<const char *>(owner.get()), sizeof(T)), owner};
}

Tensor *Emitter::scalar(DType dtype, double value) {
  if (dtype == DType::F64)
    return constant(dtype, {}, bytesOf(value), "");
  if (auto type = dyn_cast<FloatType>(mlirType(dtype, b.getContext()))) {
    APFloat rounded(value);
    bool losesInfo;
    rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
    uint64_t bits = rounded.bitcastToAPInt().getZExtValue();
    Constant bytes = bytesOf(bits);
    bytes.bytes = bytes.bytes.take_front(bitsOf(dtype) / 8);
    return constant(dtype, {}, bytes, "");
  }
  int64_t held = isHeldAsCode(dtype) ? *numbers::getFormat(formatOf(dtype)).encode(value)
                                     : static_cast<int64_t>(value);
  Constant bytes = bytesOf(held);
  bytes.bytes = bytes.bytes.take_front((bitsOf(dtype) + 7) / 8);
  return constant(dtype, {}, bytes, "");
}

RankedTensorType Emitter::type(DType dtype, ArrayRef<SymExpr> shape) {
  SmallVector<int64_t> extents;
  for (const SymExpr &extent : shape) {
    SymExpr known = syms.simplify(extent);
    std::optional<int64_t> constant = known.constant();
    overflowed |= !known.isValid() || (constant && *constant < 0);
    extents.push_back(constant && *constant >= 0 ? *constant : ShapedType::kDynamic);
  }
  return RankedTensorType::get(extents, mlirType(dtype, b.getContext()));
}

Value Emitter::refine(Value value, DType dtype, ArrayRef<SymExpr> shape) {
  RankedTensorType wanted = type(dtype, shape);
  if (value.getType() == wanted)
    return value;
  return tensor::CastOp::create(b, loc, wanted, value);
}

Value Emitter::value(Tensor *tensor) {
  for (SymExpr &extent : tensor->shape)
    extent = syms.simplify(extent);
  if (tensor->value)
    return tensor->value = refine(tensor->value, tensor->dtype, tensor->shape);
  if (tensor->constant)
    return tensor->value = constantValue(tensor);
  RankedTensorType wanted = type(tensor->dtype, tensor->shape);
  SmallVector<APInt> constants;
  unsigned width = cast<IntegerType>(wanted.getElementType()).getWidth();
  for (const SymExpr &element : *tensor->elements)
    if (std::optional<int64_t> constant = syms.simplify(element).constant())
      constants.push_back(APInt(64, *constant, true).trunc(width));
  if (constants.size() == tensor->elements->size())
    return tensor->value =
               arith::ConstantOp::create(b, loc, DenseElementsAttr::get(wanted, constants));
  SmallVector<Value> elements;
  for (const SymExpr &element : *tensor->elements)
    elements.push_back(scalars(tensor->dtype).fromIndex(index(element)));
  return tensor->value = tensor::FromElementsOp::create(b, loc, wanted, elements);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static int64_t elementCount(const Tensor *tensor) {
  return *Emitter::product(tensor->shape).constant();
}

int64_t Emitter::constantInteger(const Tensor *tensor, int64_t index) {
  if (!tensor->constant)
    return *(*tensor->elements)[index].constant();
  const char *bytes = tensor->constant->bytes.data();
  unsigned bits = bitsOf(tensor->dtype);
  if (bits < 8) { // packed, the first in the low bits
    int64_t perByte = 8 / bits;
    uint64_t code = static_cast<unsigned char>(bytes[index / perByte]) >> (index % perByte * bits);
    code &= (1u << bits) - 1;
    return isSigned(tensor->dtype) ? llvm::SignExtend64(code, bits) : static_cast<int64_t>(code);
  }
  uint64_t raw = 0;
  std::memcpy(&raw, bytes + index * (bits / 8), bits / 8);
  if (!isSigned(tensor->dtype))
    return static_cast<int64_t>(raw);
  return llvm::SignExtend64(raw, bits);
}

std::optional<Shape> Emitter::elements(Tensor *tensor) {
  if (!tensor->elements && tensor->constant && !isFloat(tensor->dtype) &&
      tensor->dtype != DType::U64 && elementCount(tensor) <= kMaxElements) {
    Shape elements;
    for (int64_t i = 0, e = elementCount(tensor); i < e; ++i)
      elements.push_back(constantInteger(tensor, i));
    tensor->elements = std::move(elements);
  }
  if (tensor->elements)
    for (SymExpr &element : *tensor->elements)
      element = syms.simplify(element);
  return tensor->elements;
}

double Emitter::constantElement(const Tensor *tensor, int64_t index) {
  if (!isFloat(tensor->dtype)) {
    int64_t value = constantInteger(tensor, index);
    return tensor->dtype == DType::U64 ? static_cast<double>(static_cast<uint64_t>(value))
                                       : static_cast<double>(value);
  }
  if (isHeldAsCode(tensor->dtype))
    return numbers::getFormat(formatOf(tensor->dtype))
        .decode(static_cast<uint32_t>(constantInteger(tensor, index)));
  auto type = cast<FloatType>(mlirType(tensor->dtype, b.getContext()));
  unsigned bits = bitsOf(tensor->dtype);
  uint64_t raw = 0;
  std::memcpy(&raw, tensor->constant->bytes.data() + index * (bits / 8), bits / 8);
  APFloat value(type.getFloatSemantics(), APInt(bits, raw));
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

std::optional<double> Emitter::constantScalar(const Tensor *tensor) {
  if (!product(tensor->shape).isConstant(1))
    return std::nullopt;
  bool isKnown = tensor->elements && (*tensor->elements)[0].constant();
  if (!tensor->constant && !isKnown)
    return std::nullopt;
  return constantElement(tensor, 0);
}

static uint64_t hashOf(ArrayRef<char> bytes) {
  return llvm::xxh3_64bits(
      ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
}

/// A copy of bytes that a file holds at no alignment. Large ones lie in large pages where there are
/// such: a model's weights would be a fault for every 4 KiB.
static AsmResourceBlob copyAligned(ArrayRef<char> bytes) {
  constexpr size_t kLargePage = size_t(2) << 20;
  bool isLarge = bytes.size() >= 2 * kLargePage;
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes.size(), isLarge ? kLargePage : 64);
  char *place = blob.getMutableData().data();
  if (isLarge)
    (void)madvise(place, llvm::alignDown(bytes.size(), kLargePage), MADV_HUGEPAGE); // a hint
  std::memcpy(place, bytes.data(), bytes.size());
  return blob;
}

DenseResourceElementsHandle Emitter::store(const Tensor *tensor, ArrayRef<char> bytes,
                                           size_t alignment, std::shared_ptr<const void> owner) {
  // Most constants differ from all others in what they begin with: the rest of gigabytes is not
  // read.
  constexpr size_t kBegin = 4096;
  SmallVector<StoredConstant, 1> &candidates = stored[hashOf(bytes.take_front(kBegin))];
  std::optional<uint64_t> hash;
  if (!candidates.empty())
    hash = hashOf(bytes);
  for (StoredConstant &candidate : candidates) {
    if (!candidate.hash)
      candidate.hash = hashOf(candidate.bytes);
    if (candidate.hash == hash && candidate.bytes == bytes)
      return candidate.handle;
  }
  AsmResourceBlob blob = [&] {
    if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment != 0)
      return copyAligned(bytes);
    return UnmanagedAsmResourceBlob::allocateWithAlign(
        bytes, alignment, [owner](void *, size_t, size_t) mutable { owner.reset(); });
  }();
  ArrayRef<char> kept = blob.getData();
  auto &manager = DenseResourceElementsHandle::getManagerInterface(b.getContext());
  DenseResourceElementsHandle handle =
      manager.insert(tensor->name.empty() ? "constant" : tensor->name, std::move(blob));
  candidates.push_back({kept, handle, hash});
  return handle;
}

/// One byte per element, as MLIR stores 4-bit integers.
/// A byte for each element of less bits.
static std::shared_ptr<std::string> unpack(const Tensor *tensor, int64_t count) {
  auto bytes = std::make_shared<std::string>();
  bytes->reserve(count);
  for (int64_t i = 0; i < count; ++i)
    bytes->push_back(static_cast<char>(Emitter::constantInteger(tensor, i)));
  return bytes;
}

Value Emitter::constantValue(Tensor *tensor) {
  auto where =
      tensor->name.empty()
          ? loc
          : Location(NameLoc::get(b.getStringAttr(tensor->name), UnknownLoc::get(b.getContext())));
  RankedTensorType wanted = type(tensor->dtype, tensor->shape);
  int64_t count = elementCount(tensor);
  ArrayRef<char> bytes = tensor->constant->bytes;
  std::shared_ptr<const void> owner = tensor->constant->owner;
  if (bitsOf(tensor->dtype) < 8) {
    auto unpacked = unpack(tensor, count);
    bytes = ArrayRef<char>(unpacked->data(), unpacked->size());
    owner = unpacked;
  }
  size_t width = std::max<size_t>(1, bitsOf(tensor->dtype) / 8);
  bool isSplat =
      count > 0 && std::memcmp(bytes.data(), bytes.data() + width, bytes.size() - width) == 0;
  if (tensor->dtype == DType::Bool && (isSplat || count < kSmallConstant)) {
    SmallVector<bool> bits;
    for (char byte : bytes.take_front(isSplat ? 1 : count))
      bits.push_back(byte != 0);
    return arith::ConstantOp::create(b, where, DenseElementsAttr::get(wanted, bits));
  }
  if (isSplat || count < kSmallConstant)
    return arith::ConstantOp::create(
        b, where,
        DenseElementsAttr::getFromRawBuffer(wanted, isSplat ? bytes.take_front(width) : bytes));
  DenseResourceElementsHandle handle = store(tensor, bytes, width, owner);
  if (tensor->dtype != DType::Bool)
    return arith::ConstantOp::create(b, where, DenseResourceElementsAttr::get(wanted, handle));
  // MLIR has no agreed layout for i1 resources.
  RankedTensorType stored = RankedTensorType::get(wanted.getShape(), b.getI8Type());
  Value loaded =
      arith::ConstantOp::create(b, where, DenseResourceElementsAttr::get(stored, handle));
  Tensor *codes = make(DType::U8, tensor->shape, loaded);
  return cast(codes, DType::Bool)->value;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

SymExpr Emitter::product(ArrayRef<SymExpr> shape) {
  SymExpr count = 1;
  for (const SymExpr &extent : shape)
    count = count * extent;
  return count;
}

bool Emitter::same(const SymExpr &a, const SymExpr &b) {
  return syms.simplify(a) == syms.simplify(b);
}

Emitter::Frame Emitter::makeFrame(Block *block) {
  Frame frame;
  frame.namedSizes = namedSizes;
  frame.namedValues = namedValues;
  frame.checked = checked;
  frame.point = OpBuilder::InsertPoint(block, block->end());
  return frame;
}

void Emitter::swap(Frame &frame) {
  std::swap(atomValues, frame.atomValues);
  std::swap(exprValues, frame.exprValues);
  std::swap(namedSizes, frame.namedSizes);
  std::swap(namedValues, frame.namedValues);
  std::swap(checked, frame.checked);
  std::swap(capture, frame.capture);
  OpBuilder::InsertPoint point = b.saveInsertionPoint();
  b.restoreInsertionPoint(frame.point);
  frame.point = point;
}

void Emitter::bind(const SymAtom *symbol, Value tensor, int64_t dim) {
  atomValues[symbol] = tensor::DimOp::create(b, loc, tensor, dim);
}

std::string Emitter::makeUnique(std::string name) {
  auto isTaken = [&](const std::string &text) {
    return llvm::any_of(syms.symbols(), [&](const SymAtom *atom) { return atom->name == text; });
  };
  while (isTaken(name) || !valueNames.insert(name).second)
    name += "'";
  return name;
}

void Emitter::readElements(Tensor *tensor, StringRef name) {
  Shape elements;
  Value low = arith::ConstantIndexOp::create(b, loc, -kMostValue),
        high = arith::ConstantIndexOp::create(b, loc, kMostValue);
  for (int64_t i = 0, count = elementCount(tensor); i < count; ++i) {
    SmallVector<Value, 1> place;
    if (tensor->rank() == 1)
      place.push_back(arith::ConstantIndexOp::create(b, loc, i));
    Value element = tensor::ExtractOp::create(b, loc, tensor->value, place);
    Value index = isUnsigned(tensor->dtype)
                      ? arith::IndexCastUIOp::create(b, loc, b.getIndexType(), element).getResult()
                      : arith::IndexCastOp::create(b, loc, b.getIndexType(), element).getResult();
    index = arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, index, low), high);
    std::string text = name.str() + (tensor->rank() == 0 ? "" : "[" + std::to_string(i) + "]");
    SymExpr value = syms.value(makeUnique(text), {-kMostValue, kMostValue});
    atomValues[value.asAtom()] = index;
    elements.push_back(value);
  }
  tensor->elements = std::move(elements);
}

Value Emitter::readNumber(Tensor *tensor, int64_t number) {
  // Its type may have been made more precise since.
  Value source = tensor->value;
  while (auto refined = source ? source.getDefiningOp<tensor::CastOp>() : tensor::CastOp())
    source = refined.getSource();
  auto argument = dyn_cast_if_present<BlockArgument>(source);
  // A body of a loop has arguments too, which kernels compute.
  bool isInput = argument && argument.getOwner() == b.getInsertionBlock() &&
                 b.getInsertionBlock()->getParentOp() &&
                 SymbolTable::getSymbolVisibility(b.getInsertionBlock()->getParentOp()) ==
                     SymbolTable::Visibility::Public;
  // To extend f16, some hosts call a library, which a package has not.
  bool isRead =
      tensor->dtype == DType::Bool ||
      (isFloat(tensor->dtype) && !isSmallFloat(tensor->dtype) && tensor->dtype != DType::F16);
  if (!isInput || tensor->rank() > 1 || !isRead)
    return {};
  if (std::optional<int64_t> count = product(tensor->shape).constant(); !count || *count <= number)
    return {};
  SmallVector<Value, 1> place;
  if (tensor->rank() == 1)
    place.push_back(arith::ConstantIndexOp::create(b, loc, number));
  Value element = tensor::ExtractOp::create(b, loc, source, place);
  return scalars(tensor->dtype).convert(element, DType::F64);
}

/// Whether `expr` is made of values of the run.
static bool hasValues(const SymExpr &expr) {
  bool found = false;
  SymContext::visitValues(expr, [&](const SymAtom *) { found = true; });
  return found;
}

SymExpr Emitter::nameValue(const SymExpr &unsimplified, StringRef name) {
  SymExpr expr = syms.simplify(unsimplified);
  const SymAtom *atom = expr.asAtom();
  if (!expr.isValid() || !hasValues(expr) || (atom && atom->kind == SymAtom::Kind::Symbol))
    return expr;
  auto [known, isNew] = namedValues.try_emplace(expr.str());
  if (isNew) {
    known->second = syms.value(makeUnique(name.str()), syms.range(expr));
    atomValues[known->second.asAtom()] = index(expr);
  }
  return known->second;
}

SymExpr Emitter::nameSize(Value index, StringRef name, const Twine &what) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  check(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, index, zero), what, {index});
  SymExpr symbol = syms.symbol(makeUnique(name.str()));
  atomValues[symbol.asAtom()] = index;
  return symbol;
}

SymExpr Emitter::countedSize(Tensor *number, const SymExpr &most, StringRef name) {
  SymExpr symbol = syms.symbol(makeUnique(name.str()));
  atomValues[symbol.asAtom()] = graph::CountOp::create(b, loc, value(number), index(most));
  return symbol;
}

SymExpr Emitter::nameSize(const SymExpr &unsimplified, StringRef name, const Twine &what) {
  SymExpr expr = syms.simplify(unsimplified);
  if (!hasValues(expr))
    return expr;
  std::string key = expr.str();
  if (auto known = namedSizes.find(key); known != namedSizes.end())
    return known->second;
  SymExpr named = nameSize(index(expr), name, what);
  return namedSizes[key] = named;
}

Value Emitter::countSafely(ArrayRef<Value> extents) {
  Value one = arith::ConstantIndexOp::create(b, loc, 1), product = one;
  Value most = arith::ConstantIndexOp::create(b, loc, kMostElements),
        beyond = arith::ConstantIndexOp::create(b, loc, kMostElements + 1);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0), isEmpty;
  for (Value extent : extents) {
    Value own = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, extent, zero);
    isEmpty = isEmpty ? arith::OrIOp::create(b, loc, isEmpty, own).getResult() : own;
    Value divisor = arith::MaxSIOp::create(b, loc, product, one);
    Value room = arith::DivUIOp::create(b, loc, most, divisor);
    Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, extent, room);
    Value next = arith::MulIOp::create(b, loc, product, extent);
    product = arith::SelectOp::create(b, loc, fits, next, beyond);
  }
  return isEmpty ? arith::SelectOp::create(b, loc, isEmpty, zero, product).getResult() : product;
}

void Emitter::nameSizes(Tensor *tensor, StringRef name, StringRef title) {
  bool isNamed = false;
  for (auto [dim, extent] : llvm::enumerate(tensor->shape)) {
    SymExpr named = nameSize(extent, (name + "_" + Twine(dim)).str(),
                             title + ": expects extents of at least 0, but got %0");
    isNamed |= named != syms.simplify(extent);
    extent = named;
  }
  if (!isNamed)
    return;
  SmallVector<Value> extents =
      llvm::map_to_vector(tensor->shape, [&](const SymExpr &extent) { return index(extent); });
  Value most = arith::ConstantIndexOp::create(b, loc, kMostElements);
  Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, countSafely(extents), most);
  check(fits, title + ": expects a result of at most 2^40 elements", {});
}

void Emitter::check(Value condition, const Twine &message, ValueRange values) {
  checkedInBranch |= isInBranch;
  graph::CheckOp::create(b, loc, condition, b.getStringAttr(message), values);
}

Value Emitter::atomValue(const SymAtom *atom) {
  if (Value known = atomValues.lookup(atom))
    return known;
  Value result;
  if (atom->kind == SymAtom::Kind::Symbol && capture) {
    // It goes to another frame, and takes the member along.
    auto ask = capture;
    result = ask(atom);
    return atomValues[atom] = result;
  }
  if (atom->kind == SymAtom::Kind::Symbol) {
    // Every symbol is bound at import; only an expression of a refused model gets here.
    overflowed = true;
    return atomValues[atom] = arith::ConstantIndexOp::create(b, loc, 0);
  }
  Value x = index(atom->args[0]), y = index(atom->args[1]);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  switch (atom->kind) {
  case SymAtom::Kind::FloorDiv: {
    // A divisor that turns out to be 0 must not trap before the check that refuses it.
    if (!syms.isPositive(atom->args[1]) && !atom->args[1].constant())
      y = arith::MaxSIOp::create(b, loc, y, one);
    result = arith::FloorDivSIOp::create(b, loc, x, y);
    break;
  }
  case SymAtom::Kind::Min:
    result = arith::MinSIOp::create(b, loc, x, y);
    break;
  case SymAtom::Kind::Max:
    result = arith::MaxSIOp::create(b, loc, x, y);
    break;
  case SymAtom::Kind::Equal: {
    Value isEqual = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
    result = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), isEqual);
    break;
  }
  default: {
    Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, one);
    result = arith::SelectOp::create(b, loc, isOne, y, x);
    break;
  }
  }
  return atomValues[atom] = result;
}

Value Emitter::index(const SymExpr &unsimplified) {
  SymExpr expr = syms.simplify(unsimplified);
  overflowed |= !expr.isValid();
  std::string key = expr.str();
  if (auto known = exprValues.find(key); known != exprValues.end())
    return known->second;
  Value sum;
  for (const SymExpr::Term &term : expr.terms()) {
    Value product;
    if (term.coefficient != 1 || term.atoms.empty())
      product = arith::ConstantIndexOp::create(b, loc, term.coefficient);
    for (const SymAtom *atom : term.atoms) {
      Value factor = atomValue(atom);
      product = product ? arith::MulIOp::create(b, loc, product, factor).getResult() : factor;
    }
    sum = sum ? arith::AddIOp::create(b, loc, sum, product).getResult() : product;
  }
  if (!sum)
    sum = arith::ConstantIndexOp::create(b, loc, 0);
  exprValues[key] = sum;
  return sum;
}

OpFoldResult Emitter::size(const SymExpr &expr) {
  SymExpr known = syms.simplify(expr);
  if (std::optional<int64_t> constant = known.constant())
    return b.getIndexAttr(*constant);
  return index(known);
}

SmallVector<OpFoldResult> Emitter::sizes(ArrayRef<SymExpr> shape) {
  return llvm::map_to_vector(shape, [&](const SymExpr &extent) { return size(extent); });
}

void Emitter::check(const SymExpr &condition, const Twine &message, ArrayRef<SymExpr> values) {
  SymExpr holds = syms.simplify(condition);
  if (holds.isConstant(1) || checked.count(holds.str()))
    return;
  checkedInBranch |= isInBranch;
  checked.insert(holds.str());
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value isTrue = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, index(holds), zero);
  SmallVector<Value> operands =
      llvm::map_to_vector(values, [&](const SymExpr &value) { return index(value); });
  graph::CheckOp::create(b, loc, isTrue, b.getStringAttr(message), operands);
}
