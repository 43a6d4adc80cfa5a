//===- CodeObjectTest.cpp - what the back end for AMD writes ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Hsaco.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sectile;

namespace {

class CodeObjects : public testing::Test {
protected:
  CodeObjects() : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<LLVM::LLVMDialect, ROCDL::ROCDLDialect>();
  }

  llvm::FailureOr<CodeObject> compile(const std::string &body, const char *device = "gfx942",
                                      const std::string &globals = "") {
    message.clear();
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      message += diagnostic.str();
      return success();
    });
    auto module = parseSourceString<ModuleOp>(
        globals +
            "llvm.func @k(%p: !llvm.ptr<1>) attributes {rocdl.kernel, rocdl.flat_work_group_size = "
            "\"64,64\", rocdl.reqd_work_group_size = array<i32: 64, 1, 1>} {\n" +
            body + "\nllvm.return\n}",
        ParserConfig(&context));
    if (!module) {
      ADD_FAILURE() << message;
      return failure();
    }
    return emitCodeObject(*module, *target::findGpuTarget(device));
  }

  MLIRContext context;
  std::string message;
};

const char *const kStore = "%t = rocdl.workitem.id.x : i32\nllvm.store %t, %p : i32, !llvm.ptr<1>";

TEST_F(CodeObjects, SayWhatKernelsTake) {
  for (const char *device : {"gfx90a", "gfx942", "gfx1100"}) {
    auto object =
        compile(std::string("%a = llvm.mlir.addressof @lds : !llvm.ptr<3>\n%v = llvm.load volatile "
                            "%a : !llvm.ptr<3> -> i32\nllvm.store %v, %p : i32, "
                            "!llvm.ptr<1>\n") +
                    kStore,
                device,
                "llvm.mlir.global internal @lds() {addr_space = 3 : i32} : "
                "!llvm.array<100 x i32> {\n%u = llvm.mlir.undef : !llvm.array<100 x i32>\n"
                "llvm.return %u : !llvm.array<100 x i32>\n}\n");
    ASSERT_TRUE(succeeded(object)) << message;
    ASSERT_EQ(object->kernels.size(), 1u);
    const KernelResources &kernel = object->kernels[0];
    EXPECT_EQ(kernel.kernel, "k");
    EXPECT_GT(kernel.registers, 0);
    EXPECT_GT(kernel.scalarRegisters, 0);
    EXPECT_EQ(kernel.sharedBytes, 400);
    EXPECT_EQ(kernel.spillStoreBytes, 0);
    // EI_OSABI is AMDGPU_HSA, EI_ABIVERSION that of version 5.
    EXPECT_EQ(object->bytes[7], 64);
    EXPECT_EQ(object->bytes[8], kCodeObjectVersion - 2);
  }
}

/// gfx942 cannot load matrices transposed from the LDS: LLVM has no instruction for it, and gives
/// up. The process goes on, and so does the compiler.
TEST_F(CodeObjects, ABackEndThatGivesUpIsAnError) {
  for (int round = 0; round < 2; ++round) {
    auto refused =
        compile("%z = llvm.mlir.zero : !llvm.ptr<3>\n%v = rocdl.ds.read.tr16.b64 %z : !llvm.ptr<3> "
                "-> vector<4xf16>\nllvm.store %v, %p : vector<4xf16>, !llvm.ptr<1>");
    EXPECT_TRUE(failed(refused));
    EXPECT_NE(message.find("expects code for gfx942, but got: "), std::string::npos) << message;
    EXPECT_NE(message.find("annot select"), std::string::npos) << message;
    EXPECT_TRUE(succeeded(compile(kStore))) << message;
  }
}

TEST_F(CodeObjects, TooMuchOfTheLdsIsAnError) {
  auto refused =
      compile("%a = llvm.mlir.addressof @lds : !llvm.ptr<3>\n%v = llvm.load volatile %a : "
              "!llvm.ptr<3> -> i32\nllvm.store %v, %p : i32, !llvm.ptr<1>\n",
              "gfx942",
              "llvm.mlir.global internal @lds() {addr_space = 3 : i32} : "
              "!llvm.array<65552 x i8> {\n%u = llvm.mlir.undef : !llvm.array<65552 x i8>"
              "\nllvm.return %u : !llvm.array<65552 x i8>\n}\n");
  EXPECT_TRUE(failed(refused));
  EXPECT_NE(message.find("local memory (65552) exceeds limit (65536)"), std::string::npos)
      << message;
}

/// What is nowhere defined, a function of the vendor's say, would be found out by the driver.
TEST_F(CodeObjects, UndefinedFunctionsAreAnError) {
  auto refused = compile("%c = llvm.mlir.constant(1.0 : f32) : f32\n%v = llvm.call "
                         "@__ocml_tanh_f32(%c) : (f32) -> f32\nllvm.store %v, %p : f32, "
                         "!llvm.ptr<1>",
                         "gfx942", "llvm.func @__ocml_tanh_f32(f32) -> f32\n");
  EXPECT_TRUE(failed(refused));
  EXPECT_NE(message.find("__ocml_tanh_f32"), std::string::npos) << message;
}

TEST_F(CodeObjects, OthersCannotBeRead) {
  for (const std::string &bytes : {std::string(), std::string("no ELF"), std::string(200, '\0')}) {
    auto kernels = readCodeObject(bytes);
    EXPECT_FALSE(bool(kernels));
    llvm::consumeError(kernels.takeError());
  }
  auto object = compile(kStore);
  ASSERT_TRUE(succeeded(object));
  // Cut anywhere, it is refused or says nothing; it never crashes.
  for (size_t length = 0; length < object->bytes.size(); length += 37)
    if (auto kernels = readCodeObject(StringRef(object->bytes).take_front(length)); !kernels)
      llvm::consumeError(kernels.takeError());
}

} // namespace
