//===- Layout.cpp - sectile layout ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "Files.h"
#include "sectile/Layout/Access.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/GroupInstruction.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace sectile::tools {

namespace {

using layout::DistributedLayout;
using layout::MemoryLayout;

constexpr Option kOptions[] = {
    {"memory", Option::Value, "SPEC",
     "a memory layout of the same tile, such as\n"
     "\"[16, 8] x 32, d1 = [8:32], d0 = [16:256], bit = [32:1]\": adds what loads and\n"
     "stores between the two take, and the swizzle that takes fewest turns"},
    {"svg", Option::Value, "FILE", "draw the tile, a colour for each lane"},
};

constexpr Syntax kSyntax = {
    "layout",
    "Shows which register, lane and warp holds each element of a tile: "
    "\"[16, 8], register =\n[2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]\", or an "
    "operand of a matrix instruction,\nA, B or C: mma.m16n8k16.f16:A.",
    "SPEC", kOptions};

/// All devices with warps of 32 lanes have the same one.
const layout::AccessModel kWarp32 = target::findGpuTarget("sm_80")->access;

constexpr int64_t kMostRows = 64, kMostColumns = 16;

/// "16 x 8"
std::string describe(std::span<const int64_t> extents) {
  std::string text;
  for (int64_t extent : extents)
    text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? "one element" : text;
}

std::string counted(int64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

/// The last two dimensions of a tile as a table, the others at 0; fewer dimensions as one row.
class Grid {
public:
  explicit Grid(const DistributedLayout &layout) : layout(layout) {
    std::span<const int64_t> shape = layout.shape();
    rows = shape.size() > 1 ? shape[shape.size() - 2] : 1;
    columns = shape.empty() ? 1 : shape.back();
  }

  layout::HardwarePlace at(int64_t row, int64_t column) const {
    std::vector<int64_t> coordinates(layout.shape().size(), 0);
    if (!coordinates.empty())
      coordinates.back() = column;
    if (coordinates.size() > 1)
      coordinates[coordinates.size() - 2] = row;
    return layout.placeOf(coordinates);
  }

  /// "w1l4r0", without the axes that the layout does not have.
  std::string label(int64_t row, int64_t column) const {
    static constexpr std::pair<layout::Axis, const char *> marks[] = {
        {layout::Axis::Cta, "c"},      {layout::Axis::Warp, "w"},
        {layout::Axis::Lane, "l"},     {layout::Axis::Register, "r"},
        {layout::Axis::TmemLane, "t"}, {layout::Axis::TmemColumn, "u"},
    };
    layout::HardwarePlace place = at(row, column);
    std::string text;
    for (auto [axis, mark] : marks)
      if (layout.extent(axis) > 1)
        text += mark + std::to_string(place[static_cast<size_t>(axis)]);
    return text.empty() ? "r0" : text;
  }

  int64_t rows, columns;

private:
  const DistributedLayout &layout;
};

void printSummary(const DistributedLayout &layout) {
  printf("layout      %s\n", layout.str().c_str());
  printf("tile        %s", describe(layout.shape()).c_str());
  if (!std::ranges::equal(layout.shape(), layout.box()))
    printf(", in a box of %s", describe(layout.box()).c_str());
  int64_t places = 1, elements = 1;
  std::string axes;
  for (size_t i = 0; i < layout::kNumAxes; ++i) {
    auto axis = static_cast<layout::Axis>(i);
    places *= layout.extent(axis);
    if (layout.extent(axis) > 1)
      axes += (axes.empty() ? "" : " x ") + counted(layout.extent(axis), nameOf(axis));
  }
  for (int64_t extent : layout.shape())
    elements *= extent;
  printf("\nplaces      %s: %" PRId64 ", of which %" PRId64 " are invalid; %s of each element\n",
         axes.empty() ? "1 register" : axes.c_str(), places, places - elements * layout.copies(),
         layout.copies() == 1 ? "1 copy" : (std::to_string(layout.copies()) + " copies").c_str());
  for (unsigned dim = 0; dim < layout.shape().size(); ++dim)
    if (int64_t count = layout.contiguousRegisters(dim); count > 1)
      printf("neighbours  %s of a lane along d%u\n", counted(count, "register").c_str(), dim);
}

void printGrid(const Grid &grid) {
  int64_t rows = std::min(grid.rows, kMostRows), columns = std::min(grid.columns, kMostColumns);
  size_t width = 4;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      width = std::max(width, grid.label(row, column).size());
  printf("\n%6s", "");
  for (int64_t column = 0; column < columns; ++column)
    printf(" %*" PRId64, int(width), column);
  for (int64_t row = 0; row < rows; ++row) {
    printf("\n%6" PRId64, row);
    for (int64_t column = 0; column < columns; ++column)
      printf(" %*s", int(width), grid.label(row, column).c_str());
  }
  printf("\n");
  if (rows < grid.rows || columns < grid.columns)
    printf("(the first %" PRId64 " x %" PRId64 " of %" PRId64 " x %" PRId64 ")\n", rows, columns,
           grid.rows, grid.columns);
}

Result<Done> printAccess(const DistributedLayout &layout, const MemoryLayout &memory) {
  constexpr std::pair<const char *, layout::AccessKind> kinds[] = {
      {"load", layout::AccessKind::Load}, {"store", layout::AccessKind::Store}};
  printf("\nmemory      %s\n            %" PRId64 " bytes\n", memory.str().c_str(),
         memory.sizeBits() / 8);
  printf("\n            bytes per lane  instructions  turns  conflicts  sectors  least sectors\n");
  for (auto [name, kind] : kinds) {
    layout::OrReason<layout::AccessCount> count = countAccess(layout, memory, kind, kWarp32);
    if (!count)
      return failure(kRefused, "the access cannot be counted: %s", count.reason().text.c_str());
    printf("%-10s  %14" PRId64 "  %12" PRId64 "  %5" PRId64 "  %9" PRId64 "  %7" PRId64
           "  %13" PRId64 "\n",
           name, count->laneBytes, count->instructions, count->wavefronts, count->conflicts(),
           count->sectors, count->leastSectors);
  }
  layout::Access access{&layout, layout::AccessKind::Load};
  layout::OrReason<MemoryLayout> best = chooseSwizzle(memory, {&access, 1}, kWarp32);
  if (best && !std::ranges::equal(best->swizzles(), memory.swizzles())) {
    int64_t turns = countAccess(layout, *best, access.kind, kWarp32)->wavefronts;
    printf("fewest      %" PRId64 " turns by %s\n", turns, best->str().c_str());
  }
  printf("(turns: shared memory of 32 banks of 4 bytes; sectors: global memory, of 32 bytes)\n");
  return Done{};
}

/// A rectangle for each element; the hue goes by the lane, the brightness by the warp.
std::string draw(const DistributedLayout &layout, const Grid &grid) {
  constexpr int64_t kWidth = 64, kHeight = 24;
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(grid.columns * kWidth) +
      "\" height=\"" + std::to_string(grid.rows * kHeight) +
      "\" font-family=\"monospace\" font-size=\"11\" text-anchor=\"middle\">\n<title>" +
      layout.str() + "</title>\n";
  for (int64_t row = 0; row < grid.rows; ++row)
    for (int64_t column = 0; column < grid.columns; ++column) {
      layout::HardwarePlace place = grid.at(row, column);
      int64_t lane = place[static_cast<size_t>(layout::Axis::Lane)],
              warp = place[static_cast<size_t>(layout::Axis::Warp)];
      char cell[320];
      // Neighbouring lanes differ most if the hue moves by the golden angle.
      snprintf(cell, sizeof cell,
               "<rect x=\"%" PRId64 "\" y=\"%" PRId64 "\" width=\"64\" height=\"24\" "
               "fill=\"hsl(%.1f,60%%,%d%%)\" stroke=\"white\"/>"
               "<text x=\"%" PRId64 "\" y=\"%" PRId64 "\">%s</text>\n",
               column * kWidth, row * kHeight, std::fmod(double(lane) * 137.508, 360),
               int(85 - warp % 8 * 5), column * kWidth + kWidth / 2, row * kHeight + 16,
               grid.label(row, column).c_str());
      out += cell;
    }
  return out + "</svg>\n";
}

/// The layout that a text spells, or that it names: "mma.m16n8k16.f16:A".
Result<DistributedLayout> readLayout(std::string_view text) {
  if (!text.starts_with('[')) {
    size_t colon = std::min(text.find(':'), text.size());
    const target::MatrixInstruction *found = target::findMatrixInstruction(text.substr(0, colon));
    constexpr std::pair<std::string_view, target::Operand> operands[] = {
        {":A", target::Operand::A},
        {":B", target::Operand::B},
        {":C", target::Operand::Accumulator}};
    for (auto [suffix, operand] : operands)
      if (found && text.substr(colon) == suffix) {
        if (operand == target::Operand::B && found->takesMemory)
          return failure(kRefused, "%.*s reads B from shared memory; :A and :C are in registers",
                         int(found->name.size()), found->name.data());
        return fragment(*found, operand);
      }
    std::string names;
    for (const target::MatrixInstruction &known : target::allMatrixInstructions())
      names += "\n  " + std::string(known.name);
    for (const target::MatrixInstruction &known : target::allGroupInstructions())
      if (known.n == 256)
        names += "\n  " + std::string(known.name) + ", and n from 8 on";
    return failure(kRefused,
                   "expected a layout, or :A, :B or :C behind one of these, but got '%.*s':%s",
                   int(text.size()), text.data(), names.c_str());
  }
  layout::OrReason<DistributedLayout> layout = DistributedLayout::parse(text);
  if (!layout)
    return failure(kRefused, "cannot read the layout: %s", layout.reason().text.c_str());
  return *layout;
}

Result<Done> show(const Args &args) {
  Result<DistributedLayout> layout = readLayout(args.positional());
  if (!layout)
    return layout.failure();
  Grid grid(*layout);
  std::optional<MemoryLayout> memory;
  if (std::optional<std::string_view> text = args.value("memory")) {
    layout::OrReason<MemoryLayout> parsed = MemoryLayout::parse(*text);
    if (!parsed)
      return failure(kRefused, "cannot read the memory layout: %s", parsed.reason().text.c_str());
    memory = *parsed;
  }
  constexpr int64_t kMostPlaces = int64_t(1) << 20;
  int64_t places = 1;
  for (int64_t extent : layout->map().domain())
    places = std::min(places * extent, kMostPlaces + 1);
  if (places > kMostPlaces && (memory || args.value("svg")))
    return failure(kRefused, "the layout has more than 2^20 places to count or draw");
  if (std::optional<std::string_view> path = args.value("svg")) {
    OutputFiles files;
    if (Result<Done> written = files.write(std::string(*path), draw(*layout, grid)); !written)
      return written;
    if (Result<Done> committed = files.commit(); !committed)
      return committed;
  }
  printSummary(*layout);
  if (memory)
    if (Result<Done> printed = printAccess(*layout, *memory); !printed)
      return printed;
  printGrid(grid);
  return Done{};
}

} // namespace

int layoutMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    Result<Done> done = show(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
