//===- GraphToTilePasses.td - fused regions to tile programs -*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_GRAPHTOTILE_TD
#define SECTILE_CONVERSION_GRAPHTOTILE_TD

include "mlir/Pass/PassBase.td"

def GraphToTilePass : Pass<"graph-to-tile", "::mlir::ModuleOp"> {
  let summary = "write the tile program of every fused region";
  let description = [{
    For each `graph.kernel` of the module, writes a `tile.kernel` of the same name into a nested
    module named after the level. Its arguments are the region's, tensors as views, followed by
    views for its results. The regions stay: they are the reference that the tile programs are
    compared with, and what other levels and targets are made from.

    The algorithm is demand-driven materialisation: `lib/Conversion/GraphToTile/Materializer.h`.

    For a GPU the same algorithm asks for larger tiles, which a block's threads hold together
    (`tile-assign-layouts` says how): a block computes one, products take several elements of the
    reduced dimension in a step, and what full tiles leave is computed by masked ones. Values that
    hold a product and are reduced lie in shared memory; where they do not fit, tiles get fewer
    rows.

    Precondition: regions as `graph-outline` leaves them: results of one shape, or smaller ones
    that go into it element by element; constants other than splats passed as arguments;
    `graph.dims` naming equal extents.
    Postcondition: every tile is small enough for a register file; memory is touched through
    views only. `canonicalize`, `cse` and `loop-invariant-code-motion` usually follow. The
    schedule chosen for each kernel is a remark.

    ```mlir
    graph.kernel @double(%x: tensor<64xf32>) -> tensor<64xf32> {
      %e = tensor.empty() : tensor<64xf32>
      %r = linalg.map { arith.addf } ins(%x, %x : tensor<64xf32>, tensor<64xf32>)
                                     outs(%e : tensor<64xf32>)
      graph.return %r : tensor<64xf32>
    }
    ```
    becomes
    ```mlir
    graph.kernel @double(%x: tensor<64xf32>) -> tensor<64xf32> {
      %e = tensor.empty() : tensor<64xf32>
      %r = linalg.map { arith.addf } ins(%x, %x : tensor<64xf32>, tensor<64xf32>)
                                     outs(%e : tensor<64xf32>)
      graph.return %r : tensor<64xf32>
    }
    module @avx512 {
      tile.kernel @double(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>)
          schedule #tile.schedule<v1, dims = {d0 = [64, 64]}, choices = {}> {
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        scf.for %i = %c0 to %c1 step %c1 {
          %t = tile.load %x at affine_map<(d0)[s0] -> (d0 + s0 * 64)>[%i]
               : !tile.view<64xf32> -> tensor<64xf32>
          %r = arith.addf %t, %t fastmath<contract> : tensor<64xf32>
          tile.store %r, %y at affine_map<(d0)[s0] -> (d0 + s0 * 64)>[%i]
                : tensor<64xf32>, !tile.view<64xf32>
        }
        tile.return
      }
    }
    ```
  }];
  let options = [
    Option<"level", "level", "std::string", "\"avx512\"",
           "name of the instruction-set level, and of the nested module">,
    Option<"target", "target", "std::string", "\"\"",
           "the GPU to write programs for, whose blocks of threads share tiles; empty: a CPU, of which "
           "the next two options tell">,
    Option<"lanes", "lanes", "int64_t", "16", "32-bit lanes of a vector register">,
    Option<"registers", "registers", "int64_t", "32", "vector registers">,
    Option<"strict", "strict", "bool", "false",
           "contract nothing and form sums in the order of their loops (--fp=strict)">,
    Option<"device", "device", "std::string", "\"\"",
           "parameters of the device that differ from the defaults, as for graph-fuse; of a GPU, those "
           "of the target if empty">
  ];
  let dependentDialects = [
    "::sectile::tile::TileDialect", "::mlir::affine::AffineDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect"
  ];
}

#endif // SECTILE_CONVERSION_GRAPHTOTILE_TD
