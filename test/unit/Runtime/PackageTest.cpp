//===- PackageTest.cpp - loading packages and asking them -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestPackages.h"

#include "sectile/Package/Abi.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace sectile::test;

namespace {

std::string temporaryFolder() {
  char path[] = "/tmp/sectile-test-XXXXXX";
  return mkdtemp(path);
}

void copyFile(const std::string &from, const std::string &to, size_t bytes = SIZE_MAX) {
  std::ifstream in(from, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::ofstream(to, std::ios::binary) << content.substr(0, bytes);
}

void writeFile(const std::string &path, const std::string &content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// Sets an environment variable for the life of the object.
class ScopedEnvironment {
public:
  ScopedEnvironment(const char *name, const char *value) : name(name) { setenv(name, value, 1); }
  ~ScopedEnvironment() { unsetenv(name); }

private:
  const char *name;
};

void expectFailure(const Failure &failure, sectile_status status, const std::string &part) {
  EXPECT_EQ(failure.status, status) << failure.message;
  EXPECT_NE(failure.message.find(part), std::string::npos) << failure.message;
}

TEST(Package, DescribesItself) {
  PackageHandle package = loadPackage("add");
  ASSERT_TRUE(package);
  auto info = makeOptions<sectile_package_info>();
  ASSERT_EQ(sectile_package_get_info(package.get(), &info), SECTILE_OK);
  EXPECT_STREQ(info.model_name, "add");
  EXPECT_STREQ(info.compile_options, "--test");
  EXPECT_STREQ(info.target, "cpu");
  EXPECT_EQ(info.num_inputs, 2u);
  EXPECT_EQ(info.num_outputs, 1u);
  EXPECT_EQ(info.num_kernels, 1u);
  EXPECT_EQ(info.constants, nullptr);
  EXPECT_GE(info.threads, 1u);

  auto input = makeOptions<sectile_tensor_info>();
  ASSERT_EQ(sectile_package_get_input(package.get(), 1, &input), SECTILE_OK);
  EXPECT_STREQ(input.name, "b");
  EXPECT_EQ(input.dtype, SECTILE_F32);
  EXPECT_EQ(input.rank, 1);
  EXPECT_EQ(input.dims[0], -1);
  EXPECT_STREQ(input.dim_exprs[0], "n");
  EXPECT_EQ(input.alias, -1);
  EXPECT_EQ(sectile_package_get_input(package.get(), 2, &input), SECTILE_INVALID_ARGUMENT);
  EXPECT_STREQ(sectile_package_get_symbol(package.get(), 0), "n");
  EXPECT_EQ(sectile_package_get_symbol(package.get(), 1), nullptr);

  auto kernel = makeOptions<sectile_kernel_info>();
  ASSERT_EQ(sectile_package_get_kernel(package.get(), 0, &kernel), SECTILE_OK);
  EXPECT_STREQ(kernel.nodes, "/layer/Add");
  auto code = makeOptions<sectile_kernel_code_info>();
  ASSERT_EQ(sectile_package_get_kernel_code(package.get(), 0, 0, &code), SECTILE_OK);
  EXPECT_EQ(code.vector_ops, 3u);
  EXPECT_EQ(code.scalar_ops, 1u);
  EXPECT_EQ(code.num_loops, 2u);
  auto loop = makeOptions<sectile_loop_info>();
  ASSERT_EQ(sectile_package_get_loop(package.get(), 0, 0, 1, &loop), SECTILE_OK);
  EXPECT_EQ(loop.vector_ops, 0u);
  EXPECT_EQ(loop.scalar_ops, 1u);
  EXPECT_EQ(sectile_package_get_loop(package.get(), 0, 0, 2, &loop), SECTILE_INVALID_ARGUMENT);
  EXPECT_EQ(sectile_package_get_loop(package.get(), 0, 1, 0, &loop), SECTILE_INVALID_ARGUMENT);
}

TEST(Package, ReadsDescriptorsFromBeforeLoopsWereCounted) {
  PackageHandle package = loadPackage("gather");
  auto code = makeOptions<sectile_kernel_code_info>();
  ASSERT_EQ(sectile_package_get_kernel_code(package.get(), 0, 0, &code), SECTILE_OK);
  EXPECT_EQ(code.num_loops, 0u);
}

TEST(Package, FillsOnlyWhatTheCallerKnows) {
  PackageHandle package = loadPackage("add");
  struct {
    sectile_package_info info;
    unsigned char more[16];
  } larger = {};
  larger.info.size = sizeof larger;
  memset(larger.more, 0xff, sizeof larger.more);
  ASSERT_EQ(sectile_package_get_info(package.get(), &larger.info), SECTILE_OK);
  EXPECT_EQ(larger.info.size, sizeof larger);
  EXPECT_EQ(larger.more[15], 0);

  auto smaller = makeOptions<sectile_package_info>();
  smaller.size = offsetof(sectile_package_info, num_inputs);
  smaller.num_inputs = 99;
  ASSERT_EQ(sectile_package_get_info(package.get(), &smaller), SECTILE_OK);
  EXPECT_STREQ(smaller.model_name, "add");
  EXPECT_EQ(smaller.num_inputs, 99u);
}

TEST(Package, RefusesOptionsItDoesNotKnow) {
  struct {
    sectile_package_options options;
    uint64_t more;
  } larger = {};
  larger.options.size = sizeof larger;
  EXPECT_TRUE(loadPackage("add", &larger.options));
  larger.more = 1;
  expectFailure(loadFailure(packagePath("add"), &larger.options), SECTILE_UNSUPPORTED,
                "sets an option that this runtime");
  sectile_package_options unset = {};
  expectFailure(loadFailure(packagePath("add"), &unset), SECTILE_INVALID_ARGUMENT,
                "expects sectile_package_options.size to be set");
}

TEST(Package, RefusesBadFiles) {
  std::string folder = temporaryFolder();
  expectFailure(loadFailure(folder + "/none"), SECTILE_SYSTEM, "No such file");
  expectFailure(loadFailure(folder), SECTILE_INVALID_PACKAGE, "expected a regular file");
  writeFile(folder + "/empty", "");
  expectFailure(loadFailure(folder + "/empty"), SECTILE_INVALID_PACKAGE, "too short");
  writeFile(folder + "/text", std::string(5000, 'x'));
  expectFailure(loadFailure(folder + "/text"), SECTILE_INVALID_PACKAGE,
                "expected an ELF shared object");
  ASSERT_EQ(mkfifo((folder + "/pipe").c_str(), 0600), 0);
  expectFailure(loadFailure(folder + "/pipe"), SECTILE_INVALID_PACKAGE, "expected a regular file");
}

TEST(Package, RefusesEveryTruncation) {
  std::string folder = temporaryFolder();
  std::string whole = packagePath("gather");
  // What follows the last segment, section headers and symbols, is not loaded.
  for (size_t bytes = 0; bytes < 8192; bytes += 61) {
    std::string path = folder + "/cut";
    unlink(path.c_str());
    copyFile(whole, path, bytes);
    Failure failure = loadFailure(path);
    EXPECT_EQ(failure.status, SECTILE_INVALID_PACKAGE) << bytes << ": " << failure.message;
  }
}

TEST(Package, RefusesBadDescriptors) {
  struct {
    const char *name;
    sectile_status status;
    const char *part;
  } cases[] = {
      {"bad-symbol", SECTILE_INVALID_PACKAGE, "expected the symbol 'sectile_package'"},
      {"bad-magic", SECTILE_INVALID_PACKAGE,
       "expected magic number 0x4b505453, but got 0x12345678"},
      {"bad-abi", SECTILE_UNSUPPORTED, "package has ABI version 2"},
      {"bad-size", SECTILE_INVALID_PACKAGE, "but got 64"},
      {"bad-reserved", SECTILE_INVALID_PACKAGE, "reserved field to be 0, but got 1"},
      {"bad-dtype", SECTILE_INVALID_PACKAGE, "'x' in inputs has unknown dtype 99"},
      {"bad-rank", SECTILE_INVALID_PACKAGE, "expects a rank from 0 to 64, but got -1"},
      {"bad-alias", SECTILE_INVALID_PACKAGE, "names input 7 of 1"},
      {"bad-kernel", SECTILE_INVALID_PACKAGE, "kernel 'k' has no code at level 'base'"},
      {"bad-loops", SECTILE_INVALID_PACKAGE, "loops are counted, but not there"},
      {"bad-prepare", SECTILE_INVALID_PACKAGE, "target 'cpu' has no host program"},
      {"bad-target", SECTILE_UNSUPPORTED,
       "target 'sm_90' of the package has no kernels for a device"},
      {"bad-device", SECTILE_INVALID_PACKAGE, "kernel 'k' expects at least one thread, but has 0"},
      {"bad-offset", SECTILE_INVALID_PACKAGE,
       "constants of target 'sm_90' begin at byte 4096 of 0"},
      {"bad-count", SECTILE_INVALID_PACKAGE, "expects an array of 3 symbols, but got null"},
      {"bad-constants", SECTILE_INVALID_PACKAGE, "constants aligned to 4096"},
  };
  for (const auto &bad : cases) {
    SCOPED_TRACE(bad.name);
    expectFailure(loadFailure(packagePath(bad.name)), bad.status, bad.part);
  }
  EXPECT_TRUE(loadPackage("good"));
}

TEST(Package, CutsLongMessages) {
  char message[8];
  sectile_package *package;
  EXPECT_NE(sectile_package_load("/nowhere/at/all", nullptr, &package, message, sizeof message),
            SECTILE_OK);
  EXPECT_STREQ(message, "cannot ");
  EXPECT_NE(sectile_package_load("/nowhere", nullptr, &package, nullptr, 0), SECTILE_OK);
}

uint32_t runLevels(const PackageHandle &package) {
  ContextHandle context = makeContext(package);
  sectile_tensor output = {};
  EXPECT_EQ(sectile_context_run(context.get(), nullptr, 0, &output, 1), SECTILE_OK)
      << sectile_context_message(context.get());
  return *static_cast<uint32_t *>(output.data);
}

TEST(Level, TakesTheBestTheCpuHas) {
  PackageHandle package = loadPackage("levels");
  ASSERT_TRUE(package);
  auto level = makeOptions<sectile_level_info>();
  ASSERT_EQ(sectile_package_get_level(package.get(), 2, &level), SECTILE_OK);
  EXPECT_STREQ(level.name, "future");
  EXPECT_EQ(level.available, 0u);
  ASSERT_EQ(sectile_package_get_level(package.get(), 1, &level), SECTILE_OK);
  EXPECT_EQ(runLevels(package), level.available ? 1u : 0u);
}

TEST(Level, IsSelectedByOptionBeforeEnvironment) {
  ScopedEnvironment environment("SECTILE_CPU_LEVEL", "any");
  EXPECT_EQ(runLevels(loadPackage("levels")), 0u);
  auto options = makeOptions<sectile_package_options>();
  options.cpu_level = "base";
  EXPECT_EQ(runLevels(loadPackage("levels", &options)), 1u);
}

TEST(Level, RefusesWhatCpuOrPackageLacks) {
  {
    ScopedEnvironment environment("SECTILE_CPU_LEVEL", "future");
    expectFailure(loadFailure(packagePath("levels")), SECTILE_UNSUPPORTED,
                  "SECTILE_CPU_LEVEL asks for level 'future', but this CPU lacks feature 60");
  }
  auto options = makeOptions<sectile_package_options>();
  options.cpu_level = "avx9";
  expectFailure(loadFailure(packagePath("levels"), &options), SECTILE_INVALID_ARGUMENT,
                "level 'avx9', but the package has only any, base, future");
}

TEST(Threads, ComeFromOptionThenEnvironment) {
  auto info = makeOptions<sectile_package_info>();
  ScopedEnvironment environment("SECTILE_NUM_THREADS", "3");
  sectile_package_get_info(loadPackage("add").get(), &info);
  EXPECT_EQ(info.threads, 3u);
  auto options = makeOptions<sectile_package_options>();
  options.threads = 2;
  sectile_package_get_info(loadPackage("add", &options).get(), &info);
  EXPECT_EQ(info.threads, 2u);
}

TEST(Threads, RefusesBadNumbers) {
  for (const char *text : {"0", "-1", "x", "2x", "1025", "99999999999999999999"}) {
    ScopedEnvironment environment("SECTILE_NUM_THREADS", text);
    expectFailure(loadFailure(packagePath("add")), SECTILE_INVALID_ARGUMENT,
                  "SECTILE_NUM_THREADS expects a number from 1 to 1024, but got '" +
                      std::string(text) + "'");
  }
  auto options = makeOptions<sectile_package_options>();
  options.threads = 5000;
  expectFailure(loadFailure(packagePath("add"), &options), SECTILE_INVALID_ARGUMENT,
                "but got 5000");
}

class Weights : public testing::Test {
protected:
  void SetUp() override {
    folder = temporaryFolder();
    package = folder + "/model.stpk";
    copyFile(packagePath("weights"), package);
  }
  Failure load() { return loadFailure(package); }

  std::string folder, package;
};

TEST_F(Weights, AreReadBesideThePackage) {
  writeFile(folder + "/weights.bin", "\1\2\3\4\5\6\7\10");
  // Through a link elsewhere, the real file's folder counts.
  std::string elsewhere = temporaryFolder() + "/link.stpk";
  ASSERT_EQ(symlink(package.c_str(), elsewhere.c_str()), 0);
  sectile_package *loaded = nullptr;
  ASSERT_EQ(sectile_package_load(elsewhere.c_str(), nullptr, &loaded, nullptr, 0), SECTILE_OK);
  PackageHandle handle(loaded);
  ContextHandle context = makeContext(handle);
  sectile_tensor output = {};
  ASSERT_EQ(sectile_context_run(context.get(), nullptr, 0, &output, 1), SECTILE_OK);
  EXPECT_EQ(*static_cast<int32_t *>(output.data), 36);
}

TEST_F(Weights, AreRefusedWhereTheyAreNotTheFileMeant) {
  expectFailure(load(), SECTILE_SYSTEM, "cannot open weights file 'weights.bin'");
  writeFile(folder + "/weights.bin", "1234567");
  expectFailure(load(), SECTILE_INVALID_PACKAGE,
                "expects weights file 'weights.bin' to have 8 bytes, but it has 7");
  writeFile(folder + "/weights.bin", "123456789");
  expectFailure(load(), SECTILE_INVALID_PACKAGE, "but it has 9");
  unlink((folder + "/weights.bin").c_str());
  writeFile(folder + "/other", "12345678");
  ASSERT_EQ(symlink("other", (folder + "/weights.bin").c_str()), 0);
  expectFailure(load(), SECTILE_INVALID_PACKAGE, "it is a symbolic link");
  unlink((folder + "/weights.bin").c_str());
  ASSERT_EQ(mkdir((folder + "/weights.bin").c_str(), 0700), 0);
  expectFailure(load(), SECTILE_INVALID_PACKAGE, "to be a regular file");
}

TEST_F(Weights, MustHaveABareName) {
  for (const char *name : {"weights-parent", "weights-dots", "weights-unnamed"})
    expectFailure(loadFailure(packagePath(name)), SECTILE_INVALID_PACKAGE,
                  "expects the weights file to be a bare file name");
}

/// A file of a piece: its bytes and what ends it.
static std::string makePiece(const std::string &bytes, uint64_t hash, const std::string &name,
                             uint64_t magic = SECTILE_PIECE_MAGIC) {
  const uint64_t numbers[] = {magic, bytes.size(), hash};
  return bytes + std::string(reinterpret_cast<const char *>(numbers), sizeof numbers) + name;
}

class Pieces : public testing::Test {
protected:
  void SetUp() override {
    folder = temporaryFolder();
    package = folder + "/model.stpk";
    copyFile(packagePath("pieces"), package);
    ASSERT_EQ(mkdir((folder + "/weights.d").c_str(), 0700), 0);
    write(first, makePiece("\1\2\3\4", 1, first));
    write(second, makePiece("\5\6\7\10", 2, second));
  }
  void write(const std::string &name, const std::string &bytes) {
    writeFile(folder + "/weights.d/" + name, bytes);
  }

  std::string folder, package;
  const std::string first = "00000000000000000000000000000001";
  const std::string second = "00000000000000000000000000000abc";
};

TEST_F(Pieces, AreMappedSideBySide) {
  sectile_package *loaded = nullptr;
  ASSERT_EQ(sectile_package_load(package.c_str(), nullptr, &loaded, nullptr, 0), SECTILE_OK);
  PackageHandle handle(loaded);
  auto info = makeOptions<sectile_package_info>();
  ASSERT_EQ(sectile_package_get_info(loaded, &info), SECTILE_OK);
  EXPECT_EQ(info.num_pieces, 2u);
  auto piece = makeOptions<sectile_piece_info>();
  ASSERT_EQ(sectile_package_get_piece(loaded, 1, &piece), SECTILE_OK);
  EXPECT_EQ(piece.name, second);
  EXPECT_EQ(piece.offset, 65536u);
  EXPECT_EQ(piece.bytes, 4u);
  EXPECT_EQ(piece.hash, 2u);
  EXPECT_EQ(sectile_package_get_piece(loaded, 2, &piece), SECTILE_INVALID_ARGUMENT);
  ContextHandle context = makeContext(handle);
  sectile_tensor output = {};
  ASSERT_EQ(sectile_context_run(context.get(), nullptr, 0, &output, 1), SECTILE_OK);
  EXPECT_EQ(*static_cast<int32_t *>(output.data), 36);
}

TEST_F(Pieces, AreRefusedWhereTheyAreNotTheFilesMeant) {
  auto expectDamaged = [&](const std::string &bytes, const char *reason) {
    write(second, bytes);
    expectFailure(loadFailure(package), SECTILE_INVALID_PACKAGE, reason);
  };
  expectDamaged("", "to have 60 bytes, but it has 0");
  expectDamaged(makePiece("\5\6\7", 2, second), "to have 60 bytes, but it has 59");
  const char *other = "to end in what it holds, but it does not";
  expectDamaged(makePiece("\5\6\7\10", 2, second, SECTILE_PIECE_MAGIC + 1), other);
  expectDamaged(makePiece("\5\6\7\10", 3, second), other);
  expectDamaged(makePiece("\5\6\7\10", 2, first), other);
  std::string path = folder + "/weights.d/" + second;
  unlink(path.c_str());
  expectFailure(loadFailure(package), SECTILE_SYSTEM, "cannot open weights file '" + second + "'");
  ASSERT_EQ(symlink(first.c_str(), path.c_str()), 0);
  expectFailure(loadFailure(package), SECTILE_INVALID_PACKAGE, "it is a symbolic link");
  std::string elsewhere = folder + "/elsewhere";
  ASSERT_EQ(rename((folder + "/weights.d").c_str(), elsewhere.c_str()), 0);
  expectFailure(loadFailure(package), SECTILE_SYSTEM, "cannot open the folder of weights");
  ASSERT_EQ(symlink("elsewhere", (folder + "/weights.d").c_str()), 0);
  expectFailure(loadFailure(package), SECTILE_SYSTEM, "cannot open the folder of weights");
}

TEST_F(Pieces, HavePlacesAndNamesOfTheirOwn) {
  for (const char *name : {"pieces-unaligned", "pieces-outside", "pieces-together"})
    expectFailure(loadFailure(packagePath(name)), SECTILE_INVALID_PACKAGE,
                  "at a place of its own in 65540 bytes of constants");
  expectFailure(loadFailure(packagePath("pieces-unnamed")), SECTILE_INVALID_PACKAGE,
                "expects pieces to be called by 32 digits, but got '../../etc/passwd'");
}

TEST(Package, LogsWhatItLoaded) {
  std::string seen;
  auto options = makeOptions<sectile_package_options>();
  options.log = [](void *user, sectile_log_level level, const char *message) {
    EXPECT_EQ(level, SECTILE_LOG_INFO);
    *static_cast<std::string *>(user) = message;
  };
  options.log_user = &seen;
  options.threads = 2;
  PackageHandle package = loadPackage("add", &options);
  EXPECT_NE(seen.find("target cpu, level base, 2 threads"), std::string::npos) << seen;
}

TEST(Package, LivesAsLongAsItsContexts) {
  PackageHandle package = loadPackage("levels");
  ContextHandle context = makeContext(package);
  package.reset();
  sectile_tensor output = {};
  EXPECT_EQ(sectile_context_run(context.get(), nullptr, 0, &output, 1), SECTILE_OK);
  context.reset();
  EXPECT_EQ(dlopen(packagePath("levels").c_str(), RTLD_NOLOAD | RTLD_NOW), nullptr);
}

} // namespace
