//===- import-run.cpp - runs what a model is imported to --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A test of the importer that shares nothing with our compiler: the imported
// module goes through upstream's bufferization, loops and JIT. The graph ops
// get a plain lowering here that is used nowhere else.
//
//   import-run MODEL [--dims=..] --inputs=IN --outputs=OUT
//
// IN and OUT hold tensors one after the other: rank, extents, length in bytes
// (64-bit each) and the elements, bool as one byte.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Frontend/Onnx.h"
#include "sectile/Registration/Registration.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <numeric>

using namespace mlir;
namespace cl = llvm::cl;

static cl::opt<std::string> modelFile(cl::Positional, cl::Required, cl::desc("<model.onnx>"));
static cl::opt<std::string> inputsFile("inputs", cl::Required, cl::desc("the inputs"));
static cl::opt<std::string> outputsFile("outputs", cl::Required, cl::desc("where results go"));
static cl::list<std::string> dims("dims", cl::CommaSeparated, cl::desc("extents to make static"));

//===----------------------------------------------------------------------===//
// Plain lowerings of graph ops
//===----------------------------------------------------------------------===//

namespace {
/// A tensor computed element by element from its coordinates.
Value generate(OpBuilder &b, Location loc, RankedTensorType type, ArrayRef<OpFoldResult> sizes,
               llvm::function_ref<Value(OpBuilder &, ValueRange)> body) {
  Value init = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(b, loc, init.getType(), ValueRange(), init,
                                      b.getMultiDimIdentityMap(type.getRank()), iterators,
                                      [&](OpBuilder &inner, Location where, ValueRange) {
                                        SmallVector<Value> at;
                                        for (int64_t dim = 0; dim < type.getRank(); ++dim)
                                          at.push_back(linalg::IndexOp::create(inner, where, dim));
                                        linalg::YieldOp::create(inner, where, body(inner, at));
                                      });
  Value result = op.getResult(0);
  if (result.getType() != type)
    result = tensor::CastOp::create(b, loc, type, result);
  return result;
}

struct LowerBroadcast : OpRewritePattern<sectile::graph::BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::BroadcastOp op,
                                PatternRewriter &rewriter) const override {
    ReifiedRankedShapedTypeDims shapes;
    if (failed(op.reifyResultShapes(rewriter, shapes)))
      return failure();
    Value source = op.getSource();
    auto from = cast<RankedTensorType>(source.getType());
    auto type = cast<RankedTensorType>(op.getType());
    Value zero = arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0);
    Value one = arith::ConstantIndexOp::create(rewriter, op.getLoc(), 1);
    Value result =
        generate(rewriter, op.getLoc(), type, shapes[0], [&](OpBuilder &b, ValueRange at) -> Value {
          SmallVector<Value> position;
          for (int64_t dim = 0; dim < from.getRank(); ++dim) {
            Value extent = tensor::DimOp::create(b, op.getLoc(), source, dim);
            Value stands =
                arith::CmpIOp::create(b, op.getLoc(), arith::CmpIPredicate::eq, extent, one);
            position.push_back(arith::SelectOp::create(b, op.getLoc(), stands, zero,
                                                       at[type.getRank() - from.getRank() + dim]));
          }
          return tensor::ExtractOp::create(b, op.getLoc(), source, position);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerGather : OpRewritePattern<sectile::graph::GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::GatherOp op,
                                PatternRewriter &rewriter) const override {
    ReifiedRankedShapedTypeDims shapes;
    if (failed(op.reifyResultShapes(rewriter, shapes)))
      return failure();
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    auto indices = cast<RankedTensorType>(op.getIndices().getType());
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value extent = tensor::DimOp::create(rewriter, loc, op.getSource(), axis);
    Value result =
        generate(rewriter, loc, cast<RankedTensorType>(op.getType()), shapes[0],
                 [&](OpBuilder &b, ValueRange at) -> Value {
                   ValueRange place = at.slice(axis, indices.getRank());
                   Value index = tensor::ExtractOp::create(b, loc, op.getIndices(), place);
                   index = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
                   Value isNegative =
                       arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, zero);
                   Value counted = arith::AddIOp::create(b, loc, index, extent);
                   index = arith::SelectOp::create(b, loc, isNegative, counted, index);
                   SmallVector<Value> position(at.take_front(axis));
                   position.push_back(index);
                   llvm::append_range(position, at.drop_front(axis + indices.getRank()));
                   return tensor::ExtractOp::create(b, loc, op.getSource(), position);
                 });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// One loop inside the other over a box, carrying tensors.
SmallVector<Value> loopOver(
    OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, ValueRange at, ValueRange carried)> body) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> counts;
  for (OpFoldResult size : sizes)
    counts.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
  auto nest = [&](auto &self, OpBuilder &b, SmallVector<Value> at,
                  ValueRange carried) -> SmallVector<Value> {
    if (at.size() == counts.size())
      return body(b, at, carried);
    auto loop =
        scf::ForOp::create(b, loc, zero, counts[at.size()], one, carried,
                           [&](OpBuilder &inner, Location, Value counter, ValueRange arguments) {
                             SmallVector<Value> deeper(at);
                             deeper.push_back(counter);
                             scf::YieldOp::create(inner, loc, self(self, inner, deeper, arguments));
                           });
    return llvm::to_vector_of<Value>(loop.getResults());
  };
  return nest(nest, b, {}, carried);
}

