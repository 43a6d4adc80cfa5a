//===- TileTypes.td - types and attributes of the tile dialect -*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_TYPES_TD
#define SECTILE_TILE_TYPES_TD

include "dialects/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "dialects/Tile/IR/TileLayouts.td"

def Tile_MemoryAttr : AttrDef<Tile_Dialect, "Memory"> {
  let mnemonic = "memory";
  let summary = "where the elements of a view lie in memory";
  let description = [{
    `map` takes a view's coordinates to *physical* coordinates; the physical box is stored
    row-major, or with the given `strides` (in elements, one per physical dimension,
    `?` where known only at run time).

    The extent of a physical dimension follows from the view's: `d floordiv c` of a dimension
    of extent D has ceil(D / c), `d mod c` has c, a bare `d` has D. The last panel is
    therefore padded; what padding holds is up to whoever packed the data.

    `bits = b along p` packs codes that need fewer bits than their elements have: of each element
    the low b bits are kept, and reading zero-extends them. The elements that differ in physical
    coordinate p only are four streams of bits in the four bytes of 32-bit words: coordinate
    i = 4 q + j is in stream j, byte j of each word, from bit b * q of the stream on, the lowest bit
    of the first word's byte first; a code may begin in one word and end in the next. Words take the
    elements' places in the box, whose extent D along p is ceil(ceil(D / 4) * b / 8) words.
    One shift and one mask of words, whatever b is, thus bring four neighbours along p to the four
    bytes of their lane, as products of bytes want them; one of them alone is a shift and a mask
    as well.

    `order = [n:s, ...]` lets threads have what they need side by side: coordinate i of p is stored
    where coordinate sum(s * digit) would be, of i's digits of n values each, the fastest first. The
    codes of 16 neighbours along p, say, of which a thread multiplies 0, 1, 8 and 9 and its neighbour
    2, 3, 10 and 11, have `[2:2, 4:4, 2:1]`: each four in one quarter of the words, and the two
    of a pair 16 bits apart.

    Example, panels of 64 columns of a [K, N] matrix, each panel stored [K][64]:
    ```mlir
    #panels = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>
    #codes = #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64), bits = 3 along 1>
    #rows = #tile.memory<(d0, d1) -> (d0, d1), strides = [?, 1]>
    #lanes = #tile.memory<(d0, d1) -> (d0 floordiv 16, d1, d0 mod 16), bits = 4 along 2,
                          order = [2:2, 4:4, 2:1]>
    tile.kernel @views(%w: !tile.view<?x100xf32, #panels>, %q: !tile.view<?x100xi8, #codes>,
                       %x: !tile.view<?x64xf32, #rows>, %p: !tile.view<64x8xi8, #lanes>) {
      tile.return
    }
    ```
    Constraints:
    1. the map has no symbols; one stride per physical dimension, or none;
    2. physical coordinates have the form d, d floordiv c or d mod c, c positive;
    3. every dimension appears once as itself, or once each as floordiv and mod of one factor;
    4. codes take 1 to 8 bits along a physical dimension; there are strides or packed codes;
    5. an order gives each coordinate a place of its own among as many, and codes lie along d mod c of
       c coordinates.
  }];
  let parameters = (ins AttrParameter<"::mlir::AffineMap", "coordinates to physical coordinates">:$map,
                        ArrayRefParameter<"int64_t", "elements per step, or none: row-major">:$strides,
                        AttrParameter<"int64_t", "kept of an element, 0: it is stored as it is">:$bits,
                        AttrParameter<"int64_t", "physical dimension that bits run along">:$along,
                        ArrayRefParameter<"int64_t", "values and strides of digits, or none">:$order);
  let builders = [AttrBuilder<(ins "::mlir::AffineMap":$map, "::llvm::ArrayRef<int64_t>":$strides), [{
    return $_get($_ctxt, map, strides, 0, 0, ::llvm::ArrayRef<int64_t>());
  }]>,
  AttrBuilder<(ins "::mlir::AffineMap":$map, "::llvm::ArrayRef<int64_t>":$strides,
                   "int64_t":$bits, "int64_t":$along), [{
    return $_get($_ctxt, map, strides, bits, along, ::llvm::ArrayRef<int64_t>());
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tile_ScheduleAttr : AttrDef<Tile_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "every tunable choice of a kernel";
  let description = [{
    `dims` maps the kernel's named iteration dimensions to their sizes, outermost level
    first (on CPUs: block, register). A missing dimension is not tiled. `choices` holds all
    other decisions by name (loop order, residency of values, stages, instruction, splits).
    Both print sorted by name, so that equal schedules have equal text and equal hashes.

    ```mlir
    #schedule = #tile.schedule<v1, dims = {k = [1], m = [96, 6], n = [64, 64]},
                               choices = {order = ["n", "m"]}>
    tile.kernel @product() schedule #schedule {
      tile.return
    }
    ```
    Constraints: 1. the version is 1; 2. sizes are lists of positive integers.
  }];
  let parameters = (ins AttrParameter<"int64_t", "of this text">:$version,
                        AttrParameter<"::mlir::DictionaryAttr", "sizes by dimension">:$dims,
                        AttrParameter<"::mlir::DictionaryAttr", "all else by name">:$choices);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t kVersion = 1;
    /// Sizes of the named dimension, outermost level first; empty if it is not tiled.
    ::llvm::SmallVector<int64_t> getSizes(::llvm::StringRef dim) const;
    /// Hash of the canonical text; equal schedules have equal hashes on every host.
    uint64_t getHash() const;
  }];
}

def Tile_ViewType : TypeDef<Tile_Dialect, "View"> {
  let mnemonic = "view";
  let summary = "a typed window on device memory";
  let description = [{
    Shape, element type and memory layout of a buffer that a kernel reads or writes.
    Dynamic extents and strides (`?`) are carried by the value at run time. Without a layout
    the buffer is row-major and contiguous. Elements of type i1 take one byte, 0 or 1.

    ```mlir
    !x = !tile.view<?x4096xf16>
    !w = !tile.view<4096x11008xf32, #tile.memory<(d0, d1) -> (d1 floordiv 64, d0, d1 mod 64)>>
    tile.kernel @linear(%x: !x, %w: !w) {
      tile.return
    }
    ```
    Constraints: 1. elements are integers, index or floats; 2. extents are not negative;
    3. the layout's map has one dimension per dimension of the view;
    4. a layout of codes is one of integers of at least as many bits, and at most 32.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t", "extents">:$shape,
                        TypeParameter<"::mlir::Type", "of an element">:$elementType,
                        OptionalParameter<"::sectile::tile::MemoryAttr", "the layout">:$memory);
  let builders = [
    TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$shape,
                                        "::mlir::Type":$elementType,
                                        CArg<"::sectile::tile::MemoryAttr", "{}">:$memory), [{
      return $_get(elementType.getContext(), shape, elementType, memory);
    }]>
  ];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return static_cast<int64_t>(getShape().size()); }
    bool isDynamicDim(int64_t dim) const { return ::mlir::ShapedType::isDynamic(getShape()[dim]); }
    /// Number of extents that the value carries at run time.
    int64_t getNumDynamicDims() const;
    /// Number of strides that the value carries at run time, after its extents.
    int64_t getNumDynamicStrides() const;
    /// The map from coordinates to physical coordinates; the identity without a layout.
    ::mlir::AffineMap getPhysicalMap() const;
    /// Bytes of one element in memory (i1 takes one byte); of a word where codes are packed.
    int64_t getElementBytes() const;
    /// Bits that a code takes in memory if codes are packed, else 0.
    int64_t getPackedBits() const { return getMemory() ? getMemory().getBits() : 0; }
    /// The physical dimension that packed codes lie along.
    int64_t getPackedDim() const { return getMemory().getAlong(); }
  }];
}

#endif // SECTILE_TILE_TYPES_TD
