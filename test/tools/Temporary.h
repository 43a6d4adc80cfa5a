//===- Temporary.h - files that tests make ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_TOOLS_TEMPORARY_H
#define SECTILE_TEST_TOOLS_TEMPORARY_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sectile::test {

/// A folder that goes away with the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    char path[] = "/tmp/sectile-test-XXXXXX";
    folder = mkdtemp(path);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::string &path() const { return folder; }
  std::string path(const std::string &name) const { return folder + "/" + name; }
  /// Writes a file; returns its path.
  std::string write(const std::string &name, const std::string &content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  int numFiles() const {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }

private:
  std::string folder;
};

inline std::string readWhole(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

} // namespace sectile::test

#endif // SECTILE_TEST_TOOLS_TEMPORARY_H
