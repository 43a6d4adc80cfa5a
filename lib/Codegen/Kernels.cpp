//===- Kernels.cpp - tile kernels to object code ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Kernels.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/ThreadPool.h"

#include <condition_variable>
#include <deque>
#include <mutex>

using namespace mlir;
using namespace sectile;

namespace {

/// LLVM instructions that are compiled at a time. A gigabyte takes about so many
/// (docs/decisions/kernels-have-no-names.md); a kernel that is larger by itself is compiled alone.
constexpr size_t kMostInstructions = 250'000;

/// All that the code of `kernel` follows from, apart from the compiler. Its name and locations are
/// not among it.
std::string describe(tile::KernelOp kernel, const CpuLevel &level, FloatMode mode) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << level.name << ' ' << static_cast<int>(mode) << '\n';
  OpPrintingFlags flags;
  flags.printGenericOpForm().useLocalScope();
  OwningOpRef<Operation *> copy(kernel->clone());
  cast<tile::KernelOp>(*copy).setSymName(kCompiledKernelName);
  copy->print(out, flags);
  // Printed are the names of resources, not what they hold.
  copy->walk([&](Operation *op) {
    op->getAttrDictionary().walk([&](DenseResourceElementsAttr resource) {
      out << '\n' << resource.getRawHandle().getKey() << ' ';
      if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
        out.write(blob->getData().data(), blob->getData().size());
    });
  });
  return text;
}

/// One kernel on its way through LLVM.
struct Task {
  std::string name;
  KernelCache::Key key;
  TranslatedModulePtr module;
  CompiledKernel compiled;
  std::string assembly, llvmText;
  std::string error;
};

/// Compiles the kernels of one module. This thread lowers, which needs the MLIR context; others run
/// LLVM.
class KernelsCompiler {
public:
  KernelsCompiler(const CpuLevel &level, FloatMode mode, const CodegenOptions &options,
                  KernelCache *cache)
      : level(level), mode(mode), options(options), cache(cache),
        makesText(options.emitAssembly || options.emitLLVM),
        pool(llvm::hardware_concurrency(options.threads)) {}

  FailureOr<KernelObjects> run(ModuleOp module);

private:
  LogicalResult start(tile::KernelOp kernel);
  FailureOr<TranslatedModulePtr> translate(tile::KernelOp kernel, Task &task);
  void compile(Task &task);
  /// Waits until there is room for so many instructions more.
  void takeRoom(size_t instructions);
  void giveRoom(size_t instructions);

  const CpuLevel &level;
  FloatMode mode;
  const CodegenOptions &options;
  KernelCache *cache;
  bool makesText;
  std::deque<Task> tasks;
  std::mutex mutex;
  std::condition_variable hasRoom;
  size_t instructionsInFlight = 0;
  llvm::DefaultThreadPool pool; // last, so that its threads end before what they use
};

} // namespace

FailureOr<TranslatedModulePtr> KernelsCompiler::translate(tile::KernelOp kernel, Task &task) {
  OwningOpRef<ModuleOp> module(ModuleOp::create(kernel->getParentOp()->getLoc()));
  tile::KernelOp copy = kernel.clone();
  // Text is for readers; objects of equal kernels are equal, whatever the kernels are called.
  if (!makesText)
    copy.setSymName(kCompiledKernelName);
  module->push_back(copy);
  PassManager passes(module->getContext());
  passes.addPass(cpu::createTileToCPUPass(level, mode));
  passes.addPass(cpu::createExpandMathPass(level));
  if (failed(passes.run(*module)))
    return failure();
  for (auto func : module->getOps<func::FuncOp>()) {
    if (auto messages = func->getAttrOfType<ArrayAttr>(cpu::kFailuresAttr)) {
      for (auto message : messages.getAsRange<StringAttr>())
        task.compiled.facts.failures.push_back(message.str());
      func->removeAttr(cpu::kFailuresAttr);
    }
    if (auto bytes = func->getAttrOfType<IntegerAttr>(cpu::kScratchAttr)) {
      task.compiled.facts.scratchBytes = bytes.getInt();
      func->removeAttr(cpu::kScratchAttr);
    }
  }
  CodegenOptions codegen = options;
  if (!makesText)
    codegen.symbolSuffix.clear();
  return translateForLevel(*module, level, codegen);
}

void KernelsCompiler::takeRoom(size_t instructions) {
  std::unique_lock lock(mutex);
  hasRoom.wait(lock, [&] {
    return instructionsInFlight == 0 || instructionsInFlight + instructions <= kMostInstructions;
  });
  instructionsInFlight += instructions;
}

void KernelsCompiler::giveRoom(size_t instructions) {
  {
    std::lock_guard lock(mutex);
    instructionsInFlight -= instructions;
  }
  hasRoom.notify_one();
}

void KernelsCompiler::compile(Task &task) {
  FailureOr<ObjectCode> code = compileTranslated(*task.module, task.error);
  task.module.reset();
  if (failed(code))
    return;
  task.assembly = std::move(code->assembly);
  task.llvmText = std::move(code->llvmText);
  task.compiled.elf = std::move(code->elf);
  task.compiled.stats = std::move(code->stats);
  if (cache && !makesText)
    cache->store(task.key, task.compiled);
}

LogicalResult KernelsCompiler::start(tile::KernelOp kernel) {
  Task &task = tasks.emplace_back();
  task.name = kernel.getSymName().str();
  if (cache && !makesText) {
    task.key = cache->makeKey(describe(kernel, level, mode));
    if (std::optional<CompiledKernel> known = cache->lookup(task.key)) {
      task.compiled = std::move(*known);
      return success();
    }
  }
  FailureOr<TranslatedModulePtr> translated = translate(kernel, task);
  if (failed(translated))
    return failure();
  task.module = std::move(*translated);
  size_t instructions = countInstructions(*task.module);
  takeRoom(instructions);
  pool.async([this, &task, instructions] {
    compile(task);
    giveRoom(instructions);
  });
  return success();
}

FailureOr<KernelObjects> KernelsCompiler::run(ModuleOp module) {
  LogicalResult status = success();
  for (tile::KernelOp kernel : module.getOps<tile::KernelOp>())
    if (failed(status = start(kernel)))
      break;
  pool.wait();
  if (failed(status))
    return failure();
  KernelObjects result;
  for (Task &task : tasks) {
    if (!task.error.empty())
      return module.emitError(task.error);
    result.assembly += task.assembly;
    result.llvmText += task.llvmText;
    result.facts.push_back(std::move(task.compiled.facts));
    SmallVector<std::pair<std::string, std::string>> names;
    for (const auto &entry : task.compiled.stats) {
      std::string name = entry.getKey().str();
      if (!makesText) {
        StringRef function = entry.getKey();
        function.consume_front(kCompiledKernelName);
        name = task.name + function.str() + options.symbolSuffix;
        names.emplace_back(entry.getKey().str(), name);
      }
      result.stats[name] = entry.getValue();
    }
    if (!names.empty() && failed(renameSymbols(task.compiled.elf, names, task.error)))
      return module.emitError(task.error);
    result.objects.push_back(std::move(task.compiled.elf));
  }
  return result;
}

FailureOr<KernelObjects> sectile::compileKernels(ModuleOp module, const CpuLevel &level,
                                                 FloatMode mode, const CodegenOptions &options,
                                                 KernelCache *cache) {
  return KernelsCompiler(level, mode, options, cache).run(module);
}
