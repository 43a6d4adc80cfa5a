//===- RunTest.cpp - sectile run --------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Npy.h"
#include "Program.h"

#include <cstring>

using namespace sectile::test;
using namespace sectile::tools;

namespace {

template <typename T>
std::string npy(int32_t dtype, std::vector<int64_t> dims, const std::vector<T> &values) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.dims = std::move(dims);
  std::string text = npyHeader(tensor);
  return text.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}
std::string npyFloats(const std::vector<float> &values) {
  return npy(SECTILE_F32, {static_cast<int64_t>(values.size())}, values);
}

class Run : public testing::Test {
protected:
  ProgramResult run(const std::string &package, std::vector<std::string> arguments,
                    const ProgramOptions &options = {}) {
    arguments.insert(arguments.begin(), {"run", packagePath(package)});
    return runProgram(arguments, options);
  }
  std::vector<float> readFloats(const std::string &path) {
    Result<Tensor> tensor = readNpy(path);
    EXPECT_TRUE(tensor) << tensor.failure().message;
    std::vector<float> values;
    for (int64_t i = 0; tensor && i < tensor->numElements(); ++i)
      values.push_back(static_cast<float>(readElement(*tensor, i)));
    return values;
  }
  TemporaryFolder folder;
};

TEST_F(Run, ReadsInputsAndWritesOutputs) {
  std::string a = "a=" + folder.write("a.npy", npyFloats({1, 2, 3}));
  // TensorProto: dims 3, float, raw data.
  float values[] = {10, 20, 30};
  std::string proto = std::string("\x08\x03\x10\x01\x4a\x0c", 6) +
                      std::string(reinterpret_cast<char *>(values), sizeof values);
  std::string b = "b=" + folder.write("b.pb", proto);
  std::string out = folder.path("made/for/this");
  ProgramResult result = run("add", {"--input", a, "--input=" + b, "--output-dir", out});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "c  f32[3]  min 11  max 33  mean 22\n");
  EXPECT_EQ(readFloats(out + "/c.npy"), (std::vector<float>{11, 22, 33}));
}

TEST_F(Run, FillsInputsAtRandom) {
  ProgramResult first = run("add", {"--dims=n=1000", "--output-dir=" + folder.path("1")});
  EXPECT_EQ(first.status, 0) << first.err;
  expectContains(first.err, "note: input 'a' is random:0, f32[1000]");
  ProgramResult second = run("add", {"--dims=n=1000", "--input=a=random:0", "--input=b=random:0",
                                     "--threads=1", "--output-dir=" + folder.path("2")});
  EXPECT_EQ(second.err, "");
  EXPECT_EQ(readWhole(folder.path("1/c.npy")), readWhole(folder.path("2/c.npy")));
  ProgramResult third = run("add", {"--dims=n=1000", "--quiet", "--input=a=random:7",
                                    "--output-dir=" + folder.path("3")});
  EXPECT_EQ(third.err + third.out, "");
  EXPECT_NE(readWhole(folder.path("1/c.npy")), readWhole(folder.path("3/c.npy")));
}

TEST_F(Run, TakesSizesFromFiles) {
  std::string b = "b=" + folder.write("b.npy", npyFloats({1, 2, 3, 4}));
  ProgramResult result = run("add", {"--input", b});
  EXPECT_EQ(result.status, 0) << result.err;
  expectContains(result.out, "c  f32[4]");
}

TEST_F(Run, ComparesWithExpectations) {
  std::string a = "--input=a=" + folder.write("a.npy", npyFloats({1, 2}));
  std::string b = "--input=b=" + folder.write("b.npy", npyFloats({0.5, 0.25}));
  std::string good = folder.write("good.npy", npyFloats({1.5, 2.25}));
  std::string near = folder.write("near.npy", npy<double>(SECTILE_F64, {2}, {1.5, 2.26}));
  std::string shape = folder.write("shape.npy", npy<float>(SECTILE_F32, {1, 2}, {1.5, 2.25}));
  EXPECT_EQ(run("add", {a, b, "--expect=c=" + good}).status, 0);
  EXPECT_EQ(run("add", {a, b, "--expect", "c=" + near + ",rtol=0.01"}).status, 0);
  EXPECT_EQ(run("add", {a, b, "--quiet", "--expect=c=" + good}).out, "");
  ProgramResult result = run("add", {a, b, "--quiet", "--expect=c=" + near});
  EXPECT_EQ(result.status, 3);
  expectContains(result.out, "max abs");
  expectContains(result.out, "first at 1: expected 2.26, but got 2.25");
  result = run("add", {a, b, "--expect=c=" + shape});
  EXPECT_EQ(result.status, 3);
  expectContains(result.out, "expected f32[1,2], but got f32[2]");
  expectError(run("add", {a, b, "--expect=c=" + folder.path("none.npy")}), 1, "cannot open");
  expectError(run("add", {a, b, "--expect=x=" + good}), 2, "one of the names c, but got 'x=");
}

