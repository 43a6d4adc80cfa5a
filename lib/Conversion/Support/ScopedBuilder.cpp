//===- ScopedBuilder.cpp - builds code where it is first possible -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScopedBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile::lowering;

void ScopedBuilder::pushScope(Block *block) {
  scopes.push_back({block, {}, {}, {}});
  setInsertionPointToEnd(block);
}

void ScopedBuilder::popScope() {
  Operation *parent = scopes.back().block->getParentOp();
  scopes.pop_back();
  if (!scopes.empty())
    setInsertionPointAfter(parent);
}

Value ScopedBuilder::constant(Location loc, int64_t value) {
  return emitOnce(Poly(0), "constant", value,
                  [&] { return arith::ConstantIntOp::create(*this, loc, value, 64).getResult(); });
}

Value ScopedBuilder::emitOnce(const Poly &poly, StringRef kind, int64_t key,
                              function_ref<Value()> make) {
  unsigned depth = depthOf(poly);
  auto &cache = scopes[depth].others;
  auto entry = std::make_tuple(kind.str(), key, poly);
  if (auto it = cache.find(entry); it != cache.end())
    return it->second;
  InsertionGuard guard(*this);
  goTo(depth);
  Value value = make();
  scopes[depth].others.emplace(entry, value);
  return value;
}

bool ScopedBuilder::isBound(const Poly &poly) {
  return llvm::all_of(poly.terms, [&](const auto &term) {
    return llvm::all_of(term.first, [&](AtomId id) {
      const Atom &atom = algebra.get(id);
      switch (atom.kind) {
      case Atom::Kind::Value:
      case Atom::Kind::Iteration:
        return bindings.contains(atom.value);
      default:
        return isBound(atom.lhs) && isBound(atom.rhs);
      }
    });
  });
}

//===----------------------------------------------------------------------===//
// Scopes
//===----------------------------------------------------------------------===//

unsigned ScopedBuilder::depthOf(Value value) {
  Block *block = value.getParentBlock();
  for (unsigned depth = scopes.size(); depth-- > 0;)
    if (scopes[depth].block == block)
      return depth;
  llvm_unreachable("value is not visible here");
}

unsigned ScopedBuilder::depthOf(AtomId id) {
  const Atom &atom = algebra.get(id);
  switch (atom.kind) {
  case Atom::Kind::Value:
  case Atom::Kind::Iteration:
    return depthOf(bindings.lookup(atom.value));
  case Atom::Kind::FloorDiv:
  case Atom::Kind::Mod:
    return std::max(depthOf(atom.lhs), depthOf(atom.rhs));
  case Atom::Kind::Lane:
    return 0;
  case Atom::Kind::LaneValue:
    return depthOf(atom.value);
  }
  llvm_unreachable("unknown kind of atom");
}

unsigned ScopedBuilder::depthOf(const Monomial &monomial) {
  unsigned depth = 0;
  for (AtomId id : monomial)
    depth = std::max(depth, depthOf(id));
  return depth;
}

unsigned ScopedBuilder::depthOf(const Poly &poly) {
  unsigned depth = 0;
  for (const auto &term : poly.terms)
    depth = std::max(depth, depthOf(term.first));
  return depth;
}

void ScopedBuilder::goTo(unsigned depth) {
  if (depth + 1 < scopes.size())
    setInsertionPoint(scopes[depth + 1].block->getParentOp());
}

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

Poly ScopedBuilder::denormalise(const Poly &poly) {
  Poly result(poly.constant);
  for (const auto &[monomial, coefficient] : poly.terms) {
    // number = (iv - lower) / step, for the first atom where that takes no division.
    auto isCounter = [&](AtomId id) {
      const Atom &atom = algebra.get(id);
      return atom.kind == Atom::Kind::Iteration && coefficient % atom.step == 0;
    };
    auto counter = llvm::find_if(monomial, isCounter);
    int64_t step = counter == monomial.end() ? 1 : algebra.get(*counter).step;
    Poly term(coefficient / step);
    for (auto it = monomial.begin(); it != monomial.end(); ++it) {
      Poly factor;
      if (it == counter) {
        const Atom atom = algebra.get(*it);
        factor = algebra.value(atom.value, {}) - atom.lhs;
      } else {
        factor.terms.emplace(Monomial{*it}, 1);
      }
      term = term * factor;
    }
    result += term;
  }
  return result;
}

