//===- FileWeights.cpp - a model's weights from other files -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FileWeights.h"

#include "lib/Frontend/ModelFile.h"
#include "sectile/Formats/Gguf.h"

#include "llvm/Support/Parallel.h"

#include <cmath>

using namespace sectile;
using namespace sectile::quantize;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static constexpr uint64_t kMaxWeightBytes = uint64_t(1) << 42;

static llvm::Error refusePlain(const Twine &why) { return llvm::createStringError(why); }

FileWeights::~FileWeights() = default;

weights::FileBytes FileWeights::getBytes(const Entry &entry) {
  llvm::ArrayRef<char> bytes = entry.file->mapping->bytes();
  return {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()};
}

llvm::Error FileWeights::refuse(const Entry &entry, const Twine &why) const {
  return refusePlain("'" + entry.file->path + "': tensor '" + entry.tensor->name + "': " + why);
}

Expected<std::unique_ptr<FileWeights>> FileWeights::open(const WeightSource &source) {
  std::unique_ptr<FileWeights> result(new FileWeights(source));
  for (const std::string &path : source.paths) {
    auto mapping = frontend::MappedFile::openModel(path, kMaxWeightBytes);
    if (!mapping)
      return mapping.takeError();
    llvm::ArrayRef<char> bytes = (*mapping)->bytes();
    auto contents =
        weights::readWeightFile({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()});
    if (!contents)
      return refusePlain("'" + path + "': " + contents.getMessage());
    result->files.push_back(
        std::make_unique<File>(File{path, std::move(*mapping), *std::move(contents)}));
    const File &file = *result->files.back();
    for (const weights::WeightTensor &tensor : file.contents.tensors) {
      Entry entry{&file, &tensor, {"", tensor.name, std::string(tensor.type->name), false, ""}};
      if (!result->byName.try_emplace(tensor.name, result->entries.size()).second)
        return result->refuse(entry, "another file has a tensor of this name");
      result->entries.push_back(std::move(entry));
    }
  }
  return result;
}

Expected<std::string> FileWeights::rename(StringRef name) const {
  std::string result = name.str();
  for (StringRef rule : source.renames) {
    // s/PATTERN/TEXT/ with any character for the slash, as sed has it.
    StringRef body = rule;
    bool isRule = body.consume_front("s") && !body.empty();
    char mark = isRule ? body.front() : '/';
    llvm::SmallVector<StringRef> parts;
    if (isRule)
      body.drop_front().split(parts, mark);
    if (parts.size() != 3 || !parts[2].empty() || parts[0].empty())
      return refusePlain("expects a renaming to be s/PATTERN/TEXT/, but got '" + rule + "'");
    llvm::Regex pattern(parts[0]);
    std::string why;
    if (!pattern.isValid(why))
      return refusePlain("renaming '" + rule + "': " + why);
    result = pattern.sub(parts[1], result, &why);
    if (!why.empty())
      return refusePlain("renaming '" + rule + "': " + why);
  }
  return result;
}

llvm::Error FileWeights::apply(onnx::GraphProto &graph) {
  bool hasAny = false;
  for (onnx::TensorProto &tensor : *graph.mutable_initializer()) {
    Expected<std::string> name = rename(tensor.name());
    if (!name)
      return name.takeError();
    auto found = byName.find(*name);
    if (found == byName.end()) {
      kept.push_back(tensor.name());
      continue;
    }
    hasAny = true;
    Entry &entry = entries[found->second];
    if (llvm::Error error = applyTo(tensor, entry))
      return error;
    if (entry.tensor->type->number == weights::Number::Block)
      waiting[tensor.name()] = found->second;
  }
  if (hasAny)
    return llvm::Error::success();
  std::string example =
      graph.initializer_size() == 0 ? "" : " (such as '" + graph.initializer(0).name() + "')";
  std::string other = entries.empty() ? "" : " (such as '" + entries.front().tensor->name + "')";
  return refusePlain("none of the model's tensors" + example + " has the name of one" + other +
                     " in '" + source.paths.front() +
                     "': --rename=s/PATTERN/TEXT/ makes them agree");
}

