//===- tile-programs.cpp - random tile programs, interpreted and compiled -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// tile-programs [--first=N] [--count=N] [--seconds=N] [--print=SEED]
//
// Each seed's program is executed by the interpreter, which bounds what rounding
// may do to each element, and compiled for every level of this processor. Results
// must lie within the bounds, and what the interpreter leaves undefined must be
// left as it was. A program that shows a difference is made smaller. The last line
// is "N passed, N failed, N skipped" (programs).
//
//===----------------------------------------------------------------------===//

#include "TileProgram.h"

#include "KernelHarness.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Interpreter/Interpreter.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"

#include <chrono>
#include <cstdio>
#include <random>

using namespace mlir;
using namespace sectile;
using namespace sectile::test;

static llvm::cl::opt<uint64_t> first("first", llvm::cl::desc("the first seed"), llvm::cl::init(0));
static llvm::cl::opt<uint64_t> count("count", llvm::cl::desc("programs at most"),
                                     llvm::cl::init(UINT64_MAX));
static llvm::cl::opt<double> seconds("seconds", llvm::cl::desc("time to spend"),
                                     llvm::cl::init(60));
static llvm::cl::opt<int64_t> printed("print", llvm::cl::desc("prints a seed's program"),
                                      llvm::cl::init(-1));

namespace {

struct Finding {
  enum Kind { Good, Skipped, Invalid, Refused, Wrong } kind = Good;
  std::string text;
};

/// Memory of a view: elements as the machine holds them.
struct Memory {
  GuardedBuffer buffer;
  interp::TensorRef tensor; // the same elements for the interpreter
};

} // namespace

static const interp::NumberFormat *getFormat(const std::string &element) {
  return interp::getNumberFormat(parseType(element, &getContext()));
}

static void writeElement(const interp::NumberFormat &format, char *at,
                         const interp::Element &element) {
  uint64_t bits = format.isFloat ? interp::encodeFloat(format, element.real)
                                 : static_cast<uint64_t>(element.integer);
  std::memcpy(at, &bits, static_cast<size_t>(interp::getElementBytes(format)));
}

/// An element as the machine holds it, and how far off the interpreter's own value may be: that is
/// computed in f64, and so is the machine's where the element is one.
static interp::Element readElement(const interp::NumberFormat &format, const char *at,
                                   double bound) {
  uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(interp::getElementBytes(format)));
  if (format.isFloat)
    return interp::Element::makeReal(interp::decodeFloat(format, bits),
                                     format.bits == 64 ? bound : 0);
  return interp::Element::makeInteger(interp::signExtend(static_cast<int64_t>(bits), format.bits));
}

/// Random contents, the same for every size of the program around a view.
static Memory makeMemory(const ProgramView &view, uint64_t seed) {
  const interp::NumberFormat *format = getFormat(view.element);
  std::mt19937_64 random(seed);
  interp::TensorRef tensor = interp::makeTensor(format, view.shape);
  auto bytes = static_cast<size_t>(interp::getElementBytes(*format));
  GuardedBuffer buffer(std::max<size_t>(tensor->data.size() * bytes, 1), bytes);
  for (size_t i = 0; i < tensor->data.size(); ++i) {
    interp::Element element;
    if (format->isFloat) {
      double value = static_cast<double>(static_cast<int64_t>(random() % 4001) - 2000) / 1000;
      element = interp::Element::makeReal(interp::roundTo(*format, value));
    } else if (view.most >= 0) {
      element = interp::Element::makeInteger(static_cast<int64_t>(random() % (view.most + 1)));
    } else {
      element = interp::Element::makeInteger(
          interp::signExtend(static_cast<int64_t>(random() % 200) - 100, format->bits));
    }
    tensor->data[i] = element;
    writeElement(*format, buffer.as<char>() + i * bytes, element);
  }
  return {std::move(buffer), tensor};
}

/// What an output holds before the kernel runs; most of it is NaN, or far off.
static constexpr char kUntouched = '\xf5';

static Finding compareOutput(const interp::TensorObject &expected, const char *got, unsigned number,
                             const CpuLevel &level) {
  const interp::NumberFormat &format = *expected.format;
  auto bytes = static_cast<size_t>(interp::getElementBytes(format));
  for (size_t i = 0; i < expected.data.size(); ++i) {
    const interp::Element &want = expected.data[i];
    if (want.isUndefined()) {
      for (size_t b = 0; b < bytes; ++b)
        if (got[i * bytes + b] != kUntouched)
          return {Finding::Wrong, "output " + std::to_string(number) + " is written at element " +
                                      std::to_string(i) + " on " + level.name.str()};
      continue;
    }
    interp::Element machine = readElement(format, got + i * bytes, want.bound);
    if (!interp::mayBeEqual(format, want, machine))
      return {Finding::Wrong, "output " + std::to_string(number) + ", element " +
                                  std::to_string(i) + " on " + level.name.str() + ": expects " +
                                  interp::toString(format, want) + ", but got " +
                                  interp::toString(format, machine) + " (bound " +
                                  llvm::formatv("{0:e}", want.bound).str() + ")"};
  }
  return {};
}

