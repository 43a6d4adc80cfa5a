//===- Compiler.cpp - from a model to a package -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Compiler/Compiler.h"

#include "CompileDevice.h"
#include "Package.h"
#include "Pieces.h"
#include "TemporaryFile.h"
#include "Tune.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"
#include "sectile/Codegen/KernelCache.h"
#include "sectile/Compiler/Aliases.h"
#include "sectile/Compiler/Pipelines.h"
#include "sectile/Conversion/GraphToTile.h"
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
  /// Whether what failed was writing a file.
  bool isWriting = false;

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
    if (failed(applyAliases(module, options.aliases)) || failed(compileDevices()))
      return failure();
    if (!options.hasCpu)
      return options.emit == EmitKind::Package ? finishPackage() : printText();
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
    return compileFused();
  }

private:
  /// Goes on from launches of fused regions.
  LogicalResult compileFused() {
    cpu.name = "cpu";
    cpu.kernels = summariseKernels(module);
    const CpuLevel *tuned = options.tuning ? findTunedLevel() : nullptr;
    for (const CpuLevel *level : levels)
      if (failed(compileLevel(*level, level == tuned)))
        return failure();
    if (options.emit != EmitKind::Package && options.emit != EmitKind::Static)
      return printText();
    report("host");
    return link();
  }

  /// Marks a failure as the environment's.
  LogicalResult writing(LogicalResult result) {
    isWriting |= failed(result);
    return result;
  }

  LogicalResult printText() {
    return writing(writeText(output, [&](raw_ostream &out) { out << text; }, loc));
  }

  StringRef getDevice() const {
    return options.emit == EmitKind::Static ? StringRef(kStaticDevice) : StringRef();
  }

  void report(StringRef stage) {
    if (options.progress)
      options.progress(stage, done,
                       levels.size() + options.devices.size() + (options.tuning ? 3 : 2));
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

  /// The level that is measured: the best one that this machine has.
  const CpuLevel *findTunedLevel() const {
    for (const CpuLevel *level : llvm::reverse(levels))
      if (isCpuLevelPresent(*level))
        return level;
    return nullptr;
  }

  /// Finds schedules for `level` by measuring packages of it in a folder beside the output.
  LogicalResult tune(const CpuLevel &level) {
    report("measuring");
    // Of a relative name it would be in the folder of temporary files.
    SmallString<128> prefix(output), folder;
    std::error_code code = llvm::sys::fs::make_absolute(prefix);
    if (!code)
      code = llvm::sys::fs::createUniqueDirectory(prefix + ".tuning", folder);
    if (code)
      return writing(emitError(loc, "cannot write '") << folder << "': " << code.message());
    llvm::scope_exit remove([&] { (void)llvm::sys::fs::remove_directories(folder); });
    CompileOptions trial = options;
    trial.levels = {level.name.str()};
    trial.devices.clear();
    trial.tuning = nullptr;
    trial.dumpDir.clear();
    trial.weightsFolder = "weights"; // written once
    trial.progress = nullptr;
    std::unique_ptr<KernelCache> own;
    if (!trial.cache) {
      std::string error;
      own = KernelCache::open((folder + "/cache").str(), uint64_t(1) << 30, error);
      trial.cache = own.get();
    }
    auto build = [&](const Schedules &found, StringRef path) {
      OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
      Compilation compilation(*copy, path, trial);
      compilation.levels = {&level};
      compilation.schedules = found;
      return compilation.compileFused();
    };
    // This level, and those behind it.
    auto left = static_cast<unsigned>(levels.end() - llvm::find(levels, &level));
    schedules = tuneSchedules(module, getTileOptions(level, options.floatMode, getDevice()),
                              *options.tuning, left, folder, build);
    if (options.tuning->isInterrupted && options.tuning->isInterrupted())
      return emitError(loc, "interrupted while schedules were measured");
    return success();
  }

  LogicalResult compileLevel(const CpuLevel &level, bool isTuned) {
    if (isTuned && failed(tune(level)))
      return failure();
    report(level.name);
    OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
    for (auto kernel : copy->getOps<graph::KernelOp>())
      if (auto found = schedules.find(kernel.getSymName()); found != schedules.end())
        kernel->setAttr(graph::kScheduleAttr, found->second);
    if (isTuned)
      schedules.clear(); // of this level only
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
    CompiledLevel &compiled = cpu.levels.emplace_back();
    compiled.level = &level;
    compiled.symbolSuffix = ("." + level.name).str();
    for (auto [summary, kernel] : llvm::zip_equal(cpu.kernels, nested.getOps<tile::KernelOp>())) {
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

  /// Each device has a partition and a host program of its own, made of a copy of the model.
  LogicalResult compileDevices() {
    for (const std::string &name : options.devices) {
      const target::GpuTarget *device = target::findGpuTarget(name);
      if (!device)
        return emitError(loc, "expects a target out of cpu, ")
               << target::listGpuTargets() << ", but got '" << name << "'";
      report(name);
      OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
      FailureOr<DeviceCode> code =
          compileForDevice(*copy, *device, *levels.front(), options,
                           [&](StringRef stage, ModuleOp what) { return dump(stage, what); });
      if (failed(code))
        return failure();
      text += code->text;
      for (auto [image, bytes] : llvm::zip_equal(code->target.images, code->imageBytes)) {
        TemporaryFile &file = *images.emplace_back(std::make_unique<TemporaryFile>());
        if (failed(writing(file.create(output, "image", loc))) ||
            failed(
                writing(file.fill([&](raw_ostream &out) { out << bytes; }, file.getPath(), loc))))
          return failure();
        image.path = file.getPath().str();
      }
      for (const std::string &elf : code->objects)
        if (failed(addObject(elf)))
          return failure();
      devices.push_back(std::move(*code));
    }
    return success();
  }

  LogicalResult link() {
    if (failed(runPipeline(module,
                           [&](OpPassManager &passes) {
                             buildPlanPipeline(passes, !options.weightsFolder.empty());
                           })) ||
        failed(dump("host", module)))
      return failure();
    if (options.emit == EmitKind::Package)
      return finishPackage();
    SmallVector<PlannedConstant> constants = getPlannedConstants(module);
    uint64_t bytes = getEnd(constants, kStaticAlignment);
    return finishStatic(bytes, [&](raw_ostream &out) { writeConstants(constants, bytes, out); });
  }

  static uint64_t getEnd(ArrayRef<PlannedConstant> constants, int64_t alignment) {
    if (constants.empty())
      return 0;
    return llvm::alignTo(constants.back().offset + constants.back().bytes, alignment);
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

  LogicalResult finishPackage() {
    // Packages map their constants.
    const int64_t kPage = options.weightsFolder.empty() ? 4096 : SECTILE_PIECE_ALIGNMENT;
    const CpuLevel &baseline = *levels.front();
    PlannedInterface interface;
    std::vector<CompiledTarget> targets;
    SmallVector<PlannedConstant> constants;
    if (options.hasCpu) {
      constants = getPlannedConstants(module);
      interface = getPlannedInterface(module);
      if (failed(addHost(buildHostPipeline, baseline, {})))
        return failure();
      targets.push_back(std::move(cpu));
    }
    uint64_t constantsBytes = getEnd(constants, kPage);
    for (DeviceCode &device : devices) {
      if (targets.empty())
        interface = device.interface;
      else if (interface.symbols != device.interface.symbols)
        return emitError(loc, "expects target ")
               << device.target.name << " to need the same sizes as " << targets.front().name
               << ", but it does not; packages of one target have no such limit";
      device.target.constantsOffset = constantsBytes;
      for (PlannedConstant constant : device.constants) {
        constant.offset += static_cast<int64_t>(constantsBytes);
        constants.push_back(constant);
      }
      constantsBytes = getEnd(constants, kPage);
      targets.push_back(std::move(device.target));
    }
    PackageConstants described = {
        .bytes = constantsBytes, .folder = options.weightsFolder, .pieces = {}};
    if (!options.weightsFolder.empty() && constantsBytes != 0) {
      SmallString<128> folder(llvm::sys::path::parent_path(output));
      llvm::sys::path::append(folder, options.weightsFolder);
      FailureOr<std::vector<Piece>> pieces = writePieces(constants, folder, loc);
      if (failed(pieces))
        return writing(failure());
      described.pieces = std::move(*pieces);
    }
    std::string descriptor =
        writeDescriptor(interface, targets, options.modelName, options.optionsText, described);
    FailureOr<std::string> object = assemble(descriptor, baseline, loc);
    if (failed(object) || failed(addObject(*object)))
      return failure();
    report("link");
    auto write = [&](raw_ostream &out) { writeConstants(constants, constantsBytes, out); };
    LateSection section = {.name = kConstantsSection,
                           .bytes = constantsBytes,
                           .write = write,
                           .hashSymbol = SECTILE_PACKAGE_SYMBOL,
                           .hashOffset = offsetof(sectile_package_descriptor, constants_hash)};
    return writing(linkShared(
        getObjectPaths(), output, [&] { return emitError(loc); },
        constantsBytes != 0 && described.pieces.empty() ? &section : nullptr));
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
         llvm::zip_equal(module.getOps<graph::KernelOp>(), cpu.levels.front().facts)) {
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
    host.suffix = cpu.levels.front().symbolSuffix;
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
  CompiledTarget cpu;
  std::vector<DeviceCode> devices;
  std::vector<std::unique_ptr<TemporaryFile>> images;
  std::vector<std::unique_ptr<TemporaryFile>> objects;
  std::string text;
  /// Schedules of the next level's kernels; those that are not named follow from the model.
  Schedules schedules;
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
