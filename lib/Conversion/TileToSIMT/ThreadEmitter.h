//===- ThreadEmitter.h - one tile kernel as the program of a thread -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile with layout L becomes the R registers that L gives a thread, one vector
// of R elements. Which element of the tile a register holds follows from the
// numbers of lane and warp: its coordinates are polynomials in them (Places.cpp),
// addresses and conditions are polynomials in the coordinates, and what an access
// looks like is read off those, as on CPUs.
//
//   ThreadEmitter.cpp   function, dispatch       Transfers.cpp   load, store, alloc
//   Control.cpp         scf                      Exchange.cpp    from layout to layout
//   Places.cpp          coordinates, conditions  Shared.cpp      shared memory
//   Elementwise.cpp     arith, math, constants   Reduce.cpp      reduce
//   Shapes.cpp          broadcast ... coord      Product.cpp     dot
//   Assert.cpp          checks of user data      Scan.cpp        scan
//   Hazards.cpp         where barriers must be   MatrixProduct.cpp  dot by matrix instructions
//   LoadMatrix.cpp      ldmatrix              Serial.cpp      elements that take turns
//   Scatter.cpp         scatter               TopK.cpp        topk, sort
//   Staged.cpp          operands of products in shared memory
//   GroupProduct.cpp    dot by warp groups, which read shared memory
//   PackedCodes.cpp     codes in words        Decode.cpp      their numbers, two at a time
//
// Every thread of a block runs the same loops and branches: their conditions are
// scalars, which all threads hold alike. Barriers may therefore stand anywhere in
// the emitted control flow but inside the conditions of single accesses.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOSIMT_THREADEMITTER_H
#define SECTILE_LIB_CONVERSION_TILETOSIMT_THREADEMITTER_H

#include "Decode.h"
#include "Hazards.h"

#include "dialects/Tile/IR/Tile.h"
#include "lib/Conversion/Support/Heap.h"
#include "lib/Conversion/Support/Lanes.h"
#include "lib/Conversion/Support/PartOps.h"
#include "lib/Conversion/Support/ScopedBuilder.h"
#include "lib/Conversion/Support/Views.h"
#include "sectile/Layout/DistributedLayout.h"
#include "sectile/Layout/MemoryLayout.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/MatrixInstruction.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/MapVector.h"

#include <set>

namespace sectile::simt {
using namespace lowering;
using layout::DistributedLayout;

/// A tile as one thread holds it.
struct Registers {
  DistributedLayout layout;
  /// Element type of the tile, not of the registers.
  mlir::Type element;
  /// A vector of as many elements as the layout has registers; of one, the element itself.
  mlir::Value value;

  int64_t count() const { return layout.extent(layout::Axis::Register); }
};

/// When a place takes part: all of these polynomials are not negative (zero, where the flag says
/// so).
struct Condition {
  bool isNever = false;
  std::set<std::pair<Poly, bool>> terms;
  bool operator==(const Condition &) const = default;
};

/// A tile in shared memory, from `offset` bytes on.
struct SharedTile {
  layout::MemoryLayout memory;
  int64_t offset;
  mlir::Type element;
  /// Of an alloc: itself, where it is, and what is added to the tile's coordinates, which are the
  /// last ones of the memory's. Else the scratch.
  mlir::Value root = {}, base = {};
  llvm::SmallVector<Poly> origin = {};
};

/// Where the element at `coordinates` is, in bytes and before swizzles.
Poly addressOf(IndexAlgebra &algebra, const layout::MemoryLayout &memory,
               llvm::ArrayRef<Poly> coordinates);

/// What formulas may use of a thread: all floats have fused multiply-adds.
inline constexpr MathTarget kMathTarget{.hasFma = true,
                                        .hasWideFma = true,
                                        .hasScale = false,
                                        .hasGather = false,
                                        .tableIntrinsic = ""};

struct Options {
  bool isStrict = false;
  /// What bases of arguments are multiples of, in bytes, unless `tile.alignment` says otherwise.
  int64_t argumentAlignment = 16;
};

/// For each register of a thread, its number along dimension `dim` among the thread's places there.
llvm::SmallVector<int64_t> getPlacesAlong(const layout::DistributedLayout &layout, unsigned dim);

class ThreadEmitter : ElementFormats {
public:
  ThreadEmitter(tile::KernelOp kernel, const target::GpuTarget &target, int64_t warps,
                const Options &options);

