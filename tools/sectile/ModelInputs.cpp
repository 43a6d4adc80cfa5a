//===- ModelInputs.cpp - inputs for an interpreted model -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelInputs.h"

#include "Npy.h"

#include "dialects/Graph/IR/Graph.h"

#include "llvm/ADT/StringExtras.h"

#include <bit>
#include <cstring>

using namespace mlir;
using namespace sectile::interp;

namespace sectile::tools {

//===----------------------------------------------------------------------===//
// What a model takes
//===----------------------------------------------------------------------===//

/// A host program's interface is on its module, since its function takes buffers only.
static DictionaryAttr getHostInterface(FunctionOpInterface function) {
  bool isHost = function.getName() == "sectile_run";
  return isHost ? function->getParentOp()->getAttrOfType<DictionaryAttr>("graph.interface")
                : DictionaryAttr();
}

static Result<std::vector<ModelTensor>> getHostInputs(DictionaryAttr interface) {
  std::vector<ModelTensor> inputs;
  for (auto entry : interface.getAs<ArrayAttr>("inputs").getAsRange<DictionaryAttr>()) {
    auto type = cast<RankedTensorType>(entry.getAs<TypeAttr>("type").getValue());
    ModelTensor &input = inputs.emplace_back();
    input.name = entry.getAs<StringAttr>("name").str();
    input.format = getNumberFormat(type.getElementType());
    if (!input.format)
      return failure(kRefused, "input '%s' is no tensor of numbers", input.name.c_str());
    input.shape.assign(type.getShape().begin(), type.getShape().end());
    for (auto dim : entry.getAs<ArrayAttr>("dims").getAsRange<StringAttr>())
      input.dims.push_back(dim.str());
  }
  return inputs;
}

Result<std::vector<ModelTensor>> getModelInputs(FunctionOpInterface function) {
  if (DictionaryAttr interface = getHostInterface(function))
    return getHostInputs(interface);
  std::vector<ModelTensor> inputs;
  for (auto [number, type] : llvm::enumerate(function.getArgumentTypes())) {
    ModelTensor &input = inputs.emplace_back();
    auto name = function.getArgAttrOfType<StringAttr>(number, graph::kNameAttr);
    input.name = name ? name.str() : "in" + std::to_string(number);
    auto tensor = dyn_cast<RankedTensorType>(type);
    input.format = tensor ? getNumberFormat(tensor.getElementType()) : nullptr;
    if (!input.format)
      return failure(kRefused, "input '%s' is no ranked tensor of numbers", input.name.c_str());
    input.shape.assign(tensor.getShape().begin(), tensor.getShape().end());
    auto dims = function.getArgAttrOfType<ArrayAttr>(number, graph::kDimsAttr);
    for (int64_t dim = 0; dim < tensor.getRank(); ++dim) {
      if (!tensor.isDynamicDim(dim))
        input.dims.push_back(std::to_string(tensor.getDimSize(dim)));
      else if (dims && dim < static_cast<int64_t>(dims.size()))
        input.dims.push_back(cast<StringAttr>(dims[dim]).str());
      else
        input.dims.push_back(input.name + "_d" + std::to_string(dim));
    }
  }
  return inputs;
}

std::vector<std::string> getModelOutputNames(FunctionOpInterface function) {
  std::vector<std::string> names;
  if (DictionaryAttr interface = getHostInterface(function)) {
    for (auto entry : interface.getAs<ArrayAttr>("outputs").getAsRange<DictionaryAttr>())
      names.push_back(entry.getAs<StringAttr>("name").str());
    return names;
  }
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    auto name = function.getResultAttrOfType<StringAttr>(i, graph::kNameAttr);
    names.push_back(name ? name.str() : "out" + std::to_string(i));
  }
  return names;
}

std::vector<std::string> getModelSymbols(const std::vector<ModelTensor> &inputs) {
  std::vector<std::string> symbols;
  for (const ModelTensor &input : inputs)
    for (const std::string &dim : input.dims)
      for (size_t i = 0; i < dim.size();) {
        auto isName = [&](size_t at) {
          return at < dim.size() && (llvm::isAlnum(dim[at]) || dim[at] == '_');
        };
        size_t end = i;
        while (isName(end))
          ++end;
        std::string word = dim.substr(i, end - i);
        bool isOperator = word == "floordiv" || word == "ceildiv" || word == "mod" ||
                          word == "min" || word == "max";
        if (!word.empty() && !llvm::isDigit(word[0]) && !isOperator &&
            !llvm::is_contained(symbols, word))
          symbols.push_back(word);
        i = std::max(end, i + 1);
      }
  return symbols;
}

void chooseSizes(const std::vector<std::string> &symbols, SymbolValues &sizes) {
  int64_t size = 3;
  for (const std::string &symbol : symbols)
    if (sizes.emplace(symbol, size).second)
      size += 2;
}

