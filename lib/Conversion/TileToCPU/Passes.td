//===- Passes.td - tile kernels to functions for CPU cores -*- tablegen -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_CONVERSION_TILETOCPU_PASSES_TD
#define SECTILE_CONVERSION_TILETOCPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileToCPUPass : Pass<"tile-to-cpu", "::mlir::ModuleOp"> {
  let summary = "Lower tile kernels to functions on native vectors";
  let description = [{
    Each `tile.kernel @k` becomes two functions with the signatures of
    `sectile_abi_kernel_code`: `@k.run(bufs, sizes, begin, end, scratch, values) -> i32` loops over
    the linearised blocks [begin, end), `@k.info(bufs, sizes, out)` reports the launch. `bufs[i]` is
    the base of view argument i. `sizes` holds, for each kernel argument in order, the value
    of an index argument, or a view's dynamic extents followed by its dynamic strides.

    A tile becomes a grid of one-dimensional vectors along its last dimension, the last one of
    a row narrower; loop-carried tiles become one loop-carried value per vector. Addresses and
    masks are emitted in the outermost loop where they are known. How a transfer accesses
    memory follows from the polynomial of its addresses: equal over the lanes (a scalar load),
    consecutive (a vector), anything else (a gather). Masked lanes never touch memory.

    f16 and bf16 are computed in f32. Signed overflow of a division and division by zero
    yield unspecified values but never trap. The sign of a zero from `maximumf` and
    `minimumf` is unspecified, except with `fp=strict`.

    Precondition: kernels verify; tiles have at most as many elements as the level allows
    (4096 on sse4 and neon, 8192 on avx2, 16384 on avx512, 256 on cortex-m).
    Postcondition: no tile op is left. `cpu-expand-math` follows.

    ```mlir
    tile.kernel @copy(%x: !tile.view<64xf32>, %y: !tile.view<64xf32>) {
      %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<64xf32> -> tensor<64xf32>
      tile.store %t, %y at affine_map<(t0) -> (t0)>[] : tensor<64xf32>, !tile.view<64xf32>
      tile.return
    }
    ```
    becomes
    ```mlir
    func.func private @copy.run(%bufs: !llvm.ptr, %sizes: !llvm.ptr, %begin: i64, %end: i64,
                                %scratch: !llvm.ptr, %values: !llvm.ptr) -> i32
    func.func private @copy.info(%bufs: !llvm.ptr, %sizes: !llvm.ptr, %out: !llvm.ptr)
    ```
  }];
  let options = [
    Option<"levelName", "level", "std::string", "\"avx512\"",
           "instruction-set level, as sectile --list-targets shows them">,
    Option<"floatMode", "fp", "std::string", "\"default\"",
           "strict (no contraction, every intermediate rounded), default or fast">,
    Option<"infoOnly", "info-only", "bool", "false",
           "write `k.info` alone, for kernels whose blocks another device runs; they need no scratch "
           "memory">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

def ExpandMathPass : Pass<"cpu-expand-math", "::mlir::ModuleOp"> {
  let summary = "Replace functions of math by arithmetic";
  let description = [{
    Elementary functions on f32 and f64, scalars and vectors alike, become polynomials and bit
    operations. No call of a mathematical library remains. Errors are bounded, as stated for
    each function in MathFunctions.h; denormals, infinities and NaN behave as IEEE 754
    asks of correctly rounded functions. What the machine does natively (sqrt, floor, fma, ...)
    stays; on a level without such an instruction it becomes steps that give the same bits, and
    fma two operations.

    Precondition: vectors have one dimension; f16 and bf16 were widened.
    Postcondition: the math ops left have instructions on every level, or a short sequence of
    LLVM's own. An op that has neither is an error naming it and the level.

    ```mlir
    func.func @f(%x: vector<16xf32>) -> vector<16xf32> {
      %y = math.rsqrt %x : vector<16xf32>
      return %y : vector<16xf32>
    }
    ```
    becomes
    ```mlir
    func.func @f(%x: vector<16xf32>) -> vector<16xf32> {
      %root = math.sqrt %x : vector<16xf32>
      %one = arith.constant dense<1.0> : vector<16xf32>
      %y = arith.divf %one, %root : vector<16xf32>
      return %y : vector<16xf32>
    }
    ```
    math.exp becomes 2^n p(r) with n = round(x / ln 2), r = x - n ln 2 and a polynomial p.
  }];
  let options = [
    Option<"levelName", "level", "std::string", "\"avx512\"",
           "instruction-set level, as sectile --list-targets shows them">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

#endif // SECTILE_CONVERSION_TILETOCPU_PASSES_TD
