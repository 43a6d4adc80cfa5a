//===- Onnx.cpp - from an ONNX model to the graph level ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/Onnx.h"

#include "GraphImporter.h"
#include "WireSkeleton.h"

#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
struct Import {
  OwningOpRef<ModuleOp> module;
  SmallVector<UnsupportedNode> gaps;
};
} // namespace

/// Turns bytes into a message. The library's complaints go nowhere: the one line is ours.
static bool parse(StringRef bytes, unsigned maxNesting, onnx::ModelProto &model) {
  google::protobuf::LogSilencer silence;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(static_cast<int>(maxNesting) + 8);
  return model.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

static FailureOr<Import> importModel(ArrayRef<char> bytes, std::shared_ptr<const void> owner,
                                     std::optional<std::string> folder, StringRef name,
                                     MLIRContext &context, const OnnxImportOptions &options) {
  auto fail = [&](const Twine &message) {
    return emitError(UnknownLoc::get(&context)) << "'" << name << "': " << message;
  };
  // The library takes at most 2 GB.
  uint64_t maxSkeleton = std::min<uint64_t>(options.maxStructureBytes, INT32_MAX);
  llvm::Expected<std::string> skeleton =
      makeSkeleton(bytes, WireLimits{options.maxNesting, maxSkeleton});
  if (!skeleton)
    return fail(llvm::toString(skeleton.takeError()));
  onnx::ModelProto model;
  if (!parse(*skeleton, options.maxNesting, model))
    return fail("no ONNX model: the protobuf library refuses it");
  skeleton->clear();
  skeleton->shrink_to_fit();
  TensorReader reader(bytes, std::move(owner), std::move(folder), options);
  GraphImporter importer(model, name.str(), reader, context, options);
  FailureOr<OwningOpRef<ModuleOp>> module = importer.import();
  if (failed(module))
    return failure();
  return Import{std::move(*module), std::move(importer.gaps)};
}

static FailureOr<Import> importFile(StringRef path, MLIRContext &context,
                                    const OnnxImportOptions &options) {
  llvm::Expected<std::shared_ptr<MappedFile>> file =
      MappedFile::openModel(path, options.maxFileBytes);
  if (!file)
    return emitError(UnknownLoc::get(&context)) << llvm::toString(file.takeError());
  return importModel((*file)->bytes(), *file, llvm::sys::path::parent_path(path).str(), path,
                     context, options);
}

/// Turns gaps into errors.
static FailureOr<OwningOpRef<ModuleOp>> refuseGaps(Import import, MLIRContext &context) {
  for (const UnsupportedNode &gap : import.gaps) {
    Location where = NameLoc::get(StringAttr::get(&context, gap.name));
    InFlightDiagnostic diagnostic = emitError(where)
                                    << "node '" << gap.name << "' (" << gap.op << ", opset "
                                    << gap.opset << "): " << gap.reason;
    if (!gap.suggestion.empty())
      diagnostic.attachNote() << "help: " << gap.suggestion;
  }
  if (!import.gaps.empty())
    return failure();
  return std::move(import.module);
}

FailureOr<OwningOpRef<ModuleOp>> sectile::importOnnxFile(StringRef path, MLIRContext &context,
                                                         const OnnxImportOptions &options) {
  FailureOr<Import> import = importFile(path, context, options);
  if (failed(import))
    return failure();
  return refuseGaps(std::move(*import), context);
}

FailureOr<OwningOpRef<ModuleOp>> sectile::importOnnxBuffer(ArrayRef<char> model, StringRef name,
                                                           MLIRContext &context,
                                                           const OnnxImportOptions &options) {
  auto copy = std::make_shared<std::string>(model.data(), model.size());
  FailureOr<Import> import = importModel(ArrayRef<char>(copy->data(), copy->size()), copy,
                                         std::nullopt, name, context, options);
  if (failed(import))
    return failure();
  return refuseGaps(std::move(*import), context);
}

FailureOr<SmallVector<UnsupportedNode>> sectile::checkOnnxFile(StringRef path, MLIRContext &context,
                                                               const OnnxImportOptions &options) {
  FailureOr<Import> import = importFile(path, context, options);
  if (failed(import))
    return failure();
  return std::move(import->gaps);
}
