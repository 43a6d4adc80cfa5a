//===- TemporaryFile.h - files that are whole or not there -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_TEMPORARYFILE_H
#define SECTILE_LIB_COMPILER_TEMPORARYFILE_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace sectile {

/// A file that is gone when this is, unless it was moved.
class TemporaryFile {
public:
  ~TemporaryFile() {
    if (!path.empty())
      (void)llvm::sys::fs::remove(path); // a temporary that stays harms nobody
  }
  llvm::LogicalResult create(llvm::StringRef output, llvm::StringRef stem, mlir::Location loc) {
    if (std::error_code code =
            llvm::sys::fs::createUniqueFile(output + "." + stem + "-%%%%%%", path))
      return mlir::emitError(loc, "cannot write '") << output << "': " << code.message();
    return llvm::success();
  }
  /// Writes its contents; errors name `shownName`.
  llvm::LogicalResult fill(llvm::function_ref<void(llvm::raw_ostream &)> write,
                           llvm::StringRef shownName, mlir::Location loc) {
    std::error_code code;
    llvm::raw_fd_ostream out(path, code);
    if (!code) {
      write(out);
      out.close();
      code = out.error();
      out.clear_error();
    }
    if (code)
      return mlir::emitError(loc, "cannot write '") << shownName << "': " << code.message();
    return llvm::success();
  }
  /// Gives it its final name, and the permissions that any output has.
  llvm::LogicalResult moveTo(llvm::StringRef name, mlir::Location loc) {
    auto permissions = static_cast<llvm::sys::fs::perms>(0666 & ~llvm::sys::fs::getUmask());
    std::error_code code = llvm::sys::fs::setPermissions(path, permissions);
    if (!code)
      code = llvm::sys::fs::rename(path, name);
    if (code)
      return mlir::emitError(loc, "cannot write '") << name << "': " << code.message();
    path.clear();
    return llvm::success();
  }
  llvm::StringRef getPath() const { return path; }

private:
  llvm::SmallString<128> path;
};

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_TEMPORARYFILE_H
