//===- Fusion.h - kernels in the making, and what joining one gains -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_FUSION_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_FUSION_H

#include "dialects/Graph/IR/Graph.h"
#include "sectile/CostModel/Kernel.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"

namespace sectile::graph {

/// What fusion needs to know of an op.
enum class OpKind {
  Free,        // a constant, a fill, an empty tensor: cloned into whoever uses it
  Movement,    // elements change place, not value
  Pad,         // movement that adds elements
  Elementwise, // one result element from one element of each operand
  Contraction,
  Reduction,
  Scan,
  Scatter,
  Selection,
  Other // not of the tensor world
};

/// Ops that become one kernel.
struct FusionGroup {
  explicit FusionGroup(mlir::Operation *root) : root(root) {}
  mlir::Operation *root;
  bool hasContraction = false;
  bool hasReduction = false;
  /// Whether results of other ops than the root are stored too, and the dimensions of the root that
  /// each of them lacks.
  bool hasSideResults = false;
  llvm::SmallVector<llvm::SmallBitVector, 2> missingDims;
  /// A scan of the kernel: others have to run along the same dimension, the same way.
  ScanOp scan;
  /// Whether the kernel changes elements at places known only at run time.
  bool hasScatter = false;
  /// Whether the kernel selects elements, whose places it knows at its end only.
  bool hasSelection = false;
  /// Ops that compute the operand of an attention-like product: the normalised scores.
  llvm::SmallDenseSet<mlir::Operation *> operandChain;
  /// Data movement through which a product of the group reads an operand.
  llvm::SmallDenseSet<mlir::Operation *> readers;
  llvm::SetVector<mlir::Operation *> ops;
};

OpKind classify(mlir::Operation *op);

/// Gives each product of codes in `block` its own op that dequantizes them: their numbers exist
/// nowhere.
void repeatDequantized(mlir::Block &block);

/// Gives each op in `block` that quantizes or dequantizes its own view of its scales and zero
/// points: one stands for many elements, so that a view for two kernels would be stored at many
/// times its size.
void repeatScales(mlir::Block &block);

/// Ops of a kernel: more do not make it faster, but its code large and its walks deep.
constexpr unsigned kMostOps = 128;

/// Whether a product computes `value` for one user, by way of elementwise ops: it can store it
/// anywhere.
bool endsProduct(mlir::Value value);

/// Prices ops together and apart, where rules do not decide. What speaks against joining is said
/// in `why`, with figures; what speaks for it is a remark.
class FusionPricer {
public:
  /// `multipliesCodes`: products of dequantized bytes and codes multiply those (multipliesCodes of
  /// Contraction.h), whatever a price says.
  FusionPricer(const DeviceModel &device, bool multipliesCodes)
      : device(device), codes(multipliesCodes) {}

  /// Whether a product of `group` should compute its operand `op` itself, strip by strip of rows:
  /// the normalised scores of an attention. Worth it where the scores, which never reach memory
  /// then, cost more to move than is lost by having blocks of rows only. `sharer` is a reduction
  /// that would come along, or null.
  bool gainsFromChain(mlir::Operation *op, const FusionGroup &group, mlir::Operation *sharer,
                      std::string &why) const;

  /// Whether a product should compute its columns' operand `op` itself, element by element: weights
  /// that are dequantized. A block of rows does so once, for all its rows. `why` is left alone for
  /// ops of another kind.
  bool gainsFromPrologue(mlir::Operation *op, std::string &why) const;

  /// Whether a kernel without products should compute reduction `op` itself: it then reads what
  /// both read once, but whatever the reduction's result does not follow is one block's work.
  bool gainsFromReduction(mlir::Operation *op, const FusionGroup &group, std::string &why) const;

  /// Whether a product that reads a padded tensor has it padded in memory: the source is written
  /// where it belongs, and small kernels write the frame around it. The alternative is a kernel
  /// that moves every element.
  bool gainsFromFrame(mlir::tensor::PadOp pad) const;

private:
  const DeviceModel &device;
  bool codes;
};

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_FUSION_H
