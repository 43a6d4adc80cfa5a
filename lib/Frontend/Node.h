//===- Node.h - one node of a model, as its import sees it ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operator is a function from Node to success or failure and one line in a
// table. It reads inputs and attributes, checks them, emits IR and names its
// results:
//
//   static LogicalResult importErf(Node &n) {
//     n.result(0, n.emit.pointwise({n.in(0)}, ..., /*wide=*/true));
//     return success();
//   }
//
// Failing is `return n.fail("expects ..., but got ...")`; the message gets the
// node's name in front.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_NODE_H
#define SECTILE_LIB_FRONTEND_NODE_H

#include "Emitter.h"

#include "onnx.pb.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace sectile::frontend {

class Node;
using Handler = mlir::LogicalResult (*)(Node &);

/// One row of the table of operators.
struct Operator {
  llvm::StringLiteral name;
  /// The oldest and the newest opset whose definition of the operator we know.
  int64_t since, known;
  unsigned minInputs, maxInputs;
  Handler import;
};

/// The newest opset of the standard that the table was checked against.
inline constexpr int64_t kNewestOpset = 28;
inline constexpr int64_t kOldestOpset = 1;
inline constexpr int64_t kMaxRank = 32;
inline constexpr unsigned kAnyNumber = ~0u;

/// The operator of that name in a domain, the standard's being empty, or null.
const Operator *findOperator(llvm::StringRef domain, llvm::StringRef name);

/// Some iterations of one step, of which the last results go into the next.
struct Repetition {
  SymExpr trips;               ///< how many at most
  Tensor *tripCount = nullptr; ///< one number that kernels compute, which bounds them too
  llvm::SmallVector<Tensor *> start;
};
/// One iteration as its step sees it. Values from around it are taken inside by `capture`, which
/// gives null for null.
struct Iteration {
  SymExpr number;
  llvm::SmallVector<Tensor *> state;
  llvm::function_ref<Tensor *(Tensor *)> capture;
};
/// What a step, or the last one, leaves. `rows` of all iterations lie behind each other along a
/// new first dimension. `goesOn` is null where the trips alone decide.
struct IterationResults {
  llvm::SmallVector<Tensor *> state, rows;
  Tensor *goesOn = nullptr;
};
using Step = llvm::function_ref<IterationResults(const Iteration &)>;

/// Part `number` of `tensor` along `axis`, without that dimension.
Tensor *takePart(Emitter &emit, Tensor *tensor, int64_t axis, const SymExpr &number);
/// `rows` of a loop, which lie along the first dimension, along `axis`.
Tensor *moveRows(Emitter &emit, Tensor *rows, int64_t axis, bool isBackward);

class Node {
public:
  using ConstantReader =
      llvm::function_ref<mlir::FailureOr<Tensor *>(const onnx::TensorProto &, std::string &why)>;
  using Repeater = llvm::function_ref<IterationResults(const Repetition &, Step)>;

  Node(Emitter &emit, const onnx::NodeProto &proto, std::string shownName, int64_t opset,
       llvm::SmallVector<Tensor *> inputs,
       const llvm::StringMap<const onnx::AttributeProto *> *outerAttributes, ConstantReader reader,
       Repeater repeater);

  llvm::StringRef op() const { return proto.op_type(); }
  int64_t opset() const { return version; }
  /// "node 'name' (Op)": how messages begin, at compile time and at run time.
  std::string title() const;

  //===--- Inputs and results --------------------------------------------------------------===//
  unsigned numInputs() const { return inputs.size(); }
  /// Whether optional input `i` is given.
  bool has(unsigned i) const { return i < inputs.size() && inputs[i]; }
  Tensor *in(unsigned i) const { return inputs[i]; }
  llvm::ArrayRef<Tensor *> allInputs() const { return inputs; }
  unsigned numResults() const { return proto.output_size(); }
  /// Whether anybody may use result `i`.
  bool wants(unsigned i) const;
  /// Gives result `i`; nothing happens if the node does not name it.
  void result(unsigned i, Tensor *tensor) {
    if (i < results.size())
      results[i] = tensor;
  }
  Tensor *resultAt(unsigned i) const { return results[i]; }

