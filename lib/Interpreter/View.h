//===- View.h - memory of the interpreter and windows on it -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_INTERPRETER_VIEW_H
#define SECTILE_LIB_INTERPRETER_VIEW_H

#include "sectile/Interpreter/Tensor.h"

#include "mlir/IR/AffineMap.h"

#include <string>

namespace sectile::interp {

/// Memory. It holds elements rather than bytes: one per cell. Typed memory has a cell per
/// element; raw memory (an arena) a cell per byte, where an element occupies the cell of its
/// first byte, and one that overlaps it destroys it.
class Buffer : public llvm::RefCountedBase<Buffer> {
public:
  Buffer(std::string name, int64_t cells, int64_t cellBytes);

  bool isRaw() const { return !holders.empty(); }

  /// The element of `format` at a byte address; undefined if another kind of element, or none,
  /// was written there.
  Element read(int64_t address, const NumberFormat &format) const;
  void write(int64_t address, const NumberFormat &format, Element element);

  /// Notes that block `block` of the running kernel reads or writes an element. Returns a block
  /// whose earlier access conflicts with it, or -1. Inside one block, memory is plain.
  int64_t noteRead(int64_t address, int64_t block);
  int64_t noteWrite(int64_t address, int64_t block, bool changes);
  /// Starts noting for a kernel: what was noted before is forgotten.
  void startNoting();
  void stopNoting();

  std::string name;
  int64_t cellBytes;
  std::vector<Element> cells;

private:
  std::vector<const NumberFormat *> holders; // of raw memory: the format of what begins here
  std::vector<int32_t> writers, readers;     // block + 1; 0 for none
};
using BufferRef = llvm::IntrusiveRefCntPtr<Buffer>;

/// A window on memory: coordinates to addresses.
class ViewObject : public Object {
public:
  ViewObject() : Object(View) {}

  /// The address of an element in bytes, or of a packed code's first bit in bits; none outside the
  /// view or outside what it is a window on.
  std::optional<int64_t> getAddress(llvm::ArrayRef<int64_t> coords) const;

  /// Reads and writes the element at an address.
  Element read(int64_t address) const;
  void write(int64_t address, Element element) const;

  BufferRef buffer; // also of a window on another view
  bool isReadOnly = false;
  const NumberFormat *format = nullptr;
  Shape shape;
  /// A window on memory: physical coordinates (null: the coordinates), then strides in elements.
  int64_t offset = 0; // in bytes
  mlir::AffineMap physical;
  Shape strides;
  /// Where codes are packed (see #tile.memory): bits of each, and the physical dimension along
  /// which they are streams in the buffer's words; strides are in words. Else 0.
  int64_t packedBits = 0;
  unsigned packedDim = 0;
  /// Values and strides of the digits that say where a code stands among its neighbours; or none.
  Shape packedOrder;
  /// A window on another view: the source's coordinates.
  llvm::IntrusiveRefCntPtr<ViewObject> source;
  mlir::AffineMap map;
  Shape symbols;
};
using ViewRef = llvm::IntrusiveRefCntPtr<ViewObject>;

/// Bits of a word of packed codes: a cell of their buffer, whose addresses count bits.
inline constexpr int64_t kCodeWordBits = 32;

/// A contiguous row-major window on `buffer` at a byte offset.
ViewRef makeView(BufferRef buffer, const NumberFormat *format, llvm::ArrayRef<int64_t> shape,
                 int64_t offset = 0);

} // namespace sectile::interp

#endif // SECTILE_LIB_INTERPRETER_VIEW_H
