//===- GraphToTile.cpp - fused regions to tile programs -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/GraphToTile.h"

#include "Analysis.h"
#include "Materializer.h"
#include "Roots.h"
#include "Schedule.h"
#include "Variants.h"

#include "sectile/Conversion/ChooseSchedule.h"
#include "sectile/Report/Remarks.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/GroupInstruction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

namespace sectile {
#define GEN_PASS_DEF_GRAPHTOTILEPASS
#include "sectile/Conversion/GraphToTilePasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

/// The view through which a kernel sees a tensor argument or result.
static tile::ViewType getViewType(RankedTensorType type, Attribute layout,
                                  tile::MemoryAttr memory = {}) {
  if (auto strided = dyn_cast_if_present<StridedLayoutAttr>(layout))
    memory = tile::MemoryAttr::get(
        type.getContext(), AffineMap::getMultiDimIdentityMap(type.getRank(), type.getContext()),
        strided.getStrides());
  return tile::ViewType::get(type.getShape(), type.getElementType(), memory);
}

/// What an argument's address is a multiple of; see tile-to-simt.
static constexpr StringLiteral kAlignmentAttr = "tile.alignment";

namespace {
/// Writes the tile programs of one level.
class Writer {
public:
  Writer(OpBuilder builder, const RegisterFile &file, const DeviceModel &device, StringRef level,
         bool strict, const target::GpuTarget *target)
      : builder(builder), file(file), device(device), level(level), strict(strict), target(target) {
  }

  /// Writes the tile program of `kernel`, with its variants.
  LogicalResult write(graph::KernelOp kernel) {
    FailureOr<RegionAnalysis> analysis = analyseRegion(kernel, file, strict);
    if (failed(analysis))
      return failure();
    auto schedule = kernel->getAttrOfType<tile::ScheduleAttr>(graph::kScheduleAttr);
    std::string text;
    if (schedule)
      text = explainSchedule(kernel, *analysis, file, schedule);
    else if (failed(choose(kernel, *analysis, {}, schedule, text)))
      return failure();
    if (auto remark = remark::analysis(
            kernel.getLoc(), remark::RemarkOpts::name("schedule").category("graph-to-tile")))
      remark << remark::metric(kKernelRemarkKey, kernel.getSymName().str())
             << remark::metric(kLevelRemarkKey, level.str()) << text;
    auto program = writeProgram(kernel, kernel, *analysis, schedule);
    if (failed(program))
      return failure();
    for (const Variant &variant : getVariants(schedule)) {
      OwningOpRef<graph::KernelOp> special = specialise(kernel, variant);
      if (!special)
        return kernel.emitOpError("expects a variant to name an index argument, but got ")
               << variant.argument;
      FailureOr<RegionAnalysis> analysis = analyseRegion(*special, file, strict);
      if (failed(analysis))
        return failure();
      auto other = writeProgram(*special, kernel, *analysis, variant.schedule);
      if (failed(other))
        return failure();
      mergeVariant(*program, *other, variant.argument, variant.value);
    }
    return success();
  }

  /// The schedule that `write` gives a kernel without one, by `limits`.
  FailureOr<tile::ScheduleAttr> choose(graph::KernelOp kernel, const ScheduleLimits &limits) {
    FailureOr<RegionAnalysis> analysis = analyseRegion(kernel, file, strict);
    tile::ScheduleAttr schedule;
    std::string text;
    if (failed(analysis) || failed(choose(kernel, *analysis, limits, schedule, text)))
      return failure();
    return schedule;
  }

private:
  LogicalResult choose(graph::KernelOp kernel, const RegionAnalysis &analysis,
                       const ScheduleLimits &limits, tile::ScheduleAttr &schedule,
                       std::string &text) {
    schedule = chooseSchedule(kernel, analysis, file, device, limits);
    if (failed(fitMemory(kernel, analysis, schedule)))
      return failure();
    text = explainSchedule(kernel, analysis, file, schedule);
    for (unsigned argument : analysis.unknownRows)
      addVariant(kernel, argument, limits, schedule, text);
    return success();
  }

