//===- sectile-ptx.cpp - tile kernels as a GPU's assembly -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// sectile-ptx FILE.mlir [--target=sm_80] [--fp=default] [--resources] [-o FILE]
//
// Compiles the tile.kernels of a file to PTX, or to assembly of AMD's devices. With
// --resources they are assembled, by ptxas or LLVM, and what each one takes is printed
// instead.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Codegen/Hsaco.h"
#include "sectile/Codegen/Ptx.h"
#include "sectile/Conversion/ThreadLowering.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"
#include "sectile/Registration/Registration.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace sectile;

static llvm::cl::opt<std::string> input(llvm::cl::Positional, llvm::cl::desc("FILE.mlir"),
                                        llvm::cl::init("-"));
static llvm::cl::opt<std::string> output("o", llvm::cl::desc("where to write"),
                                         llvm::cl::init("-"));
static llvm::cl::opt<std::string> device("target", llvm::cl::desc("the device"),
                                         llvm::cl::init("sm_80"));
static llvm::cl::opt<std::string> fp("fp", llvm::cl::desc("strict, default or fast"),
                                     llvm::cl::init("default"));
static llvm::cl::opt<bool> resources("resources",
                                     llvm::cl::desc("assemble, and say what kernels take"));

/// Exit statuses of docs: 1 refused, 2 usage, 4 environment.
static int fail(int status, const llvm::Twine &message) {
  llvm::errs() << "sectile-ptx: error: " << message << '\n';
  return status;
}

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv, "tile kernels as PTX\n");
  const target::GpuTarget *target = target::findGpuTarget(device.getValue());
  if (!target)
    return fail(2, "expects target to be one of " + target::listGpuTargets() + ", but got '" +
                       device + "'");
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  std::string error;
  auto file = openInputFile(input, &error);
  if (!file)
    return fail(4, error);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  auto module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module)
    return 1;
  PassManager passes(&context);
  tile::TileAssignLayoutsPassOptions layouts;
  layouts.target = device;
  simt::TileToSIMTPassOptions threads;
  threads.floatMode = fp;
  passes.addNestedPass<tile::KernelOp>(tile::createTileAssignLayoutsPass(layouts));
  passes.addPass(simt::createTileToSIMTPass(threads));
  passes.addPass(createCSEPass());
  passes.addPass(simt::createSIMTExpandMathPass());
  simt::addThreadLowering(passes, *target);
  if (failed(passes.run(*module)))
    return 1;
  bool isAmd = target->family == target::GpuFamily::Amd;
  auto out = openOutputFile(output, &error);
  if (!out)
    return fail(4, error);
  auto print = [&](ArrayRef<KernelResources> kernels) {
    for (const KernelResources &kernel : kernels)
      out->os() << kernel.kernel << ": " << kernel.registers << " registers, "
                << kernel.spillStoreBytes + kernel.spillLoadBytes << " bytes spilled, "
                << kernel.sharedBytes << " bytes shared\n";
    out->keep();
  };
  if (resources && isAmd) {
    auto object = emitCodeObject(*module, *target);
    if (failed(object))
      return 1;
    print(object->kernels);
    return 0;
  }
  auto text = isAmd ? emitAmdAssembly(*module, *target) : emitPtx(*module, *target);
  if (failed(text))
    return 1;
  if (!resources) {
    out->os() << *text;
    out->keep();
    return 0;
  }
  std::string ptxas = findPtxas();
  if (ptxas.empty())
    return fail(4, "expects ptxas at $SECTILE_PTXAS, in $CUDA_HOME/bin or in PATH");
  auto cubin = assemble(*text, *target, ptxas);
  if (!cubin)
    return fail(1, llvm::toString(cubin.takeError()));
  print(cubin->kernels);
  return 0;
}
