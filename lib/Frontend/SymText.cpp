//===- SymText.cpp - dimension expressions as text -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/SymExpr.h"

#include "llvm/ADT/StringExtras.h"

using namespace sectile;
using llvm::SmallVector;
using llvm::StringRef;

static bool isIdentifier(StringRef name) {
  return !name.empty() && (llvm::isAlpha(name[0]) || name[0] == '_') &&
         llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

static StringRef functionName(SymAtom::Kind kind) {
  switch (kind) {
  case SymAtom::Kind::Symbol:
    return "";
  case SymAtom::Kind::FloorDiv:
    return "floordiv";
  case SymAtom::Kind::Min:
    return "min";
  case SymAtom::Kind::Max:
    return "max";
  case SymAtom::Kind::Equal:
    return "equal";
  case SymAtom::Kind::Broadcast:
    return "broadcast";
  }
  return "";
}

std::string SymAtom::str() const {
  if (kind != Kind::Symbol)
    return (functionName(kind) + "(" + args[0].str() + "," + args[1].str() + ")").str();
  if (isIdentifier(name))
    return name;
  std::string quoted = "'";
  for (char c : name)
    quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

std::string SymExpr::str() const {
  if (!valid)
    return "?";
  if (storage.empty())
    return "0";
  std::string text;
  auto print = [&](const Term &term) {
    bool negative = term.coefficient < 0;
    text += negative ? "-" : text.empty() ? "" : "+";
    uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(term.coefficient)
                                  : static_cast<uint64_t>(term.coefficient);
    SmallVector<std::string> factors;
    if (magnitude != 1 || term.atoms.empty())
      factors.push_back(std::to_string(magnitude));
    for (const SymAtom *atom : term.atoms)
      factors.push_back(atom->str());
    text += llvm::join(factors, "*");
  };
  // People write the constant last.
  bool hasConstant = storage.front().atoms.empty();
  for (const Term &term : terms().drop_front(hasConstant))
    print(term);
  if (hasConstant)
    print(storage.front());
  return text;
}

namespace {
/// Recursive descent over  sum := product (('+'|'-') product)*;  product := factor ('*' factor)*.
class Parser {
public:
  Parser(StringRef text, llvm::function_ref<std::optional<SymExpr>(StringRef)> resolve,
         SymContext &context)
      : rest(text), resolve(resolve), context(context) {}

  std::optional<SymExpr> parse() {
    std::optional<SymExpr> expr = sum(0);
    if (!expr || !expr->isValid() || !rest.ltrim().empty())
      return std::nullopt;
    return expr;
  }

private:
  bool consume(char c) {
    rest = rest.ltrim();
    return rest.consume_front(StringRef(&c, 1));
  }

  std::optional<SymExpr> sum(unsigned depth) {
    if (depth > 32)
      return std::nullopt;
    SymExpr total;
    bool negative = consume('-');
    while (true) {
      std::optional<SymExpr> next = product(depth);
      if (!next)
        return std::nullopt;
      total = negative ? total - *next : total + *next;
      if (consume('+'))
        negative = false;
      else if (consume('-'))
        negative = true;
      else
        return total;
    }
  }

  std::optional<SymExpr> product(unsigned depth) {
    std::optional<SymExpr> total = factor(depth);
    while (total && consume('*')) {
      std::optional<SymExpr> next = factor(depth);
      if (!next)
        return std::nullopt;
      total = *total * *next;
    }
    return total;
  }

  std::optional<SymExpr> factor(unsigned depth) {
    if (consume('(')) {
      std::optional<SymExpr> inner = sum(depth + 1);
      return inner && consume(')') ? inner : std::nullopt;
    }
    rest = rest.ltrim();
    if (rest.empty())
      return std::nullopt;
    if (llvm::isDigit(rest[0])) {
      int64_t value;
      StringRef digits = rest.take_while(llvm::isDigit);
      if (digits.getAsInteger(10, value))
        return std::nullopt;
      rest = rest.drop_front(digits.size());
      return SymExpr(value);
    }
    std::string name;
    if (rest.consume_front("'")) {
      while (!rest.empty()) {
        if (rest[0] == '\'' && !rest.starts_with("''"))
          break;
        name += rest[0];
        rest = rest.drop_front(rest[0] == '\'' ? 2 : 1);
      }
      return rest.consume_front("'") ? resolve(name) : std::nullopt;
    }
    name = rest.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; }).str();
    if (!isIdentifier(name))
      return std::nullopt;
    rest = rest.drop_front(name.size());
    return rest.ltrim().starts_with("(") ? call(name, depth + 1) : resolve(name);
  }

  std::optional<SymExpr> call(StringRef name, unsigned depth) {
    consume('(');
    std::optional<SymExpr> a = sum(depth);
    if (!a || !consume(','))
      return std::nullopt;
    std::optional<SymExpr> b = sum(depth);
    if (!b || !consume(')'))
      return std::nullopt;
    if (name == "floordiv")
      return context.floorDiv(*a, *b);
    if (name == "min")
      return context.min(*a, *b);
    if (name == "max")
      return context.max(*a, *b);
    if (name == "equal")
      return context.equal(*a, *b);
    if (name == "broadcast")
      return context.broadcast(*a, *b);
    return std::nullopt;
  }

  StringRef rest;
  llvm::function_ref<std::optional<SymExpr>(StringRef)> resolve;
  SymContext &context;
};
} // namespace

std::optional<SymExpr>
SymContext::parse(StringRef text, llvm::function_ref<std::optional<SymExpr>(StringRef)> resolve,
                  SymContext &context) {
  return Parser(text, resolve, context).parse();
}
