//===- EmulatorDevice.cpp - a package's kernels on the emulator -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The package holds the NVVM or ROCDL form of its kernels as MLIR bytecode. A kernel is
// compiled for the emulator at its first launch, by itself: shared memory is that
// of one kernel. Its buffers are the host program's; how far each extends, the
// views of the tile.kernel say.
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Conversion/ThreadLowering.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"
#include "sectile/Emulator/Emulator.h"
#include "sectile/Registration/Registration.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSet.h"

#include <algorithm>
#include <map>

using namespace mlir;

namespace sectile::tools {
namespace {

/// Kernels that stay compiled: each has the stacks of a block and a window of low memory.
constexpr size_t kMostKernels = 64;

class EmulatorDevice : public Device {
public:
  explicit EmulatorDevice(const EmulatorOptions &options) : options(options) {
    registerAllDialects(registry);
    context = std::make_unique<MLIRContext>(registry);
    context->loadAllAvailableDialects();
  }

  sectile_device get() override { return {launchThis, this}; }

  Result<Done> attach(const Model &package) override {
    for (uint32_t k = 0; k < package.kernels.size(); ++k) {
      names.emplace_back(package.kernels[k].name);
      sectile_device_kernel_info info = {};
      info.size = sizeof info;
      (void)sectile_package_get_device_kernel(package.package(), k, &info); // 0 for none
      launchShared.push_back(static_cast<uint64_t>(info.launch_shared_bytes));
    }
    sectile_image_info image = {};
    image.size = sizeof image;
    for (uint32_t i = 0; sectile_package_get_image(package.package(), i, &image) == SECTILE_OK; ++i)
      if (image.kind == SECTILE_IMAGE_NVVM || image.kind == SECTILE_IMAGE_ROCDL) {
        if (options.countsMemory && image.kind == SECTILE_IMAGE_ROCDL)
          return failure(kUsage,
                         "--count=memory is for NVIDIA's devices, whose ways to serve memory are "
                         "known to it, but got %s",
                         package.info.target);
        ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
          diagnostics += diagnostic.str();
          return success();
        });
        StringRef bytes(static_cast<const char *>(image.data), image.bytes);
        module = parseSourceString<ModuleOp>(bytes, ParserConfig(context.get()));
        if (!module)
          return failure(kRefused, "the package's kernels cannot be read: %s", diagnostics.c_str());
        return Done{};
      }
    return failure(kRefused,
                   "target '%s' of the package has no kernels in a form that the emulator executes",
                   package.info.target);
  }

  std::string getCounts() const override {
    std::string text;
    for (const emulator::MemoryCount &count : counts)
      text += count.text() + "\n";
    return text;
  }

private:
  struct Kernel {
    std::unique_ptr<emulator::Emulator> emulator;
    LLVM::LLVMFuncOp function;
    FunctionType views;
    bool hasChecks = false;
    uint64_t lastUse = 0;
  };

  static int32_t launchThis(void *user, sectile_device_launch *launch) {
    auto &device = *static_cast<EmulatorDevice *>(user);
    std::string error;
    int32_t result = device.launch(*launch, error);
    snprintf(launch->message, sizeof launch->message, "%s", error.c_str());
    return result;
  }

