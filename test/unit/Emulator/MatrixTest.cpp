//===- MatrixTest.cpp - matrix instructions of the emulator -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products of matrices that are zero but for one element: the result must be zero
// but for one element. Where elements are comes from the table of targets, which
// was written down from the manual apart from the emulator's formulas.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "sectile/Target/MatrixInstruction.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sectile;
using namespace sectile::emulator;
using namespace sectile::test;
using layout::Axis;

namespace {

/// One instruction, as a kernel that reads each lane's registers from slots of 8 bytes.
class Instruction {
public:
  explicit Instruction(const target::MatrixInstruction &spec) : spec(spec) {
    bits = spec.a == "f64"                       ? 64
           : spec.a == "f16" || spec.a == "bf16" ? 16
           : spec.a == "tf32"                    ? 32
                                                 : 8;
    isInteger = spec.accumulator == "s32";
    countA = words(target::Operand::A);
    countB = words(target::Operand::B);
    countC = target::fragment(spec, target::Operand::Accumulator).extent(Axis::Register);
  }

  int64_t slots() const { return countA + countB + countC; }

  std::string print() const {
    std::string side = spec.a == "f64" ? "f64" : spec.a == "f16" ? "vector<2xf16>" : "i32";
    std::string sum = isInteger ? "i32" : spec.a == "f64" ? "f64" : "f32";
    std::string text =
        "llvm.func @k(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {\n"
        "%t = nvvm.read.ptx.sreg.tid.x : i32\n"
        "%l = llvm.zext %t : i32 to i64\n"
        "%s = llvm.mlir.constant(" +
        std::to_string(slots()) +
        " : i64) : i64\n"
        "%f = llvm.mul %l, %s : i64\n"
        "%p = llvm.getelementptr %in[%f] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64\n";
    std::string lists[3];
    for (int64_t i = 0; i < slots(); ++i) {
      int operand = i < countA ? 0 : i < countA + countB ? 1 : 2;
      std::string n = std::to_string(i), type = operand == 2 ? sum : side;
      text += "%p" + n + " = llvm.getelementptr %p[" + n +
              "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i64\n%v" + n + " = llvm.load %p" + n +
              " : !llvm.ptr<1> -> " + type + "\n";
      lists[operand] += (lists[operand].empty() ? "%v" : ", %v") + n;
    }
    std::string structure;
    for (int64_t i = 0; i < countC; ++i)
      structure += (i ? ", " : "") + sum;
    structure = "!llvm.struct<(" + structure + ")>";
    std::string attributes = "layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, ";
    if (side == "i32")
      attributes += "multiplicandAPtxType = #nvvm.mma_type<" + std::string(spec.a) +
                    ">, multiplicandBPtxType = #nvvm.mma_type<" + std::string(spec.b) + ">, ";
    if (isInteger)
      attributes += "intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>, ";
    attributes += "shape = #nvvm.shape<m = " + std::to_string(spec.m) +
                  ", n = " + std::to_string(spec.n) + ", k = " + std::to_string(spec.k) + ">";
    text += "%d = nvvm.mma.sync A[" + lists[0] + "] B[" + lists[1] + "] C[" + lists[2] + "] {" +
            attributes + "} : (" + side + ", " + side + ", " + sum + ") -> " + structure + "\n";
    text += "%n = llvm.mlir.constant(" + std::to_string(countC) +
            " : i64) : i64\n%g = llvm.mul %l, %n : i64\n"
            "%o = llvm.getelementptr %out[%g] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64\n";
    for (int64_t i = 0; i < countC; ++i) {
      std::string n = std::to_string(i);
      text += "%o" + n + " = llvm.getelementptr %o[" + n +
              "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i64\n%e" + n + " = llvm.extractvalue %d[" + n +
              "] : " + structure + "\nllvm.store %e" + n + ", %o" + n + " : " + sum +
              ", !llvm.ptr<1>\n";
    }
    return text + "llvm.return\n}\n";
  }

  /// One of the given type.
  static uint64_t one(std::string_view type) {
    return type == "f64"                     ? 0x3ff0000000000000
           : type == "f16"                   ? 0x3c00
           : type == "bf16"                  ? 0x3f80
           : type == "tf32" || type == "f32" ? 0x3f800000
                                             : 1;
  }

