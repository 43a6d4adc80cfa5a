//===- Reduce.cpp - the smallest model with which a pass goes wrong -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Delta debugging on the model's function. Three ways to make it smaller:
//
//   return   what an inner op computes, instead of the results: everything after
//            it goes
//   replace  tensors that ops compute by new arguments: everything before goes
//   shrink   one static extent, everywhere it occurs
//
// A new argument gets the sizes that the tensor had, by name: executions with
// other sizes tell which name, or which sum or product of names, a size follows.
//
// A step stays if the last pass still changes a result. The first two are tried
// on the ops in halves, quarters and so on, then one by one, until nothing helps.
//
//===----------------------------------------------------------------------===//

#include "sectile/Verify/Verify.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::verify;

/// On ops of the model being reduced: the dimensions of their results, by name.
static constexpr llvm::StringLiteral kSizesAttr = "verify.sizes";

namespace {

class Reducer {
public:
  Reducer(ModuleOp model, ArrayRef<std::string> passes, const SampleMaker &makeSamples,
          const Options &options, unsigned maxTrials)
      : model(model.clone()), passes(passes), makeSamples(makeSamples), options(options),
        trialsLeft(maxTrials) {}

  OwningOpRef<ModuleOp> run();

private:
  using Change = llvm::function_ref<bool(func::FuncOp)>;

  static func::FuncOp getFunction(ModuleOp module) {
    return cast<func::FuncOp>(interp::Interpreter::findEntry(module));
  }
  /// Ops that compute tensors and are more than a constant, in order.
  static SmallVector<Operation *> getCandidates(func::FuncOp function);
  bool stillFails(ModuleOp candidate);
  /// Applies a change to a copy and keeps it if the failure stays.
  bool attempt(Change change);
  /// Notes the names of all tensors' sizes in the model.
  void nameSizes();
  bool reduceResults();
  bool reduceOps();
  bool reduceExtents();

  OwningOpRef<ModuleOp> model;
  ArrayRef<std::string> passes;
  const SampleMaker &makeSamples;
  const Options &options;
  unsigned trialsLeft;
};

} // namespace

//===----------------------------------------------------------------------===//
// Changes
//===----------------------------------------------------------------------===//

/// Erases ops and arguments that nothing uses.
static void cleanUp(func::FuncOp function) {
  Block &block = function.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument argument : function.getArguments())
    if (argument.use_empty())
      unused.set(argument.getArgNumber());
  (void)function.eraseArguments(unused);
}

/// Makes the function return `values`.
static void setResults(func::FuncOp function, ArrayRef<Value> values) {
  Operation *terminator = function.getBody().front().getTerminator();
  terminator->setOperands(values);
  SmallVector<Type> types;
  for (Value value : values)
    types.push_back(value.getType());
  function.setType(FunctionType::get(function.getContext(), function.getArgumentTypes(), types));
  function.removeResAttrsAttr();
}

/// Replaces the tensors that `ops` compute by arguments.
static bool replaceByArguments(func::FuncOp function, ArrayRef<Operation *> ops) {
  bool changed = false;
  llvm::SmallDenseSet<Operation *> replaced(ops.begin(), ops.end());
  for (Operation *op : ops)
    for (OpResult result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      bool isUsed = llvm::any_of(result.getUsers(),
                                 [&](Operation *user) { return !replaced.contains(user); });
      if (!type || !isUsed)
        continue;
      unsigned number = function.getNumArguments();
      Builder builder(op->getContext());
      SmallVector<NamedAttribute> attrs;
      if (auto sizes = op->getAttrOfType<ArrayAttr>(kSizesAttr); sizes && !type.hasStaticShape())
        attrs.push_back(builder.getNamedAttr(graph::kDimsAttr, sizes[result.getResultNumber()]));
      if (failed(function.insertArgument(number, type, builder.getDictionaryAttr(attrs),
                                         op->getLoc())))
        return false;
      result.replaceAllUsesWith(function.getArgument(number));
      changed = true;
    }
  return changed;
}

/// Replaces one static extent in every type, and in lists of static sizes.
static void replaceExtent(ModuleOp module, int64_t from, int64_t to) {
  auto replace = [&](ArrayRef<int64_t> values) {
    SmallVector<int64_t> result(values);
    std::replace(result.begin(), result.end(), from, to);
    return result;
  };
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](RankedTensorType type) {
    return RankedTensorType::get(replace(type.getShape()), type.getElementType(),
                                 type.getEncoding());
  });
  replacer.addReplacement([&](DenseElementsAttr attr) -> std::optional<Attribute> {
    auto type = dyn_cast<RankedTensorType>(attr.getType());
    if (!type || !attr.isSplat())
      return std::nullopt;
    return DenseElementsAttr::get(type.clone(replace(type.getShape())),
                                  attr.getSplatValue<Attribute>());
  });
  module.walk([&](Operation *op) {
    replacer.replaceElementsIn(op, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                               /*replaceTypes=*/true);
    for (StringRef name : {"static_output_shape", "static_sizes"})
      if (auto sizes = op->getAttrOfType<DenseI64ArrayAttr>(name))
        op->setAttr(name, DenseI64ArrayAttr::get(op->getContext(), replace(sizes.asArrayRef())));
  });
}