/// What the scalar body of an op yields.
SmallVector<Value> inlineBody(OpBuilder &b, Block &block, ValueRange arguments) {
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator())
    b.clone(op, mapping);
  return llvm::map_to_vector(block.getTerminator()->getOperands(),
                             [&](Value value) { return mapping.lookupOrDefault(value); });
}

struct LowerScan : OpRewritePattern<sectile::graph::ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::ScanOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, op.getInputs()[0]);
    Value last = arith::SubIOp::create(rewriter, loc,
                                       getValueOrCreateConstantIndexOp(rewriter, loc, sizes[axis]),
                                       arith::ConstantIndexOp::create(rewriter, loc, 1));
    // States lie in tensors without the axis, results beside them.
    SmallVector<Value> carried(op.getInits());
    for (Type type : op.getResultTypes())
      carried.push_back(tensor::EmptyOp::create(rewriter, loc, sizes, getElementTypeOrSelf(type)));
    size_t numStates = op.getInits().size();
    SmallVector<Value> done =
        loopOver(rewriter, loc, sizes, carried,
                 [&](OpBuilder &b, ValueRange at, ValueRange tensors) -> SmallVector<Value> {
                   SmallVector<Value> place(at), outer(at), arguments;
                   outer.erase(outer.begin() + axis);
                   if (op.getReverse())
                     place[axis] = arith::SubIOp::create(b, loc, last, at[axis]);
                   for (Value state : tensors.take_front(numStates))
                     arguments.push_back(tensor::ExtractOp::create(b, loc, state, outer));
                   for (Value input : op.getInputs())
                     arguments.push_back(tensor::ExtractOp::create(b, loc, input, place));
                   SmallVector<Value> next = inlineBody(b, op.getStep().front(), arguments), result;
                   for (auto [state, value] : llvm::zip(tensors, next))
                     result.push_back(tensor::InsertOp::create(b, loc, value, state, outer));
                   ArrayRef<Value> shown(op.getExclusive() ? arguments : next);
                   for (auto [tensor, value] : llvm::zip(tensors.drop_front(numStates), shown))
                     result.push_back(tensor::InsertOp::create(b, loc, value, tensor, place));
                   return result;
                 });
    SmallVector<Value> results;
    for (auto [value, type] :
         llvm::zip_equal(ArrayRef(done).drop_front(numStates), op.getResultTypes()))
      results.push_back(value.getType() == type
                            ? value
                            : tensor::CastOp::create(rewriter, loc, type, value).getResult());
    rewriter.replaceOp(op, results);
    return success();
  }
};

