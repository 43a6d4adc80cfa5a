//===- Emitter.h - building blocks that operators are imported with -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operator's import is written in these terms: pointwise, reduce, contract,
// reshape, slice, ... Each takes and gives a Tensor: an element type, a shape
// of symbolic extents and, once somebody needs it, an SSA value. Integer
// tensors that come from shapes carry their *elements* as expressions instead,
// and get an SSA value only where they reach a real op.
//
// Nothing here can fail: an operator checks its inputs first.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_EMITTER_H
#define SECTILE_LIB_FRONTEND_EMITTER_H

#include "DType.h"
#include "Scalar.h"
#include "sectile/Frontend/SymExpr.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>

namespace sectile::frontend {

using Shape = llvm::SmallVector<SymExpr, 4>;

/// Bytes of a constant: row-major, little-endian, 4-bit types two to a byte, bool one byte.
struct Constant {
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<const void> owner; ///< keeps the bytes alive
};

/// What is known of one value of the model.
struct Tensor {
  DType dtype;
  Shape shape;
  /// Row-major elements of a small integer or bool tensor, where they are expressions.
  std::optional<Shape> elements;
  std::optional<Constant> constant;
  mlir::Value value; ///< null until somebody needs it; see Emitter::value
  std::string name;  ///< in the model, for constants

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
};

/// The body of an elementwise op: scalars in, a scalar out. `s` computes in the first input's
/// type, or in f32 for the narrow floats of a wide op.
using Body = llvm::function_ref<mlir::Value(const Scalar &s, mlir::ValueRange args)>;

enum class ReduceKind { Sum, Product, Max, Min };

/// An operand of a contraction: how its dimensions are read from the iteration space.
struct Access {
  Tensor *tensor;
  llvm::SmallVector<mlir::AffineExpr> map;
};

class Emitter {
public:
  Emitter(mlir::MLIRContext *context, SymContext &syms);

  //===--- Tensors -------------------------------------------------------------------------===//
  Tensor *make(DType dtype, Shape shape, mlir::Value value);
  /// Known by its elements alone.
  Tensor *known(DType dtype, Shape shape, Shape elements);
  Tensor *constant(DType dtype, Shape shape, Constant bytes, llvm::StringRef name);
  /// A constant of rank 0.
  Tensor *scalar(DType dtype, double value);
  /// The SSA value, made at the first call, with the type that the shape now says.
  mlir::Value value(Tensor *tensor);
  /// The elements of a small integer tensor, if they are expressions.
  std::optional<Shape> elements(Tensor *tensor);
  /// Element `index` of a constant tensor as double.
  double constantElement(const Tensor *tensor, int64_t index);
  /// Element `index` of an integer or bool tensor that is known at import; uint64 wraps.
  static int64_t constantInteger(const Tensor *tensor, int64_t index);
  /// The single element of a constant, whatever its rank.
  std::optional<double> constantScalar(const Tensor *tensor);

