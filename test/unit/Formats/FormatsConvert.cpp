//===- FormatsConvert.cpp - numbers and codes through standard input and output -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a script needs to compare the formats with other sources; all data is raw and
// little-endian:
//
//     formats-convert decode FORMAT                      writes a double per code
//     formats-convert encode FORMAT ROUNDING OVERFLOW    reads doubles, writes 32-bit codes
//     formats-convert gguf-decode TYPE                   reads blocks, writes doubles
//     formats-convert gguf-encode TYPE                   reads floats, writes blocks
//     formats-convert block FORMAT COLUMNS               reads floats, writes the doubles that they
//                                                        become (quantized and back)
//
// A number without a code has the code 0xffffffff. On an error: a message and status 1.
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Block.h"
#include "sectile/Formats/Gguf.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iterator>

using namespace sectile::formats;

static int fail(const std::string &message) {
  std::fprintf(stderr, "formats-convert: %s\n", message.c_str());
  return EXIT_FAILURE;
}

template <typename T>
static std::vector<T> readAll() {
  std::vector<T> values;
  T chunk[1024];
  while (size_t count = std::fread(chunk, sizeof(T), std::size(chunk), stdin))
    values.insert(values.end(), chunk, chunk + count);
  return values;
}

template <typename T>
static int writeAll(const std::vector<T> &values) {
  size_t count = std::fwrite(values.data(), sizeof(T), values.size(), stdout);
  return count == values.size() ? EXIT_SUCCESS : fail("cannot write");
}

static int runDecode(const Format &format) {
  std::vector<double> values;
  for (uint64_t code = 0; code < format.getCodeCount(); ++code)
    for (unsigned position = 0; position < format.getDimension(); ++position)
      values.push_back(format.decode(static_cast<uint32_t>(code), position));
  return writeAll(values);
}

static int runEncode(const Format &format, std::string_view rounding, std::string_view overflow) {
  static const std::pair<std::string_view, Rounding> roundings[] = {
      {"nearest", Rounding::NearestEven},
      {"zero", Rounding::TowardZero},
      {"up", Rounding::Up},
      {"down", Rounding::Down}};
  for (auto [name, mode] : roundings) {
    if (name != rounding)
      continue;
    std::vector<uint32_t> codes;
    for (double value : readAll<double>())
      codes.push_back(
          format.encode(value, mode, overflow == "special" ? Overflow::Special : Overflow::Saturate)
              .value_or(UINT32_MAX));
    return writeAll(codes);
  }
  return fail("unknown rounding");
}

static int runGgufDecode(const GgufType &type) {
  std::vector<uint8_t> bytes = readAll<uint8_t>();
  std::vector<double> values(bytes.size() / type.bytes * type.elements);
  for (size_t block = 0; block < bytes.size() / type.bytes; ++block)
    decodeGguf(type, bytes.data() + block * type.bytes, values.data() + block * type.elements);
  return writeAll(values);
}

static int runGgufEncode(const GgufType &type) {
  std::vector<float> values = readAll<float>();
  std::vector<uint8_t> bytes;
  for (size_t start = 0; start + type.elements <= values.size(); start += type.elements) {
    Result<std::vector<uint8_t>> block = encodeGguf(type, values.data() + start);
    if (!block)
      return fail(block.getMessage());
    bytes.insert(bytes.end(), block->begin(), block->end());
  }
  return writeAll(bytes);
}

static int runBlock(std::string_view text, std::string_view length) {
  int64_t columns = 0;
  std::from_chars(length.data(), length.data() + length.size(), columns);
  if (columns < 1)
    return fail("expects at least one column");
  Result<BlockFormat> format = BlockFormat::parse(text);
  if (!format)
    return fail(format.getMessage());
  std::vector<float> values = readAll<float>();
  Result<QuantizedMatrix> matrix =
      quantize(*format, values.data(), static_cast<int64_t>(values.size()) / columns, columns);
  if (!matrix)
    return fail(matrix.getMessage());
  Result<std::vector<double>> back = dequantize(*format, *matrix);
  return back ? writeAll(*back) : fail(back.getMessage());
}

int main(int argc, char **argv) {
  std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() < 2)
    return fail("expects a command and a format");
  if (words[0] == "block" && words.size() == 3)
    return runBlock(words[1], words[2]);
  if (words[0] == "gguf-decode" || words[0] == "gguf-encode") {
    const GgufType *type = findGgufType(words[1]);
    if (!type)
      return fail("unknown GGUF type");
    return words[0] == "gguf-decode" ? runGgufDecode(*type) : runGgufEncode(*type);
  }
  Result<Format> format = Format::parse(words[1]);
  if (!format)
    return fail(format.getMessage());
  if (words[0] == "decode")
    return runDecode(*format);
  if (words[0] == "encode" && words.size() == 4)
    return runEncode(*format, words[2], words[3]);
  return fail("unknown command");
}
