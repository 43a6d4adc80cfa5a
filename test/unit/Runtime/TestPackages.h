//===- TestPackages.h - loading hand-made packages in tests -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_RUNTIME_TESTPACKAGES_H
#define SECTILE_TEST_UNIT_RUNTIME_TESTPACKAGES_H

#include "sectile/sectile.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace sectile::test {

/// Path of the test package `name`.
inline std::string packagePath(const std::string &name) {
  return std::string(SECTILE_TEST_PACKAGES) + "/" + name + ".stpk";
}

struct Release {
  void operator()(sectile_package *package) const { sectile_package_release(package); }
  void operator()(sectile_context *context) const { sectile_context_destroy(context); }
};
using PackageHandle = std::unique_ptr<sectile_package, Release>;
using ContextHandle = std::unique_ptr<sectile_context, Release>;

/// Options with their size set.
template <typename Options>
Options makeOptions() {
  Options options = {};
  options.size = sizeof options;
  return options;
}

/// What a failed load or creation said.
struct Failure {
  sectile_status status;
  std::string message;
};

inline PackageHandle loadPackage(const std::string &name,
                                 const sectile_package_options *options = nullptr) {
  char message[512] = "";
  sectile_package *package = nullptr;
  sectile_status status =
      sectile_package_load(packagePath(name).c_str(), options, &package, message, sizeof message);
  EXPECT_EQ(status, SECTILE_OK) << message;
  return PackageHandle(package);
}

inline Failure loadFailure(const std::string &path,
                           const sectile_package_options *options = nullptr) {
  char message[512] = "";
  sectile_package *package = nullptr;
  sectile_status status =
      sectile_package_load(path.c_str(), options, &package, message, sizeof message);
  EXPECT_EQ(package, nullptr);
  sectile_package_release(package);
  return {status, message};
}

inline ContextHandle makeContext(const PackageHandle &package,
                                 const sectile_context_options *options = nullptr) {
  char message[512] = "";
  sectile_context *context = nullptr;
  sectile_status status =
      sectile_context_create(package.get(), options, &context, message, sizeof message);
  EXPECT_EQ(status, SECTILE_OK) << message;
  return ContextHandle(context);
}

template <typename T>
constexpr int32_t dtypeOf();
template <>
constexpr int32_t dtypeOf<float>() {
  return SECTILE_F32;
}
template <>
constexpr int32_t dtypeOf<int32_t>() {
  return SECTILE_I32;
}
template <>
constexpr int32_t dtypeOf<int64_t>() {
  return SECTILE_I64;
}

/// Describes `values` with shape `dims`; both must outlive the result.
template <typename T>
sectile_tensor describe(std::vector<T> &values, const std::vector<int64_t> &dims) {
  sectile_tensor tensor = {};
  tensor.data = values.data();
  tensor.bytes = values.size() * sizeof(T);
  tensor.dtype = dtypeOf<T>();
  tensor.rank = static_cast<int32_t>(dims.size());
  tensor.dims = dims.data();
  return tensor;
}

} // namespace sectile::test

#endif // SECTILE_TEST_UNIT_RUNTIME_TESTPACKAGES_H
