//===- Codes.cpp - codes of number formats as values of MLIR types -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Numbers/Codes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace sectile;

formats::Format numbers::getFormat(StringRef text) {
  return *formats::Format::parse(std::string_view(text));
}

LogicalResult numbers::verifyFormat(Operation *op, StringRef text) {
  formats::Result<formats::Format> format = formats::Format::parse(std::string_view(text));
  if (!format)
    return op->emitOpError("expects a number format: ") << format.getMessage();
  if (format->getBits() > 8)
    return op->emitOpError("expects a format of at most 8 bits, but ")
           << text << " has " << format->getBits();
  if (format->getDimension() != 1)
    return op->emitOpError("expects a format of one number per code, but ")
           << text << " has " << format->getDimension();
  return success();
}

LogicalResult numbers::verifyCodes(Operation *op, Type type, StringRef text) {
  formats::Format format = getFormat(text);
  if (auto integer = dyn_cast<IntegerType>(type)) {
    if (integer.isSignless() && integer.getWidth() >= format.getBits() && integer.getWidth() <= 64)
      return success();
  } else if (isa<FloatType>(type)) {
    std::string name;
    llvm::raw_string_ostream(name) << type;
    formats::Result<formats::Format> own = formats::Format::parse(name);
    if (own && *own == format)
      return success();
  }
  return op->emitOpError("expects codes in integers of ")
         << format.getBits() << " to 64 bits or in the float type of format " << text
         << ", but got " << type;
}

LogicalResult numbers::verifyFloat(Operation *op, Type type, StringRef what) {
  if (isa<FloatType>(type))
    return success();
  return op->emitOpError("expects ") << what << " to be floats, but got " << type;
}

LogicalResult numbers::verifyParameters(Operation *op, Type scale, Type zero, Type codes) {
  if (failed(verifyFloat(op, scale, "scales")))
    return failure();
  if (zero && !isCode(zero, codes) && !isa<FloatType>(zero))
    return op->emitOpError("expects zero points to be floats or codes in ")
           << codes << ", but got " << zero;
  return success();
}

LogicalResult numbers::verifyElements(Operation *op, StringRef format, Type codes, Type values,
                                      Type scale, Type zero) {
  Type held = getElementTypeOrSelf(codes);
  return success(succeeded(verifyFormat(op, format)) && succeeded(verifyCodes(op, held, format)) &&
                 succeeded(verifyParameters(op, getElementTypeOrSelf(scale),
                                            zero ? getElementTypeOrSelf(zero) : Type(), held)) &&
                 succeeded(verifyFloat(op, getElementTypeOrSelf(values), "values")));
}

FloatType numbers::getComputeType(ArrayRef<Type> types) {
  for (Type type : types)
    if (type.isF64())
      return cast<FloatType>(type);
  return Float32Type::get(types.front().getContext());
}

std::optional<numbers::LinearCodes> numbers::getLinearCodes(const formats::Format &format) {
  unsigned bits = format.getBits();
  uint32_t count = 1U << bits;
  if (format.getDimension() != 1 || format.getCodeCount() != count)
    return std::nullopt;
  for (uint32_t flip : {0U, count / 2}) {
    double first = format.decode(flip), step = format.decode(1 ^ flip) - first;
    if (!(step > 0) || !std::isfinite(step))
      continue;
    bool isLinear = true;
    for (uint32_t code = 0; code < count && isLinear; ++code)
      isLinear = format.decode(code ^ flip) == first + step * code;
    if (!isLinear)
      continue;
    for (int64_t slope : {1, 2}) {
      double unit = step / static_cast<double>(slope), offset = first / unit;
      if (offset == std::floor(offset) && std::fabs(offset) <= 512 &&
          unit == static_cast<float>(unit))
        return LinearCodes{flip, slope, static_cast<int64_t>(offset), unit};
    }
  }
  return std::nullopt;
}