struct LowerScatter : OpRewritePattern<sectile::graph::ScatterOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::ScatterOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, op.getUpdates());
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    SmallVector<Value> result = loopOver(
        rewriter, loc, sizes, op.getData(),
        [&](OpBuilder &b, ValueRange at, ValueRange tensors) -> SmallVector<Value> {
          SmallVector<Value> dims(at), place;
          auto apply = [&](AffineExpr expr, ArrayRef<Value> values) -> Value {
            if (auto constant = dyn_cast<AffineConstantExpr>(expr))
              return arith::ConstantIndexOp::create(b, loc, constant.getValue());
            return values[cast<AffineDimExpr>(expr).getPosition()];
          };
          for (auto [k, indices] : llvm::enumerate(op.getIndices())) {
            SmallVector<Value> where;
            for (AffineExpr expr : cast<AffineMapAttr>(op.getReads()[k]).getValue().getResults())
              where.push_back(apply(expr, llvm::to_vector(at)));
            Value index = tensor::ExtractOp::create(b, loc, indices, where);
            index = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
            unsigned axis = *op.getPlace().getResultPosition(b.getAffineDimExpr(at.size() + k));
            Value extent = tensor::DimOp::create(b, loc, tensors[0], axis);
            Value isNegative =
                arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, zero);
            Value counted = arith::AddIOp::create(b, loc, index, extent);
            dims.push_back(arith::SelectOp::create(b, loc, isNegative, counted, index));
          }
          for (AffineExpr expr : op.getPlace().getResults())
            place.push_back(apply(expr, dims));
          Value before = tensor::ExtractOp::create(b, loc, tensors[0], place);
          Value update = tensor::ExtractOp::create(b, loc, op.getUpdates(), at);
          Value after = inlineBody(b, op.getCombine().front(), {before, update}).front();
          return {tensor::InsertOp::create(b, loc, after, tensors[0], place)};
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Each element sinks through the list of what was selected before it, taking the place of what it
/// precedes, which sinks on.
struct LowerTopK : OpRewritePattern<sectile::graph::TopKOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::TopKOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, op.getInput());
    SmallVector<OpFoldResult> listSizes(sizes);
    listSizes[axis] = rewriter.getIndexAttr(op.getK());
    // The places of a list are the innermost loop.
    SmallVector<OpFoldResult> loops(sizes);
    loops.push_back(listSizes[axis]);
    Type element = getElementTypeOrSelf(op.getInput().getType()), i64 = rewriter.getI64Type();
    Value none = arith::ConstantIntOp::create(rewriter, loc, -1, 64);
    Value zero = arith::ConstantIntOp::create(rewriter, loc, 0, 64);
    Value first = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value empty = tensor::EmptyOp::create(rewriter, loc, listSizes, i64);
    SmallVector<Value> carried{
        tensor::EmptyOp::create(rewriter, loc, listSizes, element),
        linalg::FillOp::create(rewriter, loc, none, empty).getResult(0),
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(element)), none};
    SmallVector<Value> done = loopOver(
        rewriter, loc, loops, carried,
        [&](OpBuilder &b, ValueRange at, ValueRange state) -> SmallVector<Value> {
          SmallVector<Value> source(at.drop_back()), place(source);
          Value number = at.back();
          place[axis] = number;
          Value starts = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, number, first);
          Value fresh = tensor::ExtractOp::create(b, loc, op.getInput(), source);
          Value position = arith::IndexCastOp::create(b, loc, i64, at[axis]);
          Value value = arith::SelectOp::create(b, loc, starts, fresh, state[2]);
          Value index = arith::SelectOp::create(b, loc, starts, position, state[3]);
          Value other = tensor::ExtractOp::create(b, loc, state[0], place);
          Value otherIndex = tensor::ExtractOp::create(b, loc, state[1], place);
          Value precedes = inlineBody(b, op.getPrecedes().front(), {value, other}).front();
          Value isEmpty =
              arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, otherIndex, zero);
          // What sinks and is not the new element is followed by later places only.
          Value sinks = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, index, position);
          Value takes = arith::OrIOp::create(b, loc, precedes, isEmpty);
          takes = arith::OrIOp::create(b, loc, takes, sinks);
          auto pick = [&](Value x, Value y) -> Value {
            return arith::SelectOp::create(b, loc, takes, x, y);
          };
          return {tensor::InsertOp::create(b, loc, pick(value, other), state[0], place),
                  tensor::InsertOp::create(b, loc, pick(index, otherIndex), state[1], place),
                  pick(other, value), pick(otherIndex, index)};
        });
    SmallVector<Value> results;
    for (auto [value, type] : llvm::zip(done, op.getResultTypes()))
      results.push_back(value.getType() == type
                            ? value
                            : tensor::CastOp::create(rewriter, loc, type, value).getResult());
    rewriter.replaceOp(op, results);
    return success();
  }
};

