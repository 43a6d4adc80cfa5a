//===- CompileDevice.cpp - a model's code for one GPU -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A target has a partition, kernels and a host program of its own:
//
//   model -> sectile-graph -> graph.kernels -> tile.kernels -> threads: NVVM, PTX, cubin
//                         |                              |      or ROCDL, code object
//                         |                              \-> NAME.info for the host
//                         \-> memory plan, host program, constants
//
// The NVVM or ROCDL form goes into the package as MLIR bytecode: what the emulator executes
// is what the back end was given.
//
//===----------------------------------------------------------------------===//

#include "CompileDevice.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"
#include "sectile/Codegen/Hsaco.h"
#include "sectile/Codegen/Ptx.h"
#include "sectile/Compiler/Pipelines.h"
#include "sectile/Conversion/ThreadLowering.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"
#include "sectile/Package/Abi.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace sectile;

std::vector<KernelSummary> sectile::summariseKernels(ModuleOp module) {
  std::vector<KernelSummary> kernels;
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
  return kernels;
}

namespace {

class DeviceCompiler {
public:
  DeviceCompiler(ModuleOp module, const target::GpuTarget &device, const CpuLevel &host,
                 const CompileOptions &options,
                 function_ref<LogicalResult(StringRef, ModuleOp)> dump)
      : module(module), device(device), host(host), options(options), dump(dump), name(device.name),
        suffix("." + name) {}

  FailureOr<DeviceCode> run() {
    if (failed(runPipeline(module,
                           [&](OpPassManager &passes) {
                             buildGraphPipeline(passes, options.floatMode,
                                                target::describeDevice(device),
                                                /*packsConstants=*/false, name);
                           })) ||
        failed(dump("graph-" + name, module)))
      return failure();
    if (stopsAt(EmitKind::Graph, module))
      return std::move(code);
    code.target.name = name;
    code.target.hostSuffix = suffix;
    code.target.kernels = summariseKernels(module);
    OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
    if (failed(runPipeline(*copy,
                           [&](OpPassManager &passes) {
                             buildGpuTilePipeline(passes, device, options.floatMode);
                           })) ||
        failed(dump("tile-" + name, *copy)))
      return failure();
    auto kernels = copy->lookupSymbol<ModuleOp>(name);
    if (stopsAt(EmitKind::Tile, kernels))
      return std::move(code);
    for (auto [summary, kernel] :
         llvm::zip_equal(code.target.kernels, kernels.getOps<tile::KernelOp>())) {
      llvm::raw_string_ostream out(summary.schedule);
      if (kernel.getScheduleAttr())
        out << Attribute(kernel.getScheduleAttr());
    }
    OwningOpRef<ModuleOp> infos = kernels.clone();
    if (failed(lowerThreads(kernels)))
      return failure();
    if (options.emit != EmitKind::Package)
      return std::move(code);
    if (failed(addInfos(*infos)) || failed(addHost()))
      return failure();
    return std::move(code);
  }

private:
  LogicalResult runPipeline(ModuleOp target, function_ref<void(OpPassManager &)> build) {
    PassManager passes(target.getContext());
    build(passes);
    return passes.run(target);
  }

  bool stopsAt(EmitKind kind, ModuleOp what) {
    if (options.emit != kind)
      return false;
    llvm::raw_string_ostream out(code.text);
    OpPrintingFlags flags;
    flags.elideLargeElementsAttrs(64);
    flags.elideLargeResourceString(64);
    what.print(out, flags);
    return true;
  }

  LogicalResult lowerThreads(ModuleOp kernels) {
    // How the emulator finds out what a buffer's extent is.
    llvm::StringMap<Type> views;
    for (auto kernel : kernels.getOps<tile::KernelOp>())
      views[kernel.getSymName()] = kernel.getFunctionType();
    if (failed(runPipeline(kernels, [&](OpPassManager &passes) {
          buildThreadPipeline(passes, device, options.floatMode);
        })))
      return failure();
    for (auto function : kernels.getOps<LLVM::LLVMFuncOp>())
      if (auto it = views.find(function.getSymName()); it != views.end())
        function->setAttr(simt::kViewsAttr, TypeAttr::get(it->second));
    bool isAmd = device.family == target::GpuFamily::Amd;
    if (failed(dump((isAmd ? "rocdl-" : "nvvm-") + name, kernels)))
      return failure();
    if (stopsAt(EmitKind::LLVM, kernels))
      return success();
    return isAmd ? addAmdImages(kernels) : addNvidiaImages(kernels);
  }