  /// Emits a gpu.func at `builder`'s point, in a gpu.module, and the globals it needs before it.
  llvm::LogicalResult emit(mlir::OpBuilder &outer);

private:
  // ThreadEmitter.cpp
  llvm::LogicalResult checkTypes();
  void bindArguments(mlir::Block *entry);
  llvm::LogicalResult emitIds();
  llvm::LogicalResult placeShared();
  llvm::LogicalResult emitOp(mlir::Operation *op);
  llvm::LogicalResult emitBlock(mlir::Block &block);
  void emitExtremum(mlir::Operation *op, mlir::AffineMap map, bool isMin);
  mlir::InFlightDiagnostic refuse(mlir::Operation *op);

  // Control.cpp
  llvm::LogicalResult emitFor(mlir::Operation *op);
  llvm::LogicalResult emitIf(mlir::Operation *op);
  llvm::LogicalResult emitWhile(mlir::Operation *op);
  /// The one emitted value that stands for a tile or scalar.
  mlir::Value valueOf(mlir::Value value);
  llvm::SmallVector<mlir::Value> valuesOf(mlir::ValueRange values);
  mlir::Type typeOf(mlir::Type type) const;
  void bind(mlir::Value original, mlir::Value emitted);
  void bindAll(mlir::ValueRange originals, mlir::ValueRange emitted);

  // Places.cpp
  /// Coordinates in the box of what register `reg` of this thread holds.
  llvm::SmallVector<Poly> coordinatesOf(const DistributedLayout &layout, int64_t reg);
  /// Gives `result`, a tile or a scalar, what `emitAt` emits for each element's coordinates.
  void setFromCoordinates(mlir::Value result,
                          llvm::function_ref<mlir::Value(llvm::ArrayRef<Poly>)> emitAt);
  /// Digit of the number of lanes or warps (`axis`).
  Poly digitOf(unsigned axis, int64_t stride, int64_t extent);
  /// Adds a term; one that ranges decide is none.
  void require(Condition &condition, const Poly &poly, bool isZero = false);
  /// The place holds an element, along `dims` or all dimensions.
  Condition isValid(const DistributedLayout &layout, int64_t reg,
                    std::optional<llvm::ArrayRef<int64_t>> dims = std::nullopt);
  /// No place of lower numbers holds the same.
  void requireFirstCopy(Condition &condition, const DistributedLayout &layout, int64_t reg);
  void requireSet(Condition &condition, mlir::IntegerSet set, llvm::ArrayRef<Poly> dims,
                  llvm::ArrayRef<Poly> symbols);
  /// An i1, or null if the condition always holds. It must not be one that never does.
  mlir::Value emitCondition(const Condition &condition);
  mlir::Value makeBool(bool value);

  // Elementwise.cpp
  llvm::LogicalResult emitElementwise(mlir::Operation *op);
  llvm::LogicalResult emitConstant(mlir::Operation *op);
  llvm::LogicalResult emitNumbers(mlir::Operation *op);
  std::optional<mlir::Value> emitHalves(tile::DequantizeOp op);
  mlir::Type getMemoryElement(mlir::Type element) const override;
  mlir::Value toMemoryFormat(mlir::Value value, mlir::Type element) override;
  mlir::Value fromMemoryFormat(mlir::Value value, mlir::Type element) override;
  mlir::Value roundTo(mlir::Value value, mlir::Type element) override;
  llvm::FailureOr<llvm::SmallVector<mlir::Value>> emitBody(mlir::Block &block,
                                                           llvm::ArrayRef<mlir::Value> arguments);

  // Shapes.cpp
  llvm::LogicalResult emitBroadcast(tile::BroadcastOp op);
  llvm::LogicalResult emitTranspose(tile::TransposeOp op);
  llvm::LogicalResult emitReshape(tile::ReshapeOp op);
  llvm::LogicalResult emitCoord(tile::CoordOp op);
  llvm::LogicalResult emitMask(tile::MaskOp op);

  // Transfers.cpp
  llvm::LogicalResult emitLoad(tile::LoadOp op);
  llvm::LogicalResult emitStore(tile::StoreOp op);
  llvm::LogicalResult emitAlloc(tile::AllocOp op);
  /// What each register accesses.
  struct Transfer {
    mlir::Value root;
    llvm::SmallVector<Poly> addresses;
    llvm::SmallVector<Condition> conditions;
  };
  template <typename TransferOp>
  Transfer describe(TransferOp op, const DistributedLayout *layout);
  /// Bytes that the base of a view is a multiple of.
  int64_t getAlignment(mlir::Value root);
  /// How many registers from `first` on one access can serve.
  int64_t getWidth(const Transfer &transfer, int64_t first, int64_t bytes, int64_t alignment);
  mlir::Value loadIf(const Condition &condition, mlir::Type type, mlir::Value pointer,
                     int64_t alignment, mlir::Attribute fill);
  void storeIf(const Condition &condition, mlir::Value value, mlir::Value pointer,
               int64_t alignment);