//===----------------------------------------------------------------------===//
// Names of sizes
//===----------------------------------------------------------------------===//

namespace {
/// Sizes in each execution.
using Sizes = std::vector<int64_t>;

class SizeNames {
public:
  /// Learns the model's own names from its arguments.
  void learn(func::FuncOp function, ArrayRef<Sample> samples) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto dims = function.getArgAttrOfType<ArrayAttr>(i, graph::kDimsAttr);
      auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
      if (!type)
        continue;
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        if (!type.isDynamicDim(dim))
          continue;
        Sizes sizes;
        for (const Sample &sample : samples)
          sizes.push_back(sample[i]->shape[dim]);
        // What verify calls a size that the model does not name.
        auto given = function.getArgAttrOfType<StringAttr>(i, graph::kNameAttr);
        std::string stem = given ? given.str() : "in" + std::to_string(i);
        std::string name =
            dims ? cast<StringAttr>(dims[dim]).str() : stem + "_d" + std::to_string(dim);
        names.emplace_back(name, sizes);
      }
    }
  }
  /// A name or an expression for sizes; a new name if nothing known explains them.
  std::string get(const Sizes &sizes) {
    auto isSame = [&](auto compute) {
      for (size_t i = 0; i < sizes.size(); ++i)
        if (compute(i) != sizes[i])
          return false;
      return true;
    };
    if (isSame([&](size_t) { return sizes[0]; }) && sizes.size() > 1)
      return std::to_string(sizes[0]);
    for (auto &[name, values] : names)
      if (values == sizes)
        return name;
    for (auto &[name, values] : names) {
      int64_t shift = sizes[0] - values[0];
      int64_t factor = values[0] ? sizes[0] / values[0] : 0;
      std::string text = "(" + name + ")";
      if (sizes.size() > 1 && isSame([&, &values = values](size_t i) { return values[i] + shift; }))
        return text + (shift < 0 ? "-" : "+") + std::to_string(std::abs(shift));
      if (sizes.size() > 1 &&
          isSame([&, &values = values](size_t i) { return values[i] * factor; }))
        return text + "*" + std::to_string(factor);
      for (auto &[other, otherValues] : names)
        if (isSame([&, &values = values, &otherValues = otherValues](size_t i) {
              return values[i] * otherValues[i];
            }))
          return (llvm::Twine(text) + "*(" + other + ")").str();
    }
    names.emplace_back("size" + std::to_string(numNew++), sizes);
    return names.back().first;
  }

private:
  std::vector<std::pair<std::string, Sizes>> names;
  unsigned numNew = 0;
};
} // namespace

void Reducer::nameSizes() {
  func::FuncOp function = getFunction(*model);
  std::vector<Sample> samples;
  std::string error;
  if (!makeSamples(function, samples, error))
    return;
  // Sizes of each tensor's dimensions, in the executions that reach it.
  llvm::DenseMap<Value, std::vector<Sizes>> sizesOf;
  std::vector<Sample> finished;
  for (const Sample &sample : samples) {
    std::vector<std::pair<Value, interp::Shape>> seen;
    interp::Options run;
    run.maxOperations = options.maxOperations;
    run.onTensor = [&](OpResult value, interp::TensorRef &tensor) {
      seen.emplace_back(value, tensor->shape);
    };
    if (interp::Interpreter(*model, run).run(function, sample).status != interp::Outcome::Finished)
      continue;
    finished.push_back(sample);
    for (auto &[value, shape] : seen) {
      std::vector<Sizes> &dims = sizesOf[value];
      dims.resize(shape.size());
      for (auto [dim, extent] : llvm::enumerate(shape))
        dims[dim].push_back(extent);
    }
  }
  if (finished.empty())
    return;
  SizeNames names;
  names.learn(function, finished);
  Builder builder(model->getContext());
  for (Operation *op : getCandidates(function)) {
    SmallVector<Attribute> results;
    for (Value result : op->getResults()) {
      SmallVector<Attribute> dims;
      auto type = dyn_cast<RankedTensorType>(result.getType());
      for (auto [dim, sizes] : llvm::enumerate(sizesOf[result]))
        dims.push_back(builder.getStringAttr(
            type && type.isDynamicDim(dim) ? names.get(sizes) : std::to_string(sizes[0])));
      results.push_back(builder.getArrayAttr(dims));
    }
    op->setDiscardableAttr(kSizesAttr, builder.getArrayAttr(results));
  }
}

static void dropSizeNames(ModuleOp module) {
  module.walk([](Operation *op) { op->removeDiscardableAttr(kSizesAttr); });
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

SmallVector<Operation *> Reducer::getCandidates(func::FuncOp function) {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front().without_terminator())
    if (!op.hasTrait<OpTrait::ConstantLike>() && !isa<tensor::EmptyOp>(op) &&
        llvm::any_of(op.getResultTypes(), [](Type type) { return isa<RankedTensorType>(type); }))
      ops.push_back(&op);
  return ops;
}

