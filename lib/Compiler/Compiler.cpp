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
#include "sectile/Conversion/StaticHost.h"
#include "sectile/Package/Abi.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace sectile;

namespace {

/// What code can reach relative to its own place on every host, with room for the rest of a
/// program.
constexpr uint64_t kMostStaticConstants = uint64_t(1) << 30;

/// A file that is gone when this is, unless it was moved.
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
  /// Writes its contents; errors name `shownName`.
  LogicalResult fill(function_ref<void(raw_ostream &)> write, StringRef shownName, Location loc) {
    std::error_code code;
    llvm::raw_fd_ostream out(path, code);
    if (!code) {
      write(out);
      out.close();
      code = out.error();
      out.clear_error();
    }
    if (code)
      return emitError(loc, "cannot write '") << shownName << "': " << code.message();
    return success();
  }
  /// Gives it its final name, and the permissions that any output has.
  LogicalResult moveTo(StringRef name, Location loc) {
    auto permissions = static_cast<llvm::sys::fs::perms>(0666 & ~llvm::sys::fs::getUmask());
    std::error_code code = llvm::sys::fs::setPermissions(path, permissions);
    if (!code)
      code = llvm::sys::fs::rename(path, name);
    if (code)
      return emitError(loc, "cannot write '") << name << "': " << code.message();
    path.clear();
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
  return failure(failed(file.create(path, "tmp", loc)) || failed(file.fill(write, path, loc)) ||
                 failed(file.moveTo(path, loc)));
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
      if (level->host != levels.front()->host)
        return emitError(loc, "expects levels of one host, but got '")
               << levels.front()->name << "' of " << levels.front()->host << " and '" << name
               << "' of " << level->host;
    }
    if (options.emit == EmitKind::Static && levels.size() != 1)
      return emitError(loc, "expects one level for static output, but got ") << levels.size();
    if (!options.dumpDir.empty())
      if (std::error_code code = llvm::sys::fs::create_directories(options.dumpDir))
        return emitError(loc, "cannot write '") << options.dumpDir << "': " << code.message();
    if (failed(applyAliases(module, options.aliases)))
      return failure();
    report("graph");
    if (failed(dump("import", module)) ||
        failed(runPipeline(module,
                           [&](OpPassManager &passes) {
                             buildGraphPipeline(passes, options.floatMode, getDevice());
                           })) ||
        failed(dump("graph", module)))
      return failure();
    if (options.emit == EmitKind::Graph)
      return writing(writeText(output, [&](raw_ostream &out) { printModule(module, out); }, loc));
    summariseKernels();
    for (const CpuLevel *level : levels)
      if (failed(compileLevel(*level)))
        return failure();
    if (options.emit != EmitKind::Package && options.emit != EmitKind::Static)
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

