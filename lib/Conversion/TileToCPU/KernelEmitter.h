//===- KernelEmitter.h - one tile kernel as code for one core ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks a tile.kernel once and emits the loop over its blocks, with every tile
// as a grid of native vectors (see Tile). The parts of this class are in files
// of their own:
//
//   KernelEmitter.cpp  functions, grid, dispatch       Transfers.cpp  load, store
//   Control.cpp        loops and branches              Masks.cpp      integer sets
//   Scatter.cpp        scatter                         TopK.cpp       topk, sort
//   Elementwise.cpp    arith, math, constants          Contract.cpp   dot
//   EmitNumbers.cpp    quantize, dequantize, convert   PackedCodes.cpp  codes in bits
//   ByteProduct.cpp    dot of bytes
//   HalfProduct.cpp    dot of 16-bit integers
//   Formats.cpp        narrow floats, booleans         Reduce.cpp     reduce
//   Shapes.cpp         broadcast ... coord             Scan.cpp       scan
//   Info.cpp           what a launch is going to do    Assert.cpp     checks of user data
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H
#define SECTILE_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H

#include "Parts.h"
#include "lib/Conversion/Support/Heap.h"
#include "lib/Conversion/Support/PartOps.h"
#include "lib/Conversion/Support/ScopedBuilder.h"
#include "lib/Conversion/Support/Vectors.h"
#include "lib/Conversion/Support/Views.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Target/CpuLevel.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <functional>

namespace sectile::cpu {
using namespace lowering;

/// What a mask says about one part: both must hold where present.
struct PartMask {
  /// No lane is valid; the others are then meaningless.
  bool isEmpty = false;
  /// i1, for the whole part.
  mlir::Value all;
  /// Vector of i1.
  mlir::Value lanes;
  bool isTrivial() const { return !isEmpty && !all && !lanes; }
};

class KernelEmitter : ElementFormats {
public:
  KernelEmitter(tile::KernelOp kernel, const CpuLevel &level, FloatMode floatMode);

  /// Emits `run` and `info` before the kernel; the kernel itself stays.
  llvm::LogicalResult emit();
  /// Emits `k.info` alone, for a kernel whose blocks another device runs.
  llvm::LogicalResult emitInfoOnly();

private:
  // KernelEmitter.cpp
  llvm::LogicalResult checkTiles();
  void chooseLanes();
  void bindArguments(mlir::Value bufs, mlir::Value sizes);
  llvm::LogicalResult emitRun();
  llvm::LogicalResult emitOp(mlir::Operation *op);
  llvm::LogicalResult emitBlock(mlir::Block &block);
  /// Emits what `values`, operands of `user`, are computed from; they may depend on the kernel's
  /// arguments only.
  llvm::LogicalResult emitUniformSlice(mlir::Operation *user, mlir::ValueRange values);
  /// Emits an affine.min or affine.max.
  void emitExtremum(mlir::Operation *op, mlir::AffineMap map, bool isMin);
  /// A loop over numbers of type i64. Where pointers are narrower its counter is, too: nothing that
  /// is counted has more elements than there are addresses.
  mlir::scf::ForOp makeLoop(mlir::Value lower, mlir::Value upper, mlir::Value step,
                            mlir::ValueRange inits);
  /// The counter of such a loop as an i64, for the start of its body.
  mlir::Value getCounter(mlir::scf::ForOp loop);
  /// An extent, a stride or the number of a block, given as i64: LLVM is told that it is not
  /// negative and not wider than a pointer, so that it can do arithmetic in narrow registers.
  mlir::Value limitToAddresses(mlir::Value number);
  /// Number of blocks, from the grid.
  Poly emitGrid();

  // Info.cpp
  llvm::LogicalResult emitInfo(bool hasScratch = true);
  /// Lays out the kernel's allocs and returns the bytes they take.
  llvm::FailureOr<Poly> layOutScratch();
  using OpCounter = std::function<int64_t(mlir::Operation *)>;
  llvm::FailureOr<llvm::SmallVector<mlir::Value>> countInGrid(unsigned dim,
                                                              llvm::ArrayRef<OpCounter> counters);
  llvm::FailureOr<llvm::SmallVector<mlir::Value>> countIn(mlir::Block &block,
                                                          llvm::ArrayRef<OpCounter> counters);

  // Control.cpp
  llvm::LogicalResult emitFor(mlir::Operation *op);
  llvm::LogicalResult emitIf(mlir::Operation *op);
  llvm::LogicalResult emitWhile(mlir::Operation *op);
  void emitYield(mlir::Operation *terminator, mlir::ValueRange values);
  /// Values of `value`'s parts as they cross regions: full vectors.
  void flatten(mlir::Value value, llvm::SmallVectorImpl<mlir::Value> &parts);
  /// Binds `original` to the next parts of `emitted`, dropping them from it.
  void unflatten(mlir::Value original, mlir::ValueRange &emitted);