  //===--- Sizes ---------------------------------------------------------------------------===//
  mlir::RankedTensorType type(DType dtype, llvm::ArrayRef<SymExpr> shape);
  /// The value of an expression; emits index arithmetic where it is no constant.
  mlir::Value index(const SymExpr &expr);
  mlir::OpFoldResult size(const SymExpr &expr);
  llvm::SmallVector<mlir::OpFoldResult> sizes(llvm::ArrayRef<SymExpr> shape);
  bool same(const SymExpr &a, const SymExpr &b);
  /// Where a symbol's value is found: extent `dim` of `tensor`.
  void bind(const SymAtom *symbol, mlir::Value tensor, int64_t dim);
  /// Where a symbol's value is found: an index.
  void bindIndex(const SymAtom *symbol, mlir::Value value) { atomValues[symbol] = value; }
  /// Gives `tensor`, an input of integers of known number, its elements as values of the run:
  /// `name[0]`, ... Beyond +-kMostValue they are cut off.
  void readElements(Tensor *tensor, llvm::StringRef name);
  /// Element `number` of a tensor of known extents, floats or bools, that is an input of the model,
  /// as float64, for sizes and checks; null for other tensors.
  mlir::Value readNumber(Tensor *tensor, int64_t number);
  static constexpr int64_t kMostValue = int64_t(1) << 31;
  /// A value `name` of the run for an expression of such values, so that what is made of it stays
  /// small; `expr` itself where it has none of them, or is one.
  SymExpr nameValue(const SymExpr &expr, llvm::StringRef name);
  /// A size that depends on values: a symbol `name` of its own for what `index` says. Equal
  /// expressions have one symbol. The run ends with `what` unless it is at least 0.
  SymExpr nameSize(const SymExpr &expr, llvm::StringRef name, const llvm::Twine &what);
  SymExpr nameSize(mlir::Value index, llvm::StringRef name, const llvm::Twine &what);
  /// A size that data decides: what `number`, an int64 that kernels compute, says of things of
  /// which there are `most` at most; a symbol `name` of its own.
  SymExpr countedSize(Tensor *number, const SymExpr &most, llvm::StringRef name);
  /// Names the sizes of a result that depend on values; the run ends if it has more than
  /// kMostElements elements. `title` names the node.
  void nameSizes(Tensor *tensor, llvm::StringRef name, llvm::StringRef title);
  /// The product of `extents`, or a number above kMostElements.
  mlir::Value countSafely(llvm::ArrayRef<mlir::Value> extents);
  static constexpr int64_t kMostElements = int64_t(1) << 40;
  /// Ends the run with `message` unless `condition` holds.
  void check(mlir::Value condition, const llvm::Twine &message, mlir::ValueRange values);
  /// Ends the run with `message` unless `condition` (0 or 1) holds. "%0".. stand for `values`.
  void check(const SymExpr &condition, const llvm::Twine &message, llvm::ArrayRef<SymExpr> values);
  static SymExpr product(llvm::ArrayRef<SymExpr> shape);

  //===--- Functions ---------------------------------------------------------------------===//
  /// What has been emitted into a function: values of one mean nothing in another.
  struct Frame {
    llvm::DenseMap<const SymAtom *, mlir::Value> atomValues;
    std::map<std::string, mlir::Value> exprValues;
    std::map<std::string, SymExpr> namedSizes, namedValues;
    std::set<std::string> checked;
    mlir::OpBuilder::InsertPoint point;
    /// The value of a symbol of the function around it.
    std::function<mlir::Value(const SymAtom *)> capture;
  };
  /// A frame for the end of `block`, with what is named so far.
  Frame makeFrame(mlir::Block *block);
  /// Whether what is emitted belongs to a function of its own: the body of a loop.
  bool isInFunction() const { return capture != nullptr; }
  /// Goes on in `frame`, which then holds where it was.
  void swap(Frame &frame);

  //===--- Computation ---------------------------------------------------------------------===//
  /// result[i..] = body(inputs[i..]...). Each extent of an input, aligned at the last dimension,
  /// is 1 or equal to `shape`'s, as checked before. Narrow floats are computed in f32 if `wide`.
  Tensor *pointwise(llvm::ArrayRef<Tensor *> inputs, Shape shape, DType dtype, Body body,
                    bool wide = false);
  /// For one input or for inputs that broadcast to the first one's shape.
  Tensor *pointwise(llvm::ArrayRef<Tensor *> inputs, Body body, bool wide = false);
  /// result[i..] = body(i..): a tensor computed from its coordinates, given as indices.
  Tensor *generate(Shape shape, DType dtype, Body body);
  Tensor *cast(Tensor *tensor, DType dtype);
  /// Reduces `axes`. Sums and products of narrow floats are f32. Extents become 1 if `keep`.
  Tensor *reduce(Tensor *tensor, llvm::ArrayRef<int64_t> axes, bool keep, ReduceKind kind);
  /// Sum over `axes` divided by the number of elements.
  Tensor *mean(Tensor *tensor, llvm::ArrayRef<int64_t> axes, bool keep);
  /// result[outMap] += a[..] * b[..] over the iteration space `iterators`, in sumType.
  Tensor *contract(const Access &a, const Access &b, Shape shape,
                   llvm::ArrayRef<mlir::AffineExpr> outMap,
                   llvm::ArrayRef<mlir::utils::IteratorType> iterators);
  mlir::Value filled(llvm::ArrayRef<SymExpr> shape, DType dtype, mlir::Value element);
  mlir::Value empty(llvm::ArrayRef<SymExpr> shape, DType dtype);