  // Exchange.cpp
  /// The same tile in another layout of its shape.
  Registers convert(const Registers &tile, const DistributedLayout &layout);
  std::optional<Registers> convertInWarp(const Registers &tile,
                                         const layout::Conversion &conversion,
                                         const DistributedLayout &layout);
  /// `value`, of register type, as lane `source` holds it; or as lane (own xor `mask`) does.
  mlir::Value shuffle(mlir::Value value, mlir::Value source);
  mlir::Value shuffleXor(mlir::Value value, int64_t mask);
  mlir::Value shufflePieces(mlir::Value value,
                            llvm::function_ref<mlir::Value(mlir::Value)> exchange);

  // Shared.cpp
  /// Room in the scratch that exchanges share; each call of `releaseScratch` starts anew.
  int64_t reserveScratch(int64_t bytes);
  void releaseScratch() { scratchUsed = 0; }
  layout::MemoryLayout chooseMemory(const DistributedLayout &writer,
                                    const DistributedLayout &reader, mlir::Type element);
  SharedTile writeShared(const Registers &tile, const layout::MemoryLayout &memory);
  /// The registers `regs` of `layout`, read from shared memory.
  mlir::Value readShared(const SharedTile &tile, const DistributedLayout &layout,
                         llvm::ArrayRef<int64_t> regs);
  /// The whole tile by ldmatrix, if it is made of that one's fragments and memory of its rows.
  std::optional<mlir::Value> loadMatrices(const SharedTile &tile, const DistributedLayout &layout);
  /// Which lane names which row then, as a layout; nothing if ldmatrix cannot read `layout`.
  std::optional<DistributedLayout> getMatrixRows(const DistributedLayout &layout,
                                                 mlir::Type element);
  /// Where the element at `coordinates` of the tile is, in bytes and before swizzles.
  Poly addressIn(const SharedTile &tile, llvm::ArrayRef<Poly> coordinates);
  /// A pointer to a byte of the tile's memory, through its swizzles.
  mlir::Value pointerTo(const SharedTile &tile, const Poly &address);
  void accessShared(
      const SharedTile &tile, const DistributedLayout &layout, llvm::ArrayRef<int64_t> regs,
      llvm::function_ref<void(int64_t, int64_t, mlir::Value, int64_t, const Condition &)> access);
  mlir::Type getSharedElement(mlir::Type element) const;

  // Staged.cpp
  /// Whether a view is memory with a placement of its own.
  bool isPlaced(mlir::Value view) const { return placements.contains(view); }
  /// The shared memory that an alloc is, of so many bytes.
  mlir::Value makeAlloc(tile::AllocOp op, int64_t bytes);
  llvm::LogicalResult placeAlloc(tile::AllocOp op, llvm::StringRef placement);
  /// The part of a placed alloc that a transfer accesses.
  template <typename TransferOp>
  llvm::FailureOr<SharedTile> getStaged(TransferOp op);
  llvm::LogicalResult emitStagedLoad(tile::LoadOp op);
  /// A store to a placed alloc of what a load read: by asynchronous copies where those can.
  llvm::LogicalResult emitStagedStore(tile::StoreOp op);
  llvm::LogicalResult emitWaitCopies(tile::WaitCopiesOp op);
  /// A register's part of a copy.
  struct CopyPart {
    /// In elements of the source, in bytes of shared memory.
    Poly from, to;
    /// When the thread has that part at all, and when it is read; else it is zero.
    Condition takesPart, isRead;
  };
  std::optional<int64_t> getCopyWidth(llvm::ArrayRef<CopyPart> parts, int64_t bytes,
                                      int64_t alignment, int64_t sharedAlignment);
  void emitCopy(llvm::ArrayRef<CopyPart> parts, const SharedTile &to, mlir::Value from,
                mlir::Type element);

  // PackedCodes.cpp
  llvm::LogicalResult emitPackedLoad(tile::LoadOp op);
  llvm::LogicalResult emitPackedStore(tile::StoreOp op);
  mlir::Value loadWord(mlir::Value root, const Poly &address, const Condition &condition);
  mlir::Value takeCode(const PackedCode &code, const Place &place, int64_t bits);

  // Reduce.cpp
  llvm::LogicalResult emitReduce(tile::ReduceOp op);
  /// Values of one part of a reduction, and which of them are elements of the tile; null: all.
  struct Partial {
    llvm::SmallVector<mlir::Value> values;
    mlir::Value isElement;
  };
  llvm::FailureOr<Partial> combine(tile::ReduceOp op, const Partial &left, const Partial &right);
  llvm::FailureOr<Partial> combineAll(tile::ReduceOp op, llvm::SmallVector<Partial> parts);