llvm::Error FileWeights::applyTo(onnx::TensorProto &tensor, Entry &entry) {
  std::vector<uint64_t> wanted(tensor.dims().begin(), tensor.dims().end());
  bool isMatrix = wanted.size() == 2;
  entry.taken.tensor = tensor.name();
  entry.taken.isTurned = isMatrix && source.turned && source.turned->match(tensor.name());
  auto print = [](llvm::ArrayRef<uint64_t> shape) {
    std::string text;
    for (uint64_t extent : shape)
      text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return "[" + text + "]";
  };
  std::vector<uint64_t> given = entry.tensor->shape;
  if (entry.taken.isTurned)
    std::reverse(given.begin(), given.end());
  if (given != wanted) {
    std::vector<uint64_t> other(given.rbegin(), given.rend());
    return refuse(entry, "expects the shape " + print(wanted) + " of the model's tensor '" +
                             tensor.name() + "', but got " + print(given) +
                             (entry.taken.isTurned ? " with dimensions exchanged" : "") +
                             (isMatrix && other == wanted
                                  ? entry.taken.isTurned ? "; --transpose names it, but should not"
                                                         : "; --transpose=REGEX names those to turn"
                                  : ""));
  }
  tensor.clear_float_data();
  tensor.clear_int32_data();
  tensor.clear_int64_data();
  tensor.clear_uint64_data();
  tensor.clear_double_data();
  tensor.clear_raw_data();
  if (entry.tensor->type->number == weights::Number::Block)
    return llvm::Error::success();
  return fill(tensor, entry);
}

/// The name in safetensors of an integer type of ONNX.
static StringRef getIntegerName(int32_t type) {
  switch (type) {
  case onnx::TensorProto::BOOL:
    return "BOOL";
  case onnx::TensorProto::INT8:
    return "I8";
  case onnx::TensorProto::UINT8:
    return "U8";
  case onnx::TensorProto::INT16:
    return "I16";
  case onnx::TensorProto::UINT16:
    return "U16";
  case onnx::TensorProto::INT32:
    return "I32";
  case onnx::TensorProto::UINT32:
    return "U32";
  case onnx::TensorProto::INT64:
    return "I64";
  case onnx::TensorProto::UINT64:
    return "U64";
  default:
    return "";
  }
}

static const llvm::fltSemantics *getSemantics(int32_t type) {
  switch (type) {
  case onnx::TensorProto::FLOAT:
    return &llvm::APFloat::IEEEsingle();
  case onnx::TensorProto::DOUBLE:
    return &llvm::APFloat::IEEEdouble();
  case onnx::TensorProto::FLOAT16:
    return &llvm::APFloat::IEEEhalf();
  case onnx::TensorProto::BFLOAT16:
    return &llvm::APFloat::BFloat();
  default:
    return nullptr;
  }
}

/// Appends a number in an ONNX float type, rounded once; false if it is too large for it.
static bool append(double value, int32_t type, std::string &bytes) {
  if (type == onnx::TensorProto::DOUBLE) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
    return true;
  }
  if (type == onnx::TensorProto::FLOAT) {
    auto rounded = static_cast<float>(value);
    bytes.append(reinterpret_cast<const char *>(&rounded), sizeof rounded);
    return std::isfinite(rounded) || !std::isfinite(value);
  }
  llvm::APFloat rounded(value);
  bool losesInfo;
  rounded.convert(*getSemantics(type), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  auto bits = static_cast<uint16_t>(rounded.bitcastToAPInt().getZExtValue());
  bytes.append(reinterpret_cast<const char *>(&bits), sizeof bits);
  return rounded.isFinite() || !std::isfinite(value);
}

