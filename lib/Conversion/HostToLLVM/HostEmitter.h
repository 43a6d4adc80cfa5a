//===- HostEmitter.h - the host program as native functions -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions that graph-plan-memory writes know buffers, extents, checks and
// dispatches. Here they become functions of C: where their arguments come from,
// what a failed check does and how a kernel is started is the business of
// whoever holds the program, a package (PackageHost) or static output
// (StaticHost).
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_HOSTTOLLVM_HOSTEMITTER_H
#define SECTILE_LIB_CONVERSION_HOSTTOLLVM_HOSTEMITTER_H

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Conversion/Host.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringMap.h"

namespace sectile {

class HostEmitter {
public:
  HostEmitter(mlir::ModuleOp module, const mlir::LLVMTypeConverter &converter);
  virtual ~HostEmitter() = default;
  HostEmitter(const HostEmitter &) = delete;
  HostEmitter &operator=(const HostEmitter &) = delete;

  /// Both leave a function that takes what `frameTypes` says and returns a status.
  void emitPrepare(mlir::func::FuncOp func, llvm::StringRef name);
  void emitRun(mlir::func::FuncOp func, llvm::StringRef name);

protected:
  /// Of the function in progress, which holds its arguments in `frame`.
  virtual llvm::SmallVector<mlir::Type> frameTypes() = 0;
  /// Extents as i64 and pointers. Outputs are asked for by emitRun alone.
  virtual mlir::Value getInputExtent(unsigned input, unsigned dim) = 0;
  virtual mlir::Value getOutputExtent(unsigned output, unsigned dim) = 0;
  virtual mlir::Value getInputData(unsigned input) = 0;
  virtual mlir::Value getOutputData(unsigned output) = 0;
  virtual mlir::Value getArena() = 0;
  virtual mlir::Value getConstants() = 0;
  /// What emitPrepare computes, as i64; emitRun sets extents that the run decides.
  virtual void setSymbol(unsigned symbol, mlir::Value value) = 0;
  virtual void setOutputExtent(unsigned output, unsigned dim, mlir::Value value) = 0;
  virtual void setArenaBytes(mlir::Value value) = 0;
  /// The status of a check that failed.
  virtual mlir::Value emitFailure(graph::CheckOp check) = 0;
  /// The status of a kernel's run on arrays of pointers and of numbers.
  virtual mlir::Value emitLaunch(graph::DispatchOp dispatch, mlir::Value buffers,
                                 mlir::Value sizes) = 0;

  /// A buffer as a call takes it: where it begins, and arrays of its sizes and strides, in
  /// elements.
  struct Buffer {
    mlir::Value data, sizes, strides;
    int64_t rank, elementBytes;
  };
  /// Whether buffers may lie where the host cannot reach them. Then an element is read and buffers
  /// are copied by calls, whose status these return.
  virtual bool callsForMemory() const { return false; }
  virtual mlir::Value emitRead(mlir::Value to, mlir::Value from, int64_t bytes);
  virtual mlir::Value emitCopy(const Buffer &to, const Buffer &from);

  //===--------------------------------------------------------------------===//
  // Small pieces
  //===--------------------------------------------------------------------===//

  mlir::Value constant(int64_t value);
  mlir::Value status(int32_t value);
  mlir::Value toIndex(mlir::Value value);
  mlir::Value toI64(mlir::Value value);
  mlir::Value addressOf(mlir::Value base, int64_t bytes);
  /// Elements of arrays of `type`.
  mlir::Value elementAddress(mlir::Value array, int64_t number, mlir::Type type);
  mlir::Value loadElement(mlir::Value array, int64_t number, mlir::Type type);
  void storeElement(mlir::Value array, int64_t number, mlir::Value value);
  /// An array on the stack, allocated in the entry block.
  mlir::Value makeArray(mlir::Operation *op, size_t size, mlir::Type element);
  /// The same, but one for all dispatches of the function: each is done with it when the next one
  /// begins.
  mlir::Value shareArray(mlir::Operation *op, size_t size, mlir::Type element);
  /// The address of a string constant.
  mlir::Value addressOfText(llvm::StringRef text);
  /// Ends the block before `op` with a branch on `ok`; returns the block of the other outcome.
  mlir::Block *splitOn(mlir::Operation *op, mlir::Value ok);

  /// A kernel and its position among the module's.
  std::pair<graph::KernelOp, unsigned> getKernel(graph::DispatchOp dispatch) {
    return kernels.lookup(dispatch.getKernel());
  }

  mlir::ModuleOp module;
  const mlir::LLVMTypeConverter &converter;
  mlir::OpBuilder builder;
  mlir::Type pointer, i32, i64;
  PlannedInterface interface;
  mlir::Location loc = builder.getUnknownLoc();
  /// The function in progress and its arguments.
  mlir::func::FuncOp function;
  llvm::SmallVector<mlir::Value> frame;

private:
  void start(mlir::func::FuncOp func, llvm::StringRef name);
  void finishArguments(mlir::func::FuncOp func);
  void finish(mlir::func::FuncOp func, mlir::func::ReturnOp ret);
  void bindData(mlir::func::FuncOp func, llvm::ArrayRef<int64_t> numbers, unsigned first);
  /// Makes `argument` a buffer that is row-major for `memorySizes`, of which `sizes` are in use.
  void bindBuffer(mlir::Value argument, mlir::Value data, llvm::ArrayRef<mlir::Value> sizes,
                  llvm::ArrayRef<mlir::Value> memorySizes);
  void lowerCheck(graph::CheckOp check);
  void lowerDispatch(graph::DispatchOp dispatch);
  void lowerLoad(mlir::memref::LoadOp load);
  void lowerCopy(mlir::memref::CopyOp copy);
  /// Ends the block before `op` with a return of `result` unless that is 0.
  void returnUnlessZero(mlir::Operation *op, mlir::Value result);
  /// The address of a buffer's first element.
  mlir::Value firstElement(mlir::Value buffer);
  /// Lets `op` run only if `when` holds.
  void skipUnless(mlir::Value when, mlir::Operation *op);

  llvm::StringMap<std::pair<graph::KernelOp, unsigned>> kernels;
  /// Arrays of the function in progress that dispatches share, by type.
  llvm::SmallDenseMap<mlir::Type, mlir::LLVM::AllocaOp> arrays;
  unsigned numTexts = 0;
};

/// Lowers scf in `functions`: what can fail ends its block, so loops must be blocks. Copies of
/// buffers with strides become loops first, if `expandsCopies`.
llvm::LogicalResult flattenHost(mlir::ModuleOp module, llvm::ArrayRef<mlir::func::FuncOp> functions,
                                bool expandsCopies = true);
/// Drops the kernels of `module` and lowers what an emitter left to the LLVM dialect.
llvm::LogicalResult lowerHost(mlir::ModuleOp module, const mlir::LLVMTypeConverter &converter);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_HOSTTOLLVM_HOSTEMITTER_H
