//===- TileLayouts.td - where tiles live in registers ------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_LAYOUTS_TD
#define SECTILE_TILE_LAYOUTS_TD

def Tile_LayoutAttr : AttrDef<Tile_Dialect, "Layout", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "layout";
  let summary = "which register of which lane holds each element of a tile";
  let description = [{
    The encoding of a tile's type once layouts are assigned. `text` is the canonical form of a
    distributed layout ([layouts.md](../layouts.md)): the tile's shape, and for registers, lanes,
    warps and blocks of a cluster the digits that their numbers are made of, fastest first.
    `4:d1*2` selects 4 elements, 2 apart along dimension 1; `4:_` makes four copies.

    The accumulator of mma.m16n8k16:
    ```mlir
    #accumulator = #tile.layout<[16, 8], register = [2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]>
    func.func @negate(%t: tensor<16x8xf32, #accumulator>) -> tensor<16x8xf32, #accumulator> {
      %r = arith.negf %t : tensor<16x8xf32, #accumulator>
      return %r : tensor<16x8xf32, #accumulator>
    }
    ```
    Constraints:
    1. the text is a layout: digits nest on each dimension and reach its extent;
    2. the tile has the layout's shape.
  }];
  let parameters = (ins StringRefParameter<"canonical text of the layout">:$text);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static LayoutAttr get(::mlir::MLIRContext *context,
                          const ::sectile::layout::DistributedLayout &layout);
    ::sectile::layout::DistributedLayout getLayout() const;
    /// The layout of a tile, or null if the type is none or has none.
    static LayoutAttr of(::mlir::Type type);
  }];
}

#endif // SECTILE_TILE_LAYOUTS_TD
