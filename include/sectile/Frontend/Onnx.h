//===- Onnx.h - from an ONNX model to the graph level -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads ONNX files and writes `linalg` on tensors. A model is data and may be
// hostile: nothing here trusts a size, a name or a count of it, and a bad
// model is a diagnostic.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FRONTEND_ONNX_H
#define SECTILE_FRONTEND_ONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <string>

namespace sectile {

/// What an import may cost and how it treats sizes.
struct OnnxImportOptions {
  /// Symbolic dimensions to make static, by name: {"batch", 8}.
  std::map<std::string, int64_t> dims;

  uint64_t maxFileBytes = uint64_t(1) << 40;      ///< of the model and of each external file
  uint64_t maxStructureBytes = uint64_t(1) << 30; ///< of the model without raw tensor data
  unsigned maxNesting = 64;   ///< messages in messages; also calls of model-local functions
  unsigned maxNodes = 100000; ///< after functions are expanded
  uint64_t maxTensorBytes = uint64_t(1) << 40;   ///< of a value whose size is static
  uint64_t maxConstantBytes = uint64_t(1) << 40; ///< of all constants together
};

/// Something of a model that this version cannot compile.
struct UnsupportedNode {
  std::string name;       ///< of the node, or `op_type_index` where it has none
  std::string op;         ///< operator type
  std::string domain;     ///< empty for the standard operators
  int64_t opset = 0;      ///< version of the domain that the model imports
  std::string types;      ///< of the inputs: "float32, int64"
  std::string shapes;     ///< of the inputs: "[batch, 64], []"
  std::string reason;     ///< lower case, no full stop
  std::string suggestion; ///< what to do, may be empty
};

/// Imports a model. Errors go to the context's diagnostic engine, one for each node that cannot
/// be imported. The module holds one public `func.func @main`; see GraphDialect.td.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importOnnxFile(llvm::StringRef path, mlir::MLIRContext &context, const OnnxImportOptions &options);

/// The same from memory, which is copied where needed. External data is refused. `name` is what
/// errors call the model.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importOnnxBuffer(llvm::ArrayRef<char> model, llvm::StringRef name, mlir::MLIRContext &context,
                 const OnnxImportOptions &options);

/// All nodes of a model that `importOnnxFile` would refuse, in the model's order. Fails, with a
/// diagnostic, only where the file is no well-formed model. Nodes behind an unsupported one are
/// checked as far as the model declares their inputs' types.
mlir::FailureOr<llvm::SmallVector<UnsupportedNode>>
checkOnnxFile(llvm::StringRef path, mlir::MLIRContext &context, const OnnxImportOptions &options);

} // namespace sectile

#endif // SECTILE_FRONTEND_ONNX_H
