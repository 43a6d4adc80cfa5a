//===- CompareModules.cpp - whether two programs compute the same -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Verify/Verify.h"

#include "TensorPool.h"

#include "dialects/Graph/IR/Graph.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::verify;
using namespace sectile::interp;

namespace {

/// One pair of executions.
class Comparer {
public:
  Comparer(ModuleOp before, ModuleOp after, const verify::Options &options)
      : before(before), after(after), options(options) {}

  Verdict compare(const Sample &inputs);

private:
  interp::Options getOptions() const {
    interp::Options result;
    result.maxOperations = options.maxOperations;
    result.level = options.level;
    return result;
  }
  static bool hasLaunches(ModuleOp module);
  Outcome runReference(const Sample &inputs);
  Outcome runOther(const Sample &inputs);
  Verdict compareOutcomes(const Outcome &reference, const Outcome &other, const Sample &inputs);
  Verdict compareResults(const Outcome &reference, const Outcome &other, const Sample &inputs);
  void compareLaunch(LaunchRecord &record);
  double measureNoise(const Outcome &reference, size_t result, const Sample &inputs);
  bool dependsOnInput(Operation *op);

  ModuleOp before, after;
  llvm::DenseMap<Operation *, bool> inputDependence;
  const verify::Options &options;
  bool byLaunch = false;
  std::vector<LaunchRecord> launches; // of the reference
  size_t nextLaunch = 0;
  bool sameLaunches = true;
  Verdict launchVerdict;
  TensorPool pool; // of the reference
};

} // namespace

bool Comparer::hasLaunches(ModuleOp module) {
  WalkResult found = module.walk([](Operation *op) {
    return isa<graph::LaunchOp, graph::DispatchOp>(op) ? WalkResult::interrupt()
                                                       : WalkResult::advance();
  });
  return found.wasInterrupted();
}

/// Whether what `op` of the function computes follows from an input, not from constants alone.
bool Comparer::dependsOnInput(Operation *op) {
  auto [it, isNew] = inputDependence.try_emplace(op, false);
  if (!isNew)
    return it->second;
  bool depends = false;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands()) {
      Operation *def = operand.getDefiningOp();
      if (!def)
        def = operand.getParentBlock()->getParentOp();
      if (op->isAncestor(def))
        continue;
      depends |= isa<BlockArgument>(operand) || dependsOnInput(def);
    }
  });
  return inputDependence[op] = depends;
}

/// Executes the program before the pass, cutting after each launch or tensor. What constants
/// determine keeps its bounds: a pass may compute it, rounding after each op.
Outcome Comparer::runReference(const Sample &inputs) {
  interp::Options run = getOptions();
  if (byLaunch)
    run.onLaunch = [&](LaunchRecord &record) {
      launches.push_back(record);
      for (TensorRef &result : record.results)
        result = cut(*result);
    };
  else
    run.onTensor = [&](OpResult result, TensorRef &tensor) {
      if (!tensor->format->isFloat || !dependsOnInput(result.getOwner()))
        return;
      // Exact ones too, such as a wider copy of what was rounded: what may be equal to them
      // does not have to be what is close to them.
      TensorRef exact = isExact(*tensor) ? tensor : cut(*tensor);
      pool.add(tensor, exact);
      tensor = exact;
    };
  return Interpreter(before, run).run(Interpreter::findEntry(before), inputs);
}

/// Compares a launch with the reference's of the same number and goes on with its results.
void Comparer::compareLaunch(LaunchRecord &record) {
  size_t number = nextLaunch++;
  if (!sameLaunches || number >= launches.size() || launches[number].kernel != record.kernel ||
      launches[number].results.size() != record.results.size()) {
    sameLaunches = false;
    return;
  }
  const LaunchRecord &reference = launches[number];
  for (auto [i, result] : llvm::enumerate(record.results)) {
    Comparison comparison = interp::compare(*reference.results[i], *result);
    launchVerdict.numCompared += comparison.numElements;
    launchVerdict.numUnchecked += comparison.numUnchecked;
    if (!comparison.isEqual() && launchVerdict.kind != Verdict::Different) {
      launchVerdict.kind = Verdict::Different;
      launchVerdict.detail = "result " + std::to_string(i) + " of kernel '" + record.kernel +
                             "' (launch " + std::to_string(number) +
                             "): " + describe(comparison, *reference.results[i], *result);
    }
    if (comparison.sameShape)
      result = cut(*reference.results[i]);
  }
}

Outcome Comparer::runOther(const Sample &inputs) {
  interp::Options run = getOptions();
  if (byLaunch)
    run.onLaunch = [&](LaunchRecord &record) { compareLaunch(record); };
  else
    run.onTensor = [&](OpResult, TensorRef &tensor) {
      if (!isExact(*tensor))
        if (TensorRef same = pool.find(*tensor))
          tensor = same;
    };
  return Interpreter(after, run).run(Interpreter::findEntry(after), inputs);
}

