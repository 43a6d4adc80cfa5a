//===- Mlir.cpp - models that are MLIR already -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/Mlir.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace sectile;

namespace {

template <typename T>
std::string print(const T &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

/// Why a tensor of this type cannot be held; empty if it can.
std::string whyNotType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return isa<TensorType>(type) ? "expects ranked tensors, but got " + print(type) : "";
  Type element = tensor.getElementType();
  bool isKnown = element.isIndex() || element.isF16() || element.isBF16() || element.isF32() ||
                 element.isF64();
  for (unsigned width : {1, 8, 16, 32, 64})
    isKnown |= element.isSignlessInteger(width);
  if (!isKnown)
    return "expects elements of type i1, i8, i16, i32, i64, f16, bf16, f32 or f64, but got " +
           print(element);
  return tensor.getEncoding() ? "expects tensors without encoding, but got " + print(type) : "";
}

class Checker {
public:
  explicit Checker(HasCode hasCode) : hasCode(hasCode) {}

  SmallVector<UnsupportedOp> run(ModuleOp module) {
    SmallVector<func::FuncOp> models;
    for (Operation &op : *module.getBody()) {
      auto function = dyn_cast<func::FuncOp>(op);
      if (!function)
        refuse(&op, "expects functions only at the top of a model");
      else if (function.isPublic() && !function.isExternal())
        models.push_back(function);
    }
    if (models.size() != 1)
      refuse(module,
             "expects one public function, the model, but got " + std::to_string(models.size()));
    for (func::FuncOp model : models)
      checkFunction(model);
    return std::move(unsupported);
  }

private:
  void refuse(Operation *op, std::string reason) {
    unsupported.push_back({op->getLoc(), op->getName().getStringRef().str(), std::move(reason)});
  }

  void checkFunction(func::FuncOp function) {
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (!isa<RankedTensorType>(type))
        refuse(function, "expects argument " + std::to_string(i) +
                             " to be a ranked tensor, but got " + print(type));
      else if (std::string reason = whyNotType(type); !reason.empty())
        refuse(function, "argument " + std::to_string(i) + " " + reason);
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (!isa<RankedTensorType>(type))
        refuse(function, "expects result " + std::to_string(i) +
                             " to be a ranked tensor, but got " + print(type));
    if (!function.getBody().hasOneBlock())
      return refuse(function, "has branches: control flow is not in this version");
    for (Operation &op : function.getBody().front())
      if (std::string reason = whyNot(&op); !reason.empty())
        refuse(&op, reason);
  }

  /// Why an op of the model's function cannot be compiled; empty if it can.
  std::string whyNot(Operation *op) {
    // Types of operands are refused where they are computed.
    for (Type type : op->getResultTypes())
      if (std::string reason = whyNotType(type); !reason.empty())
        return reason;
    if (op->hasTrait<OpTrait::ConstantLike>() || isa<func::ReturnOp>(op))
      return "";
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      return whyNotLinalg(linalgOp);
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Value value = pad.getConstantPaddingValue();
      return value && matchPattern(value, m_Constant()) ? "" : "expects a constant to pad with";
    }
    if (auto dim = dyn_cast<tensor::DimOp>(op))
      return dim.getConstantIndex() ? "" : "expects a constant dimension";
    if (isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp,
            tensor::ConcatOp, tensor::CastOp, graph::BroadcastOp, graph::CheckOp, graph::GatherOp,
            graph::DequantizeOp, graph::QuantizeOp, graph::ScanOp, graph::ScatterOp, graph::TopKOp>(
            op))
      return "";
    if (isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(op->getDialect())) {
      bool isOfSizes =
          llvm::all_of(op->getResultTypes(), [](Type type) { return type.isIntOrIndex(); });
      return isOfSizes && op->getNumRegions() == 0
                 ? ""
                 : "computes on a single float outside of tensors, which is not in this version";
    }
    return whyNotDialect(op);
  }

  static std::string whyNotDialect(Operation *op) {
    StringRef dialect = op->getName().getDialectNamespace();
    if (isa<func::CallOp>(op))
      return "expects a function with a body that does not call itself";
    if (dialect == "scf" || dialect == "cf")
      return "control flow is not in this version";
    if (dialect == "memref" || dialect == "bufferization")
      return "expects tensors, not buffers";
    if (dialect == "tensor" || dialect == "linalg")
      return "is not in this version";
    return ("expects dialect '" + dialect +
            "' to be lowered to linalg, tensor, arith and math first")
        .str();
  }

