//===- Hashing.h - hashes of what is written -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_HASHING_H
#define SECTILE_CODEGEN_HASHING_H

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace sectile {

/// XXH3 of bytes that come one after the other, seed 0: 64 or 128 bits of one state.
class Hasher {
public:
  explicit Hasher(bool isWide = false);
  ~Hasher();
  Hasher(const Hasher &) = delete;
  Hasher &operator=(const Hasher &) = delete;

  void update(const void *data, size_t size);
  /// 64 bits; only where the hash is not wide.
  uint64_t digest() const;
  /// 32 digits of 0-9, a-f: 128 bits; only where it is.
  std::string digestWide() const;

private:
  struct State;
  std::unique_ptr<State> state;
  bool isWide;
};

/// Passes bytes on, counts and hashes them (XXH3-64, seed 0).
class HashingStream : public llvm::raw_ostream {
public:
  explicit HashingStream(llvm::raw_ostream &out);
  ~HashingStream() override;
  /// Of what was flushed.
  uint64_t hash() const { return hasher.digest(); }

private:
  void write_impl(const char *data, size_t size) override;
  uint64_t current_pos() const override { return position; }

  llvm::raw_ostream &out;
  uint64_t position = 0;
  Hasher hasher;
};

} // namespace sectile

#endif // SECTILE_CODEGEN_HASHING_H