  /// What the emulator executes.
  LogicalResult addBytecode(ModuleOp kernels, uint32_t kind) {
    std::string bytecode;
    llvm::raw_string_ostream out(bytecode);
    if (failed(writeBytecodeToFile(kernels, out)))
      return kernels.emitError("cannot be written as bytecode");
    addImage(kind, std::move(bytecode));
    return success();
  }

  LogicalResult addNvidiaImages(ModuleOp kernels) {
    FailureOr<std::string> ptx = emitPtx(kernels, device);
    if (failed(ptx))
      return failure();
    if (options.emit == EmitKind::Ptx) {
      code.text = std::move(*ptx);
      return success();
    }
    describeKernels(kernels);
    if (failed(addBytecode(kernels, SECTILE_ABI_IMAGE_NVVM)))
      return failure();
    std::string assembler = findPtxas();
    FailureOr<Cubin> cubin = failure();
    if (!assembler.empty()) {
      llvm::Expected<Cubin> assembled = assemble(*ptx, device, assembler);
      if (!assembled)
        return kernels.emitError("expects ptxas to assemble the kernels for ")
               << name << ", but got: " << llvm::toString(assembled.takeError());
      cubin = std::move(*assembled);
    }
    addImage(SECTILE_ABI_IMAGE_PTX, std::move(*ptx));
    if (failed(cubin)) {
      emitWarning(module.getLoc())
          << "there is no ptxas at $SECTILE_PTXAS, in $CUDA_HOME/bin or in PATH: the package has "
             "PTX for "
          << name << " and no cubin";
      return success();
    }
    for (const std::string &loss : cubin->losses)
      emitWarning(module.getLoc()) << "for " << name << ": " << loss;
    addResources(cubin->kernels);
    addImage(SECTILE_ABI_IMAGE_CUBIN, std::move(cubin->bytes));
    return success();
  }

  LogicalResult addAmdImages(ModuleOp kernels) {
    if (options.emit == EmitKind::Assembly) {
      FailureOr<std::string> assembly = emitAmdAssembly(kernels, device);
      if (failed(assembly))
        return failure();
      code.text = std::move(*assembly);
      return success();
    }
    FailureOr<CodeObject> object = emitCodeObject(kernels, device);
    if (failed(object))
      return failure();
    if (options.emit == EmitKind::Hsaco) {
      code.text = std::move(object->bytes);
      return success();
    }
    describeKernels(kernels);
    if (failed(addBytecode(kernels, SECTILE_ABI_IMAGE_ROCDL)))
      return failure();
    addResources(object->kernels);
    addImage(SECTILE_ABI_IMAGE_HSACO, std::move(object->bytes));
    return success();
  }

  void addResources(ArrayRef<KernelResources> all) {
    for (const KernelResources &resources : all)
      for (auto [summary, kernel] : llvm::zip_equal(code.target.kernels, code.target.deviceKernels))
        if (summary.name == resources.kernel) {
          kernel.registers = static_cast<int32_t>(resources.registers);
          kernel.spillBytes = resources.spillStoreBytes + resources.spillLoadBytes;
        }
  }

  void addImage(uint32_t kind, std::string bytes) {
    code.target.images.push_back({kind, "", bytes.size()});
    code.imageBytes.push_back(std::move(bytes));
  }

