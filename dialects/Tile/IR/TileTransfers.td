//===- TileTransfers.td - tiles from and to views ----------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_TRANSFERS_TD
#define SECTILE_TILE_TRANSFERS_TD

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

class Tile_TransferOp<string mnemonic, list<Trait> traits>
    : Tile_Op<mnemonic, !listconcat(traits, [AttrSizedOperandSegments])> {
  code transferDeclaration = [{
    /// Rank of the tile; 0 for a scalar.
    int64_t getTileRank();
    /// Extents of the tile; empty for a scalar.
    ::llvm::ArrayRef<int64_t> getTileShape();
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Tile_LoadOp : Tile_TransferOp<"load", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "reads a tile from a view";
  let description = [{
    result[t] = valid(t) ? view[map(t)] : fill.

    The map's dimensions are the tile's coordinates followed by one value per index tile; its
    symbols are `map_operands`. `indices` are integer tiles of the result's shape (a gather);
    their values are used as signed integers. `where` holds over the tile's coordinates (not
    the index tiles), with `set_operands` as symbols. Without `where` every coordinate must
    be inside the view. A masked element never touches memory.
    A rank-0 load yields the scalar itself.

    ```mlir
    tile.kernel @loads(%x: !tile.view<128x64xf32>, %p: !tile.view<8xi64>, %i: index, %k: index) {
      %a = tile.load %x at affine_map<(t0, t1)[s0, s1] -> (s0 + t0, s1 + t1)>[%i, %k]
           : !tile.view<128x64xf32> -> tensor<6x16xf32>
      // 4 rows chosen by a tile of indices.
      %rows = arith.constant dense<[[3], [0], [7], [5]]> : tensor<4x1xi64>
      %g = tile.load %x at affine_map<(t0, t1, g)[s0] -> (g, s0 + t1)>[%k]
           indices (%rows : tensor<4x1xi64>) : !tile.view<128x64xf32> -> tensor<4x1xf32>
      %s = tile.load %p at affine_map<()[s0] -> (s0)>[%i] : !tile.view<8xi64> -> i64
      tile.return
    }
    ```
    Constraints:
    1. the result has static shape and the view's element type;
    2. the map has one dimension per tile dimension and index tile, one symbol per operand,
       one result per view dimension;
    3. `where` has one dimension per tile dimension and one symbol per set operand, and is
       accompanied by a fill of the element type; without `where` there is no fill;
    4. index tiles have the result's shape and an integer or index element type.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$map_operands,
                       Variadic<Index>:$set_operands, Variadic<Tile_Tile>:$indices,
                       AffineMapAttr:$map, OptionalAttr<IntegerSetAttr>:$where,
                       OptionalAttr<TypedAttrInterface>:$fill);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = [{
    $view `at` $map `[` $map_operands `]`
    (`indices` `(` $indices^ `:` type($indices) `)`)?
    (`where` $where^ `[` $set_operands `]` `else` $fill)?
    attr-dict `:` type($view) `->` type($result)
  }];
  let extraClassDeclaration = transferDeclaration;
}

def Tile_StoreOp : Tile_TransferOp<"store", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "writes a tile to a view";
  let description = [{
    view[map(t)] = value[t] for every t that is valid. As `tile.load`, the other way round:
    `map` with `map_operands` says where elements go, `where` with `set_operands` which ones do,
    and `indices` are what the map's last dimensions stand for.
    Two elements of one tile must not meet in one place unless they are equal. With index
    tiles (a scatter) the values must name different places.

    ```mlir
    tile.kernel @zero(%y: !tile.view<128xf32>, %i: index) {
      %t = arith.constant dense<0.0> : tensor<16xf32>
      tile.store %t, %y at affine_map<(t0)[s0] -> (s0 + t0)>[%i]
        : tensor<16xf32>, !tile.view<128xf32>
      tile.return
    }
    ```
    Constraints: as for `tile.load`, without a fill.
  }];
  let arguments = (ins Tile_TileOrScalar:$value, Tile_ViewType:$view, Variadic<Index>:$map_operands,
                       Variadic<Index>:$set_operands, Variadic<Tile_Tile>:$indices,
                       AffineMapAttr:$map, OptionalAttr<IntegerSetAttr>:$where);
  let assemblyFormat = [{
    $value `,` $view `at` $map `[` $map_operands `]`
    (`indices` `(` $indices^ `:` type($indices) `)`)?
    (`where` $where^ `[` $set_operands `]`)?
    attr-dict `:` type($value) `,` type($view)
  }];
  let extraClassDeclaration = transferDeclaration;
}

/// What `tile.prefetch` changes: no memory, but it stays where it is.
def Tile_CacheResource : Resource<"::sectile::tile::CacheResource">;

def Tile_PrefetchOp : Tile_Op<"prefetch", [MemoryEffects<[MemWrite<Tile_CacheResource>]>]> {
  let summary = "says that a tile will be read soon";
  let description = [{
    A hint, without a result: view[map(t)] for all t in a tile of extents `extents` will be wanted;
    `map_operands` are the map's symbols. Coordinates may lie outside the view, and nothing is
    read there. On CPUs the tile's lines come into the first cache; other targets ignore it.

    ```mlir
    tile.kernel @ahead(%w: !tile.view<512x64xf32>, %k: index) {
      // The row that a loop over %k reads 24 steps later.
      tile.prefetch [1, 64] of %w at affine_map<(t0, t1)[k] -> (k + t0 + 24, t1)>[%k]
           : !tile.view<512x64xf32>
      tile.return
    }
    ```
    Constraints:
    1. extents are positive;
    2. the map has one dimension per extent, one symbol per operand and one result per view
       dimension.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$map_operands, AffineMapAttr:$map,
                       DenseI64ArrayAttr:$extents);
  let assemblyFormat = [{
    $extents `of` $view `at` $map `[` $map_operands `]` attr-dict `:` type($view)
  }];
  let hasVerifier = 1;
}

/// What copies that go on beside the program change: where they are.
def Tile_CommitCopiesOp : Tile_Op<"commit_copies", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "ends a group of copies";
  let description = [{
    All stores marked `tile.async` since the last one, or since the beginning, become a group that
    `tile.wait_copies` can wait for; it may be empty.

    A store with `tile.async` takes the tile of a load that nothing else uses. It may read and write at
    any time until a wait for its group has ended, so that until then nothing may read or write what it
    writes, nor write what it reads. Executed at once it does what it means.

    ```mlir
    tile.kernel @copy(%x: !tile.view<64xf32>) {
      %m = tile.alloc [] : !tile.view<64xf32>
      %t = tile.load %x at affine_map<(t) -> (t)>[] : !tile.view<64xf32> -> tensor<64xf32>
      tile.store %t, %m at affine_map<(t) -> (t)>[] {tile.async} : tensor<64xf32>, !tile.view<64xf32>
      tile.commit_copies
      tile.wait_copies 0
      tile.return
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_WaitCopiesOp : Tile_Op<"wait_copies", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for groups of copies";
  let description = [{
    All groups of copies but the last `pending` ones have ended (`tile.commit_copies`).

    ```mlir
    tile.kernel @wait() {
      tile.commit_copies
      tile.commit_copies
      tile.wait_copies 1
      tile.return
    }
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

/// It changes nothing, but stands where products have ended.
def Tile_WaitProductsOp : Tile_Op<"wait_products", [
    SameOperandsAndResultType, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for products that go on beside the program";
  let description = [{
    result = source. All products marked `tile.async` but the last `pending` ones have ended.

    A product with `tile.async` may read its sides, where those stay in memory (`tile.in_memory`), and
    write its result at any time until such a wait. Until then nothing may write that memory, and
    only another product may take the result, as its accumulator. Executed at once it does what it
    means.

    ```mlir
    func.func @wait(%t: tensor<64x8xf32>) -> tensor<64x8xf32> {
      %r = tile.wait_products 0 of %t : tensor<64x8xf32>
      return %r : tensor<64x8xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$source, ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$pending `of` $source attr-dict `:` type($source)";
}

def Tile_ScatterOp : Tile_TransferOp<"scatter", [
    SingleBlock, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "changes elements of a view, one after the other";
  let description = [{
    For every t that is valid, in row-major order:

        view[map(t)] = combine(view[map(t)], value[t])

    `map` with `map_operands`, `where` with `set_operands` and `indices` are those of `tile.store`;
    besides, an element is valid only where `mask` is true. An element that is not never touches memory.
    `combine` is made of elementwise ops; one that yields its second argument reads nothing.

    The order is that of the formula within a tile and that of the program between tiles, so that
    elements may meet. The scope is the block: no other one may access these places while the kernel
    runs, and nothing is atomic.

    ```mlir
    tile.kernel @count(%bins: !tile.view<100xi32>, %ids: !tile.view<16xi64>) {
      %i = tile.load %ids at affine_map<(t0) -> (t0)>[] : !tile.view<16xi64> -> tensor<16xi64>
      %none = arith.constant dense<-1> : tensor<16xi64>
      %ok = arith.cmpi sgt, %i, %none : tensor<16xi64>
      %one = arith.constant dense<1> : tensor<16xi32>
      tile.scatter %one, %bins at affine_map<(t0, i) -> (i)>[] indices (%i : tensor<16xi64>)
          if (%ok : tensor<16xi1>) : tensor<16xi32>, !tile.view<100xi32> {
      ^bb0(%before: i32, %update: i32):
        %sum = arith.addi %before, %update : i32
        tile.yield %sum : i32
      }
      tile.return
    }
    ```
    Constraints: 1. as for `tile.store`; 2. `mask` is an i1, or a tile of them of the value's shape;
    3. the region takes two scalars of the element type and yields one.
  }];
  let arguments = (ins Tile_TileOrScalar:$value, Tile_ViewType:$view, Variadic<Index>:$map_operands,
                       Variadic<Index>:$set_operands, Variadic<Tile_Tile>:$indices,
                       Optional<Tile_TileOrScalar>:$mask, AffineMapAttr:$map,
                       OptionalAttr<IntegerSetAttr>:$where);
  let regions = (region SizedRegion<1>:$combine);
  let assemblyFormat = [{
    $value `,` $view `at` $map `[` $map_operands `]`
    (`indices` `(` $indices^ `:` type($indices) `)`)?
    (`where` $where^ `[` $set_operands `]`)?
    (`if` `(` $mask^ `:` type($mask) `)`)?
    attr-dict `:` type($value) `,` type($view) $combine
  }];
  let extraClassDeclaration = transferDeclaration;
}

def Tile_TopKOp : Tile_Op<"topk", [
    AttrSizedOperandSegments, SingleBlock, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "offers the elements of a tile to lists of the first ones";
  let description = [{
    Dimension `axis` of the views `values` and `indices` holds lists of k pairs that are heaps: no pair
    precedes the one at place 0. For every t that is valid, in row-major order, the pair
    (candidates[t], positions[t]) takes the place of that one in the list at map(t) if it precedes it, and
    the list is a heap again. So a list holds the first k of all pairs it was offered; `tile.sort`
    then brings them in order.

    `map` with `map_operands` takes tile coordinates to those of the views; what it gives along `axis`
    is 0. `where` with `set_operands` says which elements are valid; others never touch memory.
    `precedes` takes two pairs, value and position each, and says whether the first one goes before the
    second. It is a strict order in which only pairs that are equal in all have no order, and is made of
    elementwise ops.

    The scope is the block: no other one may access the lists while the kernel runs. An element that
    does not precede the last pair of its list costs one comparison, which all lanes make together;
    any other one costs two for each level of the heap.

    ```mlir
    tile.kernel @smallest(%x: !tile.view<100xi32>, %v: !tile.view<4xi32>, %i: !tile.view<4xi64>) {
      %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<100xi32> -> tensor<100xi32>
      %p = tile.coord affine_map<(t0) -> (t0)>[] : tensor<100xi64>
      tile.topk %t, %p into %v, %i axis 0 at affine_map<(t0) -> (0)>[]
          : tensor<100xi32>, tensor<100xi64> into !tile.view<4xi32>, !tile.view<4xi64> {
      ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
        %less = arith.cmpi slt, %a, %b : i32
        tile.yield %less : i1
      }
      tile.return
    }
    ```
    Constraints: 1. candidates and positions have one shape, positions of i64; 2. the views have one
    shape and the element types of candidates and positions; `axis` is inside their rank, of known extent;
    3. the map has one dimension per tile dimension, one symbol per operand, one result per view dimension;
    4. `where` has one dimension per tile dimension and one symbol per operand; 5. the region takes two
    pairs and yields an i1.
  }];
  let arguments = (ins Tile_TileOrScalar:$candidates, Tile_TileOrScalar:$positions,
                       Tile_ViewType:$values, Tile_ViewType:$indices,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$axis, Variadic<Index>:$map_operands,
                       Variadic<Index>:$set_operands, AffineMapAttr:$map,
                       OptionalAttr<IntegerSetAttr>:$where);
  let regions = (region SizedRegion<1>:$precedes);
  let assemblyFormat = [{
    $candidates `,` $positions `into` $values `,` $indices `axis` $axis `at` $map `[` $map_operands
    `]` (`where` $where^ `[` $set_operands `]`)? attr-dict `:` type($candidates) `,`
    type($positions) `into` type($values) `,` type($indices) $precedes
  }];
  let hasVerifier = 1;
}

def Tile_SortOp : Tile_Op<"sort", [SingleBlock, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "sorts a list that is a heap";
  let description = [{
    The list of pairs along dimension `axis` of the views `values` and `indices`, which lies where `map`
    with `map_operands` says and is a heap as `tile.topk` leaves it, is sorted by `precedes`. That and the
    scope are those of `tile.topk`.

    ```mlir
    tile.kernel @order(%v: !tile.view<8x4xi32>, %i: !tile.view<8x4xi64>, %row: index) {
      tile.sort %v, %i axis 1 at affine_map<()[s0] -> (s0, 0)>[%row] : !tile.view<8x4xi32>, !tile.view<8x4xi64> {
      ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
        %less = arith.cmpi slt, %a, %b : i32
        tile.yield %less : i1
      }
      tile.return
    }
    ```
    Constraints: 1. the views have one shape, and hold values and i64; `axis` is inside their rank, of
    known extent; 2. the map has no dimension, one symbol per operand, one result per view dimension;
    3. the region takes two pairs and yields an i1.
  }];
  let arguments = (ins Tile_ViewType:$values, Tile_ViewType:$indices,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$axis, Variadic<Index>:$map_operands,
                       AffineMapAttr:$map);
  let regions = (region SizedRegion<1>:$precedes);
  let assemblyFormat = [{
    $values `,` $indices `axis` $axis `at` $map `[` $map_operands `]` attr-dict `:` type($values) `,`
    type($indices) $precedes
  }];
  let hasVerifier = 1;
}

#endif // SECTILE_TILE_TRANSFERS_TD