  //===--- Views ---------------------------------------------------------------------------===//
  /// The same elements in row-major order under another shape of equal size.
  Tensor *reshape(Tensor *tensor, Shape shape);
  Tensor *transpose(Tensor *tensor, llvm::ArrayRef<int64_t> permutation);
  Tensor *slice(Tensor *tensor, llvm::ArrayRef<SymExpr> offsets, llvm::ArrayRef<SymExpr> sizes,
                llvm::ArrayRef<int64_t> strides);
  Tensor *reverse(Tensor *tensor, int64_t axis);
  Tensor *concat(llvm::ArrayRef<Tensor *> tensors, int64_t axis);
  /// `element` of the tensor's type fills what is added.
  Tensor *pad(Tensor *tensor, llvm::ArrayRef<SymExpr> low, llvm::ArrayRef<SymExpr> high,
              mlir::Value element);
  /// Stretches to `shape`, numpy style.
  Tensor *expand(Tensor *tensor, Shape shape);
  /// Drops dimensions of extent 1, or inserts them (positions in the result).
  Tensor *squeeze(Tensor *tensor, llvm::ArrayRef<int64_t> axes);
  Tensor *unsqueeze(Tensor *tensor, llvm::ArrayRef<int64_t> axes);

  Scalar scalars(DType dtype) { return Scalar(b, loc, dtype); }
  mlir::AffineExpr dim(unsigned position) { return b.getAffineDimExpr(position); }

  mlir::OpBuilder b;
  mlir::Location loc;
  SymContext &syms;
  /// Set once an expression overflowed; the operator at hand is then refused.
  bool overflowed = false;
  /// Whether what is emitted belongs to a branch that the data chooses. Checks would be made
  /// whichever is taken: there may be none, and `checkedInBranch` is set if one was asked for.
  bool isInBranch = false, checkedInBranch = false;

private:
  mlir::Value constantValue(Tensor *tensor);
  mlir::Value atomValue(const SymAtom *atom);
  mlir::Value refine(mlir::Value value, DType dtype, llvm::ArrayRef<SymExpr> shape);
  /// `tensor` with every extent 1 or known to be equal to `shape`'s, aligned at the end.
  Tensor *stretched(Tensor *tensor, llvm::ArrayRef<SymExpr> shape);
  Tensor *collapse(Tensor *tensor, llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups,
                   Shape shape);
  Tensor *expandGroups(Tensor *tensor, llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups,
                       Shape shape);

  std::deque<Tensor> tensors;
  llvm::DenseMap<const SymAtom *, mlir::Value> atomValues;
  std::map<std::string, mlir::Value> exprValues;
  /// `name`, or with marks behind it if a symbol has it already.
  std::string makeUnique(std::string name);
  std::set<std::string> valueNames; ///< of values and of sizes that depend on them
  /// By the text of what they stand for.
  std::map<std::string, SymExpr> namedSizes, namedValues;
  std::set<std::string> checked; ///< conditions that a check has made sure of
  std::function<mlir::Value(const SymAtom *)> capture;
  /// Large constants are stored once: a hash of their first bytes -> those that have it.
  struct StoredConstant {
    llvm::ArrayRef<char> bytes;
    mlir::DenseResourceElementsHandle handle;
    std::optional<uint64_t> hash; ///< of all of the bytes, once it was needed
  };
  mlir::DenseResourceElementsHandle store(const Tensor *tensor, llvm::ArrayRef<char> bytes,
                                          size_t alignment, std::shared_ptr<const void> owner);
  std::map<uint64_t, llvm::SmallVector<StoredConstant, 1>> stored;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_EMITTER_H
