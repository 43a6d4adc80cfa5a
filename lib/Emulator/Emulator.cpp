//===- Emulator.cpp - loading and launching -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Emulator/Emulator.h"

#include "Lower.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace sectile::emulator;

struct sectile::emulator::Program {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  LoweredKernels kernels;
};

// What compiled kernels call.
static void *onAccess(char *address, uint64_t bytes, uint32_t site) {
  return activeMachine->access(address, bytes, activeMachine->sites[site], site);
}
static uint64_t onMeet(uint32_t op, LaneMask mask, uint32_t site, uint64_t a, uint64_t b,
                       uint64_t c) {
  return activeMachine->meet(Collective(op), mask, site, a, b, c);
}
static uint32_t onBarrier(uint32_t id, uint32_t count, uint32_t predicate, uint32_t site) {
  return activeMachine->barrier(id, count, predicate, site);
}
static uint32_t onSpecial(uint32_t which) { return activeMachine->special(which); }
static void onCopy(char *to, char *from, uint32_t bytes, uint32_t read, uint32_t site) {
  activeMachine->copy(to, from, bytes, read, site);
}
static void onCommitCopies() { activeMachine->commitCopies(); }
static void onWaitForCopies(uint32_t pending) { activeMachine->waitForCopies(pending); }
static void onTouchRegisters(uint32_t registers, uint32_t site) {
  activeMachine->touchRegisters(registers, site);
}
static void onFenceProxies() { activeMachine->fenceProxies(); }

Emulator::Emulator() : machine(std::make_unique<Machine>()), program(std::make_unique<Program>()) {}
Emulator::~Emulator() = default;

/// A module of the functions and globals of `module`'s only `gpu.module`, or of its own.
static FailureOr<OwningOpRef<ModuleOp>> extractKernels(ModuleOp module) {
  Operation *container = module;
  for (Operation &op : *module.getBody())
    if (op.getName().getStringRef() == "gpu.module") {
      if (container != module) {
        op.emitError("the emulator expects one gpu.module, but got several");
        return failure();
      }
      container = &op;
    }
  OwningOpRef<ModuleOp> kernels(ModuleOp::create(container->getLoc()));
  for (Operation &op : container->getRegion(0).front())
    kernels->push_back(op.clone());
  return kernels;
}

/// Conversions to 16-bit floats, to nearest even: what LLVM calls where the host has no instruction
/// (names and registers are those of compiler-rt).
template <typename Narrow, typename Wide>
static Narrow onTruncate(Wide value) {
  llvm::APFloat number(value);
  bool losesInfo = false;
  const llvm::fltSemantics &semantics =
      std::is_same_v<Narrow, __bf16> ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
  (void)number.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return llvm::bit_cast<Narrow>(static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue()));
}
static float onExtend(_Float16 value) {
  llvm::APFloat number(llvm::APFloat::IEEEhalf(), llvm::APInt(16, llvm::bit_cast<uint16_t>(value)));
  bool losesInfo = false;
  (void)number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return number.convertToFloat();
}

static llvm::Error compile(ModuleOp module, std::unique_ptr<llvm::orc::LLJIT> &jit) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto context = std::make_unique<llvm::LLVMContext>();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  std::unique_ptr<llvm::Module> ir = translateModuleToLLVMIR(module, *context);
  if (!ir)
    return llvm::createStringError("the kernels cannot be translated to LLVM IR");
  auto host = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!host)
    return host.takeError();
  auto target = host->createTargetMachine();
  if (!target)
    return target.takeError();
  ir->setDataLayout((*target)->createDataLayout());
  ir->setTargetTriple((*target)->getTargetTriple());
  if (auto error = makeOptimizingTransformer(2, 0, target->get())(ir.get()))
    return error;
  auto created = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(*host).create();
  if (!created)
    return created.takeError();
  jit = std::move(*created);
  llvm::orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                           llvm::JITSymbolFlags::Exported};
  };
  define("sectile_emulator_access", onAccess);
  define("sectile_emulator_meet", onMeet);
  define("sectile_emulator_barrier", onBarrier);
  define("sectile_emulator_special", onSpecial);
  define("sectile_emulator_copy", onCopy);
  define("sectile_emulator_commit_copies", onCommitCopies);
  define("sectile_emulator_wait_for_copies", onWaitForCopies);
  define("sectile_emulator_touch_registers", onTouchRegisters);
  define("sectile_emulator_fence_proxies", onFenceProxies);
  define("__truncsfbf2", onTruncate<__bf16, float>);
  define("__truncdfbf2", onTruncate<__bf16, double>);
  define("__truncsfhf2", onTruncate<_Float16, float>);
  define("__truncdfhf2", onTruncate<_Float16, double>);
  define("__extendhfsf2", onExtend);
  auto &library = jit->getMainJITDylib();
  if (auto error = library.define(llvm::orc::absoluteSymbols(std::move(symbols))))
    return error;
  // Functions of <math.h> that LLVM's intrinsics become.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  return jit->addIRModule({std::move(ir), std::move(context)});
}

