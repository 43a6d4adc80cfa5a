//===- Kernels.cpp - tile kernels to object code ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Kernels.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/ThreadPool.h"

#include <deque>

using namespace mlir;
using namespace sectile;

FailureOr<TranslatedModulePtr> sectile::translateKernels(ArrayRef<Operation *> kernels,
                                                         const CpuLevel &level, FloatMode mode,
                                                         const CodegenOptions &options,
                                                         std::vector<KernelFacts> &facts) {
  MLIRContext *context = kernels.front()->getContext();
  OwningOpRef<ModuleOp> module(ModuleOp::create(kernels.front()->getParentOp()->getLoc()));
  for (Operation *kernel : kernels)
    module->push_back(kernel->clone());
  PassManager passes(context);
  passes.addPass(cpu::createTileToCPUPass(level, mode));
  passes.addPass(cpu::createExpandMathPass(level));
  if (failed(passes.run(*module)))
    return failure();
  // For each kernel its function `run`, then `info`.
  for (auto func : module->getOps<func::FuncOp>()) {
    if (auto messages = func->getAttrOfType<ArrayAttr>(cpu::kFailuresAttr)) {
      facts.emplace_back();
      for (auto message : messages.getAsRange<StringAttr>())
        facts.back().failures.push_back(message.str());
      func->removeAttr(cpu::kFailuresAttr);
    }
    if (auto bytes = func->getAttrOfType<IntegerAttr>(cpu::kScratchAttr)) {
      facts.back().scratchBytes = bytes.getInt();
      func->removeAttr(cpu::kScratchAttr);
    }
  }
  return translateForLevel(*module, level, options);
}

/// Kernels per LLVM module: enough for its fixed costs not to count, few enough to spread.
static constexpr size_t kKernelsPerModule = 4;

namespace {
/// One module on its way through LLVM.
struct Task {
  TranslatedModulePtr module;
  FailureOr<ObjectCode> code = failure();
  std::string error;
  std::shared_future<void> done;
};
} // namespace

FailureOr<KernelObjects> sectile::compileKernels(ModuleOp module, const CpuLevel &level,
                                                 FloatMode mode, const CodegenOptions &options) {
  SmallVector<Operation *> kernels;
  for (tile::KernelOp kernel : module.getOps<tile::KernelOp>())
    kernels.push_back(kernel);
  KernelObjects result;
  // This thread lowers, which needs the MLIR context; the others run LLVM. Few modules are in
  // flight at a time, for the memory's sake.
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(options.threads));
  std::deque<Task> tasks;
  size_t awaited = 0;
  LogicalResult status = success();
  for (ArrayRef<Operation *> rest(kernels); !rest.empty() && succeeded(status);) {
    ArrayRef<Operation *> chunk = rest.take_front(kKernelsPerModule);
    rest = rest.drop_front(chunk.size());
    auto translated = translateKernels(chunk, level, mode, options, result.facts);
    if (failed(translated)) {
      status = failure();
      break;
    }
    Task &task = tasks.emplace_back();
    task.module = std::move(*translated);
    task.done = pool.async([&task] {
      task.code = compileTranslated(*task.module, task.error);
      task.module.reset();
    });
    if (tasks.size() - awaited > 2 * pool.getMaxConcurrency())
      tasks[awaited++].done.wait();
  }
  pool.wait();
  for (Task &task : tasks) {
    if (failed(status))
      break;
    if (failed(task.code))
      return module.emitError(task.error);
    result.objects.push_back(std::move(task.code->elf));
    result.assembly += task.code->assembly;
    result.llvmText += task.code->llvmText;
    for (auto &entry : task.code->stats)
      result.stats[entry.getKey()] = entry.getValue();
  }
  if (failed(status))
    return failure();
  return result;
}
