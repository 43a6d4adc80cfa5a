//===- Symbols.h - sizes of dynamic dimensions ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_SYMBOLS_H
#define SECTILE_TOOLS_SECTILE_SYMBOLS_H

#include "Result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sectile::tools {

/// Values of a package's symbols, as far as they are known.
using SymbolValues = std::map<std::string, int64_t, std::less<>>;

/// Parses the value of --dims, e.g. "batch=2,seq=7", into `values`. Fails with
/// kUsage for a name that is not in `symbols`, and for sizes below 0.
Result<Done> parseDims(std::string_view text, const std::vector<std::string> &symbols,
                       SymbolValues &values);

/// Evaluates a dimension expression (sectile_tensor_info.dim_exprs). Fails with
/// kUsage naming the first symbol without a value, and with kRefused for what is
/// no expression or overflows.
Result<int64_t> evaluate(std::string_view expression, const SymbolValues &values);

/// Whether `expression` is nothing but the name of a symbol.
bool isSymbol(std::string_view expression);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_SYMBOLS_H
