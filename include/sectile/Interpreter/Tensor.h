//===- Tensor.h - tensors of the interpreter -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_INTERPRETER_TENSOR_H
#define SECTILE_INTERPRETER_TENSOR_H

#include "sectile/Interpreter/Element.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/IntrusiveRefCntPtr.h"
#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace sectile::interp {

/// Something a value of the interpreted program refers to.
class Object : public llvm::RefCountedBase<Object> {
public:
  enum Kind { Tensor, View };
  explicit Object(Kind kind) : kind(kind) {}
  virtual ~Object() = default;
  const Kind kind;
};

using Shape = llvm::SmallVector<int64_t, 6>;

/// A tensor value, row-major. Immutable once something else refers to it.
class TensorObject : public Object {
public:
  TensorObject(const NumberFormat *format, llvm::ArrayRef<int64_t> shape)
      : Object(Tensor), format(format), shape(shape) {}

  const NumberFormat *format;
  Shape shape;
  std::vector<Element> data;
};
using TensorRef = llvm::IntrusiveRefCntPtr<TensorObject>;

/// Product of extents.
int64_t countElements(llvm::ArrayRef<int64_t> shape);
/// Row-major strides in elements.
Shape getRowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// A tensor of undefined elements. `format` must not be null.
TensorRef makeTensor(const NumberFormat *format, llvm::ArrayRef<int64_t> shape);

/// The value of a constant (dense, dense_resource), or null if its type has no format or its
/// resource is missing.
TensorRef makeTensor(mlir::ElementsAttr constant);

/// How the elements of random tensors are chosen.
struct RandomOptions {
  uint64_t seed = 0;
  /// Floats are uniform in (-scale, scale), rounded to their type.
  double scale = 1;
  /// Integers are uniform in [least, most]; booleans are both.
  int64_t least = 0, most = 1;
};
/// A reproducible tensor; different `name`s of one seed are independent.
TensorRef makeRandomTensor(const NumberFormat *format, llvm::ArrayRef<int64_t> shape,
                           llvm::StringRef name, const RandomOptions &options);

/// How a tensor compares with a reference, element by element.
struct Comparison {
  bool sameShape = true;
  int64_t numElements = 0;
  /// Elements that differ beyond both bounds, or that only the reference defines; the first.
  int64_t numDifferent = 0;
  int64_t firstDifferent = -1;
  /// Elements whose bound exceeds 1/256 of the tensor's scale, and those that the reference leaves
  /// undefined: they prove nothing.
  int64_t numUnchecked = 0;
  /// The scale: the largest finite magnitude in the reference.
  double scale = 0;
  /// The largest distance of two elements.
  double largestDistance = 0;

  bool isEqual() const { return sameShape && numDifferent == 0; }
};
Comparison compare(const TensorObject &reference, const TensorObject &other);

/// The largest finite magnitude; 0 if there is none.
double getScale(const TensorObject &tensor);

/// The text of an element, e.g. "-3", "0.125", "undefined".
std::string toString(const NumberFormat &format, const Element &element);
/// The coordinates of an element, e.g. "[2, 0]".
std::string toString(llvm::ArrayRef<int64_t> shape, int64_t linearIndex);

} // namespace sectile::interp

#endif // SECTILE_INTERPRETER_TENSOR_H