  /// The kernel alone, with the variables that it names.
  Kernel *load(uint32_t number, std::string &error) {
    auto known = kernels.find(number);
    if (known != kernels.end())
      return &known->second;
    if (kernels.size() >= kMostKernels)
      kernels.erase(std::min_element(kernels.begin(), kernels.end(), [](auto &a, auto &b) {
        return a.second.lastUse < b.second.lastUse;
      }));
    auto function = number < names.size() ? module->lookupSymbol<LLVM::LLVMFuncOp>(names[number])
                                          : LLVM::LLVMFuncOp();
    auto views = function ? function->getAttrOfType<TypeAttr>(simt::kViewsAttr) : TypeAttr();
    if (!views) {
      error = "the package's image lacks the kernel";
      return nullptr;
    }
    OwningOpRef<ModuleOp> single(ModuleOp::create(module->getLoc()));
    llvm::StringSet<> used;
    function->walk([&](LLVM::AddressOfOp address) { used.insert(address.getGlobalName()); });
    for (Operation &op : *module->getBody()) {
      auto variable = dyn_cast<LLVM::GlobalOp>(op);
      if (&op == function || (variable && used.contains(variable.getSymName())))
        single->push_back(op.clone());
    }
    diagnostics.clear();
    ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
      diagnostics += diagnostic.str();
      return success();
    });
    auto emulated = emulator::Emulator::load(*single);
    if (failed(emulated)) {
      error = "the emulator: " + diagnostics;
      return nullptr;
    }
    Kernel &kernel = kernels[number];
    kernel.emulator = std::move(*emulated);
    kernel.function = function;
    kernel.views = cast<FunctionType>(views.getValue());
    kernel.hasChecks = function->hasAttr(simt::kFailuresAttr);
    return &kernel;
  }

  /// Bytes of host memory that launches may touch.
  struct Extent {
    char *begin, *end;
  };

  /// How far a view reaches from its first element, by its extents and strides.
  static int64_t countBytes(tile::ViewType type, const int64_t *&sizes) {
    SmallVector<int64_t> shape(type.getShape());
    for (int64_t &extent : shape)
      if (ShapedType::isDynamic(extent))
        extent = *sizes++;
    ArrayRef<int64_t> strides =
        type.getMemory() ? type.getMemory().getStrides() : ArrayRef<int64_t>();
    int64_t last = 0;
    bool isEmpty = llvm::is_contained(shape, 0);
    if (type.getMemory())
      shape = tile::getMemoryShape(shape, type.getMemory());
    if (strides.empty()) {
      last = 1;
      for (int64_t extent : shape)
        last *= extent;
      --last;
    } else {
      for (auto [extent, stride] : llvm::zip_equal(shape, strides))
        last += (extent - 1) * (ShapedType::isDynamic(stride) ? *sizes++ : stride);
    }
    return isEmpty ? 0 : (last + 1) * type.getElementBytes();
  }

  int32_t launch(sectile_device_launch &launch, std::string &error) {
    Kernel *kernel = load(launch.kernel, error);
    if (!kernel)
      return -1;
    kernel->lastUse = ++time;
    if (launch.blocks > UINT32_MAX) {
      error = "expects less than 2^32 blocks, but got " + std::to_string(launch.blocks);
      return -1;
    }
    std::vector<emulator::Argument> arguments;
    std::vector<Extent> extents;
    const int64_t *sizes = launch.sizes;
    void *const *buffers = launch.buffers;
    for (Type type : kernel->views.getInputs()) {
      auto view = dyn_cast<tile::ViewType>(type);
      if (!view) {
        arguments.emplace_back(*sizes++);
        continue;
      }
      auto *base = static_cast<char *>(*buffers++);
      arguments.emplace_back(base);
      const int64_t *first = sizes;
      int64_t bytes = countBytes(view, sizes);
      for (; first != sizes; ++first)
        arguments.emplace_back(*first);
      if (bytes > 0)
        extents.push_back({base, base + bytes});
    }
    int64_t record[5] = {};
    if (kernel->hasChecks) {
      arguments.emplace_back(static_cast<int64_t *>(record));
      auto *begin = reinterpret_cast<char *>(record);
      extents.push_back({begin, begin + sizeof record});
    }
    emulator::Emulator &device = *kernel->emulator;
    mapExtents(device, extents);
    emulator::LaunchOptions settings;
    settings.grid.x = static_cast<uint32_t>(launch.blocks);
    settings.block.x = static_cast<uint32_t>(simt::getBlockThreads(kernel->function));
    settings.dynamicSharedBytes = launchShared[launch.kernel];
    settings.checkRaces = options.races;
    settings.countMemory = options.countsMemory;
    settings.orderSeed = options.seed;
    auto report = device.launch(names[launch.kernel], settings, arguments);
    device.unmapAll();
    if (!report) {
      error = llvm::toString(report.takeError());
      return -1;
    }
    addCounts(report->memory);
    for (const emulator::Finding &finding : report->findings) {
      if (finding.kind == emulator::FindingKind::OutOfBounds && !options.bounds)
        continue;
      error = "the emulator found a mistake: " + finding.text();
      return -1;
    }
    std::copy(record + 1, record + 5, launch.values);
    return static_cast<int32_t>(record[0]);
  }

  /// Adds what a launch took to what earlier ones did.
  void addCounts(const std::vector<emulator::MemoryCount> &launch) {
    for (const emulator::MemoryCount &count : launch) {
      auto known = llvm::find_if(counts, [&](const emulator::MemoryCount &other) {
        return other.kernel == count.kernel && other.location == count.location &&
               other.op == count.op && other.isShared == count.isShared;
      });
      if (known == counts.end())
        counts.push_back(count);
      else
        *known += count;
    }
  }

  /// Buffers that overlap, or touch, are one region.
  void mapExtents(emulator::Emulator &device, std::vector<Extent> &extents) const {
    llvm::sort(extents, [](const Extent &a, const Extent &b) { return a.begin < b.begin; });
    for (size_t i = 0; i < extents.size();) {
      Extent all = extents[i];
      for (++i; i < extents.size() && extents[i].begin <= all.end; ++i)
        all.end = std::max(all.end, extents[i].end);
      device.map("a buffer of " + std::to_string(all.end - all.begin) + " bytes", all.begin,
                 static_cast<uint64_t>(all.end - all.begin), options.races);
    }
  }

  EmulatorOptions options;
  DialectRegistry registry;
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  std::vector<std::string> names;
  std::vector<uint64_t> launchShared; // by kernel, as the package says
  std::map<uint32_t, Kernel> kernels;
  std::vector<emulator::MemoryCount> counts;
  std::string diagnostics;
  uint64_t time = 0;
};

} // namespace

std::unique_ptr<Device> makeEmulator(const EmulatorOptions &options) {
  return std::make_unique<EmulatorDevice>(options);
}

} // namespace sectile::tools