struct LowerCheck : OpRewritePattern<sectile::graph::CheckOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(sectile::graph::CheckOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<cf::AssertOp>(op, op.getCondition(), op.getMessage());
    return success();
  }
};

/// Upstream's lowering of memref.expand_shape crashes on two dynamic extents in one group.
struct LowerExpandShape : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getResultType().getNumDynamicDims() < 2)
      return failure();
    SmallVector<Value> sizes;
    for (OpFoldResult size : op.getMixedOutputShape())
      sizes.push_back(getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), size));
    Value shape = tensor::FromElementsOp::create(rewriter, op.getLoc(), sizes);
    rewriter.replaceOpWithNewOp<tensor::ReshapeOp>(op, op.getResultType(), op.getSrc(), shape);
    return success();
  }
};
} // namespace

static LogicalResult lower(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  patterns.add<LowerBroadcast, LowerCheck, LowerExpandShape, LowerGather, LowerScan, LowerScatter,
               LowerTopK>(module.getContext());
  tensor::populateDecomposeTensorConcatPatterns(patterns);
  if (failed(applyPatternsGreedily(module, std::move(patterns))))
    return failure();
  module.walk([](func::FuncOp func) {
    func->setAttr("llvm.emit_c_interface", UnitAttr::get(func.getContext()));
  });
  PassManager pm(module.getContext());
  const char *pipeline =
      "convert-tensor-to-linalg,func.func(empty-tensor-to-alloc-tensor),"
      "one-shot-bufferize{bufferize-function-boundaries "
      "function-boundary-type-conversion=identity-layout-map},"
      "func.func(convert-linalg-to-loops),expand-strided-metadata,lower-affine,"
      "convert-scf-to-cf,canonicalize,"
      "func.func(arith-expand{include-bf16=true}),"
      "convert-math-to-llvm,convert-math-to-libm,expand-strided-metadata,lower-affine,"
      "finalize-memref-to-llvm,convert-func-to-llvm,convert-index-to-llvm,convert-arith-to-llvm,"
      "convert-cf-to-llvm,convert-ub-to-llvm,reconcile-unrealized-casts";
  if (failed(parsePassPipeline(pipeline, pm)))
    return failure();
  return pm.run(module);
}

//===----------------------------------------------------------------------===//
// Tensors in memory
//===----------------------------------------------------------------------===//

/// A memref descriptor of any rank: two pointers, an offset, extents and strides.
static size_t descriptorWords(int64_t rank) { return 3 + 2 * rank; }

static bool readInputs(StringRef bytes, std::vector<std::vector<int64_t>> &descriptors) {
  auto word = [&]() {
    int64_t value = 0;
    memcpy(&value, bytes.data(), sizeof(value));
    bytes = bytes.drop_front(sizeof(value));
    return value;
  };
  while (!bytes.empty()) {
    int64_t rank = word();
    std::vector<int64_t> descriptor(descriptorWords(rank));
    for (int64_t dim = 0; dim < rank; ++dim)
      descriptor[3 + dim] = word();
    int64_t stride = 1;
    for (int64_t dim = rank; dim-- > 0; stride *= descriptor[3 + dim])
      descriptor[3 + rank + dim] = stride;
    int64_t size = word();
    char *copy = static_cast<char *>(aligned_alloc(64, (size + 64) / 64 * 64));
    memcpy(copy, bytes.data(), size);
    bytes = bytes.drop_front(size);
    descriptor[0] = descriptor[1] = reinterpret_cast<int64_t>(copy);
    descriptors.push_back(std::move(descriptor));
  }
  return true;
}

