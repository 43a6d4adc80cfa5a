//===- DType.h - ONNX element types -----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_DTYPE_H
#define SECTILE_LIB_FRONTEND_DTYPE_H

#include "mlir/IR/Types.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace sectile::frontend {

/// Element types with the numbers of TensorProto.DataType. Debian's onnx.proto ends at 16;
/// the later ones come from the published standard.
enum class DType : int32_t {
  F32 = 1,
  U8 = 2,
  I8 = 3,
  U16 = 4,
  I16 = 5,
  I32 = 6,
  I64 = 7,
  String = 8,
  Bool = 9,
  F16 = 10,
  F64 = 11,
  U32 = 12,
  U64 = 13,
  BF16 = 16,
  F8E4M3FN = 17,
  F8E4M3FNUZ = 18,
  F8E5M2 = 19,
  F8E5M2FNUZ = 20,
  U4 = 21,
  I4 = 22,
  F4E2M1 = 23,
  F8E8M0 = 24,
  U2 = 25,
  I2 = 26,
};

/// The element type of that number; nothing for types that no tensor of ours has (strings,
/// complex numbers, and numbers the standard does not have).
std::optional<DType> dtypeOf(int64_t number);
/// As the standard's texts call it: "float32", "uint8", "bool".
llvm::StringRef nameOf(DType dtype);
/// What the number stands for in a model, for messages; "type 99" if nothing.
std::string nameOfNumber(int64_t number);

bool isFloat(DType dtype);
bool isSigned(DType dtype);   ///< a signed integer
bool isUnsigned(DType dtype); ///< an unsigned integer, not bool
inline bool isInteger(DType dtype) { return isSigned(dtype) || isUnsigned(dtype); }
/// f16 and bf16, which are computed in f32.
inline bool isNarrowFloat(DType dtype) {
  return isFloat(dtype) && dtype != DType::F32 && dtype != DType::F64;
}
/// A float whose elements are codes in bytes, because no kernel computes in MLIR's type of it.
inline bool isHeldAsCode(DType dtype) { return dtype == DType::F4E2M1 || dtype == DType::F8E8M0; }
/// A float of at most 8 bits: it can be moved and converted.
inline bool isSmallFloat(DType dtype) {
  return isHeldAsCode(dtype) || dtype == DType::F8E4M3FN || dtype == DType::F8E4M3FNUZ ||
         dtype == DType::F8E5M2 || dtype == DType::F8E5M2FNUZ;
}
/// Width in bits, as the standard packs elements; bool counts 8, as it is stored.
unsigned bitsOf(DType dtype);
/// The number format (docs/formats.md) of integers and floats of at most 8 bits; else empty.
llvm::StringRef formatOf(DType dtype);
/// Integers are signless, bool is i1. What takes less than a byte is held in one: integers as their
/// value, floats as their code.
mlir::Type mlirType(DType dtype, mlir::MLIRContext *context);
/// The type in which sums and transcendental functions of this type are computed.
DType computeType(DType dtype);
/// The type that products of `dtype` are summed in: codes of 8 bits without their zero points have
/// 16 bits, of which two products fill 32.
DType sumType(DType dtype);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_DTYPE_H
