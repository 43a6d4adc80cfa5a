//===- FilesTest.cpp - reading and writing files ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Files.h"
#include "Temporary.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

using namespace sectile::tools;
using sectile::test::readWhole;
using sectile::test::TemporaryFolder;

namespace {

TEST(OutputFiles, AppearTogetherOnCommit) {
  TemporaryFolder folder;
  OutputFiles files;
  ASSERT_TRUE(files.write(folder.path("a"), "one"));
  ASSERT_TRUE(files.write(folder.path("b"), "two"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("a")));
  ASSERT_TRUE(files.commit());
  EXPECT_EQ(readWhole(folder.path("a")), "one");
  EXPECT_EQ(readWhole(folder.path("b")), "two");
  EXPECT_EQ(folder.numFiles(), 2);
}

TEST(OutputFiles, LeaveNothingWithoutCommit) {
  TemporaryFolder folder;
  folder.write("a", "old");
  {
    OutputFiles files;
    ASSERT_TRUE(files.write(folder.path("a"), "new"));
    Result<Done> bad = files.write(folder.path("none/b"), "x");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.failure().status, kEnvironment);
  }
  EXPECT_EQ(readWhole(folder.path("a")), "old");
  EXPECT_EQ(folder.numFiles(), 1);
}

TEST(OutputFiles, ReplaceNoPipe) {
  TemporaryFolder folder;
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  OutputFiles files;
  Result<Done> bad = files.write(folder.path("pipe"), "x");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.failure().status, kEnvironment);
  EXPECT_TRUE(std::filesystem::is_fifo(folder.path("pipe")));
}

TEST(InputFile, RefusesWhatIsNoRegularFile) {
  TemporaryFolder folder;
  EXPECT_FALSE(InputFile::open(folder.path("none")));
  EXPECT_FALSE(InputFile::open(folder.path()));
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(InputFile::open(folder.path("pipe")));
}

TEST(Folders, AreMadeWithParents) {
  TemporaryFolder folder;
  ASSERT_TRUE(makeFolders(folder.path("a/b/c")));
  ASSERT_TRUE(makeFolders(folder.path("a/b/c")));
  folder.write("file", "");
  EXPECT_FALSE(makeFolders(folder.path("file")));
  EXPECT_FALSE(makeFolders(folder.path("file/x")));
}

} // namespace
