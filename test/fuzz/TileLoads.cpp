//===- TileLoads.cpp - loads through random maps, and the views they need -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileGenerator.h"

#include <algorithm>

using namespace sectile::test;

namespace {

/// One coordinate of a view: ((sum of factor * variable + offset) op divisor).
struct Coordinate {
  std::vector<std::pair<int, int64_t>> terms; // variable, factor
  int64_t offset = 0;
  enum { Plain, FloorDiv, Mod } op = Plain;
  int64_t divisor = 1;

  int64_t evaluate(const std::vector<int64_t> &variables) const {
    int64_t sum = offset;
    for (auto [variable, factor] : terms)
      sum += factor * variables[variable];
    int64_t floor = sum >= 0 ? sum / divisor : -((-sum + divisor - 1) / divisor);
    return op == Plain ? sum : op == FloorDiv ? floor : sum - floor * divisor;
  }
  std::string print(const std::vector<std::string> &names) const {
    std::string text;
    for (auto [variable, factor] : terms)
      text += (text.empty() ? "" : " + ") + names[variable] + " * " + std::to_string(factor);
    if (offset || text.empty())
      text += (text.empty() ? "" : offset < 0 ? " - " : " + ") + std::to_string(std::abs(offset));
    if (op != Plain)
      text = "(" + text + ")" + (op == Mod ? " mod " : " floordiv ") + std::to_string(divisor);
    return text;
  }
};

} // namespace

