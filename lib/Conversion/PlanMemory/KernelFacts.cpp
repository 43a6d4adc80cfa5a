//===- KernelFacts.cpp - what kernels may rely on of their arguments' memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelFacts.h"

#include "sectile/Conversion/GraphToTile.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace sectile;

namespace {
/// Launches of one kernel that agree in the layouts of inputs and results, and, if it changes a
/// tensor here and there, in what they do in place: in place, it has nothing to copy.
struct Variant {
  SmallVector<Attribute> layouts;
  Attribute inPlace;
  SmallVector<graph::LaunchOp> launches;
};
} // namespace

static void writeFacts(graph::KernelOp kernel, const Variant &variant) {
  auto unit = UnitAttr::get(kernel.getContext());
  unsigned numInputs = kernel.getNumArguments();
  llvm::SmallBitVector overwritten(numInputs), overwrites(kernel.getNumResults());
  for (graph::LaunchOp launch : variant.launches) {
    auto inputs = launch->getAttrOfType<DenseI64ArrayAttr>(graph::kInPlaceAttr);
    for (auto [result, input] : llvm::enumerate(inputs ? inputs.asArrayRef() : ArrayRef<int64_t>()))
      if (input >= 0) {
        overwritten.set(input);
        overwrites.set(result);
      }
  }
  for (unsigned i = 0; i < numInputs; ++i) {
    if (!isa<RankedTensorType>(kernel.getArgumentTypes()[i]))
      continue;
    if (variant.layouts[i])
      kernel.setArgAttr(i, graph::kLayoutAttr, variant.layouts[i]);
    if (overwritten.test(i))
      continue;
    kernel.setArgAttr(i, graph::kReadOnlyAttr, unit);
    kernel.setArgAttr(i, graph::kNoAliasAttr, unit);
  }
  if (auto inputs = dyn_cast_if_present<DenseI64ArrayAttr>(variant.inPlace))
    for (auto [result, input] : llvm::enumerate(inputs.asArrayRef()))
      if (input >= 0)
        kernel.setResultAttr(result, graph::kOverwritesAttr,
                             OpBuilder(kernel).getI64IntegerAttr(input));
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    if (variant.layouts[numInputs + i])
      kernel.setResultAttr(i, graph::kLayoutAttr, variant.layouts[numInputs + i]);
    if (!overwrites.test(i))
      kernel.setResultAttr(i, graph::kNoAliasAttr, unit);
  }
}

/// Marks the arguments and results that begin inside other tensors.
static void markUnaligned(graph::KernelOp kernel, ArrayRef<graph::LaunchOp> launches) {
  auto unit = UnitAttr::get(kernel.getContext());
  for (graph::LaunchOp launch : launches) {
    for (auto [i, input] : llvm::enumerate(launch.getInputs()))
      if (isa<RankedTensorType>(input.getType()) && !Placement::isWhole(input))
        kernel.setArgAttr(i, kUnalignedAttr, unit);
    for (auto [i, result] : llvm::enumerate(launch.getResults()))
      if (!Placement::isWhole(result))
        kernel.setResultAttr(i, kUnalignedAttr, unit);
  }
}

void sectile::recordKernelFacts(ModuleOp module, func::FuncOp model, const Placement &placement) {
  llvm::MapVector<StringAttr, SmallVector<Variant>> variants;
  for (auto launch : model.getBody().front().getOps<graph::LaunchOp>()) {
    SmallVector<Attribute> layouts;
    for (ValueRange tensors : {ValueRange(launch.getInputs()), ValueRange(launch.getResults())})
      for (Value tensor : tensors)
        layouts.push_back(isa<RankedTensorType>(tensor.getType()) ? placement.getLayout(tensor)
                                                                  : StridedLayoutAttr());
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    Attribute inPlace;
    if (kernel && !kernel.getBody().getOps<graph::ScatterOp>().empty())
      inPlace = launch->getAttr(graph::kInPlaceAttr);
    SmallVector<Variant> &known = variants[launch.getKernelAttr().getAttr()];
    auto *it = llvm::find_if(
        known, [&](const Variant &v) { return v.layouts == layouts && v.inPlace == inPlace; });
    if (it == known.end()) {
      known.push_back({layouts, inPlace, {}});
      it = &known.back();
    }
    it->launches.push_back(launch);
  }
  llvm::DenseSet<StringAttr> isLaunched;
  module.walk([&](graph::LaunchOp launch) { isLaunched.insert(launch.getKernelAttr().getAttr()); });
  SymbolTable symbols(module);
  for (auto kernel : llvm::make_early_inc_range(module.getOps<graph::KernelOp>())) {
    auto it = variants.find(kernel.getSymNameAttr());
    if (it == variants.end()) {
      if (!isLaunched.contains(kernel.getSymNameAttr())) {
        kernel.erase();
        continue;
      }
      // The buffers of loops may be anywhere.
      auto unit = UnitAttr::get(kernel.getContext());
      for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
        if (isa<RankedTensorType>(kernel.getArgumentTypes()[i]))
          kernel.setArgAttr(i, kUnalignedAttr, unit);
      for (unsigned i = 0; i < kernel.getNumResults(); ++i)
        kernel.setResultAttr(i, kUnalignedAttr, unit);
      continue;
    }
    ArrayRef<Variant> known = it->second;
    for (const Variant &variant : llvm::drop_begin(known)) {
      auto clone = cast<graph::KernelOp>(kernel->clone());
      // Renamed where the name is taken.
      StringAttr name = symbols.insert(clone, std::next(kernel->getIterator()));
      for (graph::LaunchOp launch : variant.launches)
        launch.setKernelAttr(FlatSymbolRefAttr::get(name));
      writeFacts(clone, variant);
      markUnaligned(clone, variant.launches);
    }
    writeFacts(kernel, known.front());
    markUnaligned(kernel, known.front().launches);
  }
}
