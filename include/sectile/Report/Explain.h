//===- Explain.h - why a package looks as it does ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_REPORT_EXPLAIN_H
#define SECTILE_REPORT_EXPLAIN_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace sectile {

/// The remarks of the passes that run in a context, put together kernel by kernel.
class Explanation {
public:
  /// Listens from now on to all remarks of `context`, which must have no other listener.
  explicit Explanation(mlir::MLIRContext &context);
  ~Explanation();

  /// Writes what was heard: remarks about no kernel first, pass by pass, then kernels in the order
  /// they run. The text depends on the model and the options only.
  void print(llvm::raw_ostream &out) const;

  /// Whether remarks are heard; at first they are.
  void setListening(bool isListening);

  /// Remarks as they come; opaque.
  struct Log;

private:
  std::shared_ptr<Log> log;
};

} // namespace sectile

#endif // SECTILE_REPORT_EXPLAIN_H
