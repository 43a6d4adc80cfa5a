//===- Compiler.cpp - from a model to a package -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Compiler/Compiler.h"

#include "Package.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"
#include "sectile/Compiler/Aliases.h"
#include "sectile/Compiler/Pipelines.h"
#include "sectile/Package/Abi.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace sectile;

namespace {

/// A file that is gone when this is.
class TemporaryFile {
public:
  ~TemporaryFile() {
    if (!path.empty())
      (void)llvm::sys::fs::remove(path); // a temporary that stays harms nobody
  }
  LogicalResult create(StringRef output, StringRef stem, Location loc) {
    if (std::error_code code =
            llvm::sys::fs::createUniqueFile(output + "." + stem + "-%%%%%%", path))
      return emitError(loc, "cannot write '") << output << "': " << code.message();
    return success();
  }
  StringRef getPath() const { return path; }

private:
  SmallString<128> path;
};

LogicalResult writeText(StringRef path, function_ref<void(raw_ostream &)> write, Location loc) {
  if (path == "-") {
    write(llvm::outs());
    return success();
  }
  TemporaryFile file;
  if (failed(file.create(path, "tmp", loc)))
    return failure();
  std::error_code code;
  llvm::raw_fd_ostream out(file.getPath(), code);
  if (!code) {
    write(out);
    out.close();
    code = out.error();
    out.clear_error();
  }
  if (!code)
    code = llvm::sys::fs::rename(file.getPath(), path);
  if (code)
    return emitError(loc, "cannot write '") << path << "': " << code.message();
  return success();
}

/// IR as text, without the bytes of large constants.
void printModule(ModuleOp module, raw_ostream &out) {
  OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(64);
  flags.elideLargeResourceString(64);
  module.print(out, flags);
}

class Compilation {
public:
  Compilation(ModuleOp module, StringRef output, const CompileOptions &options)
      : module(module), output(output), options(options), loc(module.getLoc()) {}

  LogicalResult run() {
    for (const std::string &name : options.levels) {
      const CpuLevel *level = lookupCpuLevel(name);
      if (!level)
        return emitError(loc, "expects levels out of ")
               << listCpuLevels() << ", but got '" << name << "'";
      levels.push_back(level);
    }
    if (!options.dumpDir.empty())
      if (std::error_code code = llvm::sys::fs::create_directories(options.dumpDir))
        return emitError(loc, "cannot write '") << options.dumpDir << "': " << code.message();
    if (failed(applyAliases(module, options.aliases)))
      return failure();
    report("graph");
    if (failed(dump("import", module)) ||
        failed(runPipeline(
            module,
            [&](OpPassManager &passes) { buildGraphPipeline(passes, options.floatMode); })) ||
        failed(dump("graph", module)))
      return failure();
    if (options.emit == EmitKind::Graph)
      return writing(writeText(output, [&](raw_ostream &out) { printModule(module, out); }, loc));
    summariseKernels();
    for (const CpuLevel *level : levels)
      if (failed(compileLevel(*level)))
        return failure();
    if (options.emit != EmitKind::Package)
      return writing(writeText(output, [&](raw_ostream &out) { out << text; }, loc));
    report("host");
    return link();
  }

  /// Whether what failed was writing a file.
  bool isWriting = false;

private:
  /// Marks a failure as the environment's.
  LogicalResult writing(LogicalResult result) {
    isWriting |= failed(result);
    return result;
  }

  void report(StringRef stage) {
    if (options.progress)
      options.progress(stage, done, levels.size() + 2);
    ++done;
  }

  LogicalResult runPipeline(ModuleOp target, function_ref<void(OpPassManager &)> build) {
    PassManager passes(target.getContext());
    build(passes);
    return passes.run(target);
  }

  LogicalResult dump(StringRef stage, ModuleOp what) {
    if (options.dumpDir.empty())
      return success();
    SmallString<128> path(options.dumpDir);
    llvm::sys::path::append(path, std::to_string(numDumps / 10) + std::to_string(numDumps % 10) +
                                      "-" + stage + ".mlir");
    ++numDumps;
    return writing(writeText(path, [&](raw_ostream &out) { printModule(what, out); }, loc));
  }