TEST_F(Run, RefusesWrongInputs) {
  std::string wide = folder.write("wide.npy", npy<double>(SECTILE_F64, {2}, {1, 2}));
  expectError(run("add", {"--input=a=" + wide}), 1, "input 'a' expects f32, but got f64");
  std::string square = folder.write("square.npy", npy<float>(SECTILE_F32, {1, 1}, {1}));
  expectError(run("add", {"--input=a=" + square, "--dims=n=1"}), 1,
              "input 'a' expects rank 1, but got rank 2");
  std::string three = folder.write("three.npy", npyFloats({1, 2, 3}));
  expectError(run("add", {"--input=a=" + three, "--input=b=random:1", "--dims=n=4"}), 1,
              "expects 'a' and 'b' to have equal sizes 'n', but got 3 and 4");
  expectError(run("add", {"--input=a=random:x"}), 2, "expects random:SEED");
  expectError(run("add", {"--input=z=random:1"}), 2, "one of the names a, b, but got 'z=");
  expectError(run("add", {"--input=a=random:1", "--input=a=random:1"}), 2, "gives 'a' twice");
  expectError(run("add", {"--input=a=x.txt"}), 2, "ends in .npy or .pb");
  expectError(run("add", {}), 2, "give the size of 'n' with --dims=n=N");
  expectError(run("add", {"--dims=m=3"}), 2, "the package's dynamic sizes are: n");
  expectError(run("add", {"--dims=n=9000000000000000000"}), 2, "input 'a' cannot be");
  // A sanitizer's allocator ends the program there.
  if (!std::getenv("SECTILE_SANITIZE"))
    expectError(run("add", {"--dims=n=1000000000000000"}), 4, "out of memory");
  expectError(run("add", {"--threads=0"}), 2, "a number from 1 to 1024, but got '0'");
  setenv("SECTILE_CUDA_LIBRARY", "/nonexistent/libcuda.so.1", 1);
  expectError(run("add", {"--device=cuda"}), 4, "device 'cuda' needs NVIDIA's driver");
  expectError(run("add", {"--device=cuda:x"}), 2, "expects device cuda, cuda:N");
  unsetenv("SECTILE_CUDA_LIBRARY");
  expectError(run("add", {"--device=tpu"}), 2, "expects cpu, cuda, hip");
  std::string indices = folder.write("i.npy", npy<int64_t>(SECTILE_I64, {3}, {0, 9, 1}));
  expectError(run("gather", {"--input=indices=" + indices}), 1,
              "index 9 at position 1 is not below 5 (kernel 'gather', nodes /embed/Gather)");
}

TEST_F(Run, LaysOutAliases) {
  // heads 2, past 1: the buffer has room for 4 rows per head.
  std::string past = folder.write("past.npy", npy<float>(SECTILE_F32, {2, 1, 2}, {1, 2, 5, 6}));
  std::string row = folder.write("row.npy", npy<float>(SECTILE_F32, {2, 1, 2}, {3, 4, 7, 8}));
  ProgramResult result =
      run("cache", {"--input=past=" + past, "--input=row=" + row, "--output-dir=" + folder.path()});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(readFloats(folder.path("present.npy")), (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  expectError(run("cache", {"--dims=heads=1,past=4"}), 1, "has capacity 4");
  expectError(run("cache", {"--dims=heads=1,past=9"}), 1, "has capacity 4");
}

TEST_F(Run, LeavesNothingHalfWritten) {
  std::string out = folder.path("out");
  ProgramOptions full;
  full.maxFileBytes = 1000;
  expectError(run("add", {"--dims=n=1000", "--quiet", "--output-dir=" + out}, full), 4,
              "cannot write '" + out + "/c.npy'");
  EXPECT_TRUE(std::filesystem::is_empty(out));
  std::string file = folder.write("file", "");
  expectError(run("add", {"--dims=n=10", "--output-dir=" + file}), 4, "cannot make folder");
}

} // namespace