  std::string whyNotLinalg(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics())
      return "expects tensors, not buffers";
    SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
    Type first = op->getNumResults() == 0 ? Type() : op->getResult(0).getType();
    for (unsigned result = 0; result < op->getNumResults(); ++result) {
      AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
      if (!map.isProjectedPermutation())
        return "expects results indexed by distinct loops, but got " +
               print(AffineMapAttr::get(map));
      for (unsigned loop = 0; loop < map.getNumDims(); ++loop)
        if (kinds[loop] == utils::IteratorType::parallel && !map.isFunctionOfDim(loop) &&
            op.getStaticLoopRanges()[loop] != 1)
          return "expects every parallel loop to index the results, but loop " +
                 std::to_string(loop) + " does not";
      if (cast<ShapedType>(op->getResult(result).getType()).getShape() !=
          cast<ShapedType>(first).getShape())
        return "expects results of one shape, but got " + print(first) + " and " +
               print(op->getResult(result).getType());
    }
    auto isKnown = [](Value value) {
      return value.getType().isIndex() || isa<RankedTensorType>(value.getType()) ||
             matchPattern(value, m_Constant());
    };
    for (Value operand : op->getOperands())
      if (!isKnown(operand))
        return "uses a run-time scalar of type " + print(operand.getType()) +
               ", which is not in this version";
    return whyNotBody(op, isKnown);
  }

  std::string whyNotBody(linalg::LinalgOp op, function_ref<bool(Value)> isKnown) {
    for (Operation &inner : *op.getBlock()) {
      StringRef name = inner.getName().getStringRef();
      for (Value operand : inner.getOperands())
        if (operand.getParentRegion() != op.getBlock()->getParent() &&
            (!isKnown(operand) || isa<RankedTensorType>(operand.getType())))
          return ("its body reads a run-time value of type " +
                  llvm::Twine(print(operand.getType())) + " from outside, in '" + name + "'")
              .str();
      if (isa<linalg::IndexOp, linalg::YieldOp, graph::DequantizeOp, graph::QuantizeOp>(inner) ||
          inner.hasTrait<OpTrait::ConstantLike>())
        continue;
      bool isScalar = isa_and_nonnull<arith::ArithDialect, math::MathDialect>(inner.getDialect()) &&
                      OpTrait::hasElementwiseMappableTraits(&inner) && inner.getNumResults() == 1;
      if (!isScalar)
        return ("expects scalar ops of arith and math in its body, but got '" + name + "'").str();
      if (isa_and_nonnull<math::MathDialect>(inner.getDialect()) && !hasCode(&inner))
        return ("its body holds '" + name + "', which this target has no code for").str();
    }
    return "";
  }

  HasCode hasCode;
  SmallVector<UnsupportedOp> unsupported;
};

} // namespace

FailureOr<OwningOpRef<ModuleOp>> sectile::readMlirFile(StringRef path, MLIRContext &context) {
  // What no dialect registers is refused op by op, with all the rest.
  context.allowUnregisteredDialects();
  llvm::scope_exit restore([&] { context.allowUnregisteredDialects(false); });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, &context);
  if (!module)
    return failure();
  PassManager passes(&context);
  passes.addPass(createInlinerPass());
  passes.addPass(createSymbolDCEPass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphNormalizePass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  // Its diagnostics speak of our passes; what they could not do is found by the check.
  ScopedDiagnosticHandler silence(&context, [](Diagnostic &) { return success(); });
  (void)passes.run(*module);
  return module;
}

SmallVector<UnsupportedOp> sectile::checkMlirModel(ModuleOp model, HasCode hasCode) {
  return Checker(hasCode).run(model);
}

FailureOr<OwningOpRef<ModuleOp>> sectile::importMlirFile(StringRef path, MLIRContext &context,
                                                         HasCode hasCode) {
  FailureOr<OwningOpRef<ModuleOp>> model = readMlirFile(path, context);
  if (failed(model))
    return failure();
  SmallVector<UnsupportedOp> unsupported = checkMlirModel(**model, hasCode);
  for (const UnsupportedOp &op : unsupported)
    emitError(op.loc) << "'" << op.op << "': " << op.reason;
  if (!unsupported.empty())
    return failure();
  return model;
}