/// How much rounding each tensor of the reference to its type moves one of its results: what is
/// compared against where bounds say nothing.
double Comparer::measureNoise(const Outcome &reference, size_t result, const Sample &inputs) {
  Outcome plain = Interpreter(before, getOptions()).run(Interpreter::findEntry(before), inputs);
  if (plain.status != Outcome::Finished)
    return kUnbounded;
  return interp::compare(*reference.results[result], *plain.results[result]).largestDistance;
}

Verdict Comparer::compareResults(const Outcome &reference, const Outcome &other,
                                 const Sample &inputs) {
  Verdict verdict = launchVerdict;
  if (verdict.kind == Verdict::Different)
    return verdict;
  if (reference.results.size() != other.results.size()) {
    verdict.kind = Verdict::Different;
    verdict.detail = "the number of results changes from " +
                     std::to_string(reference.results.size()) + " to " +
                     std::to_string(other.results.size());
    return verdict;
  }
  for (size_t i = 0; i < reference.results.size(); ++i) {
    const TensorObject &a = *reference.results[i], &b = *other.results[i];
    Comparison comparison = interp::compare(a, b);
    verdict.numCompared += comparison.numElements;
    verdict.numUnchecked += comparison.numUnchecked;
    bool isDifferent = !comparison.isEqual();
    std::string detail = describe(comparison, a, b);
    if (!isDifferent && comparison.numUnchecked && std::isfinite(comparison.largestDistance) &&
        comparison.largestDistance > comparison.scale / 256) {
      // Bounds are too wide; but a thousand times the effect that rounding has is not rounding.
      double noise = measureNoise(reference, i, inputs);
      isDifferent = comparison.largestDistance > 1024 * noise;
      detail = "bounds are too wide, but it differs by " +
               std::to_string(comparison.largestDistance) + " where rounding every tensor moves " +
               "it by " + std::to_string(noise);
    }
    if (isDifferent) {
      verdict.kind = Verdict::Different;
      verdict.detail = "result " + std::to_string(i) + ": " + detail;
      return verdict;
    }
  }
  return verdict;
}

static std::string describe(const Outcome &outcome) {
  std::string text = outcome.message + " at ";
  llvm::raw_string_ostream(text) << outcome.location;
  return text;
}

Verdict Comparer::compareOutcomes(const Outcome &reference, const Outcome &other,
                                  const Sample &inputs) {
  if (launchVerdict.kind == Verdict::Different)
    return launchVerdict;
  Verdict verdict;
  auto conclude = [&](Verdict::Kind kind, std::string detail) {
    verdict.kind = kind;
    verdict.detail = std::move(detail);
    return verdict;
  };
  switch (reference.status) {
  case Outcome::Finished:
  case Outcome::Refused:
    break;
  case Outcome::Faulted:
    return conclude(Verdict::NotChecked, "already before it: " + describe(reference));
  default:
    return conclude(Verdict::NotChecked, "before it: " + describe(reference));
  }
  switch (other.status) {
  case Outcome::Finished:
    break;
  case Outcome::Refused:
    if (reference.status == Outcome::Refused)
      return verdict;
    return conclude(Verdict::Different, "the model now refuses its inputs: " + describe(other));
  case Outcome::Faulted:
    // What is pure may stand in front of a check that refuses the inputs: host programs check
    // first.
    if (reference.status == Outcome::Refused)
      return conclude(Verdict::NotChecked,
                      "inputs that are refused, " + describe(reference) + ": " + describe(other));
    return conclude(Verdict::Different, describe(other));
  default:
    return conclude(Verdict::NotChecked, "after it: " + describe(other));
  }
  if (reference.status == Outcome::Refused)
    return conclude(Verdict::Different, "no longer refused: " + describe(reference));
  if (other.divisionsByZero && !reference.divisionsByZero)
    return conclude(Verdict::Different, "integers are divided by zero");
  return compareResults(reference, other, inputs);
}

Verdict Comparer::compare(const Sample &inputs) {
  if (!Interpreter::findEntry(before) || !Interpreter::findEntry(after))
    return {Verdict::NotChecked, "the program has no single entry to execute", 0, 0};
  byLaunch = hasLaunches(before) && hasLaunches(after);
  Outcome reference = runReference(inputs);
  Outcome other = runOther(inputs);
  if (!sameLaunches && launchVerdict.kind != Verdict::Different) {
    // Other kernels, or another order: as if there were none.
    byLaunch = false;
    launchVerdict = {};
    reference = runReference(inputs);
    other = runOther(inputs);
  }
  return compareOutcomes(reference, other, inputs);
}

Verdict verify::compareModules(ModuleOp before, ModuleOp after, ArrayRef<Sample> samples,
                               const verify::Options &options) {
  Verdict total;
  for (auto [number, sample] : llvm::enumerate(samples)) {
    Verdict verdict = Comparer(before, after, options).compare(sample);
    if (verdict.kind == Verdict::Different) {
      verdict.detail = "sample " + std::to_string(number) + ", " + verdict.detail;
      return verdict;
    }
    total.numCompared += verdict.numCompared;
    total.numUnchecked += verdict.numUnchecked;
    if (verdict.kind == Verdict::NotChecked && total.kind == Verdict::Equal) {
      total.kind = Verdict::NotChecked;
      total.detail = verdict.detail;
    }
  }
  return total;
}
