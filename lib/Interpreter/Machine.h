//===- Machine.h - compiled form of interpreted IR, and its execution -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function is compiled once into steps, each a function pointer with the
// numbers of the slots it reads and writes; regions share the slots of the
// function they are in. Steps are in tables by op name, one table per file:
//
//   Elementwise.cpp  arith, math            TensorOps.cpp  tensor
//   Linalg.cpp       linalg                 GraphOps.cpp   graph
//   Control.cpp      scf, affine, func, cf  Tile*.cpp      tile
//   Host.cpp         memref, graph.dispatch   Scan.cpp, TopK.cpp, Numbers.cpp  both levels
//
// To teach the interpreter an op, add it to the table of its dialect's file.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_INTERPRETER_MACHINE_H
#define SECTILE_LIB_INTERPRETER_MACHINE_H

#include "ScalarOp.h"
#include "View.h"

#include "sectile/Interpreter/Interpreter.h"

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace sectile::tile {
class MemoryAttr;
} // namespace sectile::tile

namespace sectile::interp {

/// The value in a slot: an element, or an object (tensor, view, buffer).
struct Datum {
  Element element;
  llvm::IntrusiveRefCntPtr<Object> object;
};

/// The slots of one activation of a function.
using Frame = std::vector<Datum>;

struct Step;
using ExecuteFunction = mlir::LogicalResult (*)(Machine &, Frame &, const Step &);

/// What a step knows beyond slots.
struct Payload {
  virtual ~Payload() = default;
};

/// The steps of a block. Its terminator is not one of them: `yields` are its operands.
struct Code {
  llvm::SmallVector<unsigned, 4> arguments;
  std::vector<Step> steps;
  llvm::SmallVector<unsigned, 4> yields;
};

struct Step {
  ExecuteFunction execute;
  mlir::Operation *op;
  llvm::SmallVector<unsigned, 4> operands;
  llvm::SmallVector<unsigned, 2> results;
  std::vector<std::unique_ptr<Code>> regions;
  std::unique_ptr<Payload> payload;
};

/// A compiled func.func, graph.kernel or tile.kernel.
struct Function {
  mlir::Operation *op;
  unsigned numSlots = 0;
  Code body;
};

/// Numbers the values of a function and turns its ops into steps.
class Compiler {
public:
  explicit Compiler(Machine &machine) : machine(machine) {}

  mlir::FailureOr<std::unique_ptr<Function>> compile(mlir::Operation *function);
  unsigned getSlot(mlir::Value value);
  mlir::FailureOr<std::unique_ptr<Code>> compileRegion(mlir::Region &region);

  Machine &machine;

private:
  mlir::LogicalResult compileBlock(mlir::Block &block, Code &code);
  mlir::LogicalResult compileOp(mlir::Operation &op, Code &code);

  llvm::DenseMap<mlir::Value, unsigned> slots;
};

/// How the ops of a name are executed.
struct Handler {
  ExecuteFunction execute;
  /// Makes the payload; may be null.
  mlir::LogicalResult (*prepare)(Compiler &, Step &) = nullptr;
};
using HandlerTable = llvm::StringMap<Handler>;

// One per file.
void addControlHandlers(HandlerTable &table);
void addElementwiseHandlers(HandlerTable &table);
void addGraphHandlers(HandlerTable &table);
void addHostHandlers(HandlerTable &table);
void addDispatchHandlers(HandlerTable &table);
void addNumberHandlers(HandlerTable &table);
void addScanHandlers(HandlerTable &table);
void addTensorHandlers(HandlerTable &table);
void addTileHandlers(HandlerTable &table);
void addTopKHandlers(HandlerTable &table);
void addTransferHandlers(HandlerTable &table);
/// For ops of the linalg interface and for ops that are scalar ops: no table lists their names.
Handler getLinalgHandler();
Handler getScalarHandler();

class Machine {
public:
  Machine(mlir::ModuleOp module, Options options);

  //===--------------------------------------------------------------------===//
  // Ends of a run; each returns failure
  //===--------------------------------------------------------------------===//

  mlir::LogicalResult stop(Outcome::Status status, mlir::Operation *op, const llvm::Twine &message);
  mlir::LogicalResult fault(mlir::Operation *op, const llvm::Twine &message) {
    return stop(Outcome::Faulted, op, message);
  }
  mlir::LogicalResult refuse(mlir::Operation *op, const llvm::Twine &message) {
    return stop(Outcome::Refused, op, message);
  }
  mlir::LogicalResult unsupported(mlir::Operation *op, const llvm::Twine &message) {
    return stop(Outcome::Unsupported, op, message);
  }
  /// Takes `count` element operations from the budget.
  mlir::LogicalResult charge(mlir::Operation *op, uint64_t count);

  //===--------------------------------------------------------------------===//
  // Execution
  //===--------------------------------------------------------------------===//

