//===- FoldConstants.cpp - compute what depends on constants alone -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A value is constant if every element of it can be computed from constants. Those
// that something else than one constant value uses are computed, all at once or not
// at all, in chunks that are written where they stay:
//
//   W : resource ---- transpose ---- * s ---- matmul        W' : resource ---- matmul
//                                    |                 =>
//                      s : resource -+
//
// A value that would take more memory than its constants do is left to run time, and
// its operands are then what is computed.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "ConstantEvaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <numeric>

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHFOLDCONSTANTSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// Elements that are computed at once.
static constexpr int64_t kChunk = 16384;

/// Results of more bytes are kept in a file that is mapped, not on the heap.
static constexpr int64_t kHeapBytes = int64_t(1) << 20;

/// Constants of fewer elements are attributes with their values, as the importer writes them.
static constexpr int64_t kSmallConstant = 64;

/// Steps of a reduction over constants that are worth compile time.
static constexpr int64_t kMostReductionPoints = int64_t(1) << 20;

static int64_t countBytes(RankedTensorType type) {
  return type.getNumElements() * getWordBytes(type.getElementType());
}

namespace {

/// Bytes that are appended once and then stay: on the heap, or in a file without a name.
class ConstantWriter {
public:
  explicit ConstantWriter(int64_t bytes) : bytes(bytes) {
    if (bytes <= kHeapBytes) {
      heap.emplace(HeapAsmResourceBlob::allocate(bytes, kAlignment, /*dataIsMutable=*/true));
      return;
    }
    error = llvm::sys::fs::createTemporaryFile("sectile-constant", "bin", descriptor, path);
    if (!error)
      file.emplace(descriptor, /*shouldClose=*/true);
  }
  ~ConstantWriter() {
    if (file)
      file->clear_error();
    file.reset();
    if (!path.empty())
      (void)llvm::sys::fs::remove(path); // what is mapped stays
  }

  void append(ArrayRef<char> chunk) {
    if (heap)
      std::memcpy(heap->getMutableData().data() + position, chunk.data(), chunk.size());
    else if (file)
      file->write(chunk.data(), chunk.size());
    position += chunk.size();
  }

  /// The bytes, if writing them did not fail.
  std::optional<AsmResourceBlob> finish() {
    if (heap)
      return std::move(heap);
    if (error)
      return std::nullopt;
    file->flush();
    if (file->has_error())
      return std::nullopt;
    auto region = std::make_shared<llvm::sys::fs::mapped_file_region>(
        llvm::sys::fs::convertFDToNativeFile(descriptor),
        llvm::sys::fs::mapped_file_region::readonly, bytes, 0, error);
    if (error)
      return std::nullopt;
    return UnmanagedAsmResourceBlob::allocateWithAlign(
        ArrayRef<char>(region->const_data(), bytes), kAlignment,
        [region](void *, size_t, size_t) mutable { region.reset(); });
  }

private:
  static constexpr size_t kAlignment = 64;
  int64_t bytes;
  int64_t position = 0;
  std::optional<AsmResourceBlob> heap;
  SmallString<128> path;
  int descriptor = -1;
  std::optional<llvm::raw_fd_ostream> file;
  std::error_code error;
};

class Folder {
public:
  Folder(func::FuncOp func, int64_t smallBytes) : func(func), smallBytes(smallBytes) {
    func.walk([&](arith::ConstantOp op) {
      if (auto value = dyn_cast<ElementsAttr>(op.getValue()))
        budget += countStored(value);
    });
  }

  /// Values become constants until none is left that may.
  void run() {
    while (foldFrontier())
      ;
    eraseDead();
  }

private:
  static int64_t countStored(ElementsAttr value) {
    auto type = cast<RankedTensorType>(value.getType());
    if (!hasWords(type.getElementType()))
      return 0;
    auto dense = dyn_cast<DenseElementsAttr>(value);
    return dense && dense.isSplat() ? getWordBytes(type.getElementType()) : countBytes(type);
  }

  /// What is as good as a constant, or has no elements yet.
  static bool isTrivial(Operation *op) {
    return isa<arith::ConstantOp, linalg::FillOp, tensor::EmptyOp>(op);
  }

  bool foldFrontier() {
    constant.clear();
    SmallVector<Operation *> order;
    for (Operation &op : func.getBody().front()) {
      if (refused.contains(&op) || !ConstantEvaluator::canEvaluate(&op))
        continue;
      bool known = llvm::all_of(op.getOperands(), [&](Value operand) {
        Operation *def = operand.getDefiningOp();
        return !isa<RankedTensorType>(operand.getType()) || (def && constant.contains(def));
      });
      if (!known)
        continue;
      constant.insert(&op);
      if (!isTrivial(&op))
        order.push_back(&op);
    }
    bool changed = false;
    for (Operation *op : order) {
      // Not through what was refused meanwhile: each value is computed from values that are
      // constants or have one use, so that none is computed again on another path.
      if (llvm::any_of(op->getOperands(), [&](Value operand) {
            Operation *def = operand.getDefiningOp();
            return isa<RankedTensorType>(operand.getType()) && !constant.contains(def);
          })) {
        constant.erase(op);
        continue;
      }
      // A value with one use is computed with what uses it.
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      bool isReduction = linalgOp && linalgOp.getNumReductionLoops() != 0;
      if (op->use_empty() ||
          (op->hasOneUse() && constant.contains(*op->user_begin()) && !isReduction))
        continue;
      changed = true;
      if (!fold(op)) {
        refused.insert(op);
        constant.erase(op);
      }
    }
    return changed;
  }

