//===- View.cpp - memory of the interpreter and windows on it -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

//===----------------------------------------------------------------------===//
// Buffer
//===----------------------------------------------------------------------===//

/// No element is wider.
static constexpr int64_t kWidest = 8;

Buffer::Buffer(std::string name, int64_t count, int64_t cellBytes)
    : name(std::move(name)), cellBytes(cellBytes), cells(count) {
  if (cellBytes == 1)
    holders.resize(count);
}

Element Buffer::read(int64_t address, const NumberFormat &format) const {
  int64_t cell = address / cellBytes;
  if (isRaw() && holders[cell] != &format)
    return Element::makeUndefined();
  return cells[cell];
}

void Buffer::write(int64_t address, const NumberFormat &format, Element element) {
  int64_t cell = address / cellBytes;
  if (isRaw()) {
    // Elements that begin earlier and reach in here, and those that begin inside.
    for (int64_t back = 1; back < kWidest && back <= cell; ++back)
      if (holders[cell - back] && getElementBytes(*holders[cell - back]) > back)
        holders[cell - back] = nullptr;
    for (int64_t i = 0; i < getElementBytes(format); ++i)
      holders[cell + i] = nullptr;
    holders[cell] = &format;
  }
  cells[cell] = element;
}

void Buffer::startNoting() {
  writers.assign(cells.size(), 0);
  readers.assign(cells.size(), 0);
}

void Buffer::stopNoting() {
  writers.clear();
  readers.clear();
}

int64_t Buffer::noteRead(int64_t address, int64_t block) {
  if (readers.empty())
    return -1;
  int64_t cell = address / cellBytes;
  readers[cell] = static_cast<int32_t>(block + 1);
  return writers[cell] && writers[cell] != block + 1 ? writers[cell] - 1 : -1;
}

int64_t Buffer::noteWrite(int64_t address, int64_t block, bool changes) {
  if (writers.empty())
    return -1;
  int64_t cell = address / cellBytes;
  int32_t writer = writers[cell], reader = readers[cell];
  writers[cell] = static_cast<int32_t>(block + 1);
  if (changes && writer && writer != block + 1)
    return writer - 1;
  return reader && reader != block + 1 ? reader - 1 : -1;
}

//===----------------------------------------------------------------------===//
// ViewObject
//===----------------------------------------------------------------------===//

std::optional<int64_t> ViewObject::getAddress(ArrayRef<int64_t> coords) const {
  for (auto [coord, extent] : llvm::zip_equal(coords, shape))
    if (coord < 0 || coord >= extent)
      return std::nullopt;
  Shape mapped;
  if (source) {
    for (AffineExpr expr : map.getResults()) {
      std::optional<int64_t> coord = evaluate(expr, coords, symbols);
      if (!coord)
        return std::nullopt;
      mapped.push_back(*coord);
    }
    return source->getAddress(mapped);
  }
  if (physical) {
    for (AffineExpr expr : physical.getResults())
      mapped.push_back(*evaluate(expr, coords, {}));
    coords = mapped;
  }
  int64_t element = 0;
  if (packedBits != 0) {
    // The code's number along its stream says which bit of it the code begins at.
    int64_t code = coords[packedDim];
    if (!packedOrder.empty()) {
      int64_t rest = std::exchange(code, 0);
      for (size_t digit = 0; digit < packedOrder.size(); digit += 2) {
        code += rest % packedOrder[digit] * packedOrder[digit + 1];
        rest /= packedOrder[digit];
      }
    }
    int64_t bit = code / 4 * packedBits;
    for (auto [dim, stride] : llvm::enumerate(strides))
      element += (dim == packedDim ? bit / 8 : coords[dim]) * stride;
    return element * kCodeWordBits + code % 4 * 8 + bit % 8;
  }
  for (auto [coord, stride] : llvm::zip_equal(coords, strides))
    element += coord * stride;
  int64_t address = offset + element * getElementBytes(*format);
  int64_t end = static_cast<int64_t>(buffer->cells.size()) * buffer->cellBytes;
  if (address < 0 || address + getElementBytes(*format) > end)
    return std::nullopt;
  return address;
}

/// Where packed codes are a window on another view, it is the view in memory that knows how.
static const ViewObject &getRoot(const ViewObject &view) {
  const ViewObject *root = &view;
  while (root->source)
    root = root->source.get();
  return *root;
}

Element ViewObject::read(int64_t address) const {
  const ViewObject &root = getRoot(*this);
  if (root.packedBits == 0)
    return buffer->read(address, *format);
  int64_t code = 0, word = address / kCodeWordBits, shift = address % kCodeWordBits;
  for (int64_t bit = 0; bit < root.packedBits; ++bit, ++shift) {
    if (bit != 0 && shift % 8 == 0) {
      shift -= 8;
      word += root.strides[root.packedDim];
    }
    const Element &cell = buffer->cells[word];
    if (cell.isUndefined())
      return Element::makeUndefined();
    code |= (cell.integer >> shift & 1) << bit;
  }
  return Element::makeInteger(signExtend(code, format->bits));
}

void ViewObject::write(int64_t address, Element element) const {
  const ViewObject &root = getRoot(*this);
  if (root.packedBits == 0)
    return buffer->write(address, *format, element);
  int64_t word = address / kCodeWordBits, shift = address % kCodeWordBits;
  for (int64_t bit = 0; bit < root.packedBits; ++bit, ++shift) {
    if (bit != 0 && shift % 8 == 0) {
      shift -= 8;
      word += root.strides[root.packedDim];
    }
    Element &cell = buffer->cells[word];
    if (element.isUndefined()) {
      cell = element;
      continue;
    }
    if (cell.isUndefined())
      cell = Element::makeInteger(0);
    int64_t mask = int64_t(1) << shift;
    cell.integer = (cell.integer & ~mask) | (element.integer >> bit & 1) << shift;
  }
}

ViewRef interp::makeView(BufferRef buffer, const NumberFormat *format, ArrayRef<int64_t> shape,
                         int64_t offset) {
  ViewRef view(new ViewObject);
  view->buffer = std::move(buffer);
  view->format = format;
  view->shape.assign(shape.begin(), shape.end());
  view->strides = getRowMajorStrides(shape);
  view->offset = offset;
  return view;
}