/// A load of a tile; `steps` is the extent of a loop around it, whose counter is `%k`.
std::string Generator::printLoad(const TileType &type, const std::string &result, int64_t most,
                                 std::optional<int64_t> steps, const std::string &indices,
                                 const std::vector<int64_t> &indexExtents) {
  // Variables: tile coordinates, index tiles, block ids, the loop's counter.
  std::vector<std::string> names;
  std::vector<int64_t> extents;
  auto addVariable = [&](const std::string &name, int64_t extent) {
    names.push_back(name);
    extents.push_back(extent);
  };
  size_t rank = type.shape.size(), numTile = rank + indexExtents.size();
  for (size_t i = 0; i < rank; ++i)
    addVariable("t" + std::to_string(i), type.shape[i]);
  for (size_t i = 0; i < indexExtents.size(); ++i)
    addVariable("i" + std::to_string(i), indexExtents[i]);
  for (size_t i = 0; i < program.grid.size(); ++i)
    addVariable("b" + std::to_string(i), program.grid[i]);
  if (steps)
    addVariable("k", *steps);

  // Coordinates: mostly one for each dimension of the tile, in some order, with some dimensions
  // read again (broadcasts), merged (windows) or divided.
  std::vector<Coordinate> coordinates;
  for (size_t i = 0; i < numTile; ++i) {
    if (i < rank && chance(10))
      continue;
    Coordinate c;
    c.terms.push_back({static_cast<int>(i), chance(85) ? 1 : number(2, 3)});
    if (i < rank && chance(8))
      c.terms.push_back(
          {static_cast<int>(number(0, static_cast<int64_t>(rank) - 1)), number(1, 2)});
    for (size_t v = numTile; v < names.size(); ++v)
      if (chance(names[v] == "k" ? 60 : 40))
        c.terms.push_back({static_cast<int>(v), chance(60) ? extents[i] : number(1, 4)});
    if (chance(20))
      c.offset = number(-2, 3);
    if (i < rank && chance(8)) {
      c.op = chance(50) ? Coordinate::FloorDiv : Coordinate::Mod;
      c.divisor = number(2, 5);
    }
    coordinates.push_back(c);
  }
  if (chance(15) || coordinates.empty()) {
    Coordinate c;
    for (size_t v = numTile; v < names.size(); ++v)
      if (chance(50))
        c.terms.push_back({static_cast<int>(v), 1});
    coordinates.push_back(c);
  }
  if (chance(30))
    std::shuffle(coordinates.begin(), coordinates.end(), random);
  if (coordinates.size() > 4)
    coordinates.resize(4);

  // What they reach; coordinates below zero need a condition, which is written for plain ones.
  bool isMasked = chance(40);
  std::vector<int64_t> low, high;
  auto enumerate = [&] {
    low.assign(coordinates.size(), INT64_MAX);
    high.assign(coordinates.size(), INT64_MIN);
    std::vector<int64_t> at(names.size(), 0);
    for (bool more = true; more;) {
      for (size_t c = 0; c < coordinates.size(); ++c) {
        int64_t value = coordinates[c].evaluate(at);
        low[c] = std::min(low[c], value);
        high[c] = std::max(high[c], value);
      }
      more = false;
      for (size_t v = 0; v < at.size() && !more; ++v) {
        more = ++at[v] < extents[v];
        if (!more)
          at[v] = 0;
      }
    }
  };
  auto readsIndex = [&](const Coordinate &c) {
    return std::any_of(c.terms.begin(), c.terms.end(), [&](auto term) {
      return term.first >= static_cast<int>(rank) && term.first < static_cast<int>(numTile);
    });
  };
  for (bool isChanged = true; isChanged;) {
    enumerate();
    isChanged = false;
    for (size_t c = 0; c < coordinates.size(); ++c) {
      Coordinate &coordinate = coordinates[c];
      if (low[c] >= 0 ||
          (isMasked && coordinate.op == Coordinate::Plain && !readsIndex(coordinate)))
        continue;
      isChanged = true;
      if (coordinate.op == Coordinate::Plain)
        coordinate.offset -= low[c];
      coordinate.op = Coordinate::Plain;
      coordinate.divisor = 1;
    }
  }
  ProgramView view;
  view.element = type.element;
  view.most = most;
  std::string sets;
  std::vector<std::string> setNames(names.begin(), names.begin() + static_cast<long>(rank));
  std::string symbols, operands;
  auto addSymbol = [&](std::string &list, const std::string &name) {
    list += (list.empty() ? "" : ", ") + name;
  };
  for (size_t v = numTile; v < names.size(); ++v) {
    addSymbol(symbols, names[v]);
    addSymbol(operands, names[v] == "k" ? result + "_k" : "%" + names[v]);
  }
  size_t viewNumber = program.views.size();
  std::string setSymbols = symbols, setOperands = operands;
  int64_t total = 1;
  for (size_t c = 0; c < coordinates.size(); ++c) {
    int64_t need = high[c] + 1 + (chance(20) ? number(0, 5) : 0);
    bool isBounded = isMasked && !readsIndex(coordinates[c]) && (low[c] < 0 || chance(60));
    if (isBounded && high[c] > 0)
      need = std::max<int64_t>(1, number(high[c] / 2, high[c]));
    view.shape.push_back(std::max<int64_t>(need, 1));
    view.isDynamic.push_back(chance(35));
    total *= view.shape.back();
    if (isBounded) {
      std::string text = coordinates[c].print(names), n = "n" + std::to_string(c);
      sets += std::string(sets.empty() ? "" : ", ") + n + " - (" + text + ") - 1 >= 0";
      if (low[c] < 0)
        sets += ", " + text + " >= 0";
      addSymbol(setSymbols, n);
      addSymbol(setOperands, "%n" + std::to_string(viewNumber) + "_" + std::to_string(c));
    }
  }
  if (total > 200000)
    return ""; // the caller does without it
  std::string dims, setDims, map;
  for (size_t i = 0; i < numTile; ++i)
    addSymbol(dims, names[i]);
  for (size_t i = 0; i < rank; ++i)
    addSymbol(setDims, names[i]);
  for (size_t c = 0; c < coordinates.size(); ++c)
    map += (c ? ", " : "") + coordinates[c].print(names);
  std::string text = result + " = tile.load %v" + std::to_string(viewNumber) + " at affine_map<(" +
                     dims + ")[" + symbols + "] -> (" + map + ")>[" + operands + "]" + indices;
  if (!sets.empty())
    text += " where affine_set<(" + setDims + ")[" + setSymbols + "] : (" + sets + ")>[" +
            setOperands + "] else " +
            (type.isFloat() ? "1.5"
             : most >= 0    ? "0"
                            : "1") +
            " : " + type.element;
  program.views.push_back(view);
  return text + " : " + view.print() + " -> " + type.print();
}

int Generator::addLoad(const TileType &type, int64_t most) {
  for (;;)
    if (std::string text = printLoad(type, "$r", most, {}, "", {}); !text.empty())
      return add(text, {}, type);
}
