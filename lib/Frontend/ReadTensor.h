//===- ReadTensor.h - constants of a model ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_READTENSOR_H
#define SECTILE_LIB_FRONTEND_READTENSOR_H

#include "Emitter.h"
#include "ModelFile.h"
#include "sectile/Frontend/Onnx.h"

#include "onnx.pb.h"

#include "llvm/ADT/StringMap.h"

namespace sectile::frontend {

/// Turns TensorProtos into constants, by reference where the model's bytes allow.
class TensorReader {
public:
  /// `model` holds the bytes that skeletons refer to and stays alive through `owner`. External
  /// data is looked for in `folder`; without one it is refused.
  TensorReader(llvm::ArrayRef<char> model, std::shared_ptr<const void> owner,
               std::optional<std::string> folder, const OnnxImportOptions &options)
      : model(model), owner(std::move(owner)), folder(std::move(folder)), options(options) {}

  /// A constant of `emit`'s, or why the tensor is refused.
  mlir::FailureOr<Tensor *> read(const onnx::TensorProto &proto, Emitter &emit, std::string &why);

private:
  llvm::Expected<Constant> externalBytes(const onnx::TensorProto &proto, uint64_t expected);
  llvm::Expected<Constant> bytesOf(const onnx::TensorProto &proto, DType dtype, uint64_t count);

  llvm::ArrayRef<char> model;
  std::shared_ptr<const void> owner;
  std::optional<std::string> folder;
  const OnnxImportOptions &options;
  llvm::StringMap<std::shared_ptr<MappedFile>> files;
  uint64_t totalBytes = 0;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_READTENSOR_H
