//===- TileOps.td - operations of the tile dialect ---------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TILE_OPS_TD
#define SECTILE_TILE_OPS_TD

include "dialects/Tile/IR/TileDialect.td"
include "dialects/Tile/IR/TileTypes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

/// A tile: ranked, static shape.
def Tile_Tile : StaticShapeTensorOf<[AnyType]>;
/// What a load yields: a tile, or a scalar at rank 0.
def Tile_TileOrScalar
    : AnyTypeOf<[Tile_Tile, AnySignlessInteger, AnyFloat, Index], "tile or scalar">;

//===----------------------------------------------------------------------===//
// Kernel and grid
//===----------------------------------------------------------------------===//

def Tile_KernelOp : Tile_Op<"kernel", [
    FunctionOpInterface, IsolatedFromAbove, Symbol, AutomaticAllocationScope]> {
  let summary = "the program of one block of a grid";
  let description = [{
    Arguments are views and `index` scalars; there are no results, a kernel stores. `nodes`
    lists the model's nodes it implements. Views of different arguments may overlap only if
    neither is written, or if they are the same memory with the same layout and every block
    reads an element before it writes it.

    ```mlir
    tile.kernel @relu(%x: !tile.view<?xf32>, %y: !tile.view<?xf32>)
        schedule #tile.schedule<v1, dims = {d0 = [64]}, choices = {}> {
      %n = tile.dim %x, 0 : !tile.view<?xf32>
      %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 64)>()[%n]
      %b = tile.block_id grid [%blocks]
      %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b]
           where affine_set<(t)[b, n] : (n - b * 64 - t - 1 >= 0)>[%b, %n] else 0.0 : f32
           : !tile.view<?xf32> -> tensor<64xf32>
      %zero = arith.constant dense<0.0> : tensor<64xf32>
      %r = arith.maximumf %t, %zero : tensor<64xf32>
      tile.store %r, %y at affine_map<(t)[b] -> (b * 64 + t)>[%b]
            where affine_set<(t)[b, n] : (n - b * 64 - t - 1 >= 0)>[%b, %n]
            : tensor<64xf32>, !tile.view<?xf32>
      tile.return
    }
    ```

    Constraints:
    1. every argument is a view or an index;
    2. there are no results;
    3. at most one `tile.block_id`, in the entry block.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<Tile_ScheduleAttr>:$schedule,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs,
                       OptionalAttr<StrArrayAttr>:$nodes);
  let regions = (region MinSizedRegion<1>:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type,
                                 CArg<"::sectile::tile::ScheduleAttr", "{}">:$schedule)>];
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The kernel's grid, or null if it runs as a single block.
    ::sectile::tile::BlockIdOp getBlockId();
  }];
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, HasParent<"KernelOp">, Terminator]> {
  let summary = "ends a kernel";
  let description = [{
    Nothing is returned: a kernel stores.

    ```mlir
    tile.kernel @nothing() {
      tile.return
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_BlockIdOp : Tile_Op<"block_id", [Pure, HasParent<"KernelOp">]> {
  let summary = "coordinates of this block in the grid";
  let description = [{
    `ids`[i] lies in [0, `grid`[i]). The grid's extents may depend only on the kernel's
    arguments, since whoever launches it evaluates them. The last dimension is the fastest
    in the linearised order. An extent of zero means that no block runs.

    ```mlir
    tile.kernel @grid(%m_blocks: index, %n_blocks: index) {
      %i, %j = tile.block_id grid [%m_blocks, %n_blocks]
      tile.return
    }
    ```
    Constraints: 1. one result per grid dimension.
  }];
  let arguments = (ins Variadic<Index>:$grid);
  let results = (outs Variadic<Index>:$ids);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

def Tile_DimOp : Tile_Op<"dim", [Pure]> {
  let summary = "extent of a view";
  let description = [{
    The extent of dimension `dim`. Folds to a constant where the type tells it.

    ```mlir
    tile.kernel @rows(%x: !tile.view<?x64xf32>) {
      %n = tile.dim %x, 0 : !tile.view<?x64xf32>
      tile.return
    }
    ```
    Constraints: 1. `dim` is below the view's rank.
  }];
  let arguments = (ins Tile_ViewType:$view, ConfinedAttr<I64Attr, [IntNonNegative]>:$dim);
  let results = (outs Index:$extent);
  let assemblyFormat = "$view `,` $dim attr-dict `:` type($view)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_ViewOp : Tile_Op<"view", [Pure, AttrSizedOperandSegments]> {
  let summary = "another window on the same memory";
  let description = [{
    `map` takes coordinates of the result to coordinates of `source`: subviews, strides,
    transpositions, broadcasts, reshapes; `map_operands` are its symbols. `sizes` gives the
    result's dynamic extents. Transfers absorb it by composing maps.

    ```mlir
    // Column %j of a matrix, as a vector.
    tile.kernel @column(%x: !tile.view<16x32xf32>, %j: index) {
      %c = tile.view %x at affine_map<(d0)[s0] -> (d0, s0)>[%j] sizes []
           : !tile.view<16x32xf32> -> !tile.view<16xf32>
      tile.return
    }
    ```
    Constraints:
    1. the map has one dimension per dimension of the result, one symbol per index operand
       and one result per dimension of the source;
    2. one size per dynamic dimension of the result;
    3. element types agree and the result has no memory layout of its own.
  }];
  let arguments = (ins Tile_ViewType:$source, Variadic<Index>:$map_operands,
                       Variadic<Index>:$sizes, AffineMapAttr:$map);
  let results = (outs Tile_ViewType:$result);
  let assemblyFormat = [{
    $source `at` $map `[` $map_operands `]` `sizes` `[` $sizes `]` attr-dict `:` type($source) `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def Tile_AllocOp : Tile_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "memory private to the block";
  let description = [{
    `result` is uninitialised, 64-byte aligned, alive until the block ends. On CPUs it is scratch of the
    thread that runs the block, on GPUs shared memory. Only copies (`tile.commit_copies`) write packed
    codes there. `sizes` are the dynamic extents and may
    depend only on kernel arguments.

    ```mlir
    tile.kernel @strip(%n: index) {
      %strip = tile.alloc [%n] : !tile.view<6x?xf32>
      tile.return
    }
    ```
    Constraints: 1. one size per dynamic extent; 2. strides are static.
  }];
  let arguments = (ins Variadic<Index>:$sizes);
  let results = (outs Tile_ViewType:$result);
  let assemblyFormat = "`[` $sizes `]` attr-dict `:` type($result)";
  let hasVerifier = 1;
}

include "dialects/Tile/IR/TileTransfers.td"

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

def Tile_DotOp : Tile_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "multiplies two tiles and adds to a third";
  let description = [{
    result[m, n] = acc[m, n] + sum over k of lhs[m, k] * rhs[k, n].

    Products and sums are formed in the accumulator's type after converting both inputs to
    it (integers: `lhs` and `rhs` are extended as `unsigned_lhs`, `unsigned_rhs` say).
    Multiply and add may be contracted and the order over k is the lowering's choice, fixed
    for a given schedule.

    ```mlir
    func.func @step(%a: tensor<6x1xf32>, %b: tensor<1x64xf32>, %c: tensor<6x64xf32>)
        -> tensor<6x64xf32> {
      %d = tile.dot %a, %b, %c : tensor<6x1xf32>, tensor<1x64xf32> -> tensor<6x64xf32>
      return %d : tensor<6x64xf32>
    }
    ```
    Constraints:
    1. all three have rank 2 and agree in m, k and n;
    2. floats with a float accumulator, integers with an integer accumulator, not narrower.
  }];
  let arguments = (ins Tile_Tile:$lhs, Tile_Tile:$rhs, Tile_Tile:$acc,
                       UnitAttr:$unsigned_lhs, UnitAttr:$unsigned_rhs);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `,` $acc attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [
    Pure, SameVariadicOperandSize, SingleBlock]> {
  let summary = "combines the elements of tiles along dimensions";
  let description = [{
    For each of `results`, all elements of its tile in `inputs` along `dims` are combined by the
    region, `combiner`, which takes the two partial values of every tile (all left ones, then all right ones) and yields the
    combined values. It must be associative and commutative; the order is the lowering's
    choice, fixed for a given schedule. Removing all dimensions gives scalars.

    ```mlir
    func.func @sum(%t: tensor<4x64xf32>) -> tensor<4xf32> {
      %s = tile.reduce %t dims [1] : tensor<4x64xf32> -> tensor<4xf32> {
      ^bb0(%a: f32, %b: f32):
        %c = arith.addf %a, %b : f32
        tile.yield %c : f32
      }
      return %s : tensor<4xf32>
    }
    ```
    Constraints:
    1. there is an operand; operands have one shape; `dims` is strictly increasing and inside their rank;
    2. results have the shape without `dims` and the operands' element types in order;
    3. the region takes and yields scalars of those types.
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs, DenseI64ArrayAttr:$dims);
  let results = (outs Variadic<Tile_TileOrScalar>:$results);
  let regions = (region SizedRegion<1>:$combiner);
  let assemblyFormat = [{
    $inputs `dims` $dims attr-dict `:` type($inputs) `->` type($results) $combiner
  }];
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure, AttrSizedOperandSegments, AttrSizedResultSegments,
                                     SingleBlock]> {
  let summary = "a recurrence along a dimension of tiles";
  let description = [{
    For every place along the other dimensions, with i running up dimension `dim` (down it with
    `reverse`):

        state = carries
        for i:  state = step(state, inputs[.., i, ..]);  scanned[.., i, ..] = state
        lasts = state

    With `exclusive`, `scanned` are the states before each step; `lasts` are those after the last one
    all the same, so that the next tile goes on from there. Carries and lasts lack dimension `dim`;
    where nothing is left they are scalars. `step` takes the state and one element of each of
    `inputs` and is made of elementwise ops.

    The order is that of the formula, unless `associative` promises that step(step(a, b), c) is
    step(a, step(b, c)) but for rounding: elements of a tile may then be combined with each other
    first, in an order fixed for a given schedule. Under strict floating point they are not.

    ```mlir
    func.func @sums(%t: tensor<4x64xf32>, %before: tensor<4xf32>) -> (tensor<4x64xf32>, tensor<4xf32>) {
      %s, %last = tile.scan %t from %before dim 1 associative
          : tensor<4x64xf32> from tensor<4xf32> -> tensor<4x64xf32> and tensor<4xf32> {
      ^bb0(%sum: f32, %element: f32):
        %next = arith.addf %sum, %element : f32
        tile.yield %next : f32
      }
      return %s, %last : tensor<4x64xf32>, tensor<4xf32>
    }
    ```
    Constraints:
    1. there are inputs and carries; inputs have one shape; `dim` is inside their rank;
    2. carries and lasts have the shape without `dim` and the same types;
    3. `scanned` have the inputs' shape, one per carry and of its element type;
    4. the region takes a scalar for each carry and input and yields one for each carry;
    5. `associative`: as many inputs as carries, of the same element types.
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs, Variadic<Tile_TileOrScalar>:$carries,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$dim, UnitAttr:$exclusive,
                       UnitAttr:$reverse, UnitAttr:$associative);
  let results = (outs Variadic<Tile_Tile>:$scanned, Variadic<Tile_TileOrScalar>:$lasts);
  let regions = (region SizedRegion<1>:$step);
  let assemblyFormat = [{
    $inputs `from` $carries `dim` $dim (`exclusive` $exclusive^)? (`reverse` $reverse^)?
    (`associative` $associative^)? attr-dict `:` type($inputs) `from` type($carries)
    `->` type($scanned) `and` type($lasts) $step
  }];
  let hasVerifier = 1;
}

def Tile_YieldOp : Tile_Op<"yield", [
    Pure, ReturnLike, Terminator, ParentOneOf<["ReduceOp", "ScanOp", "ScatterOp", "SortOp", "TopKOp"]>]> {
  let summary = "yields combined values";
  let description = [{
    `values` are the combined values, one per operand of the `tile.reduce` around it, or the next
    state of a `tile.scan`, or what a `tile.scatter`
    writes, or the answer of a `tile.topk` or `tile.sort`.

    ```mlir
    func.func @largest(%t: tensor<64xi32>) -> i32 {
      %s = tile.reduce %t dims [0] : tensor<64xi32> -> i32 {
      ^bb0(%a: i32, %b: i32):
        %c = arith.maxsi %a, %b : i32
        tile.yield %c : i32
      }
      return %s : i32
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

//===----------------------------------------------------------------------===//
// Shapes and coordinates
//===----------------------------------------------------------------------===//

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "repeats a tile along new dimensions";
  let description = [{
    `dims` names the result's dimensions that `source` lacks. From a scalar, all of them.

    ```mlir
    func.func @repeat(%v: tensor<64xf32>) -> tensor<6x64xf32> {
      %b = tile.broadcast %v dims [0] : tensor<64xf32> -> tensor<6x64xf32>
      return %b : tensor<6x64xf32>
    }
    ```
    Constraints:
    1. `dims` is strictly increasing and inside the result's rank;
    2. the result without `dims` has the source's shape; element types agree.
  }];
  let arguments = (ins Tile_TileOrScalar:$source, DenseI64ArrayAttr:$dims);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source `dims` $dims attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "permutes the dimensions of a tile";
  let description = [{
    result[..., t_i, ...] has at dimension i the source's dimension `perm[i]`.

    ```mlir
    func.func @transpose(%a: tensor<4x16xf32>) -> tensor<16x4xf32> {
      %b = tile.transpose %a perm [1, 0] : tensor<4x16xf32> -> tensor<16x4xf32>
      return %b : tensor<16x4xf32>
    }
    ```
    Constraints: 1. `perm` is a permutation of the rank; 2. shapes agree with it.
  }];
  let arguments = (ins Tile_Tile:$source, DenseI64ArrayAttr:$perm);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source `perm` $perm attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_ReshapeOp : Tile_Op<"reshape", [Pure]> {
  let summary = "the same elements in row-major order with other extents";
  let description = [{
    result[t] = source[s], where t and s have the same number in row-major order.

    ```mlir
    func.func @flatten(%a: tensor<4x16xf32>) -> tensor<64xf32> {
      %b = tile.reshape %a : tensor<4x16xf32> -> tensor<64xf32>
      return %b : tensor<64xf32>
    }
    ```
    Constraints: 1. equal element counts and element types.
  }];
  let arguments = (ins Tile_TileOrScalar:$source);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Tile_ConvertLayoutOp : Tile_Op<"convert_layout", [Pure]> {
  let summary = "the same tile in another layout";
  let description = [{
    result = source: only the places that hold the elements differ. Lowerings rename registers,
    exchange them between lanes or go through shared memory, whichever is enough.

    ```mlir
    #rows = #tile.layout<[32, 4], register = [4:d1], lane = [32:d0]>
    #columns = #tile.layout<[32, 4], register = [4:d0], lane = [4:d1, 8:d0*4]>
    func.func @convert(%t: tensor<32x4xf32, #rows>) -> tensor<32x4xf32, #columns> {
      %r = tile.convert_layout %t : tensor<32x4xf32, #rows> -> tensor<32x4xf32, #columns>
      return %r : tensor<32x4xf32, #columns>
    }
    ```
    Constraints: 1. shapes and element types are equal; 2. both tiles have layouts.
  }];
  let arguments = (ins Tile_Tile:$source);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_CoordOp : Tile_Op<"coord", [Pure]> {
  let summary = "a function of each element's coordinates";
  let description = [{
    result[t] = map(t)[map_operands], in the result's integer or index element type.

    ```mlir
    func.func @columns(%n0: index) -> tensor<16xi64> {
      %i = tile.coord affine_map<(t0)[s0] -> (s0 + t0)>[%n0] : tensor<16xi64>
      return %i : tensor<16xi64>
    }
    ```
    Constraints: 1. one map dimension per tile dimension, one symbol per operand, one result;
    2. integer or index elements.
  }];
  let arguments = (ins Variadic<Index>:$map_operands, AffineMapAttr:$map);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = "$map `[` $map_operands `]` attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_MaskOp : Tile_Op<"mask", [Pure]> {
  let summary = "which elements of a tile satisfy an integer set";
  let description = [{
    result[t] = set(t)[map_operands], as i1.

    ```mlir
    func.func @inside(%n: index, %i: index) -> tensor<16xi1> {
      %m = tile.mask affine_set<(t0)[n, i] : (n - i - t0 - 1 >= 0)>[%n, %i] : tensor<16xi1>
      return %m : tensor<16xi1>
    }
    ```
    Constraints: 1. one set dimension per tile dimension, one symbol per operand; 2. i1 elements.
  }];
  let arguments = (ins Variadic<Index>:$map_operands, IntegerSetAttr:$set);
  let results = (outs Tile_TileOrScalar:$result);
  let assemblyFormat = "$set `[` $map_operands `]` attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_AssertOp : Tile_Op<"assert", [MemoryEffects<[MemWrite]>]> {
  let summary = "records that a condition on user data does not hold";
  let description = [{
    If any element of `condition` is false, the kernel as a whole fails with `message`; its
    placeholders %0.. stand for the `values` at the first such element. Execution goes on, so
    whatever depends on the condition must be made safe by its producer (an index is clamped
    before it is used).

    ```mlir
    func.func @bounds(%ok: tensor<8xi1>, %i: tensor<8xi64>, %n: index) {
      tile.assert %ok, "node 'gather_3': index %0 is out of range [-%1, %1)"
        (%i, %n : tensor<8xi64>, index) : tensor<8xi1>
      return
    }
    ```
    Constraints: 1. i1 elements; 2. at most 4 values, scalars or tiles of the condition's shape.
  }];
  let arguments = (ins Tile_TileOrScalar:$condition, StrAttr:$message,
                       Variadic<Tile_TileOrScalar>:$values);
  let assemblyFormat = [{
    $condition `,` $message (`(` $values^ `:` type($values) `)`)? attr-dict `:` type($condition)
  }];
  let hasVerifier = 1;
}

include "dialects/Tile/IR/TileNumbers.td"

#endif // SECTILE_TILE_OPS_TD