Value ScopedBuilder::emitAtom(Location loc, AtomId id) {
  const Atom atom = algebra.get(id);
  if (atom.kind == Atom::Kind::Value)
    return bindings.lookup(atom.value);
  Poly self;
  self.terms.emplace(Monomial{id}, 1);
  return emitOnce(self, "atom", 0, [&]() -> Value {
    if (atom.kind == Atom::Kind::Iteration) {
      Value offset =
          arith::SubIOp::create(*this, loc, bindings.lookup(atom.value), emit(loc, atom.lhs));
      return divide<arith::DivUIOp>(loc, offset, constant(loc, atom.step));
    }
    Value lhs = emit(loc, atom.lhs);
    bool isMod = atom.kind == Atom::Kind::Mod;
    if (atom.rhs.isConstant() && llvm::isPowerOf2_64(atom.rhs.constant)) {
      if (isMod)
        return arith::AndIOp::create(*this, loc, lhs, constant(loc, atom.rhs.constant - 1));
      return arith::ShRSIOp::create(*this, loc, lhs,
                                    constant(loc, llvm::Log2_64(atom.rhs.constant)));
    }
    // A size of zero makes an empty loop further in, but the division may be hoisted out of it.
    Value rhs = emit(loc, atom.rhs);
    if (!atom.rhs.isConstant())
      rhs = arith::MaxSIOp::create(*this, loc, rhs, constant(loc, 1));
    IntRange range = algebra.getRange(atom.lhs);
    if (range.lo && *range.lo >= 0)
      return isMod ? divide<arith::RemUIOp>(loc, lhs, rhs) : divide<arith::DivUIOp>(loc, lhs, rhs);
    Value rest = divide<arith::RemSIOp>(loc, lhs, rhs);
    Value isNegative =
        arith::CmpIOp::create(*this, loc, arith::CmpIPredicate::slt, rest, constant(loc, 0));
    if (isMod) {
      Value wrapped = arith::AddIOp::create(*this, loc, rest, rhs);
      return arith::SelectOp::create(*this, loc, isNegative, wrapped, rest);
    }
    Value quotient = divide<arith::DivSIOp>(loc, lhs, rhs);
    Value less = arith::SubIOp::create(*this, loc, quotient, constant(loc, 1));
    return arith::SelectOp::create(*this, loc, isNegative, less, quotient);
  });
}

Value ScopedBuilder::emitMonomial(Location loc, const Monomial &monomial, int64_t coefficient) {
  Monomial ordered(monomial);
  llvm::sort(ordered, [&](AtomId a, AtomId b) {
    return std::make_pair(depthOf(a), a) < std::make_pair(depthOf(b), b);
  });
  Poly prefix(1);
  Value product;
  auto multiply = [&](const Poly &factor, Value value) {
    prefix = prefix * factor;
    product =
        product
            ? emitOnce(prefix, "product", 0,
                       [&]() -> Value { return arith::MulIOp::create(*this, loc, product, value); })
            : value;
  };
  // The coefficient joins the outermost factor; sums of products cannot share it then, but
  // what reaches the innermost loop is smaller.
  for (AtomId id : ordered) {
    Poly factor;
    factor.terms.emplace(Monomial{id}, 1);
    multiply(factor, emitAtom(loc, id));
    if (coefficient != 1) {
      multiply(Poly(coefficient), constant(loc, coefficient));
      coefficient = 1;
    }
  }
  return product;
}

Value ScopedBuilder::emitSum(Location loc, const Poly &poly) {
  if (poly.isConstant())
    return constant(loc, poly.constant);
  std::map<unsigned, std::vector<std::pair<Monomial, int64_t>>> byDepth;
  for (const auto &term : poly.terms)
    byDepth[depthOf(term.first)].push_back(term);
  Poly prefix;
  Value sum;
  auto add = [&](const Poly &term, function_ref<Value()> make) {
    prefix += term;
    auto &cache = scopes[depthOf(prefix)].sums;
    if (auto it = cache.find(prefix); it != cache.end()) {
      sum = it->second;
      return;
    }
    Value value = make();
    if (sum) {
      InsertionGuard guard(*this);
      goTo(depthOf(prefix));
      sum = arith::AddIOp::create(*this, loc, sum, value);
    } else {
      sum = value;
    }
    scopes[depthOf(prefix)].sums.emplace(prefix, sum);
  };
  for (const auto &[depth, terms] : byDepth)
    for (const auto &[monomial, coefficient] : terms) {
      Poly term;
      term.terms.emplace(monomial, coefficient);
      add(term, [&] { return emitMonomial(loc, monomial, coefficient); });
    }
  if (poly.constant != 0)
    add(Poly(poly.constant), [&] { return constant(loc, poly.constant); });
  return sum;
}

Value ScopedBuilder::emit(Location loc, const Poly &poly) {
  return emitSum(loc, denormalise(poly));
}

