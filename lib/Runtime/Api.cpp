//===- Api.cpp - functions without an object --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/sectile.h"

#include "sectile/Package/Abi.h"

// The two headers state the same numbers, because one is for users and the other
// for compiled packages.
static_assert(int(SECTILE_F32) == SECTILE_ABI_F32 && int(SECTILE_F64) == SECTILE_ABI_F64 &&
              int(SECTILE_F16) == SECTILE_ABI_F16 && int(SECTILE_BF16) == SECTILE_ABI_BF16 &&
              int(SECTILE_I8) == SECTILE_ABI_I8 && int(SECTILE_I16) == SECTILE_ABI_I16 &&
              int(SECTILE_I32) == SECTILE_ABI_I32 && int(SECTILE_I64) == SECTILE_ABI_I64 &&
              int(SECTILE_U8) == SECTILE_ABI_U8 && int(SECTILE_U16) == SECTILE_ABI_U16 &&
              int(SECTILE_U32) == SECTILE_ABI_U32 && int(SECTILE_U64) == SECTILE_ABI_U64 &&
              int(SECTILE_BOOL) == SECTILE_ABI_BOOL &&
              int(SECTILE_F8E4M3FN) == SECTILE_ABI_F8E4M3FN &&
              int(SECTILE_F8E4M3FNUZ) == SECTILE_ABI_F8E4M3FNUZ &&
              int(SECTILE_F8E5M2) == SECTILE_ABI_F8E5M2 &&
              int(SECTILE_F8E5M2FNUZ) == SECTILE_ABI_F8E5M2FNUZ);
static_assert(int(SECTILE_OK) == SECTILE_ABI_OK &&
              int(SECTILE_INVALID_INPUT) == SECTILE_ABI_INVALID_INPUT &&
              int(SECTILE_CAPACITY) == SECTILE_ABI_CAPACITY &&
              int(SECTILE_INTERNAL) == SECTILE_ABI_INTERNAL);

uint32_t sectile_api_version(void) { return SECTILE_API_VERSION; }

const char *sectile_version(void) { return SECTILE_VERSION; }

const char *sectile_status_name(sectile_status status) {
  switch (status) {
  case SECTILE_OK:
    return "ok";
  case SECTILE_INVALID_INPUT:
    return "invalid input";
  case SECTILE_CAPACITY:
    return "beyond capacity";
  case SECTILE_INVALID_ARGUMENT:
    return "invalid argument";
  case SECTILE_INVALID_PACKAGE:
    return "invalid package";
  case SECTILE_UNSUPPORTED:
    return "unsupported";
  case SECTILE_OUT_OF_MEMORY:
    return "out of memory";
  case SECTILE_SYSTEM:
    return "system error";
  case SECTILE_DEVICE:
    return "device error";
  case SECTILE_INTERNAL:
    return "internal error";
  }
  return "unknown status";
}

namespace {

struct DType {
  const char *name;
  uint32_t bytes;
};

/// Indexed by sectile_dtype.
constexpr DType kDTypes[] = {
    {"unknown", 0},    {"f32", 4},    {"f64", 8},        {"f16", 2},  {"bf16", 2},
    {"i8", 1},         {"i16", 2},    {"i32", 4},        {"i64", 8},  {"u8", 1},
    {"u16", 2},        {"u32", 4},    {"u64", 8},        {"bool", 1}, {"f8E4M3FN", 1},
    {"f8E4M3FNUZ", 1}, {"f8E5M2", 1}, {"f8E5M2FNUZ", 1},
};

const DType &lookUp(int32_t dtype) {
  return kDTypes[dtype >= SECTILE_F32 && dtype <= SECTILE_F8E5M2FNUZ ? dtype : 0];
}

} // namespace

const char *sectile_dtype_name(int32_t dtype) { return lookUp(dtype).name; }

uint32_t sectile_dtype_bytes(int32_t dtype) { return lookUp(dtype).bytes; }
