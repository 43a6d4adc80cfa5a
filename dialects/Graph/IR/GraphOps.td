//===- GraphOps.td - operations of the graph dialect -------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_OPS_TD
#define SECTILE_GRAPH_OPS_TD

include "dialects/Graph/IR/GraphDialect.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"

class Graph_Op<string mnemonic, list<Trait> traits = []>
    : Op<Graph_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Fused regions
//===----------------------------------------------------------------------===//

def Graph_KernelOp : Graph_Op<"kernel", [FunctionOpInterface, IsolatedFromAbove, Symbol]> {
  let summary = "a fused region that becomes one device kernel";
  let description = [{
    Tensors and `index` scalars in, tensors out, value semantics. What it holds is decided by
    `graph-fuse`; how it is tiled is decided later, by `graph-to-tile`. `nodes` lists the model's
    nodes it implements.

    ```mlir
    graph.kernel @linear(%x: tensor<?x64xf32>, %w: tensor<64x32xf32>, %n: index) -> tensor<?x32xf32>
        attributes {nodes = ["fc1"]} {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty(%n) : tensor<?x32xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
      %r = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>)
                         outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
      graph.return %r : tensor<?x32xf32>
    }
    ```
    Constraints: 1. arguments are ranked tensors or index; 2. results are ranked tensors.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs,
                       OptionalAttr<StrArrayAttr>:$nodes);
  let regions = (region SizedRegion<1>:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type)>];
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Graph_ReturnOp : Graph_Op<"return", [Pure, HasParent<"KernelOp">, ReturnLike, Terminator]> {
  let summary = "ends a fused region";
  let description = [{
    `values` are the kernel's results.

    ```mlir
    graph.kernel @pass(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
      graph.return %x : tensor<?x4xf32>
    }
    ```
    Constraints: 1. `values` have the kernel's result types.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let hasVerifier = 1;
}

def Graph_LaunchOp : Graph_Op<"launch", [
    Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "runs a fused region";
  let description = [{
    `inputs` are the kernel's arguments. `sizes` are the dynamic extents of the results, in
    order: whoever runs the kernel allocates them before it starts.

    ```mlir
    graph.kernel @pass(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
      graph.return %x : tensor<?x4xf32>
    }
    func.func @main(%x: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
      %y = graph.launch @pass(%x) sizes [%n] : (tensor<?x4xf32>) -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    }
    ```
    Constraints: 1. `kernel` names a `graph.kernel`, with whose types the launch's agree;
    2. one size per dynamic extent.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs,
                       Variadic<Index>:$sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` `sizes` `[` $sizes `]` attr-dict `:`
    functional-type($inputs, $results)
  }];
  let hasVerifier = 1;
}

def Graph_DispatchOp : Graph_Op<"dispatch", [AttrSizedOperandSegments,
                                             MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "runs a fused region on buffers";
  let description = [{
    What `graph.launch` becomes when memory is planned: `args` are the kernel's arguments
    followed by one buffer per result. Buffers are contiguous unless the kernel's argument or
    result has a `graph.layout`. The kernel reads the first `num_inputs` operands and writes the
    others. No element that is written is accessed through another operand, with one exception:
    an operand that is written may be the same window as an input that is neither
    `graph.readonly` nor `graph.noalias`; the kernel then reads each element before it writes it.
    Unless `when`, if given, is true, nothing runs.

    ```mlir
    func.func @run(%x: memref<?x64xf32>, %w: memref<64x32xf32>, %y: memref<?x32xf32>) {
      graph.dispatch @linear(%x, %w, %y) num_inputs 2
        : memref<?x64xf32>, memref<64x32xf32>, memref<?x32xf32>
      return
    }
    ```
    Constraints: 1. operands are memrefs or index; 2. `num_inputs` is at most their number.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyTypeOf<[AnyMemRef, Index]>>:$args,
                       Optional<I1>:$when,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$num_inputs);
  let assemblyFormat = [{
    $kernel `(` $args `)` (`when` $when^)? `num_inputs` $num_inputs attr-dict `:` type($args)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

def Graph_BroadcastOp : Graph_Op<"broadcast", [
    Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "stretches extents of one, known only at run time, to given sizes";
  let description = [{
    result[i0, .., in] = source[j0, .., jm], aligned at the last dimension, where j is i, or 0
    along dimensions in which the source has extent 1. `sizes` are the result's dynamic
    extents. Each extent of the source must be 1 or equal the result's; a `graph.check` says
    so where that is not known.

    Where extents are known to be 1 or equal, plain `linalg` maps say the same better.

    ```mlir
    func.func @stretch(%x: tensor<?xf32>, %m: index, %n: index) -> tensor<?x?xf32> {
      %y = graph.broadcast %x sizes [%m, %n] : tensor<?xf32> -> tensor<?x?xf32>
      return %y : tensor<?x?xf32>
    }
    ```
    Constraints: 1. the result's rank is not smaller; 2. one size per dynamic extent;
    3. element types agree; 4. static extents are 1 or equal.
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `sizes` `[` $sizes `]` attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Graph_CheckOp : Graph_Op<"check", [MemoryEffects<[MemWrite]>]> {
  let summary = "refuses sizes that the model does not allow";
  let description = [{
    If `condition` is false the run ends with `message` before anything that follows relies on
    it. Placeholders %0.. stand for `values`.

    ```mlir
    func.func @main(%a: index, %b: index) {
      %ok = arith.cmpi eq, %a, %b : index
      graph.check %ok, "node 'add_1': expects extents %0 and %1 to be equal" (%a, %b)
      return
    }
    ```
  }];
  let arguments = (ins I1:$condition, StrAttr:$message, Variadic<Index>:$values);
  let assemblyFormat = "$condition `,` $message (`(` $values^ `)`)? attr-dict";
  let hasCanonicalizer = 1;
}

def Graph_CountOp : Graph_Op<"count", [Pure]> {
  let summary = "a size that a kernel computes";
  let description = [{
    The number, as a size: below 0 it counts as 0, above `bound` as `bound`. This is how data decides
    extents (how many elements are not zero): kernels compute the number, the host program reads it
    when they are done, and what follows has that size. Before the run only the bound is known: memory
    is laid out for it, and it is what the caller is told of the size of a result.

    ```mlir
    func.func @first(%x: tensor<64xf32>, %n: tensor<i64>) -> tensor<?xf32> {
      %most = arith.constant 64 : index
      %count = graph.count %n upto %most : tensor<i64>
      %r = tensor.extract_slice %x[0] [%count] [1] : tensor<64xf32> to tensor<?xf32>
      return %r : tensor<?xf32>
    }
    ```
    Constraints: 1. the number is a tensor<i64>.
  }];
  let arguments = (ins 0DTensorOf<[I64]>:$number, Index:$bound);
  let results = (outs Index:$result);
  let hasFolder = 1;
  let assemblyFormat = "$number `upto` $bound attr-dict `:` type($number)";
}

//===----------------------------------------------------------------------===//
// Data-dependent access
//===----------------------------------------------------------------------===//

def Graph_GatherOp : Graph_Op<"gather", [
    Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "slices of a tensor chosen by a tensor of indices";
  let description = [{
    result[a.., i.., b..] = source[a.., indices[i..], b..], the indices standing in the place of
    dimension `axis`. Negative indices count from the end. An index outside
    [-extent, extent) is a status that names the node, never an access; where the result has no
    elements nothing is read, and no index is checked.

    ```mlir
    func.func @embed(%table: tensor<1000x64xf32>, %ids: tensor<2x8xi64>) -> tensor<2x8x64xf32> {
      %e = graph.gather %table[%ids] axis 0
           : tensor<1000x64xf32>, tensor<2x8xi64> -> tensor<2x8x64xf32>
      return %e : tensor<2x8x64xf32>
    }
    ```
    Constraints: 1. `axis` is inside the source's rank; 2. the result has the shape above;
    3. indices are integers; element types agree.
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$indices,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `[` $indices `]` `axis` $axis attr-dict `:` type($source) `,` type($indices)
    `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_ChooseOp : Graph_Op<"choose", [
    Pure, AllTypesMatch<["taken", "otherwise", "result"]>,
    TypesMatchWith<"the condition is a tensor<i1>", "result", "condition",
                   "::mlir::RankedTensorType::get({}, ::mlir::IntegerType::get($_self.getContext(), 1))">,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "one of two tensors, as a scalar tensor says";
  let description = [{
    The result is `taken` if the condition is true, else `otherwise`. Both have the same extents.

    This is all that remains of a branch: its ops stand in the block like any others, and nothing
    but the use of their results says when they are needed. What is used by one side of a choice
    only is computed in that case only: a launch waits for the conditions that *all* uses of its
    results wait for (Guards.h), the host program reads them and passes the others over. An op that
    loses its guard on the way is computed in vain, never wrongly. Both sides are written where the
    result lies.

    ```mlir
    func.func @either(%c: tensor<i1>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %r = graph.choose %c, %x, %y : tensor<?x8xf32>
      return %r : tensor<?x8xf32>
    }
    ```
    Constraints: 1. the condition is a tensor<i1>; 2. types agree.
  }];
  let arguments = (ins 0DTensorOf<[I1]>:$condition, AnyRankedTensor:$taken,
                       AnyRankedTensor:$otherwise);
  let results = (outs AnyRankedTensor:$result);
  let hasFolder = 1;
  let assemblyFormat = [{
    $condition `,` $taken `,` $otherwise attr-dict `:` type($result)
  }];
}

def Graph_LoopOp : Graph_Op<"loop", [
    Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "repeats a function on tensors";
  let description = [{
        state = carried
        for (i = 0; i < trips and condition; ++i)
          condition, state, rows[i] = body(i, state, captured)
        results = state, rows

    `body` is a private function: what is repeated has places in memory of its own, sized once, and
    goes through the same passes as the model. Without `trips` the condition alone ends the loop;
    without `condition` the body yields none. A number of trips below 0 counts as 0. `captured`
    are read only. `sizes` are the dynamic extents of the results, in order; the first extent of
    rows is that of `trips`, or 0.

    `scf.while` would hold the body as a region, to whose edges every pass on tensors would have
    to attend.

    ```mlir
    func.func private @halve(%i: index, %x: tensor<4xf32>, %half: tensor<f32>) -> tensor<4xf32> {
      %empty = tensor.empty() : tensor<4xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>,
                                            affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
           ins(%x, %half : tensor<4xf32>, tensor<f32>) outs(%empty : tensor<4xf32>) {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %product = arith.mulf %a, %b : f32
        linalg.yield %product : f32
      } -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    func.func @main(%x: tensor<4xf32>, %half: tensor<f32>, %n: index) -> tensor<4xf32> {
      %y = graph.loop @halve trips %n carried(%x : tensor<4xf32>) captured(%half : tensor<f32>)
           sizes [] -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
    Constraints: 1. there are `trips` or a `condition`; 2. one size per dynamic extent; 3. the first
    results have the types of `carried`; 4. further ones, rows, need `trips` and no `condition`, and
    a dimension; 5. `body` names a private function from an index, `carried` and `captured` to the
    condition, if there is one, the state and one row for each of the other results; 6. `captured` are
    ranked tensors or index.
  }];
  let arguments = (ins FlatSymbolRefAttr:$body, Optional<Index>:$trips,
                       Optional<0DTensorOf<[I1]>>:$condition,
                       Variadic<AnyRankedTensor>:$carried,
                       Variadic<AnyTypeOf<[AnyRankedTensor, Index]>>:$captured,
                       Variadic<Index>:$sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $body (`trips` $trips^)? (`while` $condition^ `:` type($condition))?
    (`carried` `(` $carried^ `:` type($carried) `)`)?
    (`captured` `(` $captured^ `:` type($captured) `)`)?
    `sizes` `[` $sizes `]` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// The results that are rows of all iterations.
    ::mlir::ResultRange getRows() { return getResults().drop_front(getCarried().size()); }
    /// The first operand that the body takes as its argument number 1.
    unsigned getFirstCarried() { return (getTrips() ? 1 : 0) + (getCondition() ? 1 : 0); }
  }];
  let hasVerifier = 1;
}

def Graph_ScatterOp : Graph_Op<"scatter", [
    Pure, SingleBlock, AllTypesMatch<["data", "result"]>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "a tensor with some elements changed, at places that tensors of indices name";
  let description = [{
    For every place u of `updates`, in row-major order:

        index[k] = indices[k][reads[k](u)]
        result[place(u, index)] = combine(result[place(u, index)], updates[u])

    where result is `data` at first. Negative indices count from the end. An index outside
    [-extent, extent) is a status that names the node, never an access.

    The order is part of the meaning: where several updates meet, a `combine` that yields the update
    leaves the last one, and sums are formed in that order, on any number of threads.

    `place` takes an update's coordinates and one value per tensor of indices to coordinates of
    `data`, each of which is one of them. `reads` say which element of each of `indices` an update
    goes by. `combine` is made of elementwise ops.

    `data` may be overwritten where nothing reads it afterwards. `linalg` writes to places that an
    affine map gives, each once.

    ```mlir
    func.func @count(%bins: tensor<16x4xf32>, %ids: tensor<100xi64>, %x: tensor<100x4xf32>) -> tensor<16x4xf32> {
      %y = graph.scatter %x into %bins at affine_map<(u0, u1, i) -> (i, u1)>
           indices (%ids : tensor<100xi64>) reads [affine_map<(u0, u1) -> (u0)>]
           : tensor<100x4xf32> into tensor<16x4xf32> {
      ^bb0(%before: f32, %update: f32):
        %sum = arith.addf %before, %update : f32
        graph.yield %sum : f32
      }
      return %y : tensor<16x4xf32>
    }
    ```
    Constraints: 1. indices are integers; 2. one of `reads` for each of `indices`, from the updates'
    dimensions to theirs; 3. `place` has one dimension for each of the updates' and one for each of
    `indices`, and one result for each dimension of `data`; 4. its results are different
    dimensions, all those of indices among them; 5. where an update's coordinate is one of `data`,
    the updates' extent is not larger; 6. element types agree, and `combine` takes two scalars of
    that type and yields one.
  }];
  let arguments = (ins AnyRankedTensor:$updates, AnyRankedTensor:$data,
                       Variadic<AnyRankedTensor>:$indices, AffineMapArrayAttr:$reads,
                       AffineMapAttr:$place);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$combine);
  let assemblyFormat = [{
    $updates `into` $data `at` $place (`indices` `(` $indices^ `:` type($indices) `)`)?
    `reads` $reads attr-dict `:` type($updates) `into` type($data) $combine
  }];
  let extraClassDeclaration = [{
    /// The dimension of the updates whose coordinate is that of dimension `dim` of the data, if
    /// no index is.
    std::optional<unsigned> getUpdateDim(unsigned dim);
    /// The dimension of the data whose coordinate is that of dimension `dim` of the updates, if
    /// there is one: different updates then meet in different places.
    std::optional<unsigned> getDataDim(unsigned dim);
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Order along a dimension
//===----------------------------------------------------------------------===//

def Graph_ScanOp : Graph_Op<"scan", [
    Pure, AttrSizedOperandSegments, SingleBlock,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "a recurrence along one dimension";
  let description = [{
    For every place along the other dimensions, with i running up dimension `axis` (down it with
    `reverse`):

        state = inits
        for i:  state = step(state, inputs[.., i, ..]);  results[.., i, ..] = state

    With `exclusive` the result is the state before the step. `inits` lack dimension `axis`;
    there is one of them, and one result, for each value of the state. `step` takes the state and
    one element of each of `inputs`, and is made of elementwise ops.

    `associative` promises that `step` combines states: it then has one input per init, and
    step(step(a, b), c) equals step(a, step(b, c)) but for rounding. Lowerings may then combine
    elements with each other before they meet the state, where reassociation is allowed at all.

    Cumulative sums are scans by addition, state-space models scans whose step multiplies the
    state. `linalg` has no op whose iterations depend on each other through more than a reduction.

    ```mlir
    func.func @cumulate(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
      %zero = arith.constant dense<0.0> : tensor<4xf32>
      %y = graph.scan %x from %zero axis 1 associative
           : tensor<4x8xf32> from tensor<4xf32> -> tensor<4x8xf32> {
      ^bb0(%sum: f32, %element: f32):
        %next = arith.addf %sum, %element : f32
        graph.yield %next : f32
      }
      return %y : tensor<4x8xf32>
    }
    ```
    Constraints: 1. there are inputs and inits; 2. inputs have one shape, and `axis` is inside
    their rank; 3. inits have that shape without `axis`; 4. results have that shape, one per
    init and of its element type; 5. `step` takes a scalar for each init and input and yields one
    for each init; 6. `associative`: as many inputs as inits, of the same element types.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<AnyRankedTensor>:$inits,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$axis, UnitAttr:$exclusive,
                       UnitAttr:$reverse, UnitAttr:$associative);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$step);
  let assemblyFormat = [{
    $inputs `from` $inits `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)?
    (`associative` $associative^)? attr-dict `:` type($inputs) `from` type($inits)
    `->` type($results) $step
  }];
  let hasVerifier = 1;
}

def Graph_TopKOp : Graph_Op<"topk", [
    Pure, SingleBlock,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "the first elements along a dimension, were it sorted";
  let description = [{
    Along dimension `axis`, the first k elements of `input` in the order that `precedes` gives, and
    where they were; k is the results' extent. `precedes` takes two elements and says whether the
    first one goes before the second; of two elements, neither of which goes before the other, the
    one of lower index does. It is made of elementwise ops.

    With k equal to the extent this is a stable sort. An element costs one comparison, and a number
    of them that grows with log k if it goes before the k-th one of those seen so far.

    ```mlir
    func.func @largest(%x: tensor<4x100xf32>) -> (tensor<4x5xf32>, tensor<4x5xi64>) {
      %values, %indices = graph.topk %x axis 1 : tensor<4x100xf32> -> tensor<4x5xf32>, tensor<4x5xi64> {
      ^bb0(%a: f32, %b: f32):
        %greater = arith.cmpf ogt, %a, %b : f32
        graph.yield %greater : i1
      }
      return %values, %indices : tensor<4x5xf32>, tensor<4x5xi64>
    }
    ```
    Constraints: 1. `axis` is inside the input's rank; 2. `values` have the input's shape but for a
    known extent, at least 1 and at most the input's, along `axis`, and its element type;
    3. `indices` have that shape, of i64; 4. `precedes` takes two scalars of the element type and yields an
    i1.
  }];
  let arguments = (ins AnyRankedTensor:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let regions = (region SizedRegion<1>:$precedes);
  let assemblyFormat = [{
    $input `axis` $axis attr-dict `:` type($input) `->` type($values) `,`
    type($indices) $precedes
  }];
  let extraClassDeclaration = [{
    /// The extent of the results along the axis.
    int64_t getK();
  }];
  let hasVerifier = 1;
}

def Graph_YieldOp : Graph_Op<"yield", [
    Pure, ReturnLike, Terminator, ParentOneOf<["ScanOp", "ScatterOp", "TopKOp"]>]> {
  let summary = "ends the scalar body of an op";
  let description = [{
    `values` are what the op around it goes on with.

    ```mlir
    func.func @running_maximum(%x: tensor<8xi32>, %least: tensor<i32>) -> tensor<8xi32> {
      %y = graph.scan %x from %least axis 0 associative : tensor<8xi32> from tensor<i32> -> tensor<8xi32> {
      ^bb0(%most: i32, %element: i32):
        %next = arith.maxsi %most, %element : i32
        graph.yield %next : i32
      }
      return %y : tensor<8xi32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

include "dialects/Graph/IR/GraphNumbers.td"

#endif // SECTILE_GRAPH_OPS_TD
