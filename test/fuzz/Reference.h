//===- Reference.h - what a program gives, by the interpreter ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_FUZZ_REFERENCE_H
#define SECTILE_TEST_FUZZ_REFERENCE_H

#include "TileProgram.h"

#include "sectile/Interpreter/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::test {

struct Finding {
  enum Kind { Good, Skipped, Invalid, Refused, Wrong } kind = Good;
  std::string text;
};

/// A program's text, what it reads, and what the interpreter says of it.
struct Reference {
  /// Skipped or Invalid, unless there is something to compare with.
  Finding finding;
  /// What a check of the program says of its input; finding is Skipped then.
  std::string refusal;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Elements of each input, as a machine holds them.
  std::vector<std::vector<char>> inputs;
  /// Extents that views leave open, in the order of arguments.
  std::vector<int64_t> sizes;
  std::vector<interp::TensorRef> outputs;
};

/// Interprets the kernel `k` of `text`, whose arguments are views of the shapes of `inputs`, with
/// random contents, and of `outputs`.
Reference interpret(const std::string &text, const std::vector<ProgramView> &inputs,
                    const std::vector<ProgramView> &outputs, uint64_t seed);
Reference interpret(const TileProgram &program, uint64_t seed);

/// What an output holds before the kernel runs; most of it is NaN, or far off.
inline constexpr char kUntouched = '\xf5';
/// Bytes of a tensor as a machine holds it; at least one.
size_t bytesOf(const interp::TensorObject &tensor);

/// Whether output `number` of a machine called `where` lies within the interpreter's bounds, and
/// was left alone where the interpreter leaves it undefined.
Finding compareOutput(const interp::TensorObject &expected, const char *got, unsigned number,
                      const std::string &where);

/// A smaller program of which `check` finds the same kind: one output, then steps replaced by
/// earlier steps of their type or by loads of a view of their own.
TileProgram reduce(TileProgram program, Finding::Kind kind,
                   llvm::function_ref<Finding(const TileProgram &)> check);

/// Runs `check` on the programs of seeds from `first` on, until `count` or `seconds` are spent;
/// prints what it finds, made smaller, and "N passed, N failed, N skipped". The exit status.
int checkSeeds(uint64_t first, uint64_t count, double seconds,
               llvm::function_ref<Finding(const TileProgram &, uint64_t)> check);

} // namespace sectile::test

#endif // SECTILE_TEST_FUZZ_REFERENCE_H