  /// Puts a one to element `at` of a side, or takes it away.
  void toggle(std::vector<uint64_t> &in, target::Operand side, std::vector<int64_t> at) const {
    layout::HardwarePlace place = target::fragment(spec, side).placeOf(at);
    int64_t reg = place[static_cast<size_t>(Axis::Register)], perWord = bits < 32 ? 32 / bits : 1;
    int64_t first = side == target::Operand::A ? 0 : countA;
    in[place[static_cast<size_t>(Axis::Lane)] * slots() + first + reg / perWord] ^=
        one(side == target::Operand::A ? spec.a : spec.b) << (reg % perWord * bits);
  }

  const target::MatrixInstruction &spec;
  int64_t bits, countA, countB, countC;
  bool isInteger;

private:
  int64_t words(target::Operand side) const {
    return target::fragment(spec, side).extent(Axis::Register) * std::min<int64_t>(bits, 32) / 32;
  }
};

TEST(EmulatorMatrix, ProductsOfSingleElements) {
  for (const char *name :
       {"mma.m8n8k4.f64", "mma.m16n8k4.tf32", "mma.m16n8k8.tf32", "mma.m16n8k8.f16",
        "mma.m16n8k8.bf16", "mma.m16n8k16.f16", "mma.m16n8k16.bf16", "mma.m16n8k16.s8",
        "mma.m16n8k16.u8", "mma.m16n8k32.s8", "mma.m16n8k32.u8", "mma.m16n8k32.u8.s8"}) {
    const target::MatrixInstruction &spec = *target::findMatrixInstruction(name);
    Instruction instruction(spec);
    auto module = parseSourceString<ModuleOp>(instruction.print(), ParserConfig(&getContext()));
    ASSERT_TRUE(module) << instruction.print();
    auto emulated = Emulator::load(*module);
    ASSERT_TRUE(succeeded(emulated)) << name;
    std::vector<uint64_t> in(static_cast<size_t>(32 * instruction.slots()), 0);
    uint64_t *input = (*emulated)->allocate("in", in);
    uint64_t *output =
        (*emulated)->allocate("out", std::vector<uint64_t>(32 * instruction.countC, 0));
    LaunchOptions options;
    options.block = {32, 1, 1};
    options.checkRaces = false;
    layout::DistributedLayout sums = target::fragment(spec, target::Operand::Accumulator);
    // Every element of A meets one of B, and every one of B one of A.
    auto check = [&](int64_t i, int64_t step, int64_t j) {
      std::vector<uint64_t> values(in);
      instruction.toggle(values, target::Operand::A, {i, step});
      instruction.toggle(values, target::Operand::B, {step, j});
      std::copy(values.begin(), values.end(), input);
      auto report = (*emulated)->launch("k", options, {input, output});
      ASSERT_TRUE(bool(report));
      ASSERT_TRUE(report->findings.empty()) << report->findings[0].text();
      layout::HardwarePlace place = sums.placeOf(std::vector<int64_t>{i, j});
      int64_t expected = place[static_cast<size_t>(Axis::Lane)] * instruction.countC +
                         place[static_cast<size_t>(Axis::Register)];
      for (int64_t slot = 0; slot < 32 * instruction.countC; ++slot)
        ASSERT_EQ(output[slot], slot == expected ? Instruction::one(spec.accumulator) : uint64_t(0))
            << name << ": " << i << ", " << step << ", " << j;
    };
    for (int64_t step = 0; step < spec.k; ++step) {
      for (int64_t i = 0; i < spec.m; ++i)
        check(i, step, (i + step) % spec.n);
      for (int64_t j = 0; j < spec.n; ++j)
        check((j * 3 + step) % spec.m, step, j);
    }
  }
}

/// Numbers 0 to 255 as four matrices in shared memory: what each lane gets of them, by the table of
/// targets for operands of mma (A is what ldmatrix.x4 is made for, B what .trans is).
TEST(EmulatorMatrix, MatricesAreLoaded) {
  for (const char *layout : {"row", "col"}) {
    std::string text = R"(
      llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<256 x i16>
      llvm.func @k(%out: !llvm.ptr<1>) attributes {nvvm.kernel} {
        %t = nvvm.read.ptx.sreg.tid.x : i32
        %l = llvm.zext %t : i32 to i64
        %c8 = llvm.mlir.constant(8 : i64) : i64
        %f = llvm.mul %l, %c8 : i64
        %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
        %p = llvm.getelementptr %tile[%f] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i16
        %c4 = llvm.mlir.constant(4 : i64) : i64
        %n = llvm.mul %l, %c4 : i64
)";
    for (int i = 0; i < 8; ++i) {
      std::string n = std::to_string(i);
      text += "%k" + n + " = llvm.mlir.constant(" + n + " : i64) : i64\n%v" + n +
              " = llvm.add %f, %k" + n + " : i64\n%w" + n + " = llvm.trunc %v" + n +
              " : i64 to i16\n%q" + n + " = llvm.getelementptr %p[" + n +
              "] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i16\nllvm.store %w" + n + ", %q" + n +
              " : i16, !llvm.ptr<3>\n";
    }
    text += "nvvm.barrier0\n%m = nvvm.ldmatrix %p {num = 4 : i32, layout = #nvvm.mma_layout<" +
            std::string(layout) +
            ">, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = "
            "#nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, "
            "i32)>\n%o = llvm.getelementptr %out[%n] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32\n";
    for (int i = 0; i < 4; ++i) {
      std::string n = std::to_string(i);
      text += "%e" + n + " = llvm.extractvalue %m[" + n +
              "] : !llvm.struct<(i32, i32, i32, i32)>\n%o" + n + " = llvm.getelementptr %o[" + n +
              "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32\nllvm.store %e" + n + ", %o" + n +
              " : i32, !llvm.ptr<1>\n";
    }
    text += "llvm.return\n}\n";
    auto module = parseSourceString<ModuleOp>(text, ParserConfig(&getContext()));
    ASSERT_TRUE(module) << text;
    auto emulated = Emulator::load(*module);
    ASSERT_TRUE(succeeded(emulated));
    uint32_t *output = (*emulated)->allocate("out", std::vector<uint32_t>(128, 0));
    LaunchOptions options;
    options.block = {32, 1, 1};
    auto report = (*emulated)->launch("k", options, {output});
    ASSERT_TRUE(bool(report));
    ASSERT_TRUE(report->findings.empty()) << report->findings[0].text();
    // Rows: the left half of mma.m16n8k8's A; columns: mma.m16n8k8's B.
    bool isRow = std::string(layout) == "row";
    layout::DistributedLayout fragment =
        target::fragment(*target::findMatrixInstruction("mma.m16n8k8.f16"),
                         isRow ? target::Operand::A : target::Operand::B);
    for (int64_t matrix = 0; matrix < 4; ++matrix)
      for (int64_t row = 0; row < 8; ++row)
        for (int64_t column = 0; column < 8; ++column) {
          layout::HardwarePlace place = fragment.placeOf(std::vector<int64_t>{row, column});
          uint32_t word = output[place[static_cast<size_t>(Axis::Lane)] * 4 + matrix];
          EXPECT_EQ(word >> (place[static_cast<size_t>(Axis::Register)] % 2 * 16) & 0xffff,
                    static_cast<uint32_t>(matrix * 64 + row * 8 + column))
              << layout << matrix << row << column;
        }
  }
}

TEST(EmulatorMatrix, AllLanesTakePart) {
  Instruction instruction(*target::findMatrixInstruction("mma.m16n8k16.f16"));
  auto module = parseSourceString<ModuleOp>(instruction.print(), ParserConfig(&getContext()));
  auto emulated = Emulator::load(*module);
  ASSERT_TRUE(succeeded(emulated));
  uint64_t *input = (*emulated)->allocate("in", std::vector<uint64_t>(32 * instruction.slots(), 0));
  uint64_t *output =
      (*emulated)->allocate("out", std::vector<uint64_t>(32 * instruction.countC, 0));
  LaunchOptions options;
  options.block = {24, 1, 1};
  auto report = (*emulated)->launch("k", options, {input, output});
  ASSERT_TRUE(bool(report));
  ASSERT_FALSE(report->findings.empty());
  EXPECT_EQ(report->findings[0].kind, FindingKind::InvalidMask) << report->findings[0].text();
}

TEST(EmulatorMatrix, OthersAreRefused) {
  std::string message;
  ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  std::string text = Instruction(*target::findMatrixInstruction("mma.m16n8k16.f16")).print();
  size_t at = text.find("k = 16");
  text.replace(at, 6, "k = 32");
  auto module = parseSourceString<ModuleOp>(text, ParserConfig(&getContext(), /*verify=*/false));
  ASSERT_TRUE(module);
  EXPECT_TRUE(failed(Emulator::load(*module)));
  EXPECT_NE(message.find("'nvvm.mma.sync' in kernel 'k': its shape and types are not emulated"),
            std::string::npos)
      << message;
}

} // namespace