  void summariseKernels() {
    for (auto kernel : module.getOps<graph::KernelOp>()) {
      KernelSummary &summary = kernels.emplace_back();
      summary.name = kernel.getSymName().str();
      if (ArrayAttr nodes = kernel.getNodesAttr())
        for (auto node : nodes.getAsRange<StringAttr>())
          summary.nodes += (summary.nodes.empty() ? "" : ",") + node.str();
      llvm::raw_string_ostream out(summary.description);
      auto print = [&](Type type) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor)
          return;
        out << tensor.getElementType() << '[';
        llvm::interleave(
            tensor.getShape(), out,
            [&](int64_t extent) {
              if (ShapedType::isDynamic(extent))
                out << '?';
              else
                out << extent;
            },
            ",");
        out << ']';
      };
      bool isFirst = true;
      for (Type type : kernel.getArgumentTypes())
        if (isa<RankedTensorType>(type)) {
          out << (isFirst ? "" : " x ");
          print(type);
          isFirst = false;
        }
      out << " -> ";
      for (Type type : kernel.getResultTypes())
        print(type);
    }
  }

  LogicalResult compileLevel(const CpuLevel &level) {
    report(level.name);
    OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
    if (failed(runPipeline(
            *copy,
            [&](OpPassManager &passes) { buildTilePipeline(passes, level, options.floatMode); })) ||
        failed(dump(("tile-" + level.name).str(), *copy)))
      return failure();
    auto nested = copy->lookupSymbol<ModuleOp>(level.name);
    if (options.emit == EmitKind::Tile) {
      llvm::raw_string_ostream out(text);
      printModule(nested, out);
      return success();
    }
    CompiledLevel &compiled = compiledLevels.emplace_back();
    compiled.level = &level;
    compiled.symbolSuffix = ("." + level.name).str();
    for (auto [summary, kernel] : llvm::zip_equal(kernels, nested.getOps<tile::KernelOp>())) {
      // Of the best level, which comes last.
      summary.schedule.clear();
      llvm::raw_string_ostream out(summary.schedule);
      if (kernel.getScheduleAttr())
        out << Attribute(kernel.getScheduleAttr());
    }
    CodegenOptions codegen;
    codegen.symbolSuffix = compiled.symbolSuffix;
    codegen.emitAssembly = options.emit == EmitKind::Assembly;
    codegen.emitLLVM = options.emit == EmitKind::LLVM;
    FailureOr<KernelObjects> object =
        compileKernels(nested, level, options.floatMode, codegen, options.cache);
    if (failed(object))
      return failure();
    text += object->assembly + object->llvmText;
    compiled.failures = std::move(object->failures);
    for (auto &entry : object->stats)
      compiled.stats[entry.getKey()] = entry.getValue();
    for (const std::string &elf : object->objects)
      if (failed(addObject(elf)))
        return failure();
    return success();
  }

  LogicalResult addObject(StringRef elf) {
    objects.push_back(std::make_unique<TemporaryFile>());
    if (failed(writing(objects.back()->create(output, "o", loc))))
      return failure();
    std::error_code code;
    llvm::raw_fd_ostream out(objects.back()->getPath(), code);
    if (!code) {
      out << elf;
      out.close();
      code = out.error();
      out.clear_error();
    }
    if (code)
      return writing(emitError(loc, "cannot write '")
                     << objects.back()->getPath() << "': " << code.message());
    return success();
  }

  LogicalResult link() {
    if (failed(runPipeline(module, buildPlanPipeline)) || failed(dump("host", module)))
      return failure();
    SmallVector<PlannedConstant> constants = getPlannedConstants(module);
    PlannedInterface interface = getPlannedInterface(module);
    uint64_t constantsBytes = 0;
    // Readers may touch a vector's worth behind the last constant's padding.
    if (!constants.empty())
      constantsBytes = llvm::alignTo(constants.back().offset + constants.back().bytes, 4096);
    if (failed(runPipeline(module, buildHostPipeline)) || failed(dump("host-llvm", module)))
      return failure();
    // Recorded for the passes above; LLVM has no such attributes.
    for (NamedAttribute attr : llvm::to_vector((*module).getDiscardableAttrs()))
      module->removeAttr(attr.getName());
    const CpuLevel &baseline = *levels.front();
    FailureOr<ObjectCode> host = compileToObject(module, baseline);
    if (failed(host) || failed(addObject(host->elf)))
      return failure();
    std::string descriptor = writeDescriptor(interface, kernels, compiledLevels, options.modelName,
                                             options.optionsText, constantsBytes);
    FailureOr<std::string> object = assemble(descriptor, baseline, loc);
    if (failed(object) || failed(addObject(*object)))
      return failure();
    report("link");
    std::vector<std::string> paths;
    paths.reserve(objects.size());
    for (auto &file : objects)
      paths.push_back(file->getPath().str());
    auto write = [&](llvm::raw_ostream &out) { writeConstants(constants, constantsBytes, out); };
    LateSection section = {.name = kConstantsSection,
                           .bytes = constantsBytes,
                           .write = write,
                           .hashSymbol = SECTILE_PACKAGE_SYMBOL,
                           .hashOffset = offsetof(sectile_package_descriptor, constants_hash)};
    return writing(linkShared(
        paths, output, [&] { return emitError(loc); }, constantsBytes != 0 ? &section : nullptr));
  }

  ModuleOp module;
  StringRef output;
  const CompileOptions &options;
  Location loc;
  SmallVector<const CpuLevel *> levels;
  std::vector<KernelSummary> kernels;
  std::vector<CompiledLevel> compiledLevels;
  std::vector<std::unique_ptr<TemporaryFile>> objects;
  std::string text;
  unsigned done = 0, numDumps = 0;
};

} // namespace

CompileStatus sectile::compileModule(ModuleOp module, StringRef output,
                                     const CompileOptions &options) {
  // Before anything else is done, since compiling can take long.
  StringRef folder = llvm::sys::path::parent_path(output);
  Location loc = module.getLoc();
  if (output != "-" && (llvm::sys::fs::is_directory(output) ||
                        (!folder.empty() && !llvm::sys::fs::is_directory(folder)))) {
    emitError(loc, "cannot write '")
        << output << "': "
        << (llvm::sys::fs::is_directory(output) ? "it is a folder" : "its folder does not exist");
    return CompileStatus::Environment;
  }
  // The finished file takes its place by a rename, which would replace a device or a pipe.
  if (output != "-" && llvm::sys::fs::exists(output) && !llvm::sys::fs::is_regular_file(output)) {
    emitError(loc, "cannot write '") << output << "': expects a regular file or a new one";
    return CompileStatus::Environment;
  }
  Compilation compilation(module, output, options);
  if (succeeded(compilation.run()))
    return CompileStatus::Success;
  return compilation.isWriting ? CompileStatus::Environment : CompileStatus::Refused;
}