Value ScopedBuilder::emitPointer(Location loc, Value base, Type element, const Poly &original) {
  Poly poly = denormalise(original);
  std::map<unsigned, Poly> byDepth;
  unsigned baseDepth = depthOf(base);
  for (const auto &[monomial, coefficient] : poly.terms) {
    Poly term;
    term.terms.emplace(monomial, coefficient);
    byDepth[std::max(baseDepth, depthOf(monomial))] += term;
  }
  Value pointer = base;
  for (const auto &[depth, offset] : byDepth) {
    auto key = std::make_tuple(pointer.getAsOpaquePointer(),
                               const_cast<void *>(element.getAsOpaquePointer()), offset);
    auto &cache = scopes[depth].pointers;
    if (auto it = cache.find(key); it != cache.end()) {
      pointer = it->second;
      continue;
    }
    Value index = emitSum(loc, offset);
    InsertionGuard guard(*this);
    goTo(depth);
    pointer = LLVM::GEPOp::create(*this, loc, base.getType(), element, pointer,
                                  ArrayRef<LLVM::GEPArg>{index});
    scopes[depth].pointers.emplace(key, pointer);
  }
  if (poly.constant == 0)
    return pointer;
  // A displacement costs nothing, so it stays beside its use. GEP arguments hold 32 bits.
  if (llvm::isInt<31>(poly.constant))
    return LLVM::GEPOp::create(*this, loc, base.getType(), element, pointer,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(poly.constant)});
  return LLVM::GEPOp::create(*this, loc, base.getType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{constant(loc, poly.constant)});
}

Value ScopedBuilder::emitLanes(Location loc, const Poly &original, int64_t lanes) {
  Poly poly = denormalise(original);
  auto type = VectorType::get({lanes}, getI64Type());
  auto splat = [&](Value scalar) -> Value {
    return vector::BroadcastOp::create(*this, loc, type, scalar);
  };
  auto iota = [&](int64_t step) -> Value {
    SmallVector<int64_t> values;
    for (int64_t lane = 0; lane < lanes; ++lane)
      values.push_back(static_cast<int64_t>(static_cast<uint64_t>(lane) * step));
    return arith::ConstantOp::create(*this, loc, DenseIntElementsAttr::get(type, values));
  };
  Poly uniform(poly.constant);
  Value sum;
  auto add = [&](Value value) {
    sum = sum ? arith::AddIOp::create(*this, loc, sum, value).getResult() : value;
  };
  for (const auto &[monomial, coefficient] : poly.terms) {
    Poly scalar(1);
    Value product;
    int64_t scale = coefficient;
    for (AtomId id : monomial) {
      const Atom atom = algebra.get(id);
      Poly self;
      self.terms.emplace(Monomial{id}, 1);
      if (!atom.perLane) {
        scalar = scalar * self;
        continue;
      }
      Value factor;
      if (atom.kind == Atom::Kind::Lane) {
        factor = iota(product ? 1 : scale);
        scale = product ? scale : 1;
      } else if (atom.kind == Atom::Kind::LaneValue) {
        factor = atom.value;
      } else {
        Value lhs = emitLanes(loc, atom.lhs, lanes), rhs = emitLanes(loc, atom.rhs, lanes);
        bool isMod = atom.kind == Atom::Kind::Mod;
        if (atom.rhs.isConstant() && llvm::isPowerOf2_64(atom.rhs.constant)) {
          Value amount = splat(
              constant(loc, isMod ? atom.rhs.constant - 1 : llvm::Log2_64(atom.rhs.constant)));
          factor = isMod ? arith::AndIOp::create(*this, loc, lhs, amount).getResult()
                         : arith::ShRSIOp::create(*this, loc, lhs, amount).getResult();
        } else {
          Value one = splat(constant(loc, 1)), zero = splat(constant(loc, 0));
          if (!atom.rhs.isConstant())
            rhs = arith::MaxSIOp::create(*this, loc, rhs, one);
          Value rest = divide<arith::RemSIOp>(loc, lhs, rhs);
          Value isNegative =
              arith::CmpIOp::create(*this, loc, arith::CmpIPredicate::slt, rest, zero);
          Value quotient = divide<arith::DivSIOp>(loc, lhs, rhs);
          Value floor = isMod ? arith::AddIOp::create(*this, loc, rest, rhs).getResult()
                              : arith::SubIOp::create(*this, loc, quotient, one).getResult();
          factor = arith::SelectOp::create(*this, loc, isNegative, floor, isMod ? rest : quotient);
        }
      }
      product = product ? arith::MulIOp::create(*this, loc, product, factor).getResult() : factor;
    }
    scalar = scalar * Poly(scale);
    if (!product) {
      uniform += scalar;
      continue;
    }
    if (!(scalar == Poly(1)))
      product = arith::MulIOp::create(*this, loc, product, splat(emit(loc, scalar)));
    add(product);
  }
  if (!sum || !(uniform == Poly(0)))
    add(splat(emit(loc, uniform)));
  return sum;
}