Result<std::vector<TensorRef>> makeInputs(const std::vector<ModelTensor> &inputs,
                                          const SymbolValues &sizes, const RandomOptions &random) {
  std::vector<TensorRef> tensors;
  for (const ModelTensor &input : inputs) {
    Shape shape;
    uint64_t count = 1;
    for (const std::string &dim : input.dims) {
      Result<int64_t> extent = evaluate(dim, sizes);
      if (!extent)
        return extent.failure();
      if (*extent < 0 || __builtin_mul_overflow(count, uint64_t(*extent), &count) ||
          count > (uint64_t(1) << 32))
        return failure(kRefused, "input '%s' would have extent %lld in dimension '%s'",
                       input.name.c_str(), static_cast<long long>(*extent), dim.c_str());
      shape.push_back(*extent);
    }
    tensors.push_back(makeRandomTensor(input.format, shape, input.name, random));
  }
  return tensors;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

namespace {
struct DtypeInfo {
  int32_t dtype;
  bool isFloat;
  unsigned bits;
  unsigned exponentBits; // of floats
};
} // namespace

static const DtypeInfo kDtypes[] = {
    {SECTILE_F32, true, 32, 8},       {SECTILE_F64, true, 64, 11},
    {SECTILE_F16, true, 16, 5},       {SECTILE_BF16, true, 16, 8},
    {SECTILE_BOOL, false, 1, 0},      {SECTILE_I8, false, 8, 0},
    {SECTILE_I16, false, 16, 0},      {SECTILE_I32, false, 32, 0},
    {SECTILE_I64, false, 64, 0},      {SECTILE_U8, false, 8, 0},
    {SECTILE_U16, false, 16, 0},      {SECTILE_U32, false, 32, 0},
    {SECTILE_U64, false, 64, 0},      {SECTILE_F8E4M3FN, true, 8, 4},
    {SECTILE_F8E4M3FNUZ, true, 8, 4}, {SECTILE_F8E5M2, true, 8, 5},
    {SECTILE_F8E5M2FNUZ, true, 8, 5},
};

static bool isFormat(const DtypeInfo &dtype, const NumberFormat &format) {
  if (const formats::Format *small = getSmallFloat(dtype.dtype))
    return format.layout && *small->getFloat() == *format.layout;
  return dtype.isFloat == format.isFloat && dtype.bits == format.bits &&
         (!format.layout || dtype.exponentBits == format.layout->exponentBits);
}

Result<TensorRef> readInput(const std::string &path, const ModelTensor &input) {
  Result<Tensor> file = readNpy(path);
  if (!file)
    return file.failure();
  const DtypeInfo *dtype =
      llvm::find_if(kDtypes, [&](const DtypeInfo &info) { return info.dtype == file->dtype; });
  if (!isFormat(*dtype, *input.format))
    return failure(kRefused, "input '%s' has another element type than '%s' holds (%s)",
                   input.name.c_str(), path.c_str(), describeType(file->dtype, file->dims).c_str());
  TensorRef tensor = makeTensor(input.format, file->dims);
  size_t bytes = getElementBytes(*input.format);
  for (size_t i = 0; i < tensor->data.size(); ++i) {
    uint64_t word = 0;
    std::memcpy(&word, file->data.data() + i * bytes, bytes);
    if (input.format->isFloat)
      tensor->data[i] = Element::makeReal(decodeFloat(*input.format, word));
    else
      tensor->data[i] = Element::makeInteger(signExtend(int64_t(word), input.format->bits));
  }
  return tensor;
}

std::string toNpy(const TensorObject &tensor) {
  const NumberFormat &format = *tensor.format;
  const DtypeInfo *dtype =
      llvm::find_if(kDtypes, [&](const DtypeInfo &info) { return isFormat(info, format); });
  if (dtype == std::end(kDtypes)) // no type of NumPy's: the next wider one
    dtype = format.isFloat ? &kDtypes[1] : &kDtypes[8];
  Tensor file;
  file.dtype = dtype->dtype;
  file.dims.assign(tensor.shape.begin(), tensor.shape.end());
  size_t bytes = (dtype->bits + 7) / 8;
  file.data.resize(tensor.data.size() * bytes);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    const Element &element = tensor.data[i];
    uint64_t word = 0;
    if (format.isFloat && !element.isUndefined()) {
      word = isFormat(*dtype, format) ? encodeFloat(format, element.real)
                                      : std::bit_cast<uint64_t>(element.real);
    } else if (!element.isUndefined()) {
      word = static_cast<uint64_t>(format.bits == 1 ? -element.integer : element.integer);
    }
    std::memcpy(file.data.data() + i * bytes, &word, bytes);
  }
  file = npyForm(std::move(file));
  std::string text = npyHeader(file);
  text.append(reinterpret_cast<const char *>(file.data.data()), file.data.size());
  return text;
}

} // namespace sectile::tools
