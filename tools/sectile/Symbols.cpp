//===- Symbols.cpp - sizes of dynamic dimensions ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Symbols.h"

#include "Args.h"

#include <algorithm>

namespace sectile::tools {

namespace {

bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Recursive descent over the grammar that Abi.h states. Values are checked: an
/// overflow or a division by zero ends the evaluation.
class Evaluator {
public:
  Evaluator(std::string_view text, const SymbolValues &values)
      : whole(text), text(text), values(values) {}

  Result<int64_t> run() {
    int64_t value = sum();
    skipSpace();
    if (reason.empty() && !text.empty())
      stop(kRefused, "it does not end there");
    if (!reason.empty())
      return Failure{status, reason};
    return value;
  }

private:
  int64_t stop(ExitStatus why, const std::string &what) {
    if (reason.empty()) {
      status = why;
      reason = "cannot evaluate dimension '" + std::string(whole) + "': " + what;
    }
    text = {};
    return 0;
  }
  int64_t checked(bool overflow, int64_t value) {
    return overflow ? stop(kRefused, "it exceeds 64 bits") : value;
  }
  void skipSpace() {
    while (!text.empty() && text[0] == ' ')
      text.remove_prefix(1);
  }
  bool take(char c) {
    skipSpace();
    if (text.empty() || text[0] != c)
      return false;
    text.remove_prefix(1);
    return true;
  }
  /// The name or keyword that comes next; empty if none does.
  std::string_view peekWord() {
    skipSpace();
    size_t end = 0;
    if (!text.empty() && isNameStart(text[0]))
      while (end < text.size() && (isNameStart(text[end]) || isDigit(text[end])))
        ++end;
    return text.substr(0, end);
  }

  int64_t sum() {
    int64_t left = product();
    for (;;) {
      if (take('+')) {
        int64_t right = product();
        left = checked(__builtin_add_overflow(left, right, &left), left);
      } else if (take('-')) {
        int64_t right = product();
        left = checked(__builtin_sub_overflow(left, right, &left), left);
      } else {
        return left;
      }
    }
  }

  int64_t product() {
    int64_t left = factor();
    for (;;) {
      std::string_view word = peekWord();
      if (take('*')) {
        int64_t right = factor();
        left = checked(__builtin_mul_overflow(left, right, &left), left);
      } else if (word == "floordiv" || word == "ceildiv" || word == "mod") {
        text.remove_prefix(word.size());
        int64_t right = factor();
        if (right <= 0)
          return stop(kRefused, "a divisor is " + std::to_string(right));
        int64_t floor = left / right - (left % right < 0);
        left =
            word == "mod" ? left - floor * right : floor + (word == "ceildiv" && left % right != 0);
      } else {
        return left;
      }
    }
  }

  int64_t factor() {
    constexpr int kMaxDepth = 100;
    if (++depth > kMaxDepth)
      return stop(kRefused, "it is nested too deeply");
    int64_t value = atom();
    --depth;
    return value;
  }

  int64_t atom() {
    if (take('(')) {
      int64_t value = sum();
      return take(')') ? value : stop(kRefused, "expected ')'");
    }
    if (take('-')) {
      int64_t value = factor();
      return checked(__builtin_sub_overflow(int64_t(0), value, &value), value);
    }
    skipSpace();
    size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits > 0) {
      std::optional<int64_t> value = parseInteger(text.substr(0, digits));
      text.remove_prefix(digits);
      return value ? *value : stop(kRefused, "it exceeds 64 bits");
    }
    std::string_view word = peekWord();
    if (word.empty())
      return stop(kRefused, "expected a number or a name");
    text.remove_prefix(word.size());
    if ((word == "min" || word == "max") && take('(')) {
      int64_t left = sum();
      if (!take(','))
        return stop(kRefused, "expected ','");
      int64_t right = sum();
      if (!take(')'))
        return stop(kRefused, "expected ')'");
      return word == "min" ? std::min(left, right) : std::max(left, right);
    }
    auto found = values.find(word);
    if (found == values.end())
      return stop(kUsage, "give the size of '" + std::string(word) +
                              "' with --dims=" + std::string(word) + "=N");
    return found->second;
  }

  std::string_view whole, text;
  const SymbolValues &values;
  int depth = 0;
  ExitStatus status = kSuccess;
  std::string reason;
};

} // namespace

Result<Done> parseDims(std::string_view text, const std::vector<std::string> &symbols,
                       SymbolValues &values) {
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    std::string entry(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    size_t equals = entry.find('=');
    std::string name = entry.substr(0, equals);
    std::optional<int64_t> size;
    if (equals != std::string::npos)
      size = parseInteger(std::string_view(entry).substr(equals + 1));
    if (!size || *size < 0)
      return failure(kUsage, "option '--dims' expects NAME=SIZE, but got '%s'", entry.c_str());
    if (std::find(symbols.begin(), symbols.end(), name) == symbols.end()) {
      std::string known;
      for (const std::string &symbol : symbols)
        known += (known.empty() ? "" : ", ") + symbol;
      return failure(kUsage, "option '--dims' names '%s', but the package's dynamic sizes are: %s",
                     name.c_str(), known.empty() ? "none" : known.c_str());
    }
    if (!values.emplace(name, *size).second)
      return failure(kUsage, "option '--dims' gives '%s' twice", name.c_str());
  }
  return Done{};
}

Result<int64_t> evaluate(std::string_view expression, const SymbolValues &values) {
  return Evaluator(expression, values).run();
}

bool isSymbol(std::string_view expression) {
  return !expression.empty() && isNameStart(expression[0]) &&
         std::all_of(expression.begin(), expression.end(),
                     [](char c) { return isNameStart(c) || isDigit(c); });
}

} // namespace sectile::tools
