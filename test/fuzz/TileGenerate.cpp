//===- TileGenerate.cpp - the steps of a random tile program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileGenerator.h"

#include <algorithm>
#include <numeric>

using namespace sectile::test;

std::vector<int64_t> Generator::chooseShape(int64_t maxCount) {
  static const std::vector<int64_t> extents = {1, 1,  2,  3,  4,  5,  6,  7,
                                               8, 12, 15, 16, 17, 31, 32, 33};
  auto rank = choose<int64_t>({1, 1, 2, 2, 2, 2, 3, 3, 4, 0});
  std::vector<int64_t> shape;
  for (int64_t count = 1; static_cast<int64_t>(shape.size()) < rank;) {
    int64_t extent = choose(extents);
    if (count * extent > maxCount)
      extent = 1;
    shape.push_back(extent);
    count *= extent;
  }
  return shape;
}

int Generator::pick(const std::function<bool(const TileType &)> &accepts) {
  std::vector<int> fitting;
  for (size_t i = 0; i < program.steps.size(); ++i)
    if (accepts(program.steps[i].type))
      fitting.push_back(static_cast<int>(i));
  if (fitting.empty())
    return -1;
  // Late ones more often.
  auto back = static_cast<size_t>(std::min(number(0, 99), number(0, 99))) * fitting.size() / 100;
  return fitting[fitting.size() - 1 - back];
}

int Generator::constant(const TileType &type, int64_t value) {
  std::string text = std::to_string(value) + (type.isFloat() ? ".5" : "");
  if (type.element == "i1")
    text = value & 1 ? "true" : "false";
  if (!type.shape.empty())
    text = "dense<" + text + ">";
  return add("$r = arith.constant " + text + " : " + type.print(), {}, type);
}

void Generator::addUnary() {
  int x = pick([](const TileType &type) { return type.isFloat(); });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  static const std::vector<std::string> ops = {
      "arith.negf", "math.absf",  "math.exp",       "math.tanh",  "math.sqrt",
      "math.erf",   "math.floor", "math.ceil",      "math.rsqrt", "math.log",
      "math.log1p", "math.expm1", "math.roundeven", "math.trunc", "math.sin",
      "math.cos",   "math.atan",  "math.exp2",      "math.log2",  "math.sinh"};
  std::string op = choose(ops);
  if (op == "math.log" || op == "math.log2" || op == "math.sqrt" || op == "math.rsqrt" ||
      op == "math.log1p")
    x = add("$r = math.absf $0 : " + type.print(), {x}, type);
  add("$r = " + op + " $0 : " + type.print(), {x}, type);
}

