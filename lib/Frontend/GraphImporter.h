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

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace sectile::frontend {

/// A function on tensors that becomes the body of a graph.loop, while it is imported. Values of the
/// function around it become arguments as they are used.
struct LoopBody {
  mlir::func::FuncOp func;
  Emitter::Frame frame; ///< of the body until that is entered, then of the function around it
  SymExpr iteration;    ///< the number of iterations made before
  mlir::SmallVector<Tensor *> state;                 ///< what is carried, as the body sees it
  mlir::SmallVector<mlir::Value> captured;           ///< values around it that are arguments
  mlir::SmallVector<mlir::DictionaryAttr> arguments; ///< what is said of each, so far
  llvm::DenseMap<Tensor *, Tensor *> known;
  /// To be restored: what was assumed, and tensors of which that was put in.
  SymContext::Assumptions assumptions;
  struct Touched {
    Tensor *tensor;
    Shape shape;
    mlir::Value value;
  };
  std::vector<Touched> touched;
};

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
    LoopBody *body = nullptr;     ///< where values are in another MLIR function than outer ones
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
  mlir::LogicalResult importLoop(Node &node, Scope &scope, std::string name);
  mlir::LogicalResult importScan(Node &node, Scope &scope, std::string name);
  /// The value of that name, in the MLIR function of `scope`; null inside if its node failed.
  std::optional<Tensor *> find(const Scope &scope, const std::string &name);
  Tensor *captureTensor(LoopBody &body, Tensor *tensor);
  /// Goes on in a new function, for values like `carried`; at most `most` iterations are made.
  void enterBody(LoopBody &body, llvm::ArrayRef<Tensor *> carried, int64_t most);
  /// Goes on in the function around it. `keep`: else the body is erased.
  void leaveBody(LoopBody &body, bool keep);
  /// Imports `graph` with `inputs` for its inputs and returns its outputs; null where a node
  /// failed.
  mlir::FailureOr<llvm::SmallVector<Tensor *>> importBody(Node &node, const onnx::GraphProto &graph,
                                                          const Scope &scope, LoopBody *body,
                                                          llvm::ArrayRef<Tensor *> inputs,
                                                          std::string prefix);
  /// What a loop leaves.
  struct LoopResults {
    llvm::SmallVector<Tensor *> carried, rows; ///< null where nobody uses the rows
  };
  /// What of a loop is known: how many trips it makes at most, and whether it begins at all. A
  /// condition, or trips that a kernel counts, end it too.
  struct LoopBounds {
    std::optional<SymExpr> trips;
    Tensor *tripCount = nullptr; ///< if `trips` is not known
    Tensor *condition = nullptr; ///< if it is not known
  };
  /// Ends the body inside of which the importer is, and makes the loop. `goesOn` is null where the
  /// condition always holds.
  LoopResults makeLoop(LoopBody &body, const LoopBounds &bounds, llvm::ArrayRef<Tensor *> carried,
                       Tensor *goesOn, llvm::ArrayRef<Tensor *> state,
                       llvm::ArrayRef<Tensor *> rows);
  /// A loop of what an operator emits.
  IterationResults makeRepetition(const Repetition &repetition, Step step);
  /// What the attributes of a Scan say.
  struct ScanPlan {
    const onnx::GraphProto *graph;
    llvm::SmallVector<int64_t> inputAxes, inputsBackward, outputAxes, outputsBackward;
  };
  /// The final states, and the rows where they shall lie; null where a node of the body failed.
  mlir::FailureOr<LoopResults> scanParts(Node &node, const ScanPlan &plan, const Scope &scope,
                                         std::string prefix, llvm::ArrayRef<Tensor *> states,
                                         llvm::ArrayRef<Tensor *> inputs);
  /// What one iteration after another, as a copy of `graph` each, leaves. Fails, with a reason at
  /// the node, where more than `most` are needed.
  mlir::FailureOr<LoopResults> unrollLoop(Node &node, const onnx::GraphProto &graph,
                                          const Scope &scope, std::string name,
                                          llvm::ArrayRef<Tensor *> carried,
                                          std::optional<int64_t> trips, int64_t most);
  /// Names the sizes of result `i`, which is there, and refuses it if it is too large.
  mlir::LogicalResult checkResult(Node &node, unsigned i);
  /// Refuses a node whose import computed sizes that cannot be, or that would need a check where
  /// none can stand.
  mlir::LogicalResult checkSizes(Node &node);
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
  unsigned nodeCount = 0, numBodies = 0;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_GRAPHIMPORTER_H
