//===- TileProgram.cpp - random programs as text ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileProgram.h"

#include <map>

using namespace sectile::test;

int64_t TileType::count() const {
  int64_t result = 1;
  for (int64_t extent : shape)
    result *= extent;
  return result;
}

unsigned TileType::bits() const {
  size_t digits = element.find_first_of("0123456789");
  return static_cast<unsigned>(std::stoul(element.substr(digits)));
}

std::string TileType::print() const {
  if (shape.empty())
    return element;
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

std::string ProgramView::print() const {
  std::string text = "!tile.view<";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (isDynamic[i] ? "?" : std::to_string(shape[i])) + "x";
  return text + element + ">";
}

ProgramView TileProgram::getOutputView(const Output &output) const {
  const TileType &type = steps[output.step].type;
  ProgramView view{grid, {}, type.element};
  view.shape.insert(view.shape.end(), type.shape.begin(), type.shape.end());
  view.isDynamic.assign(view.shape.size(), false);
  return view;
}

/// `text` with $0, $1, .. and $r replaced.
static std::string fill(const std::string &text, const std::vector<std::string> &operands,
                        const std::string &result) {
  std::string filled;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      filled += text[i];
      continue;
    }
    ++i;
    filled += text[i] == 'r' ? result : operands[text[i] - '0'];
  }
  return filled;
}

std::string TileProgram::print() const {
  std::string text = "tile.kernel @k(";
  std::vector<ProgramView> all = views;
  for (const Output &output : outputs)
    all.push_back(getOutputView(output));
  for (size_t i = 0; i < all.size(); ++i)
    text += std::string(i ? ", " : "") + (i < views.size() ? "%v" : "%y") +
            std::to_string(i < views.size() ? i : i - views.size()) + ": " + all[i].print();
  text += ") {\n";
  std::string extents, ids;
  for (size_t i = 0; i < grid.size(); ++i) {
    std::string n = std::to_string(i);
    text += "  %g" + n + " = arith.constant " + std::to_string(grid[i]) + " : index\n";
    extents += (i ? ", %g" : "%g") + n;
    ids += (i ? ", %b" : "%b") + n;
  }
  text += "  " + ids + " = tile.block_id grid [" + extents + "]\n";
  for (size_t i = 0; i < views.size(); ++i)
    for (size_t dim = 0; dim < views[i].shape.size(); ++dim)
      text += "  %n" + std::to_string(i) + "_" + std::to_string(dim) + " = tile.dim %v" +
              std::to_string(i) + ", " + std::to_string(dim) + " : " + views[i].print() + "\n";
  for (size_t i = 0; i < steps.size(); ++i) {
    std::vector<std::string> operands;
    for (int operand : steps[i].operands)
      operands.push_back("%s" + std::to_string(operand));
    text += "  " + fill(steps[i].text, operands, "%s" + std::to_string(i)) + "\n";
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TileType &type = steps[outputs[i].step].type;
    std::string dims, results, n = std::to_string(i);
    for (size_t g = 0; g < grid.size(); ++g)
      results += (g ? ", b" : "b") + std::to_string(g);
    for (size_t d = 0; d < type.shape.size(); ++d) {
      dims += (d ? ", t" : "t") + std::to_string(d);
      results += ", t" + std::to_string(d);
    }
    text += "  tile.store %s" + std::to_string(outputs[i].step) + ", %y" + n + " at affine_map<(" +
            dims + ")[" + (grid.size() == 1 ? "b0" : "b0, b1") + "] -> (" + results + ")>[" + ids +
            "] : " + type.print() + ", " + all[views.size() + i].print() + "\n";
  }
  return text + "  tile.return\n}\n";
}

void TileProgram::prune() {
  std::vector<bool> isNeeded(steps.size(), false);
  for (const Output &output : outputs)
    isNeeded[output.step] = true;
  for (size_t i = steps.size(); i-- > 0;)
    if (isNeeded[i])
      for (int operand : steps[i].operands)
        isNeeded[operand] = true;
  std::map<int, int> moved;
  std::vector<Step> kept;
  for (size_t i = 0; i < steps.size(); ++i)
    if (isNeeded[i]) {
      moved[static_cast<int>(i)] = static_cast<int>(kept.size());
      kept.push_back(steps[i]);
      for (int &operand : kept.back().operands)
        operand = moved[operand];
    }
  steps = std::move(kept);
  for (Output &output : outputs)
    output.step = moved[output.step];
}