  /// Halves the rows of a block's tile until what it keeps fits the memory that blocks have; what
  /// cannot fit is an error.
  LogicalResult fitMemory(graph::KernelOp kernel, const RegionAnalysis &analysis,
                          tile::ScheduleAttr &schedule) {
    if (!target || analysis.resident.empty())
      return success();
    int64_t most = target::getPrivateBytes(*target);
    int64_t rows = 1;
    for (unsigned dim = 0; dim + 1 < analysis.rank; ++dim)
      rows *= getDimSizes(schedule, dim).reg;
    while (true) {
      auto program = writeProgram(kernel, kernel, analysis, schedule);
      if (failed(program))
        return failure();
      int64_t bytes = 0;
      tile::AllocOp unknown;
      for (auto alloc : program->getBody().getOps<tile::AllocOp>()) {
        tile::ViewType type = alloc.getResult().getType();
        if (type.getNumDynamicDims() != 0)
          unknown = alloc;
        else
          bytes += type.getElementBytes() * ShapedType::getNumElements(type.getShape());
      }
      if (unknown) {
        unknown.emitOpError("does not fit the shared memory of a block on ")
            << target->name.data()
            << ": its size is known only at run time: " << unknown.getResult().getType();
        return failure();
      }
      if (bytes <= most) {
        program->erase();
        return success();
      }
      if (rows == 1) {
        program->emitOpError("does not fit the shared memory of a block on ")
            << target->name.data() << ": what it keeps of one row takes " << bytes
            << " bytes, but there are " << most;
        return failure();
      }
      program->erase();
      rows = std::max<int64_t>(rows / 2, 1);
      schedule = chooseBlockSchedule(analysis, file, device, rows);
    }
  }

  OwningOpRef<graph::KernelOp> specialise(graph::KernelOp kernel, const Variant &variant) {
    if (!patterns)
      patterns = getSpecialisingPatterns(kernel.getContext());
    return sectile::specialise(kernel, variant.argument, variant.value, *patterns);
  }

  /// Adds a variant for a single row, where `argument` is the number of rows.
  void addVariant(graph::KernelOp kernel, unsigned argument, const ScheduleLimits &limits,
                  tile::ScheduleAttr &schedule, std::string &text) {
    Variant variant{argument, 1, {}};
    OwningOpRef<graph::KernelOp> special = specialise(kernel, variant);
    FailureOr<RegionAnalysis> analysis = analyseRegion(*special, file, strict);
    if (failed(analysis))
      return;
    variant.schedule = chooseSchedule(*special, *analysis, file, device, limits);
    schedule = sectile::addVariant(schedule, variant);
    auto name = kernel.getArgAttrOfType<StringAttr>(argument, graph::kNameAttr);
    text +=
        "; another program where " + (name ? name.str() : "argument " + std::to_string(argument)) +
        " = 1, which stages less: " + explainSchedule(*special, *analysis, file, variant.schedule);
  }

  /// Writes the program of `source`, which is `kernel` or a specialised copy of it.
  FailureOr<tile::KernelOp> writeProgram(graph::KernelOp source, graph::KernelOp kernel,
                                         const RegionAnalysis &analysis,
                                         tile::ScheduleAttr schedule) {
    SmallVector<Type> types;
    for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
      auto memory = kernel.getArgAttrOfType<tile::MemoryAttr>(i, graph::kMemoryAttr);
      auto tensor = dyn_cast<RankedTensorType>(type);
      Attribute layout = kernel.getArgAttr(i, graph::kLayoutAttr);
      types.push_back(tensor ? Type(getViewType(tensor, layout, memory)) : type);
    }
    for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
      types.push_back(
          getViewType(cast<RankedTensorType>(type), kernel.getResultAttr(i, graph::kLayoutAttr)));
    auto target = tile::KernelOp::create(builder, kernel.getLoc(), kernel.getSymName(),
                                         builder.getFunctionType(types, {}), schedule);
    markUnaligned(kernel, target);
    target.setNodesAttr(kernel.getNodesAttr());
    Materializer materializer(source, target, file, strict);
    llvm::DenseSet<Value> recomputed;
    for (auto [i, pass] : llvm::enumerate(analysis.jointPasses)) {
      int64_t block = getJointBlock(schedule, i);
      if (block == 0)
        continue;
      materializer.addJointPass(pass, block);
      for (auto [value, residency] : analysis.resident)
        if (isRecomputedAfter(pass, value))
          recomputed.insert(value);
    }
    for (auto [value, residency] : analysis.resident)
      if (!recomputed.contains(value))
        materializer.setResident(value, residency);
    ValueRange results =
        ValueRange(target.getBody().getArguments()).drop_front(kernel.getNumArguments());
    if (failed(emitRoots(materializer, source, target, schedule, results, analysis)))
      return failure();
    OpBuilder end = OpBuilder::atBlockEnd(&target.getBody().front());
    tile::ReturnOp::create(end, kernel.getLoc());
    return target;
  }

