//===- Hashing.cpp - hashes of what is written -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Hashing.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"

// In the file itself: the library would be one more to install.
#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace sectile;

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher(bool isWide) : state(std::make_unique<State>()), isWide(isWide) {
  isWide ? XXH3_128bits_reset(&state->xxh) : XXH3_64bits_reset(&state->xxh);
}

Hasher::~Hasher() = default;

void Hasher::update(const void *data, size_t size) {
  isWide ? XXH3_128bits_update(&state->xxh, data, size)
         : XXH3_64bits_update(&state->xxh, data, size);
}

uint64_t Hasher::digest() const {
  assert(!isWide && "expects a hash of 64 bits");
  return XXH3_64bits_digest(&state->xxh);
}

std::string Hasher::digestWide() const {
  assert(isWide && "expects a hash of 128 bits");
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(&state->xxh));
  return llvm::toHex(llvm::ArrayRef<uint8_t>(bytes.digest), /*LowerCase=*/true);
}

HashingStream::HashingStream(llvm::raw_ostream &out) : out(out) { SetBufferSize(1 << 18); }

HashingStream::~HashingStream() { flush(); }

void HashingStream::write_impl(const char *data, size_t size) {
  hasher.update(data, size);
  out.write(data, size);
  position += size;
}
