//===- GraphDialect.td - the graph dialect -----------------*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_GRAPH_DIALECT_TD
#define SECTILE_GRAPH_DIALECT_TD

include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::sectile::graph";
  let summary = "what linalg on tensors cannot express of a model";
  let hasConstantMaterializer = 1;
  let description = [{
    The graph level is `linalg`, `tensor`, `arith` and `math` on tensors. This dialect adds
    fused regions (`graph.kernel`, `graph.launch`), data-dependent access (`graph.gather`,
    `graph.scatter`), recurrences and selections along a dimension
    (`graph.scan`, `graph.topk`), numbers of any width (`graph.dequantize`, `graph.quantize`), broadcasting decided at
    run time (`graph.broadcast`) and checks on sizes (`graph.check`).

    A model is the public `func.func` of a module. Attributes on its arguments and results:
    * `graph.name` (string): the name of the input or output;
    * `graph.dims` (array of strings): one expression per dimension, over *symbols*:
      `["batch", "2*seq+1", "768"]`. Equal symbols are equal sizes. Grammar: integers,
      identifiers, `+ - *`, parentheses; a name that is no identifier is single-quoted;
    * `graph.dtype` (string): the element type as the model states it, where MLIR's does not
      tell (`"uint8"` is i8 here);
    * `graph.alias` (dictionary, on results): the result lives in the buffer of input number
      `input`, which is laid out for `capacity` elements along dimension `dim`, whatever the
      extent of `dim` in a call; capacity -1: the extents are those of the call.

    Large constants are `arith.constant dense_resource<...>`; passes move them by reference.
    The location of an op is the name of the node it came from (`NameLoc`).
  }];
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

#endif // SECTILE_GRAPH_DIALECT_TD
