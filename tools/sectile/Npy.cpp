//===- Npy.cpp - NumPy array files ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Npy.h"

#include "Args.h"
#include "Files.h"

#include <algorithm>
#include <cstring>

namespace sectile::tools {

namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr size_t kMaxHeaderBytes = 1 << 20;
constexpr size_t kMaxRank = 64;

/// What the header says.
struct Header {
  std::string type;
  bool fortranOrder = false;
  std::vector<int64_t> dims;
};

/// Parses the dictionary literal of a header, e.g.
/// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  /// Null on success, else what is wrong.
  const char *parse(Header &header);

private:
  void skipSpace() {
    while (!text.empty() && strchr(" \t\r\n", text[0]))
      text.remove_prefix(1);
  }
  bool take(std::string_view token) {
    skipSpace();
    if (text.substr(0, token.size()) != token)
      return false;
    text.remove_prefix(token.size());
    return true;
  }
  bool takeString(std::string &out);
  bool takeShape(std::vector<int64_t> &dims);

  std::string_view text;
};

bool HeaderParser::takeString(std::string &out) {
  skipSpace();
  if (text.empty() || (text[0] != '\'' && text[0] != '"'))
    return false;
  size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos)
    return false;
  out = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return true;
}

bool HeaderParser::takeShape(std::vector<int64_t> &dims) {
  if (!take("("))
    return false;
  while (!take(")")) {
    size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::optional<int64_t> dim = parseInteger(text.substr(0, digits));
    if (!dim || dims.size() == kMaxRank)
      return false;
    dims.push_back(*dim);
    text.remove_prefix(digits);
    take("L"); // Python 2 wrote long integers so
    if (!take(",")) {
      if (!take(")"))
        return false;
      break;
    }
    skipSpace();
  }
  return true;
}

const char *HeaderParser::parse(Header &header) {
  bool haveType = false, haveOrder = false, haveShape = false;
  if (!take("{"))
    return "expected a dictionary";
  while (!take("}")) {
    std::string key;
    if (!takeString(key) || !take(":"))
      return "expected a key";
    if (key == "descr" && !haveType) {
      if (!takeString(header.type))
        return "expected a plain dtype";
      haveType = true;
    } else if (key == "fortran_order" && !haveOrder) {
      header.fortranOrder = take("True");
      if (!header.fortranOrder && !take("False"))
        return "expected True or False for 'fortran_order'";
      haveOrder = true;
    } else if (key == "shape" && !haveShape) {
      if (!takeShape(header.dims))
        return "expected a tuple of sizes for 'shape'";
      haveShape = true;
    } else {
      return "expected the keys 'descr', 'fortran_order' and 'shape' once each";
    }
    if (!take(",") && (skipSpace(), text.empty() || text[0] != '}'))
      return "expected ',' or '}'";
  }
  skipSpace();
  if (!haveType || !haveOrder || !haveShape || !text.empty())
    return "expected the keys 'descr', 'fortran_order' and 'shape' once each";
  return nullptr;
}

struct TypeCode {
  int32_t dtype;
  const char *code;
};

constexpr TypeCode kTypeCodes[] = {
    {SECTILE_F32, "f4"},    {SECTILE_F64, "f8"},      {SECTILE_F16, "f2"}, {SECTILE_BF16, "V2"},
    {SECTILE_I8, "i1"},     {SECTILE_I16, "i2"},      {SECTILE_I32, "i4"}, {SECTILE_I64, "i8"},
    {SECTILE_U8, "u1"},     {SECTILE_U16, "u2"},      {SECTILE_U32, "u4"}, {SECTILE_U64, "u8"},
    {SECTILE_BOOL, "b1"}, // As ml_dtypes writes them: three of its types are "V1".
    {SECTILE_F8E5M2, "f1"}, {SECTILE_F8E4M3FN, "V1"},
};

void swapBytes(Bytes &data, uint32_t elementBytes) {
  for (size_t i = 0; i + elementBytes <= data.size(); i += elementBytes)
    std::reverse(data.begin() + static_cast<ptrdiff_t>(i),
                 data.begin() + static_cast<ptrdiff_t>(i + elementBytes));
}