  /// Threads move several elements at once where addresses are known to be multiples of that; CPUs
  /// do so anyway.
  void markUnaligned(graph::KernelOp kernel, tile::KernelOp program) {
    if (!target)
      return;
    unsigned numInputs = kernel.getNumArguments();
    for (unsigned i = 0; i < program.getNumArguments(); ++i) {
      bool isMarked = i < numInputs ? bool(kernel.getArgAttr(i, kUnalignedAttr))
                                    : bool(kernel.getResultAttr(i - numInputs, kUnalignedAttr));
      if (auto view = dyn_cast<tile::ViewType>(program.getArgumentTypes()[i]); view && isMarked)
        program.setArgAttr(i, kAlignmentAttr, builder.getI64IntegerAttr(view.getElementBytes()));
    }
  }

  OpBuilder builder;
  const RegisterFile &file;
  const DeviceModel &device;
  StringRef level;
  bool strict;
  const target::GpuTarget *target; // null for a CPU
  std::optional<FrozenRewritePatternSet> patterns;
};

struct GraphToTilePass : sectile::impl::GraphToTilePassBase<GraphToTilePass> {
  using GraphToTilePassBase::GraphToTilePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const target::GpuTarget *gpu = target::findGpuTarget(target.getValue());
    if (!gpu && !target.empty()) {
      module.emitError("expects target to be one of ")
          << target::listGpuTargets() << ", but got '" << target << "'";
      return signalPassFailure();
    }
    std::string text = device.empty() && gpu ? target::describeDevice(*gpu) : device.getValue();
    FailureOr<DeviceModel> model = DeviceModel::parse(module, text);
    if (failed(model))
      return signalPassFailure();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto nested = ModuleOp::create(builder, module.getLoc(), StringRef(level));
    builder.setInsertionPointToStart(nested.getBody());
    RegisterFile file{lanes, registers};
    if (gpu) {
      // Eight elements for each of 128 threads hide latency and leave registers. A step of a
      // product takes whole accesses of each operand's rows, and no more: it is unrolled.
      constexpr int64_t kThreads = 128, kElementsPerThread = 8, kDotBytes = 64;
      file = {.lanes = gpu->threadsPerWarp,
              .registers = gpu->registersPerThread,
              .blockElements = kThreads * kElementsPerThread,
              .dotBytes = std::max(kDotBytes, gpu->access.sectorBytes)};
      if (auto shape = target::getGroupShape(gpu->name)) {
        file.groupRows = shape->rows;
        file.groupColumns = shape->columns;
        file.groupBytes = shape->depthBytes;
        file.groupDotBytes = shape->rowBytes;
      }
    }
    Writer writer(builder, file, *model, level, strict, gpu);
    for (auto kernel : module.getOps<graph::KernelOp>())
      if (failed(writer.write(kernel)))
        return signalPassFailure();
  }
};
} // namespace

FailureOr<tile::ScheduleAttr> sectile::chooseSchedule(graph::KernelOp kernel,
                                                      const GraphToTilePassOptions &options,
                                                      const ScheduleLimits &limits) {
  FailureOr<DeviceModel> device = DeviceModel::parse(kernel, options.device);
  if (failed(device))
    return failure();
  RegisterFile file{options.lanes, options.registers};
  Writer writer(OpBuilder(kernel.getContext()), file, *device, options.level, options.strict,
                /*target=*/nullptr);
  return writer.choose(kernel, limits);
}