FailureOr<std::unique_ptr<Emulator>> Emulator::load(ModuleOp module) {
  std::unique_ptr<Emulator> emulator(new Emulator());
  FailureOr<OwningOpRef<ModuleOp>> kernels = extractKernels(module);
  if (failed(kernels))
    return failure();
  FailureOr<LoweredKernels> lowered = lowerKernels(**kernels, *emulator->machine);
  if (failed(lowered) || failed(verify(**kernels)))
    return failure();
  Program &program = *emulator->program;
  program.kernels = std::move(*lowered);
  auto fail = [&](llvm::Error error) {
    module.emitError() << "the emulator cannot compile the kernels: "
                       << llvm::toString(std::move(error));
    return failure();
  };
  if (auto error = compile(**kernels, program.jit))
    return fail(std::move(error));
  for (const GlobalInfo &global : program.kernels.globals) {
    auto address = program.jit->lookup(global.name);
    if (!address)
      return fail(address.takeError());
    Region &region =
        emulator->machine->addRegion("@" + global.name, global.bytes, address->toPtr<char *>());
    emulator->machine->setInitialized(region);
  }
  return std::move(emulator);
}

void *Emulator::allocate(StringRef name, uint64_t bytes) {
  return machine->addRegion(name, bytes).data;
}

void *Emulator::allocate(StringRef name, ArrayRef<char> data) {
  Region &region = machine->addRegion(name, data.size());
  std::copy(data.begin(), data.end(), region.data);
  machine->setInitialized(region);
  return region.data;
}

void Emulator::map(StringRef name, void *data, uint64_t bytes, bool tracks) {
  machine->mapRegion(name, bytes, static_cast<char *>(data), tracks);
}

void Emulator::unmapAll() { machine->unmapRegions(); }

llvm::Expected<Report> Emulator::launch(StringRef kernel, const LaunchOptions &options,
                                        ArrayRef<Argument> arguments) {
  auto entry = program->kernels.kernels.find(kernel);
  if (entry == program->kernels.kernels.end())
    return llvm::createStringError("no kernel '" + kernel + "'");
  auto fail = [&](const Twine &reason) {
    return llvm::createStringError("kernel '" + kernel + "' " + reason);
  };
  const std::vector<uint64_t> &sizes = entry->second.argumentBytes;
  if (sizes.size() != arguments.size())
    return fail("expects " + Twine(sizes.size()) + " arguments, but got " +
                Twine(arguments.size()));
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] != arguments[i].bytes.size())
      return fail("expects " + Twine(sizes[i]) + " bytes for argument " + Twine(i) + ", but got " +
                  Twine(arguments[i].bytes.size()));
  auto volume = [](Dim3 dim) { return uint64_t(dim.x) * dim.y * dim.z; };
  uint64_t threads = volume(options.block), blocks = volume(options.grid);
  if (!threads || threads > kMaxThreads || !blocks)
    return fail("expects 1 to " + Twine(kMaxThreads) + " threads and at least one block, but got " +
                Twine(threads) + " and " + Twine(blocks));
  if (options.countMemory && machine->isAmd)
    return fail("is for a device of AMD's: what memory serves is counted for NVIDIA's only");
  if (options.checkRaces && blocks > kMaxBlocks)
    return fail("expects at most " + Twine(kMaxBlocks) +
                " blocks where races are checked, but got " + Twine(blocks));
  uint64_t shared = machine->staticShared + options.dynamicSharedBytes;
  if (shared > kMaxShared)
    return fail("expects at most " + Twine(kMaxShared) + " bytes of shared memory, but got " +
                Twine(shared));
  auto address = program->jit->lookup(entryName(kernel));
  if (!address)
    return address.takeError();
  std::vector<void *> pointers;
  for (const Argument &argument : arguments)
    pointers.push_back(const_cast<char *>(argument.bytes.data()));
  Report report =
      machine->run(options, kernel, address->toPtr<void (*)(void **)>(), pointers.data());
  if (machine->ranOutOfTime())
    return fail("synchronises a block more than 2^20 times: races cannot be checked");
  return report;
}