  //===--- Attributes ----------------------------------------------------------------------===//
  bool hasAttr(llvm::StringRef name) { return find(name); }
  /// For attributes without a default.
  mlir::FailureOr<int64_t> requiredIntAttr(llvm::StringRef name);
  int64_t intAttr(llvm::StringRef name, int64_t otherwise);
  double floatAttr(llvm::StringRef name, double otherwise);
  std::string stringAttr(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<llvm::SmallVector<int64_t>> intsAttr(llvm::StringRef name);
  std::optional<llvm::SmallVector<double>> floatsAttr(llvm::StringRef name);
  /// Empty if the attribute is not given.
  std::vector<std::string> stringsAttr(llvm::StringRef name);
  const onnx::TensorProto *tensorAttr(llvm::StringRef name);
  /// Says that the attribute means nothing to inference.
  void ignoreAttr(llvm::StringRef name) { (void)find(name); }
  mlir::FailureOr<Tensor *> readTensor(const onnx::TensorProto &proto);
  const onnx::GraphProto *graphAttr(llvm::StringRef name);
  /// Refuses attributes of a wrong type or given twice, and those that the import never asked
  /// for: they might change what the node means.
  mlir::LogicalResult checkAttributes();

  //===--- Checks --------------------------------------------------------------------------===//
  mlir::LogicalResult fail(const llvm::Twine &why, const llvm::Twine &suggestion = "");
  /// An axis counted from the end if negative, inside [0, rank).
  mlir::FailureOr<int64_t> axis(int64_t value, int64_t rank);
  /// Distinct axes inside [0, rank), sorted.
  mlir::FailureOr<llvm::SmallVector<int64_t>> axes(llvm::ArrayRef<int64_t> values, int64_t rank);
  /// The elements of an integer input that must be known at import; `what` names it.
  /// Values of the run among them are checked to be below Emitter::kMostValue in magnitude, unless
  /// `mayBeCut`.
  mlir::FailureOr<Shape> elements(unsigned input, llvm::StringRef what, bool mayBeCut = false);
  mlir::FailureOr<llvm::SmallVector<int64_t>> integers(unsigned input, llvm::StringRef what);
  /// What was an attribute up to some opset and an input after; nothing if neither is given.
  mlir::FailureOr<std::optional<llvm::SmallVector<int64_t>>> integers(llvm::StringRef attribute,
                                                                      unsigned input);
  /// The one number of a constant input.
  mlir::FailureOr<double> number(unsigned input, llvm::StringRef what);
  /// floor(extent * element `number` of `scales`) as a size, where that element is constant or the
  /// run reads it from an input of the model. The product is in float32, or float64 for such
  /// scales.
  mlir::FailureOr<SymExpr> scaledExtent(const SymExpr &extent, Tensor *scales, int64_t number,
                                        llvm::StringRef what);
  mlir::LogicalResult expectSameType(llvm::ArrayRef<Tensor *> tensors);
  mlir::LogicalResult expectFloat(Tensor *tensor);
  mlir::LogicalResult expectNumber(Tensor *tensor);
  mlir::LogicalResult expectRank(Tensor *tensor, int64_t low, int64_t high = kMaxRank);
  /// Refuses extents that differ; where that is not known, checks at run time and relies on it.
  mlir::LogicalResult expectEqual(const SymExpr &a, const SymExpr &b, llvm::StringRef what);
  /// The numpy broadcast of shapes, with run-time checks where the sizes do not tell.
  mlir::FailureOr<Shape> broadcast(llvm::ArrayRef<llvm::ArrayRef<SymExpr>> shapes);
  mlir::FailureOr<Shape> broadcast(llvm::ArrayRef<Tensor *> tensors);
  /// `condition` (0 or 1) must hold: a refusal, or a run-time check. "%0".. stand for `values`.
  mlir::LogicalResult require(const SymExpr &condition, const llvm::Twine &what,
                              llvm::ArrayRef<SymExpr> values);

  //===--- Loops ---------------------------------------------------------------------------===//
  /// Makes a loop of `step`, which is called once and emits into a function of its own.
  IterationResults repeat(const Repetition &repetition, Step step) {
    return repeater(repetition, step);
  }

  /// "[batch, 64]".
  static std::string text(llvm::ArrayRef<SymExpr> shape);

  const onnx::NodeProto &proto;
  Emitter &emit;
  SymContext &syms;
  std::string reason, suggestion; ///< of the failure

private:
  const onnx::AttributeProto *find(llvm::StringRef name);
  /// The attribute, if it is there and of that type.
  const onnx::AttributeProto *attribute(llvm::StringRef name,
                                        onnx::AttributeProto::AttributeType type);
  mlir::FailureOr<SymExpr> broadcastExtent(const SymExpr &a, const SymExpr &b);

  std::string name;
  int64_t version;
  llvm::SmallVector<Tensor *> inputs, results;
  const llvm::StringMap<const onnx::AttributeProto *> *outerAttributes;
  ConstantReader reader;
  Repeater repeater;
  llvm::StringSet<> readAttributes;
  std::string malformedAttribute;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_NODE_H