  StringRef getDevice() const {
    return options.emit == EmitKind::Static ? StringRef(kStaticDevice) : StringRef();
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
    if (failed(runPipeline(*copy,
                           [&](OpPassManager &passes) {
                             buildTilePipeline(passes, level, options.floatMode, getDevice());
                           })) ||
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
    compiled.facts = std::move(object->facts);
    for (auto &entry : object->stats)
      compiled.stats[entry.getKey()] = entry.getValue();
    for (const std::string &elf : object->objects)
      if (failed(addObject(elf)))
        return failure();
    return success();
  }

  LogicalResult addObject(StringRef elf) {
    TemporaryFile &file = *objects.emplace_back(std::make_unique<TemporaryFile>());
    return writing(
        failure(failed(file.create(output, "o", loc)) ||
                failed(file.fill([&](raw_ostream &out) { out << elf; }, file.getPath(), loc))));
  }

  LogicalResult link() {
    if (failed(runPipeline(module, buildPlanPipeline)) || failed(dump("host", module)))
      return failure();
    SmallVector<PlannedConstant> constants = getPlannedConstants(module);
    bool isStatic = options.emit == EmitKind::Static;
    // Packages map their constants, static output is placed by a linker.
    int64_t alignment = isStatic ? kStaticAlignment : 4096;
    uint64_t constantsBytes = 0;
    if (!constants.empty())
      constantsBytes = llvm::alignTo(constants.back().offset + constants.back().bytes, alignment);
    auto write = [&](llvm::raw_ostream &out) { writeConstants(constants, constantsBytes, out); };
    return isStatic ? finishStatic(constantsBytes, write) : finishPackage(constantsBytes, write);
  }

  /// Lowers the host program by the passes that `build` adds, and adds its object.
  LogicalResult addHost(function_ref<void(OpPassManager &)> build, const CpuLevel &level,
                        const CodegenOptions &codegen) {
    if (failed(runPipeline(module, build)) || failed(dump("host-llvm", module)))
      return failure();
    // Recorded for the passes above; LLVM has no such attributes.
    for (NamedAttribute attr : llvm::to_vector((*module).getDiscardableAttrs()))
      module->removeAttr(attr.getName());
    FailureOr<ObjectCode> host = compileToObject(module, level, codegen);
    return failed(host) ? failure() : addObject(host->elf);
  }

  SmallVector<std::string> getObjectPaths() const {
    SmallVector<std::string> paths;
    for (auto &file : objects)
      paths.push_back(file->getPath().str());
    return paths;
  }

  LogicalResult finishPackage(uint64_t constantsBytes,
                              function_ref<void(raw_ostream &)> writeSection) {
    PlannedInterface interface = getPlannedInterface(module);
    const CpuLevel &baseline = *levels.front();
    if (failed(addHost(buildHostPipeline, baseline, {})))
      return failure();
    std::string descriptor = writeDescriptor(interface, kernels, compiledLevels, options.modelName,
                                             options.optionsText, constantsBytes);
    FailureOr<std::string> object = assemble(descriptor, baseline, loc);
    if (failed(object) || failed(addObject(*object)))
      return failure();
    report("link");
    LateSection section = {.name = kConstantsSection,
                           .bytes = constantsBytes,
                           .write = writeSection,
                           .hashSymbol = SECTILE_PACKAGE_SYMBOL,
                           .hashOffset = offsetof(sectile_package_descriptor, constants_hash)};
    return writing(linkShared(
        getObjectPaths(), output, [&] { return emitError(loc); },
        constantsBytes != 0 ? &section : nullptr));
  }

  LogicalResult finishStatic(uint64_t constantsBytes,
                             function_ref<void(raw_ostream &)> writeSection) {
    if (constantsBytes > kMostStaticConstants)
      return emitError(loc, "expects at most ")
             << kMostStaticConstants << " bytes of constants in static output, whose code reaches "
             << "them relative to its own place, but got " << constantsBytes
             << "; --emit=package has no such limit";
    TemporaryFile constants;
    if (constantsBytes != 0) {
      report("constants");
      if (failed(writing(constants.create(output, "constants", loc))) ||
          failed(writing(constants.fill(writeSection, constants.getPath(), loc))))
        return failure();
    }
    const CpuLevel &level = *levels.front();
    Builder builder(module.getContext());
    for (auto [kernel, facts] :
         llvm::zip_equal(module.getOps<graph::KernelOp>(), compiledLevels.front().facts)) {
      if (facts.scratchBytes)
        kernel->setAttr(kScratchBytesAttr, builder.getI64IntegerAttr(*facts.scratchBytes));
      SmallVector<StringRef> messages(facts.failures.begin(), facts.failures.end());
      kernel->setAttr(kFailuresListAttr, builder.getStrArrayAttr(messages));
    }
    StaticInterface interface = getStaticInterface(module);
    std::string name = getStaticName(output);
    CodegenOptions codegen;
    codegen.exportFunctions = true;
    HostToStaticPassOptions host;
    host.name = name;
    host.suffix = compiledLevels.front().symbolSuffix;
    host.pointerBytes = level.getHost().pointerBytes;
    auto build = [&](OpPassManager &passes) { buildStaticHostPipeline(passes, host); };
    if (failed(addHost(build, level, codegen)))
      return failure();
    FailureOr<std::string> object =
        assemble(writeStaticConstants(level, constants.getPath(), constantsBytes), level, loc);
    if (failed(object) || failed(addObject(*object)))
      return failure();
    // First: an object has the attributes of the first of its parts.
    std::rotate(objects.begin(), std::prev(objects.end()), objects.end());
    report("link");
    TemporaryFile code, header;
    std::string codeName = (output + ".o").str(), headerName = (output + ".h").str();
    if (failed(writing(code.create(codeName, "tmp", loc))) ||
        failed(writing(header.create(headerName, "tmp", loc))) ||
        failed(writing(
            linkRelocatable(getObjectPaths(), code.getPath(), [&] { return emitError(loc); }))) ||
        failed(writing(header.fill(
            [&](raw_ostream &out) {
              out << writeStaticHeader(interface, name, options.modelName, level,
                                       options.optionsText);
            },
            headerName, loc))))
      return failure();
    if (failed(writing(header.moveTo(headerName, loc))))
      return failure();
    if (succeeded(writing(code.moveTo(codeName, loc))))
      return success();
    (void)llvm::sys::fs::remove(headerName); // one without the other is of no use
    return failure();
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

/// Whether a file can take its place at `output`.
static LogicalResult checkOutput(StringRef output, Location loc) {
  if (output == "-")
    return success();
  StringRef folder = llvm::sys::path::parent_path(output);
  if (llvm::sys::fs::is_directory(output) ||
      (!folder.empty() && !llvm::sys::fs::is_directory(folder)))
    return emitError(loc, "cannot write '")
           << output << "': "
           << (llvm::sys::fs::is_directory(output) ? "it is a folder"
                                                   : "its folder does not exist");
  // The finished file takes its place by a rename, which would replace a device or a pipe.
  if (llvm::sys::fs::exists(output) && !llvm::sys::fs::is_regular_file(output))
    return emitError(loc, "cannot write '") << output << "': expects a regular file or a new one";
  return success();
}

CompileStatus sectile::compileModule(ModuleOp module, StringRef output,
                                     const CompileOptions &options) {
  // Before anything else is done, since compiling can take long.
  SmallVector<std::string> files = {output.str()};
  if (options.emit == EmitKind::Static)
    files = {(output + ".o").str(), (output + ".h").str()};
  for (StringRef file : files)
    if (failed(checkOutput(file, module.getLoc())))
      return CompileStatus::Environment;
  Compilation compilation(module, output, options);
  if (succeeded(compilation.run()))
    return CompileStatus::Success;
  return compilation.isWriting ? CompileStatus::Environment : CompileStatus::Refused;
}