  // Serial.cpp
  /// A layout in which each thread has what lies along `dims`, where `what` is done in order. More
  /// than kMostTurns for a thread are refused.
  llvm::FailureOr<layout::DistributedLayout> layOutSerially(mlir::Operation *op,
                                                            mlir::RankedTensorType type,
                                                            const llvm::SmallBitVector &dims,
                                                            llvm::StringRef what);

  // Scatter.cpp
  llvm::LogicalResult emitScatter(tile::ScatterOp op);

  // TopK.cpp
  llvm::LogicalResult emitTopK(tile::TopKOp op);
  llvm::LogicalResult emitSort(tile::SortOp op);
  HeapEmitter makeHeap(mlir::Block &precedes);
  void beginChange(mlir::Value view);
  void requireFirstThread(Condition &condition);
  llvm::LogicalResult emitWhere(const Condition &condition,
                                llvm::function_ref<llvm::LogicalResult()> body);

  // Scan.cpp
  llvm::LogicalResult emitScan(tile::ScanOp op);

  // Product.cpp
  llvm::LogicalResult emitDot(tile::DotOp op);

  // MatrixProduct.cpp
  llvm::LogicalResult emitMatrixDot(tile::DotOp op, const target::MatrixInstruction &instruction);

  // GroupProduct.cpp
  llvm::LogicalResult emitGroupDot(tile::DotOp op, const target::MatrixInstruction &instruction);
  llvm::LogicalResult emitWaitProducts(tile::WaitProductsOp op);
  mlir::Value tieRegisters(mlir::Value tile);
  /// Whether a load's tile is read where it is, by products alone.
  bool staysInMemory(tile::LoadOp load);

  // Assert.cpp
  llvm::LogicalResult emitAssert(tile::AssertOp op);

  // Values
  Registers &getTile(mlir::Value value) { return *tiles.find(value)->second; }
  /// `value` as the tile `type` says, in the layout of that type.
  void setTile(mlir::Value original, mlir::Value value);
  /// A tile in any layout, converted to the one that the original's type has.
  void setConverted(mlir::Value original, const Registers &tile);
  DistributedLayout layoutOf(mlir::Value value);
  mlir::Value getScalar(mlir::Value value) { return scalars.find(value)->second; }
  void setScalar(mlir::Value original, mlir::Value value);
  Poly polyOf(mlir::Value value) { return views.polyOf(value); }
  llvm::SmallVector<Poly> polysOf(mlir::ValueRange values) { return views.polysOf(values); }
  mlir::Value constantLike(mlir::Type type, int64_t value);
  /// A global before the function, in the module around it.
  mlir::Value makeGlobal(llvm::StringRef suffix, mlir::Type type, unsigned addressSpace,
                         mlir::Attribute value);
  void emitBarrier();

  tile::KernelOp kernel;
  const target::GpuTarget &target;
  int64_t warps;
  Options options;
  IndexAlgebra algebra;
  Views views{algebra};
  ScopedBuilder builder;
  mlir::Location loc;
  mlir::Operation *function = nullptr;
  mlir::Value lane, warp, scratch, failureRecord;
  /// Where allocs with an offset lie.
  mlir::Value memory;
  int64_t memoryBytes = 0;
  /// Whether products read shared memory by descriptors.
  bool hasGroupProducts = false;
  int64_t scratchUsed = 0, scratchBytes = 16;
  unsigned numGlobals = 0;
  Hazards hazards;
  llvm::MapVector<mlir::Value, layout::MemoryLayout> placements;
  /// Allocs of packed codes.
  llvm::SmallVector<mlir::Value> packedMemories;
  /// Words that this block of the program has loaded since memory may have changed.
  struct LoadedWords {
    mlir::Value root;
    Poly address;
    Condition condition;
    llvm::SmallVector<mlir::Value> words;
  };
  std::vector<LoadedWords> loadedWords;
  ShiftedWords shiftedWords;
  void forgetWords() {
    loadedWords.clear();
    shiftedWords.clear();
  }
  /// Of tiles whose codes the ops on numbers may take from words.
  llvm::DenseMap<mlir::Value, PackedCodes> packedCodes;
  llvm::DenseMap<mlir::Value, std::unique_ptr<Registers>> tiles;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
  llvm::SmallVector<mlir::Attribute> failures;
};

} // namespace sectile::simt

#endif // SECTILE_LIB_CONVERSION_TILETOSIMT_THREADEMITTER_H
