//===- ElementTypes.cpp - types of elements in files of weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Weights/WeightFile.h"

using namespace sectile::weights;

// safetensors/src/tensor.rs, enum Dtype, of version 0.8.
static constexpr ElementType kSafetensors[] = {
    {"BOOL", Number::Bool, 1, 8},         {"F4", Number::Float, 1, 4},
    {"F6_E2M3", Number::Float, 1, 6},     {"F6_E3M2", Number::Float, 1, 6},
    {"U8", Number::Unsigned, 1, 8},       {"I8", Number::Signed, 1, 8},
    {"F8_E5M2", Number::Float, 1, 8},     {"F8_E4M3", Number::Float, 1, 8},
    {"F8_E5M2FNUZ", Number::Float, 1, 8}, {"F8_E4M3FNUZ", Number::Float, 1, 8},
    {"F8_E8M0", Number::Float, 1, 8},     {"I16", Number::Signed, 1, 16},
    {"U16", Number::Unsigned, 1, 16},     {"F16", Number::Float, 1, 16},
    {"BF16", Number::Float, 1, 16},       {"I32", Number::Signed, 1, 32},
    {"U32", Number::Unsigned, 1, 32},     {"F32", Number::Float, 1, 32},
    {"C64", Number::Complex, 1, 64},      {"F64", Number::Float, 1, 64},
    {"I64", Number::Signed, 1, 64},       {"U64", Number::Unsigned, 1, 64},
};

// ggml.h, enum ggml_type, and the sizes of the structures in ggml-common.h. Numbers of removed
// types (Q4_2, Q4_3, the repacked Q4_0_4_4 to IQ4_NL_8_8) stay reserved.
static constexpr ElementType kGguf[] = {
    {"F32", Number::Float, 1, 32},
    {"F16", Number::Float, 1, 16},
    {"Q4_0", Number::Block, 32, 18 * 8},
    {"Q4_1", Number::Block, 32, 20 * 8},
    {},
    {},
    {"Q5_0", Number::Block, 32, 22 * 8},
    {"Q5_1", Number::Block, 32, 24 * 8},
    {"Q8_0", Number::Block, 32, 34 * 8},
    {"Q8_1", Number::Block, 32, 36 * 8},
    {"Q2_K", Number::Block, 256, 84 * 8},
    {"Q3_K", Number::Block, 256, 110 * 8},
    {"Q4_K", Number::Block, 256, 144 * 8},
    {"Q5_K", Number::Block, 256, 176 * 8},
    {"Q6_K", Number::Block, 256, 210 * 8},
    {"Q8_K", Number::Block, 256, 292 * 8},
    {"IQ2_XXS", Number::Block, 256, 66 * 8},
    {"IQ2_XS", Number::Block, 256, 74 * 8},
    {"IQ3_XXS", Number::Block, 256, 98 * 8},
    {"IQ1_S", Number::Block, 256, 50 * 8},
    {"IQ4_NL", Number::Block, 32, 18 * 8},
    {"IQ3_S", Number::Block, 256, 110 * 8},
    {"IQ2_S", Number::Block, 256, 82 * 8},
    {"IQ4_XS", Number::Block, 256, 136 * 8},
    {"I8", Number::Signed, 1, 8},
    {"I16", Number::Signed, 1, 16},
    {"I32", Number::Signed, 1, 32},
    {"I64", Number::Signed, 1, 64},
    {"F64", Number::Float, 1, 64},
    {"IQ1_M", Number::Block, 256, 56 * 8},
    {"BF16", Number::Float, 1, 16},
    {},
    {},
    {},
    {"TQ1_0", Number::Block, 256, 54 * 8},
    {"TQ2_0", Number::Block, 256, 66 * 8},
    {},
    {},
    {},
    {"MXFP4", Number::Block, 32, 17 * 8},
    {"NVFP4", Number::Block, 64, 36 * 8},
    {"Q1_0", Number::Block, 128, 18 * 8},
};

std::span<const ElementType> sectile::weights::getSafetensorsTypes() { return kSafetensors; }

std::span<const ElementType> sectile::weights::getGgufElementTypes() { return kGguf; }