/// Whether the last pass changes a result of `candidate`, and the passes before it do not: a step
/// must not trade one fault for another.
bool Reducer::stillFails(ModuleOp candidate) {
  if (trialsLeft == 0)
    return false;
  --trialsLeft;
  ScopedDiagnosticHandler silence(candidate.getContext(), [](Diagnostic &) { return success(); });
  Operation *entry = interp::Interpreter::findEntry(candidate);
  if (!entry || failed(mlir::verify(candidate)))
    return false;
  std::vector<Sample> samples;
  std::string error;
  if (!makeSamples(cast<FunctionOpInterface>(entry), samples, error))
    return false;
  OwningOpRef<ModuleOp> before(candidate.clone());
  dropSizeNames(*before);
  for (const std::string &pass : passes.drop_back())
    if (failed(runPipeline(*before, pass)))
      return false;
  OwningOpRef<ModuleOp> after(before->clone());
  if (failed(runPipeline(*after, passes.back())))
    return false;
  if (compareModules(*before, *after, samples, options).kind != Verdict::Different)
    return false;
  return passes.size() == 1 ||
         compareModules(candidate, *before, samples, options).kind != Verdict::Different;
}

bool Reducer::attempt(Change change) {
  OwningOpRef<ModuleOp> candidate(model->clone());
  func::FuncOp function = getFunction(*candidate);
  if (!change(function))
    return false;
  cleanUp(function);
  if (!stillFails(*candidate))
    return false;
  model = std::move(candidate);
  return true;
}

/// Returns one result, as early as possible.
bool Reducer::reduceResults() {
  bool changed = false;
  unsigned count = getFunction(*model).getNumResults();
  for (unsigned keep = 0; count > 1 && keep < count; ++keep)
    if (attempt([&](func::FuncOp function) {
          Value value = function.getBody().front().getTerminator()->getOperand(keep);
          setResults(function, value);
          return true;
        })) {
      changed = true;
      break;
    }
  // The first op whose value alone still shows the failure, by bisection where that works.
  size_t low = 0, high = getCandidates(getFunction(*model)).size();
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    size_t size = getCandidates(getFunction(*model)).size();
    if (middle >= size)
      break;
    bool kept = attempt([&](func::FuncOp function) {
      Operation *op = getCandidates(function)[middle];
      if (llvm::is_contained(function.getBody().front().getTerminator()->getOperands(),
                             op->getResult(0)) &&
          middle + 1 == size)
        return false;
      setResults(function, op->getResult(0));
      return true;
    });
    changed |= kept;
    if (kept)
      high = middle;
    else
      low = middle + 1;
  }
  return changed;
}

/// Replaces runs of ops by arguments, long runs first.
bool Reducer::reduceOps() {
  bool changed = false;
  size_t size = getCandidates(getFunction(*model)).size();
  for (size_t length = std::max<size_t>(size / 2, 1); length > 0; length /= 2)
    for (size_t begin = 0; begin < getCandidates(getFunction(*model)).size();) {
      bool kept = attempt([&](func::FuncOp function) {
        SmallVector<Operation *> ops = getCandidates(function);
        size_t end = std::min(begin + length, ops.size());
        return replaceByArguments(function, ArrayRef(ops).slice(begin, end - begin));
      });
      changed |= kept;
      if (!kept)
        begin += length;
    }
  return changed;
}

bool Reducer::reduceExtents() {
  bool changed = false;
  for (;;) {
    llvm::SmallSetVector<int64_t, 8> extents;
    getFunction(*model).walk([&](Operation *op) {
      for (Type type : op->getOperandTypes())
        if (auto tensor = dyn_cast<RankedTensorType>(type))
          for (int64_t extent : tensor.getShape())
            if (!ShapedType::isDynamic(extent) && extent > 1)
              extents.insert(extent);
    });
    bool kept = false;
    for (int64_t extent : extents) {
      for (int64_t smaller : {int64_t(1), extent / 2, extent - 1})
        if (smaller >= 1 && (kept = attempt([&](func::FuncOp function) {
                               replaceExtent(function->getParentOfType<ModuleOp>(), extent,
                                             smaller);
                               return true;
                             })))
          break;
      if (kept)
        break;
    }
    changed |= kept;
    if (!kept)
      return changed;
  }
}

OwningOpRef<ModuleOp> Reducer::run() {
  nameSizes();
  while (trialsLeft > 0) {
    bool changed = reduceResults();
    changed |= reduceOps();
    if (!changed)
      break;
  }
  reduceExtents();
  dropSizeNames(*model);
  return std::move(model);
}

OwningOpRef<ModuleOp> verify::reduceModel(ModuleOp model, ArrayRef<std::string> passes,
                                          const SampleMaker &makeSamples, const Options &options,
                                          unsigned maxTrials) {
  return Reducer(model, passes, makeSamples, options, maxTrials).run();
}