void Generator::addBinary() {
  int x = pick([](const TileType &type) { return type.element != "i1"; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  int y = chance(60)   ? pick([&](const TileType &other) { return other == type; })
          : chance(50) ? constant(type, number(1, 5))
                       : addLoad(type);
  static const std::vector<std::string> floats = {
      "arith.addf",     "arith.subf",    "arith.mulf", "arith.maximumf",
      "arith.minimumf", "arith.maxnumf", "arith.divf"};
  static const std::vector<std::string> integers = {
      "arith.addi",  "arith.subi",  "arith.muli",  "arith.andi",  "arith.ori",  "arith.xori",
      "arith.maxsi", "arith.minsi", "arith.maxui", "arith.minui", "arith.shli", "arith.shrsi",
      "arith.shrui", "arith.divsi", "arith.remsi", "arith.divui", "arith.remui"};
  std::string op = choose(type.isFloat() ? floats : integers);
  if (op.find("sh") == 6) // a shift by the width or more means nothing
    y = constant(type, number(0, static_cast<int64_t>(type.bits()) - 1));
  if (op.find("div") == 6 || op.find("rem") == 6)
    y = constant(type, choose<int64_t>({1, 2, 3, 7, -2, -5, 16}));
  add("$r = " + op + " $0, $1 : " + type.print(), {x, y}, type);
}

void Generator::addCompare() {
  int x = pick([](const TileType &type) { return type.element != "i1"; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  int y = chance(60) ? pick([&](const TileType &other) { return other == type; })
                     : constant(type, number(-1, 2));
  static const std::vector<std::string> floats = {"olt", "ogt", "oeq", "une", "uge", "ole", "ord"};
  static const std::vector<std::string> integers = {"slt", "sgt", "eq", "ne", "ult", "uge", "sle"};
  int condition = add(std::string("$r = arith.") + (type.isFloat() ? "cmpf " : "cmpi ") +
                          choose(type.isFloat() ? floats : integers) + ", $0, $1 : " + type.print(),
                      {x, y}, type.with("i1"));
  if (chance(80))
    add("$r = arith.select $0, $1, $2 : " + type.with("i1").print() + ", " + type.print(),
        {condition, x, y}, type);
}

void Generator::addConversion() {
  int x = pick([](const TileType &) { return true; });
  if (x < 0)
    return;
  const TileType from = program.steps[x].type, to = from.with(chooseElement());
  std::string op;
  if (from.isFloat() && to.isFloat()) {
    if (from.bits() == to.bits())
      return;
    op = to.bits() > from.bits() ? "arith.extf" : "arith.truncf";
  } else if (from.isFloat()) {
    if (to.bits() < 32)
      return;
    // Beyond its range an integer means nothing: tanh brings everything into it.
    x = add("$r = math.tanh $0 : " + from.print(), {x}, from);
    int scale = constant(from, 100);
    x = add("$r = arith.mulf $0, $1 : " + from.print(), {x, scale}, from);
    op = "arith.fptosi";
  } else if (to.isFloat()) {
    op = from.element == "i1" ? "arith.uitofp" : chance(50) ? "arith.sitofp" : "arith.uitofp";
    if (to.bits() == 16 && from.bits() > 8)
      return;
  } else {
    if (from.bits() == to.bits())
      return;
    op = to.bits() < from.bits()              ? "arith.trunci"
         : from.element == "i1" || chance(50) ? "arith.extui"
                                              : "arith.extsi";
  }
  add("$r = " + op + " $0 : " + from.print() + " to " + to.print(), {x}, to);
}

/// The body of a reduction or scan on `element`, yielding `result`_c.
static std::string printCombiner(const std::string &element, const std::string &op) {
  return " {\n  ^bb0($r_a: " + element + ", $r_b: " + element + "):\n    $r_c = " + op +
         " $r_a, $r_b : " + element + "\n    tile.yield $r_c : " + element + "\n  }";
}

void Generator::addReduce() {
  int x = pick([](const TileType &type) { return !type.shape.empty() && type.element != "i1"; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  TileType result{{}, type.element};
  std::string dims;
  for (size_t i = 0; i < type.shape.size(); ++i) {
    if (chance(50) || (dims.empty() && i + 1 == type.shape.size()))
      dims += (dims.empty() ? "" : ", ") + std::to_string(i);
    else
      result.shape.push_back(type.shape[i]);
  }
  static const std::vector<std::string> floats = {"arith.addf", "arith.maximumf", "arith.minimumf",
                                                  "arith.addf"};
  static const std::vector<std::string> integers = {"arith.addi", "arith.maxsi", "arith.minui",
                                                    "arith.xori", "arith.muli"};
  add("$r = tile.reduce $0 dims [" + dims + "] : " + type.print() + " -> " + result.print() +
          printCombiner(type.element, choose(type.isFloat() ? floats : integers)),
      {x}, result);
}

void Generator::addScan() {
  int x = pick([](const TileType &type) { return !type.shape.empty() && type.element != "i1"; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  auto dim = number(0, static_cast<int64_t>(type.shape.size()) - 1);
  TileType carry = type;
  carry.shape.erase(carry.shape.begin() + dim);
  int before = chance(50) ? constant(carry, 0) : addLoad(carry);
  std::string op = type.isFloat() ? choose<std::string>({"arith.addf", "arith.maximumf"})
                                  : choose<std::string>({"arith.addi", "arith.maxsi"});
  std::string text = std::string("tile.scan $0 from $1 dim ") + std::to_string(dim) +
                     (chance(30) ? " exclusive" : "") + (chance(30) ? " reverse" : "") +
                     (chance(60) ? " associative" : "") + " : " + type.print() + " from " +
                     carry.print() + " -> " + type.print() + " and " + carry.print() +
                     printCombiner(type.element, op);
  if (chance(70))
    add("$r, $r_last = " + text, {x, before}, type);
  else
    add("$r_all, $r = " + text, {x, before}, carry);
}

void Generator::addDot() {
  int a = pick([](const TileType &type) {
    return type.shape.size() == 2 && type.element != "i1" && type.element != "i16";
  });
  if (a < 0)
    return;
  const TileType left = program.steps[a].type;
  int64_t n = choose<int64_t>({1, 3, 8, 16, 17, 32});
  TileType right{{left.shape[1], n}, left.element};
  int b = chance(30) ? pick([&](const TileType &type) {
    return type.shape.size() == 2 && type.element == left.element &&
           type.shape[0] == left.shape[1] && type.shape[1] <= 64;
  })
                     : -1;
  if (b < 0)
    b = addLoad(right);
  right = program.steps[b].type;
  std::string wide = left.isFloat() ? (left.element == "f64" ? "f64" : "f32")
                                    : (left.element == "i64" ? "i64" : "i32");
  TileType sum{{left.shape[0], right.shape[1]}, wide};
  int acc = chance(60) ? constant(sum, 0) : addLoad(sum);
  std::string attributes = left.isFloat() || chance(70) ? "" : " {unsigned_lhs}";
  add("$r = tile.dot $0, $1, $2" + attributes + " : " + left.print() + ", " + right.print() +
          " -> " + sum.print(),
      {a, b, acc}, sum);
}

void Generator::addBroadcast() {
  int x = pick([](const TileType &type) { return type.shape.size() < 3 && type.count() <= 256; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  TileType result = type;
  auto place = number(0, static_cast<int64_t>(type.shape.size()));
  result.shape.insert(result.shape.begin() + place, choose<int64_t>({1, 2, 4, 7, 16}));
  add("$r = tile.broadcast $0 dims [" + std::to_string(place) + "] : " + type.print() + " -> " +
          result.print(),
      {x}, result);
}

void Generator::addTranspose() {
  int x = pick([](const TileType &type) { return type.shape.size() >= 2; });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  std::vector<size_t> perm(type.shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::shuffle(perm.begin(), perm.end(), random);
  TileType result{{}, type.element};
  std::string text;
  for (size_t p : perm) {
    result.shape.push_back(type.shape[p]);
    text += (text.empty() ? "" : ", ") + std::to_string(p);
  }
  add("$r = tile.transpose $0 perm [" + text + "] : " + type.print() + " -> " + result.print(), {x},
      result);
}

void Generator::addReshape() {
  int x = pick([](const TileType &type) { return !type.shape.empty(); });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  TileType result{{}, type.element};
  int64_t left = type.count();
  while (left > 1 && result.shape.size() < 3) {
    std::vector<int64_t> factors;
    for (int64_t f = 2; f <= left; ++f)
      if (left % f == 0)
        factors.push_back(f);
    result.shape.push_back(choose(factors));
    left /= result.shape.back();
  }
  if (left > 1 || result.shape.empty() || chance(15))
    result.shape.push_back(left);
  add("$r = tile.reshape $0 : " + type.print() + " -> " + result.print(), {x}, result);
}

/// `(t0, t1)[b0, b1]` for a rank, and the operands of its symbols.
static std::string printSpace(size_t rank, size_t gridRank, bool isOperands = false) {
  std::string dims, symbols, operands;
  for (size_t i = 0; i < rank; ++i)
    dims += (i ? ", t" : "t") + std::to_string(i);
  for (size_t i = 0; i < gridRank; ++i) {
    symbols += (i ? ", b" : "b") + std::to_string(i);
    operands += (i ? ", %b" : "%b") + std::to_string(i);
  }
  return isOperands ? "[" + operands + "]" : "(" + dims + ")[" + symbols + "]";
}

void Generator::addCoord() {
  TileType type{chooseShape(64), choose<std::string>({"i32", "i64", "i8"})};
  std::string sum = "b0 * " + std::to_string(number(0, 9)) + " + " + std::to_string(number(0, 9));
  for (size_t i = 0; i < type.shape.size(); ++i)
    sum += " + t" + std::to_string(i) + " * " + std::to_string(number(0, 3));
  if (chance(40))
    sum = "(" + sum + ")" + (chance(50) ? " floordiv " : " mod ") + std::to_string(number(2, 7));
  add("$r = tile.coord affine_map<" + printSpace(type.shape.size(), program.grid.size()) + " -> (" +
          sum + ")>" + printSpace(0, program.grid.size(), true) + " : " + type.print(),
      {}, type);
}

void Generator::addMask() {
  int x = pick([](const TileType &type) { return type.element != "i1" && !type.shape.empty(); });
  if (x < 0)
    return;
  const TileType type = program.steps[x].type;
  std::string sum = std::to_string(number(0, 20)) + " - b0 * " + std::to_string(number(0, 3));
  for (size_t i = 0; i < type.shape.size(); ++i)
    sum += " - t" + std::to_string(i) + " * " + std::to_string(number(-1, 2));
  std::string more = chance(30) ? ", t0 mod 3 - 1 == 0" : "";
  int mask = add("$r = tile.mask affine_set<" + printSpace(type.shape.size(), program.grid.size()) +
                     " : (" + sum + " >= 0" + more + ")>" +
                     printSpace(0, program.grid.size(), true) + " : " + type.with("i1").print(),
                 {}, type.with("i1"));
  int other = constant(type, number(-2, 2));
  add("$r = arith.select $0, $1, $2 : " + type.with("i1").print() + ", " + type.print(),
      {mask, x, other}, type);
}

void Generator::addGather() {
  TileType type{chooseShape(48), chooseElement()};
  if (type.shape.empty())
    return;
  int64_t extent = number(1, 40);
  TileType positions = type.with(choose<std::string>({"i64", "i32"}));
  int index = addLoad(positions, extent - 1);
  std::string text =
      printLoad(type, "$r", -1, {}, " indices ($0 : " + positions.print() + ")", {extent});
  if (!text.empty())
    add(text, {index}, type);
}

void Generator::addLoop() {
  int64_t m = choose<int64_t>({1, 3, 6}), n = choose<int64_t>({1, 8, 16, 17, 32}),
          depth = choose<int64_t>({1, 1, 2, 4}), steps = number(1, 9);
  std::string element = choose<std::string>({"f32", "f32", "f64", "i32", "f16"});
  bool isDot = chance(70);
  TileType sum{{m, n}, element == "f16" ? "f32" : element};
  if (!isDot)
    sum.shape = chooseShape(64);
  int init = chance(60) ? constant(sum, 0) : addLoad(sum);
  std::string type = sum.print();
  std::string text =
      "$r_0 = arith.constant 0 : index\n  $r_n = arith.constant " + std::to_string(steps) +
      " : index\n  $r_1 = arith.constant 1 : index\n  $r = scf.for $r_k = $r_0 to $r_n step "
      "$r_1 iter_args($r_acc = $0) -> (" +
      type + ") {\n    ";
  // The counter's name is that of the load's result with _k: all of one loop share it.
  auto load = [&](const TileType &tile, const std::string &name) {
    std::string line = printLoad(tile, name, -1, steps, "", {});
    for (size_t at = 0; (at = line.find(name + "_k", at)) != std::string::npos;)
      line.replace(at, name.size() + 2, "$r_k");
    return line;
  };
  if (isDot) {
    TileType left{{m, depth}, element}, right{{depth, n}, element};
    std::string a = load(left, "$r_a"), b = load(right, "$r_b");
    if (a.empty() || b.empty())
      return;
    text += a + "\n    " + b + "\n    $r_next = tile.dot $r_a, $r_b, $r_acc : " + left.print() +
            ", " + right.print() + " -> " + type;
  } else {
    std::string a = load(sum, "$r_a");
    if (a.empty())
      return;
    std::string op = sum.isFloat() ? choose<std::string>({"arith.addf", "arith.maximumf"})
                                   : choose<std::string>({"arith.addi", "arith.xori"});
    text += a + "\n    $r_next = " + op + " $r_acc, $r_a : " + type;
  }
  add(text + "\n    scf.yield $r_next : " + type + "\n  }", {init}, sum);
}

TileProgram Generator::run() {
  program.grid = {number(1, 4)};
  if (chance(40))
    program.grid.push_back(number(1, 3));
  for (int64_t i = number(1, 3); i > 0; --i)
    addLoad({chooseShape(48), chooseElement()});
  using Maker = void (Generator::*)();
  static const std::vector<Maker> makers = {
      &Generator::addUnary,      &Generator::addUnary,     &Generator::addBinary,
      &Generator::addBinary,     &Generator::addBinary,    &Generator::addCompare,
      &Generator::addConversion, &Generator::addReduce,    &Generator::addReduce,
      &Generator::addScan,       &Generator::addDot,       &Generator::addDot,
      &Generator::addBroadcast,  &Generator::addBroadcast, &Generator::addTranspose,
      &Generator::addReshape,    &Generator::addCoord,     &Generator::addMask,
      &Generator::addGather,     &Generator::addLoop};
  for (int64_t i = number(1, 14); i > 0; --i)
    (this->*choose(makers))();
  std::vector<bool> isRead(program.steps.size(), false);
  for (const Step &step : program.steps)
    for (int operand : step.operands)
      isRead[operand] = true;
  for (size_t i = 0; i < program.steps.size(); ++i)
    if (!isRead[i] || chance(10))
      program.outputs.push_back({static_cast<int>(i)});
  program.prune();
  return program;
}

TileProgram sectile::test::generate(uint64_t seed) { return Generator(seed).run(); }