static Finding check(const TileProgram &program, uint64_t seed) {
  std::string text = program.print();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &getContext());
  if (!module)
    return {Finding::Invalid, "the program is not valid"};
  std::vector<Memory> inputs;
  std::vector<interp::TensorRef> tensors;
  std::vector<interp::Shape> shapes;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < program.views.size(); ++i) {
    const ProgramView &view = program.views[i];
    inputs.push_back(makeMemory(view, seed * 1000 + i));
    tensors.push_back(inputs.back().tensor);
    for (size_t dim = 0; dim < view.shape.size(); ++dim)
      if (view.isDynamic[dim])
        sizes.push_back(view.shape[dim]);
  }
  for (const Output &output : program.outputs) {
    ProgramView view = program.getOutputView(output);
    shapes.emplace_back(view.shape.begin(), view.shape.end());
  }
  auto kernel = *module->getOps<tile::KernelOp>().begin();
  interp::Options options;
  options.maxOperations = 20000000;
  interp::Outcome outcome =
      interp::Interpreter(*module, options).runKernel(kernel, tensors, {}, shapes);
  if (outcome.status == interp::Outcome::Faulted)
    return {Finding::Invalid, "the interpreter: " + outcome.message};
  if (outcome.status != interp::Outcome::Finished || outcome.divisionsByZero)
    return {Finding::Skipped, outcome.message};
  for (const CpuLevel *level : presentLevels()) {
    auto compiled = LoadedKernel::compile(text, "k", *level);
    if (!compiled || !compiled->failures.empty())
      return {Finding::Refused, "not compiled for " + level->name.str()};
    std::vector<void *> buffers;
    std::vector<GuardedBuffer> outputs;
    buffers.reserve(inputs.size() + outcome.results.size());
    for (Memory &memory : inputs)
      buffers.push_back(memory.buffer.data());
    for (const interp::TensorRef &result : outcome.results) {
      auto bytes = static_cast<size_t>(interp::getElementBytes(*result->format));
      outputs.emplace_back(std::max<size_t>(result->data.size() * bytes, 1), bytes);
      std::memset(outputs.back().data(), kUntouched, outputs.back().size());
      buffers.push_back(outputs.back().data());
    }
    if (int32_t status = compiled->run(buffers, sizes))
      return {Finding::Wrong, "status " + std::to_string(status) + " on " + level->name.str()};
    for (size_t i = 0; i < outputs.size(); ++i)
      if (Finding finding = compareOutput(*outcome.results[i], outputs[i].as<char>(), i, *level);
          finding.kind != Finding::Good)
        return finding;
  }
  return {};
}

/// A smaller program with a finding of the same kind: one output, then steps replaced by earlier
/// steps of their type or by loads of a view of their own.
static TileProgram reduce(TileProgram program, uint64_t seed, Finding::Kind kind) {
  auto tryProgram = [&](TileProgram candidate) {
    candidate.prune();
    if (check(candidate, seed).kind != kind)
      return false;
    program = std::move(candidate);
    return true;
  };
  for (const Output &output : std::vector<Output>(program.outputs)) {
    TileProgram candidate = program;
    candidate.outputs = {output};
    if (program.outputs.size() > 1 && tryProgram(candidate))
      break;
  }
  while (program.grid.size() == 1 && program.grid[0] > 1) {
    TileProgram candidate = program;
    --candidate.grid[0];
    if (!tryProgram(candidate))
      break;
  }
  for (bool isChanged = true; isChanged;) {
    isChanged = false;
    for (size_t i = program.steps.size(); i-- > 0 && !isChanged;) {
      const Step &step = program.steps[i];
      if (step.operands.empty())
        continue;
      for (int operand : step.operands) {
        if (!(program.steps[operand].type == step.type))
          continue;
        TileProgram candidate = program;
        for (Step &other : candidate.steps)
          for (int &used : other.operands)
            used = used == static_cast<int>(i) ? operand : used;
        for (Output &output : candidate.outputs)
          output.step = output.step == static_cast<int>(i) ? operand : output.step;
        if ((isChanged = tryProgram(candidate)))
          break;
      }
      if (isChanged)
        break;
      TileProgram candidate = program;
      ProgramView view{step.type.shape, std::vector<bool>(step.type.shape.size()),
                       step.type.element};
      std::string dims;
      for (size_t d = 0; d < view.shape.size(); ++d)
        dims += (d ? ", t" : "t") + std::to_string(d);
      candidate.steps[i].operands.clear();
      candidate.steps[i].text = "$r = tile.load %v" + std::to_string(program.views.size()) +
                                " at affine_map<(" + dims + ") -> (" + dims +
                                ")>[] : " + view.print() + " -> " + step.type.print();
      candidate.views.push_back(view);
      isChanged = tryProgram(candidate);
    }
  }
  return program;
}

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv, "random tile programs, interpreted and compiled\n");
  if (printed >= 0) {
    fputs(generate(static_cast<uint64_t>(printed)).print().c_str(), stdout);
    return 0;
  }
  // Compiling sets options of LLVM, which brings ours back to their defaults.
  const uint64_t begin = first, limit = count;
  const double time = seconds;
  uint64_t passed = 0, failed = 0, skipped = 0;
  auto start = std::chrono::steady_clock::now();
  for (uint64_t seed = begin; seed - begin < limit; ++seed) {
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > time)
      break;
    TileProgram program = generate(seed);
    Finding finding = check(program, seed);
    passed += finding.kind == Finding::Good;
    skipped += finding.kind == Finding::Skipped;
    if (finding.kind == Finding::Good || finding.kind == Finding::Skipped)
      continue;
    ++failed;
    printf("FAILED: seed %llu: %s\n", static_cast<unsigned long long>(seed), finding.text.c_str());
    fflush(stdout);
    if (failed > 20)
      continue;
    TileProgram reduced = reduce(program, seed, finding.kind);
    printf("%s  %s\n", reduced.print().c_str(), check(reduced, seed).text.c_str());
    fflush(stdout);
  }
  printf("%llu passed, %llu failed, %llu skipped\n", static_cast<unsigned long long>(passed),
         static_cast<unsigned long long>(failed), static_cast<unsigned long long>(skipped));
  return failed != 0;
}