llvm::Error FileWeights::fill(onnx::TensorProto &tensor, const Entry &entry) {
  const weights::WeightTensor &from = *entry.tensor;
  weights::FileBytes file = getBytes(entry);
  int32_t type = tensor.data_type();
  if (!getSemantics(type)) {
    StringRef name = getIntegerName(type);
    if (name.empty() || name != StringRef(from.type->name) || entry.taken.isTurned)
      return refuse(entry, "its type " + Twine(StringRef(from.type->name)) +
                               " does not go into the model's tensor '" + tensor.name() +
                               "', which is of another");
    tensor.set_raw_data(file.data() + from.offset, from.bytes);
    return llvm::Error::success();
  }
  if (from.type->number != weights::Number::Float && from.type->number != weights::Number::Block)
    return refuse(entry, "its type " + Twine(StringRef(from.type->name)) +
                             " does not go into the model's tensor '" + tensor.name() +
                             "', which holds floats");
  uint64_t count = from.countElements();
  std::vector<double> values(count);
  if (auto decoded = weights::decodeNumbers(from, file, 0, values); !decoded)
    return refusePlain("'" + entry.file->path + "': " + decoded.getMessage());
  for (uint64_t i = 0; i < count; ++i)
    if (std::isnan(values[i]))
      return refuse(entry, "expects numbers, but element " + Twine(i) + " is NaN");
  if (entry.taken.isTurned)
    values = turn(values, static_cast<int64_t>(from.shape[0]), static_cast<int64_t>(from.shape[1]));
  std::string bytes;
  for (double value : values)
    if (!append(value, type, bytes))
      return refuse(entry, "its number " + Twine(std::to_string(value)) +
                               " is too large for the type of the model's tensor '" +
                               tensor.name() + "'");
  tensor.set_raw_data(std::move(bytes));
  return llvm::Error::success();
}

llvm::Error FileWeights::fill(onnx::TensorProto &tensor) {
  auto found = waiting.find(tensor.name());
  if (found == waiting.end())
    return llvm::Error::success();
  Entry &entry = entries[found->second];
  waiting.erase(found);
  if (entry.taken.note.empty())
    entry.taken.note = "plain numbers: not the weight of a product";
  return fill(tensor, entry);
}

bool FileWeights::canKeep(const Weight &weight) const {
  // Rows of blocks lie along the file's last dimension: K, for a matrix stored [N, K].
  auto found = waiting.find(weight.tensor->name());
  return found != waiting.end() && weight.isTurned != entries[found->second].taken.isTurned;
}

namespace {
/// Takes blocks apart into codes, scales and zero points.
struct BlockTaker {
  const formats::GgufType &type;
  int64_t length; ///< of a part
  uint8_t flip;   ///< of codes
  Codes &made;

  /// What was taken so far, and what zero points lost by rounding.
  struct Sums {
    double squares = 0, squaredErrors = 0, largestError = 0;
    int64_t badBlock = 0;
    const char *problem = nullptr; ///< what is wrong with a scale of that block
  };