  /// What a launch passes for the views and integers of a kernel, a letter for each argument.
  static std::string describeArguments(FunctionType type) {
    std::string text;
    for (Type input : type.getInputs()) {
      auto view = dyn_cast<tile::ViewType>(input);
      text += view ? 'b' : 'i';
      if (!view)
        continue;
      auto isDynamic = [](int64_t extent) { return ShapedType::isDynamic(extent); };
      ArrayRef<int64_t> strides =
          view.getMemory() ? view.getMemory().getStrides() : ArrayRef<int64_t>();
      text.append(llvm::count_if(view.getShape(), isDynamic) + llvm::count_if(strides, isDynamic),
                  'i');
    }
    return text;
  }

  /// Threads, shared memory, arguments and messages of each kernel.
  void describeKernels(ModuleOp kernels) {
    CompiledLevel &level = code.target.levels.emplace_back();
    level.level = &host;
    level.symbolSuffix = suffix;
    for (const KernelSummary &summary : code.target.kernels) {
      auto function = kernels.lookupSymbol<LLVM::LLVMFuncOp>(summary.name);
      DeviceKernel &kernel = code.target.deviceKernels.emplace_back();
      auto views = function->getAttrOfType<TypeAttr>(simt::kViewsAttr);
      kernel.arguments = describeArguments(cast<FunctionType>(views.getValue()));
      kernel.threads = static_cast<int32_t>(simt::getBlockThreads(function));
      for (auto variable : kernels.getOps<LLVM::GlobalOp>())
        if (variable.getAddrSpace() == 3 && variable.getSymName().starts_with(summary.name + "."))
          kernel.sharedBytes += llvm::alignTo(
              cast<LLVM::LLVMArrayType>(variable.getGlobalType()).getNumElements(), 16);
      if (auto dynamic = function->getAttrOfType<IntegerAttr>(simt::kDynamicSharedAttr))
        kernel.sharedBytes = kernel.launchSharedBytes = dynamic.getInt(); // all or nothing
      KernelFacts &facts = level.facts.emplace_back();
      if (auto messages = function->getAttrOfType<ArrayAttr>(simt::kFailuresAttr))
        for (auto message : messages.getAsRange<StringAttr>())
          facts.failures.push_back(message.str());
    }
  }

  /// Objects of what the kernels say of a launch before it is made.
  LogicalResult addInfos(ModuleOp kernels) {
    PassManager passes(kernels.getContext());
    passes.addPass(cpu::createTileToCPUPass(host, options.floatMode, /*infoOnly=*/true));
    passes.addPass(cpu::createExpandMathPass(host));
    if (failed(passes.run(kernels)))
      return failure();
    for (auto function : kernels.getOps<func::FuncOp>())
      function->removeAttr(cpu::kScratchAttr);
    return addObject(kernels);
  }

  LogicalResult addHost() {
    if (failed(runPipeline(module,
                           [&](OpPassManager &passes) {
                             buildPlanPipeline(passes, !options.weightsFolder.empty());
                           })) ||
        failed(dump("host-" + name, module)))
      return failure();
    code.constants = getPlannedConstants(module);
    code.interface = getPlannedInterface(module);
    if (failed(runPipeline(module, buildDeviceHostPipeline)))
      return failure();
    for (NamedAttribute attr : llvm::to_vector((*module).getDiscardableAttrs()))
      module->removeAttr(attr.getName());
    return addObject(module);
  }

  LogicalResult addObject(ModuleOp what) {
    CodegenOptions codegen;
    codegen.symbolSuffix = suffix;
    FailureOr<ObjectCode> object = compileToObject(what, host, codegen);
    if (failed(object))
      return failure();
    code.objects.push_back(std::move(object->elf));
    return success();
  }

  ModuleOp module;
  const target::GpuTarget &device;
  const CpuLevel &host;
  const CompileOptions &options;
  function_ref<LogicalResult(StringRef, ModuleOp)> dump;
  std::string name, suffix;
  DeviceCode code;
};

} // namespace

FailureOr<DeviceCode>
sectile::compileForDevice(ModuleOp module, const target::GpuTarget &device, const CpuLevel &host,
                          const CompileOptions &options,
                          function_ref<LogicalResult(StringRef, ModuleOp)> dump) {
  return DeviceCompiler(module, device, host, options, dump).run();
}
