//===- Reference.cpp - what a program gives, by the interpreter ----- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "KernelHarness.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <chrono>
#include <cstdio>
#include <random>

using namespace mlir;
using namespace sectile;
using namespace sectile::test;

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
static interp::TensorRef makeContents(const ProgramView &view, uint64_t seed,
                                      std::vector<char> &bytes) {
  const interp::NumberFormat *format = getFormat(view.element);
  std::mt19937_64 random(seed);
  interp::TensorRef tensor = interp::makeTensor(format, view.shape);
  auto elementBytes = static_cast<size_t>(interp::getElementBytes(*format));
  bytes.assign(tensor->data.size() * elementBytes, 0);
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
    writeElement(*format, bytes.data() + i * elementBytes, element);
  }
  return tensor;
}

size_t sectile::test::bytesOf(const interp::TensorObject &tensor) {
  auto bytes = static_cast<size_t>(interp::getElementBytes(*tensor.format));
  return std::max<size_t>(tensor.data.size() * bytes, 1);
}

Reference sectile::test::interpret(const std::string &text, const std::vector<ProgramView> &inputs,
                                   const std::vector<ProgramView> &outputs, uint64_t seed) {
  Reference reference;
  reference.module = parseSourceString<ModuleOp>(text, &getContext());
  if (!reference.module) {
    reference.finding = {Finding::Invalid, "the program is not valid"};
    return reference;
  }
  std::vector<interp::TensorRef> tensors;
  std::vector<interp::Shape> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    reference.inputs.emplace_back();
    tensors.push_back(makeContents(inputs[i], seed * 1000 + i, reference.inputs.back()));
    for (size_t dim = 0; dim < inputs[i].shape.size(); ++dim)
      if (inputs[i].isDynamic[dim])
        reference.sizes.push_back(inputs[i].shape[dim]);
  }
  shapes.reserve(outputs.size());
  for (const ProgramView &view : outputs)
    shapes.emplace_back(view.shape.begin(), view.shape.end());
  auto kernel = *reference.module->getOps<tile::KernelOp>().begin();
  interp::Options options;
  options.maxOperations = 20000000;
  interp::Outcome outcome =
      interp::Interpreter(*reference.module, options).runKernel(kernel, tensors, {}, shapes);
  if (outcome.status == interp::Outcome::Faulted)
    reference.finding = {Finding::Invalid, "the interpreter: " + outcome.message};
  else if (outcome.status != interp::Outcome::Finished || outcome.divisionsByZero)
    reference.finding = {Finding::Skipped, outcome.message};
  if (outcome.status == interp::Outcome::Refused)
    reference.refusal = outcome.message;
  reference.outputs = outcome.results;
  return reference;
}

Reference sectile::test::interpret(const TileProgram &program, uint64_t seed) {
  std::vector<ProgramView> outputs;
  outputs.reserve(program.outputs.size());
  for (const Output &output : program.outputs)
    outputs.push_back(program.getOutputView(output));
  return interpret(program.print(), program.views, outputs, seed);
}

Finding sectile::test::compareOutput(const interp::TensorObject &expected, const char *got,
                                     unsigned number, const std::string &where) {
  const interp::NumberFormat &format = *expected.format;
  auto bytes = static_cast<size_t>(interp::getElementBytes(format));
  for (size_t i = 0; i < expected.data.size(); ++i) {
    const interp::Element &want = expected.data[i];
    if (want.isUndefined()) {
      for (size_t b = 0; b < bytes; ++b)
        if (got[i * bytes + b] != kUntouched)
          return {Finding::Wrong, "output " + std::to_string(number) + " is written at element " +
                                      std::to_string(i) + " on " + where};
      continue;
    }
    interp::Element machine = readElement(format, got + i * bytes, want.bound);
    if (!interp::mayBeEqual(format, want, machine))
      return {Finding::Wrong, "output " + std::to_string(number) + ", element " +
                                  std::to_string(i) + " on " + where + ": expects " +
                                  interp::toString(format, want) + ", but got " +
                                  interp::toString(format, machine) + " (bound " +
                                  llvm::formatv("{0:e}", want.bound).str() + ")"};
  }
  return {};
}

TileProgram sectile::test::reduce(TileProgram program, Finding::Kind kind,
                                  function_ref<Finding(const TileProgram &)> check) {
  auto tryProgram = [&](TileProgram candidate) {
    candidate.prune();
    if (check(candidate).kind != kind)
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

int sectile::test::checkSeeds(uint64_t first, uint64_t count, double seconds,
                              function_ref<Finding(const TileProgram &, uint64_t)> check) {
  uint64_t passed = 0, failed = 0, skipped = 0;
  auto start = std::chrono::steady_clock::now();
  for (uint64_t seed = first; seed - first < count; ++seed) {
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > seconds)
      break;
    llvm::PrettyStackTraceFormat crashed("checking seed %llu",
                                         static_cast<unsigned long long>(seed));
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
    auto checkSame = [&](const TileProgram &candidate) { return check(candidate, seed); };
    TileProgram reduced = reduce(program, finding.kind, checkSame);
    printf("%s  %s\n", reduced.print().c_str(), check(reduced, seed).text.c_str());
    fflush(stdout);
  }
  printf("%llu passed, %llu failed, %llu skipped\n", static_cast<unsigned long long>(passed),
         static_cast<unsigned long long>(failed), static_cast<unsigned long long>(skipped));
  return failed != 0;
}