  /// Takes the block of that number; false, with a problem, if a scale is not what it should be.
  bool take(const uint8_t *block, int64_t number, Sums &sums) const {
    std::vector<uint8_t> codes;
    std::vector<double> scales, mins;
    formats::splitGguf(type, block, codes, scales, mins);
    auto part = number * static_cast<int64_t>(scales.size());
    for (size_t i = 0; i < scales.size(); ++i, ++part) {
      bool isConstant = type.m && scales[i] == 0;
      double scale = isConstant ? 1 : scales[i];
      auto rounded = static_cast<float>(scale);
      sums.badBlock = number;
      if (!std::isfinite(scales[i]) || !std::isfinite(mins[i]))
        sums.problem = " is not finite";
      // A half float times an integer of 8 bits, or a power of two: no declared type has more.
      else if (rounded != scale)
        sums.problem = " has no exact form in float32";
      if (sums.problem)
        return false;
      made.scales[part] = rounded;
      if (type.m) // number * scale + min = (number - zero) * scale
        made.floatZeros[part] = static_cast<float>(-mins[i] / scale);
      // Without a scale all numbers are the min: the code of zero gives it.
      auto first = codes.begin() + static_cast<int64_t>(i) * length;
      if (isConstant)
        std::fill_n(first, length, static_cast<uint8_t>(*type.codes.format.encode(0)));
      double error = type.m ? std::fabs(made.floatZeros[part] * scale + mins[i]) : 0;
      sums.squaredErrors += static_cast<double>(length) * error * error;
      sums.largestError = std::max(sums.largestError, error);
      for (int64_t k = 0; type.m && k < length; ++k) {
        double value = type.codes.format.decode(first[k]) * scale + mins[i];
        sums.squares += value * value;
      }
    }
    uint8_t *to = made.codes.data() + number * type.elements;
    for (uint8_t code : codes)
      *to++ = code ^ flip;
    return true;
  }
};
} // namespace

Expected<std::optional<FileCodes>> FileWeights::takeCodes(const Weight &weight) {
  Entry &entry = entries[waiting.lookup(weight.tensor->name())];
  const weights::WeightTensor &from = *entry.tensor;
  const formats::GgufType *type = formats::findGgufType(from.type->name);
  if (!type)
    return refuse(entry, "the blocks of its type " + Twine(StringRef(from.type->name)) +
                             " are not supported");
  if (!canKeep(weight)) {
    entry.taken.note = "plain numbers: its blocks do not lie along the summed dimension";
    return std::nullopt;
  }
  formats::Format format = type->codes.format;
  const formats::IntegerLayout *integer = format.getInteger();
  // Around their middle, 4-bit numbers are signed ones with the top bit flipped, which ONNX has.
  uint8_t flip = 0;
  if (integer && integer->bits == 4 && !integer->isSigned && integer->bias == 8) {
    flip = 8;
    format = formats::Format::makeSigned(4);
  }
  FileCodes result{Scheme{format}, {}, std::string(type->name)};
  const uint8_t *blocks = getBytes(entry).data() + from.offset;
  auto numBlocks = static_cast<int64_t>(from.bytes / type->bytes);
  {
    // The length of the parts does not depend on the block.
    std::vector<uint8_t> codes, empty(type->bytes);
    std::vector<double> scales, mins;
    result.scheme.group = formats::splitGguf(*type, empty.data(), codes, scales, mins);
  }
  Codes &made = result.codes;
  made = Codes(result.scheme, weight.columns, weight.depth);
  if (type->m)
    made.floatZeros.resize(made.scales.size());
  BlockTaker taker{*type, result.scheme.group, flip, made};
  constexpr int64_t kPerTask = 64;
  std::vector<BlockTaker::Sums> tasks((numBlocks + kPerTask - 1) / kPerTask);
  llvm::parallelFor(0, tasks.size(), [&](size_t task) {
    auto first = static_cast<int64_t>(task) * kPerTask;
    for (int64_t b = first; b < std::min(first + kPerTask, numBlocks); ++b)
      if (!taker.take(blocks + b * type->bytes, b, tasks[task]))
        return;
  });
  for (const BlockTaker::Sums &sums : tasks) {
    if (sums.problem)
      return refuse(entry, "the scale of block " + Twine(sums.badBlock) + sums.problem);
    made.squares += sums.squares;
    made.squaredErrors += sums.squaredErrors;
    made.largestError = std::max(made.largestError, sums.largestError);
  }
  entry.taken.note =
      type->m ? "keeps its codes; minima as zero points in float32" : "keeps its codes and scales";
  return std::optional(std::move(result));
}

void FileWeights::finish(QuantizedModel &result) {
  result.taken.reserve(entries.size());
  for (Entry &entry : entries)
    result.taken.push_back(std::move(entry.taken));
  result.kept = std::move(kept);
}
