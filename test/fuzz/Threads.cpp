//===- Threads.cpp - programs as threads, on the emulator ----------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Threads.h"

#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Codegen/Hsaco.h"
#include "sectile/Codegen/Ptx.h"
#include "sectile/Conversion/ThreadLowering.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"
#include "sectile/Emulator/Emulator.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::test;

static void choose(tile::KernelOp kernel, int64_t warps, int64_t stages) {
  Builder builder(kernel.getContext());
  NamedAttrList choices;
  if (stages)
    choices.set("stages", builder.getI64IntegerAttr(stages));
  if (warps)
    choices.set("warps", builder.getI64IntegerAttr(warps));
  kernel.setScheduleAttr(tile::ScheduleAttr::get(kernel.getContext(), 1,
                                                 builder.getDictionaryAttr({}),
                                                 choices.getDictionary(kernel.getContext())));
}

Finding sectile::test::runThreads(Reference &reference, const std::string &target, int64_t warps,
                                  int64_t blocks, uint32_t order,
                                  const ThreadOptions &threadOptions) {
  OwningOpRef<ModuleOp> module = reference.module->clone();
  MLIRContext *context = module->getContext();
  if (warps || threadOptions.stages)
    choose(*module->getOps<tile::KernelOp>().begin(), warps, threadOptions.stages);
  std::string diagnostics;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      diagnostics += diagnostic.str() + "\n";
    return success();
  });
  PassManager passes(context);
  tile::TileAssignLayoutsPassOptions options;
  options.target = target;
  passes.addNestedPass<tile::KernelOp>(tile::createTileAssignLayoutsPass(options));
  passes.addNestedPass<tile::KernelOp>(tile::createTileStageOperandsPass());
  passes.addNestedPass<tile::KernelOp>(tile::createTilePipelinePass());
  passes.addNestedPass<tile::KernelOp>(tile::createTileAllocateSharedPass());
  passes.addPass(simt::createTileToSIMTPass());
  passes.addPass(createCSEPass());
  passes.addPass(simt::createSIMTExpandMathPass());
  const target::GpuTarget &device = *target::findGpuTarget(target);
  simt::addThreadLowering(passes, device);
  if (failed(passes.run(*module))) {
    // What is beyond a limit says so; anything else is a mistake.
    bool isKnown = diagnostics.find("expects at most") != std::string::npos;
    return {isKnown ? Finding::Skipped : Finding::Refused, diagnostics};
  }
  auto function = module->lookupSymbol<LLVM::LLVMFuncOp>("k");
  if (threadOptions.writesCode && device.family == target::GpuFamily::Amd) {
    if (failed(emitCodeObject(*module, device)))
      return {Finding::Refused, diagnostics};
  } else if (threadOptions.writesCode) {
    auto ptx = emitPtx(*module, device);
    if (failed(ptx))
      return {Finding::Refused, diagnostics};
    static const std::string ptxas = findPtxas();
    if (!ptxas.empty()) {
      auto cubin = assemble(*ptx, device, ptxas);
      if (!cubin)
        return {Finding::Refused, llvm::toString(cubin.takeError())};
      if (!cubin->losses.empty())
        return {Finding::Wrong, cubin->losses[0]};
      for (const KernelResources &kernel : cubin->kernels)
        if (kernel.spillStoreBytes + kernel.spillLoadBytes != 0)
          return {Finding::Wrong, "spills " + std::to_string(kernel.spillStoreBytes) +
                                      " bytes with " + std::to_string(kernel.registers) +
                                      " registers"};
    }
  }
  if (threadOptions.change)
    threadOptions.change(*module);
  auto emulated = emulator::Emulator::load(*module);
  if (failed(emulated))
    return {Finding::Refused, "the emulator: " + diagnostics};
  emulator::Emulator &machine = **emulated;
  std::vector<emulator::Argument> arguments;
  auto size = reference.sizes.begin();
  auto kernel = *reference.module->getOps<tile::KernelOp>().begin();
  std::vector<char *> outputs;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    std::string name = "argument " + std::to_string(i);
    char *buffer;
    if (i < reference.inputs.size()) {
      buffer = static_cast<char *>(machine.allocate(name, ArrayRef<char>(reference.inputs[i])));
    } else {
      // A program that was refused has no results to make room by.
      size_t number = i - reference.inputs.size();
      int64_t elements = 1;
      for (int64_t extent : cast<tile::ViewType>(type).getShape())
        elements *= extent;
      size_t bytes =
          number < reference.outputs.size()
              ? bytesOf(*reference.outputs[number])
              : static_cast<size_t>(elements * cast<tile::ViewType>(type).getElementBytes());
      buffer = static_cast<char *>(machine.allocate(name, bytes));
      std::memset(buffer, kUntouched, bytes);
      outputs.push_back(buffer);
    }
    arguments.emplace_back(buffer);
    for (int64_t dim = cast<tile::ViewType>(type).getNumDynamicDims(); dim > 0; --dim)
      arguments.emplace_back(*size++);
  }
  auto failures = function->getAttrOfType<ArrayAttr>(simt::kFailuresAttr);
  int64_t *record = nullptr;
  if (failures) {
    record = machine.allocate("failure", std::vector<int64_t>(5, 0));
    arguments.emplace_back(record);
  }
  emulator::LaunchOptions launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.block.x = static_cast<uint32_t>(simt::getBlockThreads(function));
  if (auto dynamic = function->getAttrOfType<IntegerAttr>(simt::kDynamicSharedAttr))
    launch.dynamicSharedBytes = static_cast<uint64_t>(dynamic.getInt());
  launch.orderSeed = order;
  launch.countMemory = threadOptions.counts != nullptr;
  auto report = machine.launch("k", launch, arguments);
  if (!report)
    return {Finding::Wrong, llvm::toString(report.takeError())};
  if (threadOptions.counts)
    *threadOptions.counts = std::move(report->memory);
  if (!report->findings.empty())
    return {Finding::Wrong, report->findings[0].text()};
  std::string refusal;
  if (record && record[0] != 0) {
    refusal = cast<StringAttr>(failures[record[0] - 1]).str();
    for (int i = 0; i < 4; ++i) {
      std::string placeholder = "%" + std::to_string(i);
      if (size_t at = refusal.find(placeholder); at != std::string::npos)
        refusal.replace(at, placeholder.size(), std::to_string(record[i + 1]));
    }
  }
  if (refusal != reference.refusal)
    return {Finding::Wrong,
            "expects refusal '" + reference.refusal + "', but got '" + refusal + "'"};
  if (!refusal.empty())
    return {};
  for (size_t i = 0; i < outputs.size(); ++i)
    if (Finding finding = compareOutput(*reference.outputs[i], outputs[i], i, "the emulator");
        finding.kind != Finding::Good)
      return finding;
  return {};
}
