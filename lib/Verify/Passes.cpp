//===- Passes.cpp - a pipeline, pass by pass -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Verify/Verify.h"

#include "mlir/IR/OperationSupport.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::verify;

/// Splits "a,b(c,d),e{f=g}" into the passes at its leaves, each wrapped in its anchors.
static void splitText(StringRef text, const std::string &prefix, const std::string &suffix,
                      std::vector<std::string> &passes) {
  int depth = 0;
  size_t begin = 0, open = StringRef::npos;
  for (size_t i = 0; i <= text.size(); ++i) {
    char c = i < text.size() ? text[i] : ',';
    if (c == '(' || c == '{' || c == '[') {
      if (c == '(' && depth == 0)
        open = i;
      ++depth;
    } else if (c == ')' || c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      StringRef element = text.slice(begin, i).trim();
      if (open != StringRef::npos) {
        StringRef anchor = text.slice(begin, open).trim();
        splitText(text.slice(open + 1, i).rtrim().drop_back(), prefix + anchor.str() + "(",
                  ")" + suffix, passes);
      } else if (!element.empty()) {
        passes.push_back(prefix + element.str() + suffix);
      }
      begin = i + 1;
      open = StringRef::npos;
    }
  }
}

FailureOr<std::vector<std::string>> verify::splitPipeline(StringRef pipeline, MLIRContext &context,
                                                          std::string &error) {
  PassManager manager(&context, ModuleOp::getOperationName());
  llvm::raw_string_ostream stream(error);
  StringRef text = pipeline.trim();
  // With or without the outermost anchor.
  if (text.consume_front("builtin.module(") && !text.consume_back(")")) {
    error = "expects a closing parenthesis at the end of the pipeline";
    return failure();
  }
  if (failed(parsePassPipeline(text, manager, stream)))
    return failure();
  std::string expanded;
  llvm::raw_string_ostream out(expanded);
  manager.printAsTextualPipeline(out);
  std::vector<std::string> passes;
  splitText(expanded, "", "", passes);
  return passes;
}

LogicalResult verify::runPipeline(ModuleOp module, StringRef pipeline) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  StringRef text = pipeline;
  text.consume_front("builtin.module(");
  text.consume_back(")");
  if (failed(parsePassPipeline(text, manager)))
    return failure();
  return manager.run(module);
}

Report verify::verifyPasses(ModuleOp model, ArrayRef<std::string> passes,
                            const SampleMaker &makeSamples, const Options &options,
                            const std::function<void(const Stage &)> &onStage) {
  Report report;
  auto finish = [&](Stage stage) {
    report.stages.push_back(stage);
    if (onStage)
      onStage(stage);
  };
  std::vector<Sample> samples;
  std::string error;
  Operation *entry = interp::Interpreter::findEntry(model);
  if (!entry || !makeSamples(cast<FunctionOpInterface>(entry), samples, error)) {
    finish({"", Stage::Failed, entry ? error : "expects one public function", 0, 0});
    return report;
  }
  OwningOpRef<ModuleOp> before(model.clone());
  for (const std::string &pass : passes) {
    OwningOpRef<ModuleOp> after(before->clone());
    if (failed(runPipeline(*after, pass))) {
      finish({pass, Stage::Failed, "the pass fails", 0, 0});
      return report;
    }
    if (OperationEquivalence::isEquivalentTo(*before, *after,
                                             OperationEquivalence::IgnoreLocations)) {
      finish({pass, Stage::Unchanged, "", 0, 0});
      continue;
    }
    Verdict verdict = compareModules(*before, *after, samples, options);
    Stage stage{pass, Stage::Checked, verdict.detail, verdict.numCompared, verdict.numUnchecked};
    if (verdict.kind == Verdict::Different)
      stage.kind = Stage::Different;
    else if (verdict.kind == Verdict::NotChecked)
      stage.kind = Stage::NotChecked;
    finish(stage);
    if (verdict.kind == Verdict::Different) {
      report.before = std::move(before);
      report.after = std::move(after);
      return report;
    }
    before = std::move(after);
  }
  return report;
}

unsigned verify::countOps(ModuleOp module) {
  unsigned count = 0;
  module.walk([&](FunctionOpInterface function) {
    for (Block &block : function.getFunctionBody())
      for (Operation &op : block)
        count += !op.hasTrait<OpTrait::IsTerminator>();
  });
  return count;
}
