//===- TileDialect.td - the tile dialect -------------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_DIALECT_TD
#define SECTILE_TILE_DIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::sectile::tile";
  let summary = "what one block of a kernel's grid computes, on tiles";
  let description = [{
    A `tile.kernel` is the program of one block. It has no threads and no data layouts:
    its values are *tiles*, ranked tensors of static shape that live in registers or
    private memory, and its arguments are *views*, windows on device memory.

    Elementwise work is plain `arith` and `math` on tensors, control flow is `scf`, index
    arithmetic is `affine.apply` and `arith` on `index`. The dialect adds what upstream
    lacks: views, masked transfers between views and tiles, contraction, reduction, and
    the coordinates of a tile's elements.

    **Maps.** Transfers do not take offsets but an affine map from *tile coordinates* (the
    map's dimensions) and index operands (its symbols) to coordinates of the view. A
    rectangle, a stride, a transposition, a broadcast and an im2col window are all maps, so
    one `tile.load` serves them all; lowerings recognise the cheap forms by inspecting it.

    **Masks.** A transfer may carry an integer set over the same dimensions and symbols.
    Where the set does not hold memory is not touched; a load then yields its stated fill.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = "void registerTypesAndAttributes();";
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect"
  ];
}

#endif // SECTILE_TILE_DIALECT_TD