  // Elementwise.cpp
  llvm::LogicalResult emitElementwise(mlir::Operation *op);
  llvm::LogicalResult emitConstant(mlir::Operation *op);
  /// One op on parts; operands and result are of register types.
  llvm::FailureOr<mlir::Value> emitPartOp(mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands,
                                          mlir::Type resultElement);
  mlir::Value roundTo(mlir::Value value, mlir::Type element) override;

  // EmitNumbers.cpp
  /// Emits a convert, dequantize or quantize.
  llvm::LogicalResult emitNumbers(mlir::Operation *op);
  /// What belongs to a part of `whole` in a tile that repeats along dimensions of extent 1.
  mlir::Value getRepeatedPart(const Tile &tile, const Tile &whole, int64_t row, int64_t part);

  // Formats.cpp
  mlir::Type getMemoryElement(mlir::Type element) const override;
  mlir::Value toMemoryFormat(mlir::Value value, mlir::Type element) override;
  mlir::Value fromMemoryFormat(mlir::Value value, mlir::Type element) override;

  // Masks.cpp
  /// The set at row coordinates `outer` and lanes [first, first + width).
  PartMask emitMask(mlir::IntegerSet set, llvm::ArrayRef<Poly> symbols,
                    llvm::ArrayRef<int64_t> outer, int64_t first, int64_t width);
  /// `mask` as one value: i1 for one lane or where all lanes agree, else a vector of i1.
  mlir::Value combineMask(const PartMask &mask, int64_t width);

  // Transfers.cpp
  llvm::LogicalResult emitLoad(tile::LoadOp op);
  llvm::LogicalResult emitStore(tile::StoreOp op);
  llvm::LogicalResult emitPrefetch(tile::PrefetchOp op);
  llvm::LogicalResult emitAlloc(tile::AllocOp op);
  /// Where one part of a transfer lies, as polynomials.
  Place locate(mlir::Value view, mlir::AffineMap map, mlir::ValueRange mapOperands,
               mlir::ValueRange indices, llvm::ArrayRef<int64_t> outer, int64_t row, int64_t part,
               const Tile &shape, mlir::Value &root);
  /// The address of one part of a transfer of whole elements.
  Poly addressOf(mlir::Value view, mlir::AffineMap map, mlir::ValueRange mapOperands,
                 mlir::ValueRange indices, llvm::ArrayRef<int64_t> outer, int64_t row, int64_t part,
                 const Tile &shape, mlir::Value &root) {
    return locate(view, map, mapOperands, indices, outer, row, part, shape, root).address;
  }
  mlir::Value loadPart(mlir::Value base, mlir::Type element, const Poly &address, int64_t width,
                       const PartMask &mask, mlir::Attribute fill);
  void storePart(mlir::Value value, mlir::Value base, mlir::Type element, const Poly &address,
                 int64_t width, const PartMask &mask);
  mlir::Value lanePointers(mlir::Value base, mlir::Type memoryElement, const Poly &address,
                           int64_t width);
  mlir::Value fillPointer(mlir::Type memoryElement, mlir::Attribute fill, int64_t width);

  // PackedCodes.cpp
  /// The codes of a word's four streams, each in its byte of a lane; masked lanes hold zeros. The
  /// place's shift is known.
  mlir::Value loadQuads(const Memory &memory, const Place &place, int64_t width,
                        const PartMask &mask);
  /// Codes that lie packed in words; masked lanes hold `fill`.
  mlir::Value loadCodes(const Memory &memory, const Place &place, int64_t width,
                        const PartMask &mask, mlir::Attribute fill);

  // Scatter.cpp
  llvm::LogicalResult emitScatter(tile::ScatterOp op);
  /// One part of a scatter: lanes whose places differ, all at once.
  llvm::LogicalResult changeTogether(tile::ScatterOp op, mlir::Value update, mlir::Value base,
                                     const Poly &address, int64_t width, const PartMask &mask);
  /// One part of a scatter, lane by lane; `mask` is an i1, a vector of them, or null.
  llvm::LogicalResult changeInTurn(tile::ScatterOp op, mlir::Value update, mlir::Value base,
                                   const Poly &address, int64_t width, mlir::Value mask);

  // TopK.cpp
  llvm::LogicalResult emitTopK(tile::TopKOp op);
  llvm::LogicalResult emitSort(tile::SortOp op);
  /// Inserts the lanes of a part for which `mask`, i1 or a vector of them, holds.
  llvm::LogicalResult insertLanes(mlir::Block &precedes, const PairLists &lists,
                                  mlir::Value candidates, mlir::Value positions, mlir::Value mask,
                                  int64_t width);
  /// What emits code on the heaps whose order `precedes` is.
  HeapEmitter makeHeap(mlir::Block &precedes);

