//===- Tensor.cpp - tensors of the interpreter -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Interpreter/Tensor.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/xxhash.h"

#include <cstdio>
#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

int64_t interp::countElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

Shape interp::getRowMajorStrides(ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

TensorRef interp::makeTensor(const NumberFormat *format, ArrayRef<int64_t> shape) {
  TensorRef tensor(new TensorObject(format, shape));
  tensor->data.resize(countElements(shape));
  return tensor;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static Element makeElement(const NumberFormat &format, const APInt &bits) {
  if (format.isFloat)
    return Element::makeReal(decodeFloat(format, bits.getZExtValue()));
  return Element::makeInteger(bits.getSExtValue());
}

/// Decodes the bytes of a resource: elements of whole bytes, low byte first.
static LogicalResult decode(ArrayRef<char> bytes, TensorObject &tensor) {
  size_t width = getElementBytes(*tensor.format);
  if (bytes.size() != tensor.data.size() * width)
    return failure();
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i * width, width);
    APInt bits(64, word);
    tensor.data[i] = makeElement(*tensor.format, bits.trunc(tensor.format->bits));
  }
  return success();
}

TensorRef interp::makeTensor(ElementsAttr constant) {
  auto type = cast<ShapedType>(constant.getType());
  const NumberFormat *format = getNumberFormat(type.getElementType());
  if (!format || !type.hasStaticShape())
    return nullptr;
  TensorRef tensor = makeTensor(format, type.getShape());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || failed(decode(blob->getData(), *tensor)))
      return nullptr;
    return tensor;
  }
  auto dense = dyn_cast<DenseElementsAttr>(constant);
  if (!dense)
    return nullptr;
  if (dense.isSplat()) {
    Element element = format->isFloat
                          ? makeElement(*format, dense.getSplatValue<APFloat>().bitcastToAPInt())
                          : makeElement(*format, dense.getSplatValue<APInt>());
    std::fill(tensor->data.begin(), tensor->data.end(), element);
    return tensor;
  }
  size_t i = 0;
  if (format->isFloat)
    for (const APFloat &value : dense.getValues<APFloat>())
      tensor->data[i++] = makeElement(*format, value.bitcastToAPInt());
  else
    for (const APInt &value : dense.getValues<APInt>())
      tensor->data[i++] = makeElement(*format, value);
  return tensor;
}

//===----------------------------------------------------------------------===//
// Random values
//===----------------------------------------------------------------------===//

/// The n-th number of a stream: splitmix64 (Steele, Lea, Flood 2014), any n at once.
static uint64_t mix(uint64_t stream, uint64_t n) {
  uint64_t z = stream + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

TensorRef interp::makeRandomTensor(const NumberFormat *format, ArrayRef<int64_t> shape,
                                   StringRef name, const RandomOptions &options) {
  TensorRef tensor = makeTensor(format, shape);
  uint64_t stream = mix(options.seed, llvm::xxh3_64bits(name));
  bool isBool = !format->isFloat && format->bits == 1;
  auto span = static_cast<uint64_t>(options.most - options.least) + 1;
  for (size_t i = 0; i < tensor->data.size(); ++i) {
    uint64_t word = mix(stream, i);
    if (format->isFloat) {
      double unit = std::ldexp(static_cast<double>(word >> 11), -53); // [0, 1)
      tensor->data[i] = Element::makeReal(roundTo(*format, options.scale * (2 * unit - 1)));
    } else if (isBool) {
      tensor->data[i] = Element::makeInteger(word >> 63 ? -1 : 0);
    } else {
      auto value = static_cast<int64_t>(static_cast<uint64_t>(options.least) + (word >> 16) % span);
      tensor->data[i] = Element::makeInteger(signExtend(value, format->bits));
    }
  }
  return tensor;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

double interp::getScale(const TensorObject &tensor) {
  double scale = 0;
  for (const Element &element : tensor.data) {
    if (element.isUndefined())
      continue;
    double magnitude = tensor.format->isFloat ? std::fabs(element.real)
                                              : std::fabs(static_cast<double>(element.integer));
    if (std::isfinite(magnitude))
      scale = std::max(scale, magnitude);
  }
  return scale;
}

Comparison interp::compare(const TensorObject &reference, const TensorObject &other) {
  const TensorObject &a = reference, &b = other;
  Comparison result;
  result.sameShape = a.shape == b.shape && a.format == b.format;
  if (!result.sameShape)
    return result;
  result.numElements = static_cast<int64_t>(a.data.size());
  result.scale = getScale(a);
  double limit = a.format->isFloat ? result.scale / 256 : 0;
  for (size_t i = 0; i < a.data.size(); ++i) {
    const Element &x = a.data[i], &y = b.data[i];
    if (x.isUndefined()) {
      ++result.numUnchecked;
      continue;
    }
    double distance = y.isUndefined() ? kUnbounded : getDistance(*a.format, x, y);
    if (y.isUndefined() || !mayBeEqual(*a.format, x, y)) {
      if (result.numDifferent++ == 0)
        result.firstDifferent = static_cast<int64_t>(i);
    } else if (x.bound + y.bound > limit && x.bound + y.bound > 0) {
      // An all-zero tensor has no scale: what is zero up to rounding counts as checked.
      if (result.scale > 0 || x.bound + y.bound > 256 * a.format->tiny || !a.format->isFloat)
        ++result.numUnchecked;
    }
    result.largestDistance = std::max(result.largestDistance, distance);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string interp::toString(const NumberFormat &format, const Element &element) {
  if (element.isUndefined())
    return "undefined";
  if (!format.isFloat)
    return std::to_string(format.bits == 1 ? -element.integer : element.integer);
  if (!std::isfinite(element.real))
    return std::isnan(element.real) ? "nan" : element.real < 0 ? "-inf" : "inf";
  char text[40];
  snprintf(text, sizeof text, "%.7g", element.real);
  return text;
}

std::string interp::toString(ArrayRef<int64_t> shape, int64_t linearIndex) {
  Shape coords(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    coords[i] = shape[i] ? linearIndex % shape[i] : 0;
    linearIndex = shape[i] ? linearIndex / shape[i] : 0;
  }
  std::string text = "[";
  for (auto [i, coord] : llvm::enumerate(coords))
    text += (i ? ", " : "") + std::to_string(coord);
  return text + "]";
}
