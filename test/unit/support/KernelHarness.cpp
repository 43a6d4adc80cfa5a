//===- KernelHarness.cpp - runs single tile kernels in tests ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include "StandIns.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <dlfcn.h>
#include <sys/mman.h>

using namespace mlir;
using namespace sectile;
using namespace sectile::test;

static constexpr size_t kPage = 4096;

GuardedBuffer::GuardedBuffer(size_t bytes, size_t alignment) : bytes(bytes) {
  mapped = (bytes + kPage - 1) / kPage * kPage + 2 * kPage;
  mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED ||
      mprotect(static_cast<char *>(mapping) + kPage, mapped - 2 * kPage, PROT_READ | PROT_WRITE))
    llvm::report_fatal_error("cannot map test memory");
  size_t offset = (mapped - kPage - bytes) / alignment * alignment;
  start = static_cast<char *>(mapping) + offset;
}

GuardedBuffer::GuardedBuffer(GuardedBuffer &&other) noexcept
    : mapping(std::exchange(other.mapping, nullptr)), start(other.start), mapped(other.mapped),
      bytes(other.bytes) {}

GuardedBuffer::~GuardedBuffer() {
  if (mapping)
    munmap(mapping, mapped);
}

MLIRContext &sectile::test::getContext() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    registry.insert<affine::AffineDialect, arith::ArithDialect, math::MathDialect, scf::SCFDialect,
                    tensor::TensorDialect, tile::TileDialect>();
    return new MLIRContext(registry, MLIRContext::Threading::DISABLED);
  }();
  return *context;
}

std::vector<const CpuLevel *> sectile::test::presentLevels() {
  std::vector<const CpuLevel *> levels;
  for (const CpuLevel &level : getCpuLevels())
    if (isCpuLevelPresent(level))
      levels.push_back(&level);
  return levels;
}

std::vector<const CpuLevel *> sectile::test::testedLevels() {
  std::vector<const CpuLevel *> levels = presentLevels();
  for (const CpuLevel &level : getStandIns())
    levels.push_back(&level);
  return levels;
}

std::unique_ptr<LoadedKernel> LoadedKernel::compile(StringRef text, StringRef name,
                                                    const CpuLevel &level, FloatMode mode) {
  MLIRContext &context = getContext();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  CodegenOptions options;
  options.exportFunctions = true;
  options.emitAssembly = true;
  options.threads = 1;
  if (const CpuLevel *own = lookupCpuLevel(level.name); own && own->cpu != level.cpu)
    options.prepare = replaceInstructions;
  FailureOr<KernelObjects> object = compileKernels(*module, level, mode, options);
  if (failed(object))
    return nullptr;
  SmallString<128> folder;
  if (llvm::sys::fs::createUniqueDirectory("sectile-kernel", folder))
    return nullptr;
  std::string objectFile = (folder + "/kernel.o").str(), library = (folder + "/kernel.so").str();
  {
    std::error_code error;
    llvm::raw_fd_ostream stream(objectFile, error);
    stream << object->objects[0];
  }
  auto kernel = std::make_unique<LoadedKernel>();
  Location loc = module->getLoc();
  bool isLinked =
      succeeded(linkShared({objectFile}, library, [&] { return mlir::emitError(loc); }));
  if (isLinked)
    kernel->handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  // What is left behind is in the folder for temporary files.
  [[maybe_unused]] std::error_code code = llvm::sys::fs::remove_directories(folder);
  if (!kernel->handle) {
    llvm::errs() << "cannot load the kernel: " << (isLinked ? dlerror() : "not linked") << '\n';
    return nullptr;
  }
  std::string run = (name + cpu::kRunSuffix).str(), info = (name + cpu::kInfoSuffix).str();
  kernel->runFunction = reinterpret_cast<decltype(runFunction)>(dlsym(kernel->handle, run.c_str()));
  kernel->infoFunction =
      reinterpret_cast<decltype(infoFunction)>(dlsym(kernel->handle, info.c_str()));
  kernel->stats = object->stats[run].total;
  kernel->assembly = std::move(object->assembly);
  kernel->failures = object->facts[0].failures;
  return kernel;
}

LoadedKernel::~LoadedKernel() {
  if (handle)
    dlclose(handle);
}

sectile_abi_launch_info LoadedKernel::info(const std::vector<void *> &bufs,
                                           const std::vector<int64_t> &sizes) const {
  sectile_abi_launch_info result;
  infoFunction(bufs.data(), sizes.data(), &result);
  return result;
}

int32_t LoadedKernel::run(const std::vector<void *> &bufs, const std::vector<int64_t> &sizes,
                          int64_t begin, int64_t end) {
  sectile_abi_launch_info launch = info(bufs, sizes);
  if (!scratch || scratch->size() != static_cast<size_t>(launch.scratch_bytes)) {
    scratch = std::make_unique<GuardedBuffer>(launch.scratch_bytes, 64);
    std::memset(scratch->data(), 0xff, scratch->size());
  }
  return runFunction(bufs.data(), sizes.data(), begin, end < 0 ? launch.blocks : end,
                     scratch->data(), values);
}

std::string test::substitute(std::string text,
                             const std::vector<std::pair<std::string, std::string>> &values) {
  for (const auto &[key, value] : values)
    for (size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size())
      text.replace(at, key.size(), value);
  return text;
}

std::string test::wrapBody(const std::vector<std::string> &inputs, const std::string &output,
                           const std::string &body) {
  auto identity = [](const std::string &type) {
    size_t rank = std::count(type.begin(), type.end(), 'x');
    std::string dims;
    for (size_t i = 0; i < rank; ++i)
      dims += (i ? ", d" : "d") + std::to_string(i);
    return "affine_map<(" + dims + ") -> (" + dims + ")>";
  };
  std::string text = "tile.kernel @k(", loads;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string n = std::to_string(i);
    text += "%x" + n + ": !tile.view<" + inputs[i] + ">, ";
    loads += "  %in" + n + " = tile.load %x" + n + " at " + identity(inputs[i]) +
             " [] : !tile.view<" + inputs[i] + "> -> tensor<" + inputs[i] + ">\n";
  }
  return text + "%y: !tile.view<" + output + ">) {\n" + loads + body +
         "\n  tile.store %out, %y at " + identity(output) + " [] : tensor<" + output +
         ">, !tile.view<" + output + ">\n  tile.return\n}\n";
}