  // ByteProduct.cpp
  /// The right side of a product of bytes: packed codes, and where the codes of each four steps
  /// lie.
  struct ByteColumns {
    tile::LoadOp load;
    /// Ops between it and the product.
    llvm::SmallVector<mlir::Operation *> between;
    int64_t bits = 0;
    /// Bits of each code that are flipped.
    uint32_t flip = 0;
  };
  std::optional<ByteColumns> matchByteColumns(tile::DotOp op);
  /// What `op` multiplies bytes with, or null where it does not.
  const ByteColumns *getByteColumns(tile::DotOp op);
  /// Whether `op` is emitted with the product of bytes that reads its result.
  bool isReadByProduct(mlir::Operation *op);
  /// Whether the rows of `value` are wanted in four elements each.
  bool wantsQuads(mlir::Value value);
  /// Whether `op` sums the bytes of rows, many at once.
  bool isSumOfBytes(tile::DotOp op) const;
  mlir::Value resize(mlir::Value value, int64_t count);
  mlir::Value bitcast(mlir::Value value, mlir::Type element);
  mlir::Value fillRegister(mlir::Type element, int64_t value);
  mlir::Value callIntrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);
  llvm::LogicalResult emitByteProduct(tile::DotOp op, const ByteColumns &columns);
  llvm::LogicalResult emitSumOfBytes(tile::DotOp op);

  // HalfProduct.cpp
  /// The product of halves that `second` adds to and that is emitted with it, if there is one.
  tile::DotOp getFirstOfPair(tile::DotOp second);
  bool isFirstOfPair(mlir::Operation *op);
  mlir::Value interleave(mlir::Value value, mlir::Value other);
  llvm::SmallVector<mlir::Value> interleaveHalves(llvm::ArrayRef<mlir::Value> parts,
                                                  llvm::ArrayRef<mlir::Value> others);
  llvm::LogicalResult emitHalfProducts(tile::DotOp first, tile::DotOp second);

  // Contract.cpp, Reduce.cpp, Scan.cpp, Shapes.cpp, Assert.cpp
  llvm::LogicalResult emitDot(tile::DotOp op);
  llvm::LogicalResult emitReduce(tile::ReduceOp op);
  llvm::LogicalResult emitScan(tile::ScanOp op);
  /// What a block of elementwise ops yields for parts as its arguments; scalars are repeated.
  llvm::FailureOr<llvm::SmallVector<mlir::Value>> emitBody(mlir::Block &block,
                                                           llvm::ArrayRef<mlir::Value> arguments);
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  reduceTogether(tile::ReduceOp op, llvm::SmallVector<llvm::SmallVector<mlir::Value>> rows);
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  combine(tile::ReduceOp op, llvm::ArrayRef<mlir::Value> left, llvm::ArrayRef<mlir::Value> right);
  llvm::LogicalResult emitBroadcast(tile::BroadcastOp op);
  llvm::LogicalResult emitTranspose(tile::TransposeOp op);
  mlir::Value gatherColumn(mlir::Location loc, const Tile &source, int64_t base, int64_t step,
                           int64_t count);
  llvm::LogicalResult emitReshape(tile::ReshapeOp op);
  llvm::LogicalResult emitCoord(tile::CoordOp op);
  llvm::LogicalResult emitMaskOp(tile::MaskOp op);
  llvm::LogicalResult emitAssert(tile::AssertOp op);

  // Values
  /// An empty tile of the partition that values of `type` have; parts are null.
  Tile makeTile(mlir::Type type, bool asScalars = false) const;
  /// True if the elements of `value` are wanted one by one: the left side of dots.
  bool wantsScalars(mlir::Value value);
  const Tile &getTile(mlir::Value value) const { return *tiles.find(value)->second; }
  void setTile(mlir::Value value, Tile tile);
  mlir::Value getScalar(mlir::Value value) const { return getTile(value).parts[0]; }
  /// Element `linear` (row-major) of a tile.
  Element getElement(const Tile &tile, int64_t linear) const;
  /// `tile` in another partition.
  Tile repartition(const Tile &tile, int64_t lanes);
  /// Coordinates of row `row`, without the last dimension.
  llvm::SmallVector<int64_t> rowCoords(const Tile &tile, int64_t row) const;
  Poly polyOf(mlir::Value value) { return views.polyOf(value); }
  llvm::SmallVector<Poly> polysOf(mlir::ValueRange values) { return views.polysOf(values); }

  tile::KernelOp kernel;
  const CpuLevel &level;
  FloatMode floatMode;
  IndexAlgebra algebra;
  Views views{algebra};
  ScopedBuilder builder;
  mlir::Location loc;
  int64_t lanes = 1;

  llvm::DenseMap<mlir::Value, std::unique_ptr<Tile>> tiles;
  /// Offset of each alloc in scratch, in bytes.
  llvm::DenseMap<mlir::Operation *, Poly> allocOffsets;
  llvm::DenseMap<mlir::Value, bool> scalarWishes;
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<ByteColumns>> byteColumns;
  /// f32 values and the f16 or bf16 ones that they were widened from.
  llvm::DenseMap<mlir::Value, std::pair<mlir::Type, mlir::Value>> narrowSources;
  /// Ops emitted ahead of the loop over blocks.
  llvm::SmallPtrSet<mlir::Operation *, 8> emitted;
  llvm::SmallVector<mlir::Attribute> failures;
  mlir::Value scratch, status, failureValues;
};

} // namespace sectile::cpu

#endif // SECTILE_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H