  mlir::FailureOr<const Function *> getFunction(mlir::Operation *op);
  mlir::LogicalResult execute(const Code &code, Frame &frame);
  /// Runs a kernel's function, unobserved.
  mlir::LogicalResult callKernel(const Function &function, llvm::ArrayRef<Datum> arguments,
                                 std::vector<Datum> &results);
  /// Runs a function; `results` are the values it returns.
  mlir::LogicalResult call(const Function &function, llvm::ArrayRef<Datum> arguments,
                           std::vector<Datum> &results);
  /// Runs a tile.kernel over its whole grid.
  mlir::LogicalResult runTileKernel(mlir::Operation *kernel, llvm::ArrayRef<Datum> arguments);
  /// A graph.kernel's results by the tile.kernel of its name.
  mlir::LogicalResult runAsTileKernel(mlir::Operation *launch, mlir::Operation *tileKernel,
                                      llvm::ArrayRef<Datum> inputs,
                                      llvm::ArrayRef<Shape> resultShapes,
                                      std::vector<Datum> &results);
  /// The tile.kernel that launches of `name` run, or null.
  mlir::Operation *findTileKernel(llvm::StringRef name);
  /// @sectile_prepare, then @sectile_run.
  mlir::LogicalResult runHost(mlir::Operation *run, llvm::ArrayRef<TensorRef> inputs,
                              std::vector<Datum> &results);

  /// The value of an index, fit to decide what the program does next.
  mlir::FailureOr<int64_t> getInteger(mlir::Operation *op, const Datum &datum,
                                      llvm::StringRef what);

  mlir::ModuleOp module;
  Options options;
  Arithmetic arithmetic;
  Outcome outcome;
  uint64_t operations = 0;
  /// Whether what runs is a func.func whose tensors Options::onTensor is told of.
  bool isObserved = false;
  /// The block of the grid that runs, in linear order, or -1, and its coordinates.
  int64_t block = -1;
  Shape blockCoords;
  /// The point of the linalg op whose region runs, for linalg.index.
  Shape loopIndices;
  /// The first failed tile.assert of the running kernel; it goes on nevertheless.
  std::string refusal;
  mlir::Operation *refusingOp = nullptr;
  /// Of a host program: the section of constants, and its constants by offset.
  BufferRef constants;
  llvm::DenseMap<int64_t, ViewRef> constantViews;

private:
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<Function>> functions;
  llvm::StringMap<mlir::Operation *> tileKernels;
  bool tileKernelsKnown = false;
};

//===----------------------------------------------------------------------===//
// Helpers of steps
//===----------------------------------------------------------------------===//

inline const TensorObject &getTensor(const Datum &datum) {
  return *static_cast<const TensorObject *>(datum.object.get());
}
inline const ViewObject &getView(const Datum &datum) {
  return *static_cast<const ViewObject *>(datum.object.get());
}
inline Datum makeDatum(Element element) { return {element, nullptr}; }
inline Datum makeDatum(const TensorRef &tensor) {
  return {Element(), llvm::IntrusiveRefCntPtr<Object>(tensor.get())};
}
inline Datum makeDatum(const ViewRef &view) {
  return {Element(), llvm::IntrusiveRefCntPtr<Object>(view.get())};
}
inline Datum makeIndex(int64_t value) { return {Element::makeInteger(value), nullptr}; }

/// Integer values of the slots `operands[first, first + count)`.
mlir::LogicalResult getIntegers(Machine &machine, Frame &frame, const Step &step, unsigned first,
                                unsigned count, Shape &values);

/// The shape of `type`, its dynamic extents taken from `sizes` in order.
Shape resolveShape(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> sizes);

/// The value of an affine expression; none where it divides by what is not positive.
std::optional<int64_t> evaluate(mlir::AffineExpr expr, llvm::ArrayRef<int64_t> dims,
                                llvm::ArrayRef<int64_t> symbols);

/// `message` with its placeholders %0.. replaced.
std::string fillPlaceholders(llvm::StringRef message, llvm::ArrayRef<int64_t> values);

/// Gives a view its memory layout, if `memory` is not null; strides known only at run time are
/// those of a packed box.
void setMemory(ViewObject &view, tile::MemoryAttr memory);
/// A view of the whole of new memory in the given layout.
ViewRef makeTypedView(std::string name, const NumberFormat *format, llvm::ArrayRef<int64_t> shape,
                      tile::MemoryAttr memory);
/// All elements of a view that is a window on memory; undefined ones where it reaches beyond.
TensorRef readTensor(const ViewObject &view);
void writeTensor(const ViewObject &view, const TensorObject &tensor);

/// Steps through the coordinates of a box, the last dimension fastest. False after the last.
inline bool advance(llvm::MutableArrayRef<int64_t> coords, llvm::ArrayRef<int64_t> shape) {
  for (size_t i = shape.size(); i-- > 0;) {
    if (++coords[i] < shape[i])
      return true;
    coords[i] = 0;
  }
  return false;
}

} // namespace sectile::interp

#endif // SECTILE_LIB_INTERPRETER_MACHINE_H