  bool fold(Operation *op) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    if (replaceView(op))
      return true;
    auto options = remark::RemarkOpts::name("folds").category("graph-fold-constants");
    auto refuse = [&](const Twine &why) {
      remark::missed(op->getLoc(), options) << ("is left to run time: " + why).str();
      return false;
    };
    llvm::SetVector<Operation *> constants;
    collectConstants(op, constants);
    int64_t sources = 0, bytes = countBytes(type);
    for (Operation *source : constants)
      sources += countStored(cast<ElementsAttr>(cast<arith::ConstantOp>(source).getValue()));
    if (bytes > std::max(smallBytes, sources))
      return refuse(llvm::formatv("its {0} bytes would take the place of {1}", bytes, sources));
    bool isSmall = bytes <= smallBytes;
    if (!isSmall && bytes > budget)
      return refuse("the constants would take more than twice the memory");
    if (type.getElementType().isInteger(1) && type.getNumElements() >= kSmallConstant)
      return refuse("booleans have no bytes of their own");
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
        linalgOp && linalgOp.getNumReductionLoops() != 0 &&
        ShapedType::getNumElements(linalgOp.getStaticLoopRanges()) > kMostReductionPoints)
      return refuse("it reduces too many elements");
    std::optional<TypedAttr> value = compute(op->getResult(0), type);
    if (!value)
      return refuse("some element has no determined value, or no place to be kept");
    if (!isSmall)
      budget -= bytes;
    replace(op, *value);
    remark::passed(op->getLoc(), options)
        << llvm::formatv("is computed at compile time: {0} bytes in place of {1}", bytes, sources)
               .str();
    return true;
  }

  /// Whether the value is some constant's bytes in another shape: then the bytes are kept.
  bool replaceView(Operation *op) {
    Operation *source = op;
    while (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(source))
      source = source->getOperand(0).getDefiningOp();
    auto constant = dyn_cast<arith::ConstantOp>(source);
    if (!constant)
      return false;
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
      replace(op, DenseResourceElementsAttr::get(type, resource.getRawHandle()));
    else
      replace(op, cast<DenseElementsAttr>(constant.getValue()).reshape(type));
    return true;
  }

  static void collectConstants(Operation *op, llvm::SetVector<Operation *> &constants) {
    if (isa<arith::ConstantOp>(op)) {
      constants.insert(op);
      return;
    }
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()))
        collectConstants(operand.getDefiningOp(), constants);
  }

  std::optional<TypedAttr> compute(Value value, RankedTensorType type) {
    Type element = type.getElementType();
    int64_t width = getWordBytes(element), count = type.getNumElements();
    ConstantEvaluator evaluator;
    ConstantWriter writer(count * width);
    std::vector<char> first, small;
    bool isSplat = count != 0;
    for (int64_t begin = 0; begin < count; begin += kChunk) {
      Positions positions(std::min(kChunk, count - begin));
      std::iota(positions.begin(), positions.end(), begin);
      FailureOr<Words> words = evaluator.evaluate(value, positions);
      if (failed(words))
        return std::nullopt;
      std::vector<char> bytes(words->size() * width);
      for (size_t i = 0; i < words->size(); ++i)
        writeWord(element, (*words)[i], &bytes[i * width]);
      if (begin == 0)
        first.assign(bytes.begin(), bytes.begin() + width);
      for (size_t i = 0; isSplat && i < words->size(); ++i)
        isSplat = std::memcmp(&bytes[i * width], first.data(), width) == 0;
      writer.append(bytes);
      if (count < kSmallConstant)
        small = std::move(bytes);
    }
    if (element.isInteger(1)) {
      SmallVector<bool> bits(small.begin(), small.end());
      return DenseElementsAttr::get(type, bits);
    }
    if (isSplat || count < kSmallConstant)
      return DenseElementsAttr::getFromRawBuffer(type, isSplat ? first : small);
    std::optional<AsmResourceBlob> blob = writer.finish();
    if (!blob)
      return std::nullopt;
    auto &manager = DenseResourceElementsHandle::getManagerInterface(type.getContext());
    auto handle = manager.insert("folded", std::move(blob));
    made.push_back(handle);
    return DenseResourceElementsAttr::get(type, handle);
  }

  void replace(Operation *op, TypedAttr value) {
    OpBuilder builder(op);
    auto made = arith::ConstantOp::create(builder, op->getLoc(), value);
    op->getResult(0).replaceAllUsesWith(made);
    constant.insert(made);
  }

  /// Removes what nobody reads any more, and the bytes of values that others were computed from.
  void eraseDead() {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
    llvm::StringSet<llvm::MallocAllocator> used;
    func.walk([&](arith::ConstantOp op) {
      if (auto resource = dyn_cast<DenseResourceElementsAttr>(op.getValue()))
        used.insert(resource.getRawHandle().getKey());
    });
    auto &manager = DenseResourceElementsHandle::getManagerInterface(func.getContext());
    for (DenseResourceElementsHandle handle : made)
      if (!used.contains(handle.getKey()))
        manager.update(handle.getKey(), AsmResourceBlob());
  }

  func::FuncOp func;
  int64_t smallBytes;
  /// Bytes that large results may yet add: as much as the constants took at first.
  int64_t budget = 0;
  llvm::DenseSet<Operation *> refused;
  /// Values that depend on constants alone, but for those that were refused.
  llvm::DenseSet<Operation *> constant;
  SmallVector<DenseResourceElementsHandle> made;
};

struct GraphFoldConstantsPass : graph::impl::GraphFoldConstantsPassBase<GraphFoldConstantsPass> {
  using GraphFoldConstantsPassBase::GraphFoldConstantsPassBase;
  void runOnOperation() override { Folder(getOperation(), smallBytes).run(); }
};

} // namespace