static void writeOutput(llvm::raw_ostream &out, const int64_t *descriptor, int64_t rank,
                        int64_t elementBytes) {
  const int64_t *extents = descriptor + 3, *strides = extents + rank;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a descriptor's words
  const char *base = reinterpret_cast<const char *>(descriptor[1]) + descriptor[2] * elementBytes;
  int64_t count = std::accumulate(extents, extents + rank, int64_t(1), std::multiplies<>());
  auto word = [&](int64_t value) { out.write(reinterpret_cast<const char *>(&value), 8); };
  word(rank);
  for (int64_t dim = 0; dim < rank; ++dim)
    word(extents[dim]);
  word(count * elementBytes);
  for (int64_t linear = 0; linear < count; ++linear) {
    int64_t rest = linear, offset = 0;
    for (int64_t dim = rank; dim-- > 0; rest /= extents[dim])
      offset += rest % extents[dim] * strides[dim];
    out.write(base + offset * elementBytes, elementBytes);
  }
}

//===----------------------------------------------------------------------===//
// Main
//===----------------------------------------------------------------------===//

static int run(ModuleOp module, FunctionType type) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  ExecutionEngineOptions options;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Default;
  auto transformer = makeOptimizingTransformer(1, 0, nullptr);
  options.transformer = transformer;
  StringRef libraries[] = {SECTILE_RUNNER_UTILS}; // memrefCopy
  options.sharedLibPaths = libraries;
  auto engine = ExecutionEngine::create(module, options);
  if (!engine) {
    llvm::errs() << "error: " << llvm::toString(engine.takeError()) << "\n";
    return 70;
  }
  auto inputs = llvm::MemoryBuffer::getFile(inputsFile);
  if (!inputs) {
    llvm::errs() << "error: '" << inputsFile << "': " << inputs.getError().message() << "\n";
    return 4;
  }
  std::vector<std::vector<int64_t>> descriptors;
  readInputs((*inputs)->getBuffer(), descriptors);
  if (descriptors.size() != type.getNumInputs()) {
    llvm::errs() << "error: expects " << type.getNumInputs() << " inputs, but got "
                 << descriptors.size() << "\n";
    return 2;
  }
  size_t resultWords = 0;
  for (Type result : type.getResults())
    resultWords += descriptorWords(cast<RankedTensorType>(result).getRank());
  std::vector<int64_t> results(resultWords);
  std::vector<void *> pointers;
  if (resultWords)
    pointers.push_back(results.data());
  for (std::vector<int64_t> &descriptor : descriptors)
    pointers.push_back(descriptor.data());
  std::vector<void *> packed;
  packed.reserve(packed.size() + pointers.size());
  for (void *&pointer : pointers)
    packed.push_back(static_cast<void *>(&pointer));
  if (llvm::Error error = (*engine)->invokePacked("_mlir_ciface_main", packed)) {
    llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
    return 70;
  }
  std::error_code code;
  llvm::raw_fd_ostream out(outputsFile, code);
  const int64_t *next = results.data();
  for (Type result : type.getResults()) {
    auto tensor = cast<RankedTensorType>(result);
    unsigned bits = tensor.getElementTypeBitWidth();
    writeOutput(out, next, tensor.getRank(), std::max(1u, bits / 8));
    next += descriptorWords(tensor.getRank());
  }
  return 0;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Runs an imported model through upstream's lowering\n");
  sectile::registerAllPasses();
  DialectRegistry registry;
  sectile::registerAllDialects(registry);
  registerAllToLLVMIRTranslations(registry);
  MLIRContext context(registry);
  context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      llvm::errs() << "error: " << diagnostic << "\n";
    return success();
  });
  sectile::OnnxImportOptions options;
  for (const std::string &dim : dims) {
    auto [name, text] = StringRef(dim).split('=');
    text.getAsInteger(10, options.dims[name.str()]);
  }
  auto module = sectile::importOnnxFile(modelFile, context, options);
  if (failed(module))
    return 1;
  auto main = *(*module)->getOps<func::FuncOp>().begin();
  FunctionType type = main.getFunctionType();
  if (failed(lower(**module)))
    return 70;
  return run(**module, type);
}
