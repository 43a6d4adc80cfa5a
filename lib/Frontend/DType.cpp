//===- DType.cpp - ONNX element types ---------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DType.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"

using namespace sectile::frontend;

namespace {
enum class Class { Float, Signed, Unsigned, Bool, None };
struct Row {
  int32_t number;
  const char *name;
  unsigned bits;
  Class kind;
};
} // namespace

static constexpr Row kRows[] = {
    {1, "float32", 32, Class::Float},      {2, "uint8", 8, Class::Unsigned},
    {3, "int8", 8, Class::Signed},         {4, "uint16", 16, Class::Unsigned},
    {5, "int16", 16, Class::Signed},       {6, "int32", 32, Class::Signed},
    {7, "int64", 64, Class::Signed},       {8, "string", 0, Class::None},
    {9, "bool", 8, Class::Bool},           {10, "float16", 16, Class::Float},
    {11, "float64", 64, Class::Float},     {12, "uint32", 32, Class::Unsigned},
    {13, "uint64", 64, Class::Unsigned},   {14, "complex64", 64, Class::None},
    {15, "complex128", 128, Class::None},  {16, "bfloat16", 16, Class::Float},
    {17, "float8e4m3fn", 8, Class::Float}, {18, "float8e4m3fnuz", 8, Class::Float},
    {19, "float8e5m2", 8, Class::Float},   {20, "float8e5m2fnuz", 8, Class::Float},
    {21, "uint4", 4, Class::Unsigned},     {22, "int4", 4, Class::Signed},
    {23, "float4e2m1", 4, Class::Float},   {24, "float8e8m0", 8, Class::Float},
    {25, "uint2", 2, Class::Unsigned},     {26, "int2", 2, Class::Signed},
    {27, "float6e2m3", 6, Class::None},    {28, "float6e3m2", 6, Class::None},
};

static const Row *rowOf(int64_t number) {
  const Row *row = llvm::find_if(kRows, [&](const Row &row) { return row.number == number; });
  return row == std::end(kRows) ? nullptr : row;
}

static const Row &rowOf(DType dtype) { return *rowOf(static_cast<int64_t>(dtype)); }

std::optional<DType> sectile::frontend::dtypeOf(int64_t number) {
  const Row *row = rowOf(number);
  if (!row || row->kind == Class::None)
    return std::nullopt;
  return static_cast<DType>(number);
}

llvm::StringRef sectile::frontend::nameOf(DType dtype) { return rowOf(dtype).name; }

std::string sectile::frontend::nameOfNumber(int64_t number) {
  const Row *row = rowOf(number);
  return row ? row->name : "type " + std::to_string(number);
}

bool sectile::frontend::isFloat(DType dtype) { return rowOf(dtype).kind == Class::Float; }
bool sectile::frontend::isSigned(DType dtype) { return rowOf(dtype).kind == Class::Signed; }
bool sectile::frontend::isUnsigned(DType dtype) { return rowOf(dtype).kind == Class::Unsigned; }
unsigned sectile::frontend::bitsOf(DType dtype) { return rowOf(dtype).bits; }

llvm::StringRef sectile::frontend::formatOf(DType dtype) {
  switch (dtype) {
  case DType::F8E4M3FN:
    return "e4m3fn";
  case DType::F8E4M3FNUZ:
    return "e4m3fnuz";
  case DType::F8E5M2:
    return "e5m2";
  case DType::F8E5M2FNUZ:
    return "e5m2fnuz";
  case DType::F4E2M1:
    return "e2m1";
  case DType::F8E8M0:
    return "e8m0fnu";
  default: // names of integers are those of their formats
    return isInteger(dtype) && bitsOf(dtype) <= 8 ? nameOf(dtype) : "";
  }
}

mlir::Type sectile::frontend::mlirType(DType dtype, mlir::MLIRContext *context) {
  switch (dtype) {
  case DType::F32:
    return mlir::Float32Type::get(context);
  case DType::F64:
    return mlir::Float64Type::get(context);
  case DType::F16:
    return mlir::Float16Type::get(context);
  case DType::BF16:
    return mlir::BFloat16Type::get(context);
  case DType::F8E4M3FN:
    return mlir::Float8E4M3FNType::get(context);
  case DType::F8E4M3FNUZ:
    return mlir::Float8E4M3FNUZType::get(context);
  case DType::F8E5M2:
    return mlir::Float8E5M2Type::get(context);
  case DType::F8E5M2FNUZ:
    return mlir::Float8E5M2FNUZType::get(context);
  case DType::Bool:
    return mlir::IntegerType::get(context, 1);
  default:
    return mlir::IntegerType::get(context, std::max(8u, bitsOf(dtype)));
  }
}

DType sectile::frontend::sumType(DType dtype) {
  return dtype == DType::I16 ? DType::I32 : computeType(dtype);
}

DType sectile::frontend::computeType(DType dtype) {
  return isNarrowFloat(dtype) ? DType::F32 : dtype;
}
