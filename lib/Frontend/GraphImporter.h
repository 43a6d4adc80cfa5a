//===- GraphImporter.h - walks a model and imports its nodes ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_GRAPHIMPORTER_H
#define SECTILE_LIB_FRONTEND_GRAPHIMPORTER_H

#include "Node.h"
#include "ReadTensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace sectile::frontend {

/// One import of one model. Nodes that cannot be imported are collected in `gaps` and the walk
/// goes on: results of such a node are known only as far as the model declares them.
class GraphImporter {
public:
  GraphImporter(const onnx::ModelProto &model, std::string modelName, TensorReader &reader,
                mlir::MLIRContext &context, const OnnxImportOptions &options);

  /// Fails, with a diagnostic, where the model is malformed. Otherwise the module is complete if
  /// there are no gaps.
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> import();

  llvm::SmallVector<UnsupportedNode> gaps;

private:
  /// The values that names stand for. A null tensor is the result of a node that failed.
  struct Scope {
    llvm::StringMap<Tensor *> values;
    const Scope *outer = nullptr; ///< of an If or Loop; functions see nothing around them
    std::string prefix;           ///< of node names
    const llvm::StringMap<const onnx::AttributeProto *> *attributes = nullptr;
    std::map<std::string, int64_t> opsets;
    unsigned depth = 0;
  };

  mlir::LogicalResult error(const llvm::Twine &message);
  mlir::LogicalResult
  readOpsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &imports,
             std::map<std::string, int64_t> &opsets);
  mlir::LogicalResult importInputs(Scope &scope, mlir::Block *entry);
  mlir::LogicalResult importConstants(const onnx::GraphProto &graph, Scope &scope);
  mlir::LogicalResult importOutputs(Scope &scope);
  mlir::LogicalResult importNodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
                                  Scope &scope);
  mlir::LogicalResult importNode(const onnx::NodeProto &proto, int index, Scope &scope);
  mlir::LogicalResult callFunction(const onnx::FunctionProto &function, const onnx::NodeProto &call,
                                   std::string name, llvm::ArrayRef<Tensor *> inputs, Scope &scope);
  mlir::LogicalResult importIf(Node &node, Scope &scope, std::string name);
  /// The results of a branch of `node`, whose names begin with `prefix`; null where a node failed.
  mlir::FailureOr<llvm::SmallVector<Tensor *>>
  importBranch(Node &node, const onnx::GraphProto &body, Scope &scope, std::string prefix);
  /// Result `number` of an If whose condition is data.
  mlir::FailureOr<Tensor *> chooseResult(Node &node, unsigned number, Tensor *taken,
                                         Tensor *otherwise);
  /// Imports the body once for each iteration, whose number must be known at import.
  mlir::LogicalResult importLoop(Node &node, Scope &scope, std::string name);
  /// Names the sizes of result `i`, which is there, and refuses it if it is too large.
  mlir::LogicalResult checkResult(Node &node, unsigned i);
  mlir::LogicalResult define(Scope &scope, const std::string &name, Tensor *tensor);
  /// What the model declares of a value whose node failed, or null.
  Tensor *declared(const std::string &name);
  std::optional<SymExpr> extent(const onnx::TensorShapeProto::Dimension &dim,
                                const llvm::Twine &unnamed);
  void reportGap(const Node &node, const std::string &name, const std::string &domain,
                 llvm::ArrayRef<Tensor *> inputs);
  const onnx::FunctionProto *findFunction(const std::string &domain, const std::string &name);

  const onnx::ModelProto &model;
  std::string modelName;
  TensorReader &reader;
  const OnnxImportOptions &options;
  mlir::MLIRContext &context;
  SymContext syms;
  Emitter emit;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, int64_t> freeNames; ///< dim_param names, and whether an override was used
  unsigned nodeCount = 0;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_GRAPHIMPORTER_H