/// The same elements with the last dimension fastest instead of the first.
Bytes toRowMajor(const Bytes &data, const std::vector<int64_t> &dims, uint32_t elementBytes) {
  Bytes result(data.size());
  std::vector<int64_t> index(dims.size(), 0), strides(dims.size());
  int64_t stride = elementBytes;
  for (size_t d = 0; d < dims.size(); stride *= dims[d], ++d)
    strides[d] = stride;
  int64_t source = 0;
  for (size_t to = 0; to < result.size(); to += elementBytes) {
    memcpy(result.data() + to, data.data() + source, elementBytes);
    for (size_t d = dims.size(); d-- > 0;) {
      source += strides[d];
      if (++index[d] < dims[d])
        break;
      source -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
  return result;
}

/// Bytes in memory, read as a file is.
class InputBytes {
public:
  InputBytes(std::span<const std::byte> bytes, const std::string &shown)
      : bytes(bytes), shown(shown) {}

  uint64_t remaining() const { return bytes.size(); }
  const std::string &path() const { return shown; }
  Result<Done> read(std::span<std::byte> out) {
    if (out.size() > bytes.size())
      return failure(kRefused, "'%s' is truncated: expected %zu more bytes, but got %zu",
                     shown.c_str(), out.size(), bytes.size());
    std::copy_n(bytes.begin(), out.size(), out.begin());
    bytes = bytes.subspan(out.size());
    return Done{};
  }

private:
  std::span<const std::byte> bytes;
  const std::string &shown;
};

/// `file` is an InputFile or InputBytes.
template <typename File>
Result<Tensor> readFrom(File &file) {
  const std::string &path = file.path();
  unsigned char start[12] = {};
  bool isNpy = file.remaining() >= 10;
  if (isNpy) {
    if (Result<Done> read = file.read(std::as_writable_bytes(std::span(start, 10))); !read)
      return read.failure();
    isNpy = memcmp(start, kMagic, kMagicBytes) == 0;
  }
  if (!isNpy)
    return failure(kRefused, "'%s' is not a .npy file", path.c_str());
  unsigned version = start[6];
  if (version < 1 || version > 3)
    return failure(kRefused, "'%s' has .npy version %u, expected 1 to 3", path.c_str(), version);
  size_t headerBytes = start[8] | size_t(start[9]) << 8;
  if (version > 1) {
    if (Result<Done> read = file.read(std::as_writable_bytes(std::span(start + 10, 2))); !read)
      return read.failure();
    headerBytes |= size_t(start[10]) << 16 | size_t(start[11]) << 24;
  }
  if (headerBytes > kMaxHeaderBytes)
    return failure(kRefused, "'%s' has a header of %zu bytes, expected at most %zu", path.c_str(),
                   headerBytes, kMaxHeaderBytes);
  std::string text(headerBytes, '\0');
  if (Result<Done> read = file.read(std::as_writable_bytes(std::span(text))); !read)
    return read.failure();

  Header header;
  if (const char *reason = HeaderParser(text).parse(header))
    return failure(kRefused, "'%s' has a bad .npy header: %s", path.c_str(), reason);
  Tensor tensor;
  tensor.dtype = 0;
  bool hasOrder = !header.type.empty() && strchr("<>|=", header.type[0]);
  for (const TypeCode &type : kTypeCodes)
    if (hasOrder && header.type.substr(1) == type.code)
      tensor.dtype = type.dtype;
  if (tensor.dtype == 0)
    return failure(kRefused, "'%s' has dtype '%s', expected numbers or booleans", path.c_str(),
                   header.type.c_str());
  tensor.dims = header.dims;
  std::optional<uint64_t> bytes = countBytes(tensor.dtype, tensor.dims);
  if (!bytes || *bytes != file.remaining())
    return failure(kRefused, "'%s' holds %s, but has %llu bytes of data", path.c_str(),
                   describeType(tensor.dtype, tensor.dims).c_str(),
                   static_cast<unsigned long long>(file.remaining()));
  tensor.data.resize(*bytes);
  if (Result<Done> read = file.read(tensor.data); !read)
    return read.failure();
  uint32_t elementBytes = sectile_dtype_bytes(tensor.dtype);
  if (header.type[0] == '>')
    swapBytes(tensor.data, elementBytes);
  if (header.fortranOrder && tensor.dims.size() > 1)
    tensor.data = toRowMajor(tensor.data, tensor.dims, elementBytes);
  return tensor;
}

} // namespace

Result<Tensor> readNpy(const std::string &path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file)
    return file.failure();
  return readFrom(*file);
}

Result<Tensor> parseNpy(std::span<const std::byte> bytes, const std::string &shown) {
  InputBytes file(bytes, shown);
  return readFrom(file);
}

std::string npyHeader(const Tensor &tensor) {
  const char *code = "";
  for (const TypeCode &type : kTypeCodes)
    if (type.dtype == tensor.dtype)
      code = type.code;
  std::string text = "{'descr': '";
  text += sectile_dtype_bytes(tensor.dtype) == 1 ? '|' : '<';
  text += code;
  text += "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : tensor.dims)
    text += std::to_string(dim) + (tensor.dims.size() == 1 ? "," : ", ");
  if (tensor.dims.size() > 1)
    text.resize(text.size() - 2);
  text += "), }";
  // The data begins at a multiple of 64 bytes, and the header ends a line.
  size_t total = (kMagicBytes + 4 + text.size() + 1 + 63) / 64 * 64;
  text.resize(total - (kMagicBytes + 4) - 1, ' ');
  text += '\n';
  std::string header(kMagic, kMagicBytes);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

Tensor npyForm(Tensor tensor) {
  if (tensor.dtype != SECTILE_BF16 && !getSmallFloat(tensor.dtype))
    return tensor;
  Tensor wide;
  wide.dtype = SECTILE_F32;
  wide.dims = tensor.dims;
  wide.data.resize(static_cast<size_t>(tensor.numElements()) * sizeof(float));
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    float value = static_cast<float>(readElement(tensor, i));
    memcpy(wide.data.data() + i * sizeof value, &value, sizeof value);
  }
  return wide;
}

} // namespace sectile::tools
