//===- cpu-kernels.cpp - speed of hand-written tile kernels -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles tile kernels as graph-to-tile writes them and compares their speed with the peak of
// this core, measured in the same run:
//
//     cpu-kernels [--level=NAME] [--rounds=N] [FILTER]
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <time.h>

using namespace sectile;
using namespace sectile::test;

/// CPU seconds of this thread: other programs on the machine do not count.
static double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

/// Seconds that `kernel` takes undisturbed. The grid is run in pieces of about a millisecond; of
/// each the best of `rounds` counts, since on a shared machine a long run is never undisturbed.
static double measure(LoadedKernel &kernel, const std::vector<void *> &bufs, int rounds,
                      const std::vector<int64_t> &sizes = {}) {
  int64_t blocks = kernel.info(bufs, sizes).blocks;
  double start = now();
  kernel.run(bufs, sizes);
  double once = now() - start;
  int64_t pieces = std::clamp<int64_t>(once * 2e3, 1, blocks);
  // Short kernels are repeated, to be long against the clock's resolution.
  int repeat = std::max(1, int(2e-4 / once));
  std::vector<double> best(pieces, 1e9);
  for (int round = 0; round < rounds; ++round)
    for (int64_t piece = 0; piece < pieces; ++piece) {
      start = now();
      for (int i = 0; i < repeat; ++i)
        kernel.run(bufs, sizes, blocks * piece / pieces, blocks * (piece + 1) / pieces);
      best[piece] = std::min(best[piece], (now() - start) / repeat);
    }
  return std::accumulate(best.begin(), best.end(), 0.0);
}

static std::string replaceAll(std::string text,
                              const std::vector<std::pair<std::string, std::string>> &values) {
  for (const auto &[key, value] : values)
    for (size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size())
      text.replace(at, key.size(), value);
  return text;
}

/// Fused multiply-adds on registers only.
static const char *kPeak = R"(
tile.kernel @k(%y: !tile.view<$Lxf32>) {
  %one = tile.block_id grid [%c1]
  %c0 = arith.constant 0 : index
  %n = arith.constant 100000 : index
  %x = tile.load %y at affine_map<(t, u) -> (u)> [] : !tile.view<$Lxf32> -> tensor<$Rx$Lxf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x) -> tensor<$Rx$Lxf32> {
    %f = math.fma %s, %m, %m : tensor<$Rx$Lxf32>
    scf.yield %f : tensor<$Rx$Lxf32>
  }
  %t = tile.reduce %r dims [0] : tensor<$Rx$Lxf32> -> tensor<$Lxf32> {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      tile.yield %c : f32
  }
  tile.store %t, %y at affine_map<(u) -> (u)> [] : tensor<$Lxf32>, !tile.view<$Lxf32>
  tile.return
}
)";

static const char *kMatmul = R"(
tile.kernel @k(%a: !tile.view<$Mx$Kxf32>,
               %b: !tile.view<$Kx$Nxf32, #tile.memory<(d0, d1) -> (d1 floordiv $W, d0, d1 mod $W)>>,
               %c: !tile.view<$Mx$Nxf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = arith.constant $R : index
  %block = arith.constant $B : index
  %cK = arith.constant $K : index
  %cKC = arith.constant $CHUNK : index
  %gm = arith.constant $GM : index
  %gn = arith.constant $GN : index
  %bn, %bm = tile.block_id grid [%gn, %gm]
  %zero = arith.constant dense<0.0> : tensor<$Rx$Wxf32>
  %j = affine.apply affine_map<()[s0] -> (s0 * $W)>()[%bn]
  scf.for %k0 = %c0 to %cK step %cKC {
  %k1 = arith.addi %k0, %cKC : index
  scf.for %mi = %c0 to %block step %rows {
    %i = affine.apply affine_map<()[s0, s1] -> (s0 * $B + s1)>()[%bm, %mi]
    %isFirst = arith.cmpi eq, %k0, %c0 : index
    %init = scf.if %isFirst -> tensor<$Rx$Wxf32> {
      scf.yield %zero : tensor<$Rx$Wxf32>
    } else {
      %old = tile.load %c at affine_map<(t0, t1)[i, j] -> (i + t0, j + t1)>[%i, %j]
        where affine_set<(t0, t1)[i, j] : ($M - 1 - i - t0 >= 0, $N - 1 - j - t1 >= 0)>[%i, %j]
        else 0.0 : f32 : !tile.view<$Mx$Nxf32> -> tensor<$Rx$Wxf32>
      scf.yield %old : tensor<$Rx$Wxf32>
    }
    %acc = scf.for %k = %k0 to %k1 step %c1 iter_args(%s = %init) -> tensor<$Rx$Wxf32> {
      %l = tile.load %a at affine_map<(t0, t1)[i, k] -> (i + t0, k + t1)>[%i, %k]
        $MASK : !tile.view<$Mx$Kxf32> -> tensor<$Rx1xf32>
      %r = tile.load %b at affine_map<(t0, t1)[k, j] -> (k + t0, j + t1)>[%k, %j]
        : !tile.view<$Kx$Nxf32, #tile.memory<(d0, d1) -> (d1 floordiv $W, d0, d1 mod $W)>>
        -> tensor<1x$Wxf32>
      %d = tile.dot %l, %r, %s : tensor<$Rx1xf32>, tensor<1x$Wxf32> -> tensor<$Rx$Wxf32>
      scf.yield %d : tensor<$Rx$Wxf32>
    }
    tile.store %acc, %c at affine_map<(t0, t1)[i, j] -> (i + t0, j + t1)>[%i, %j]
      where affine_set<(t0, t1)[i, j] : ($M - 1 - i - t0 >= 0, $N - 1 - j - t1 >= 0)>[%i, %j]
      : tensor<$Rx$Wxf32>, !tile.view<$Mx$Nxf32>
  }
  }
  tile.return
}
)";

/// A kernel of nothing but 12 independent multiply-adds per step of 100000.
static std::unique_ptr<LoadedKernel> compilePeak(const CpuLevel &level) {
  int64_t lanes = level.getLanes(4);
  auto kernel = LoadedKernel::compile(
      replaceAll(kPeak, {{"%one = tile.block_id grid [%c1]",
                          "%c1 = arith.constant 1 : index\n  %m = arith.constant dense<0.5> : "
                          "tensor<12x" +
                              std::to_string(lanes) + "xf32>\n  %one = tile.block_id grid [%c1]"},
                         {"$R", "12"},
                         {"$L", std::to_string(lanes)}}),
      "k", level);
  if (!kernel)
    exit(70);
  return kernel;
}

/// GFLOP/s of the peak kernel, best of `rounds`.
static double peakOf(LoadedKernel &kernel, const CpuLevel &level, int rounds) {
  int64_t lanes = level.getLanes(4);
  std::vector<float> y(lanes, 1.0f);
  return 1e5 * 12 * lanes * 2 / measure(kernel, {y.data()}, rounds) * 1e-9;
}

static void runMatmul(const CpuLevel &level, int64_t m, int64_t n, int64_t k, int64_t rows,
                      int64_t width, int64_t block, int64_t chunk, bool masked, int rounds,
                      LoadedKernel &peakKernel) {
  auto text = [](int64_t value) { return std::to_string(value); };
  int64_t panels = (n + width - 1) / width;
  std::string source =
      replaceAll(kMatmul, {{"$MASK", masked ? "where affine_set<(t0, t1)[i] : ($M - 1 - i - t0 >= "
                                              "0)>[%i] else 0.0 : f32"
                                            : ""},
                           {"$CHUNK", text(chunk)},
                           {"$GM", text((m + block - 1) / block)},
                           {"$GN", text(panels)},
                           {"$M", text(m)},
                           {"$N", text(n)},
                           {"$K", text(k)},
                           {"$W", text(width)},
                           {"$R", text(rows)},
                           {"$B", text(block)}});
  auto kernel = LoadedKernel::compile(source, "k", level);
  if (!kernel)
    exit(70);
  int64_t padded = (m + block - 1) / block * block; // unmasked loads read whole tiles
  auto allocate = [](size_t count) {
    return static_cast<float *>(aligned_alloc(64, (count * 4 + 63) / 64 * 64));
  };
  float *a = allocate(padded * k), *b = allocate(panels * k * width), *c = allocate(m * n);
  for (int64_t i = 0; i < padded * k; ++i)
    a[i] = (i * 7 % 13 - 6) * 0.125f;
  for (int64_t i = 0; i < panels * k * width; ++i)
    b[i] = (i * 5 % 11 - 5) * 0.25f;
  double before = peakOf(peakKernel, level, rounds);
  double time = measure(*kernel, {a, b, c}, rounds);
  double peak = std::max(before, peakOf(peakKernel, level, rounds));
  double worst = 0;
  for (int64_t i = 0; i < m; i += 37)
    for (int64_t j = 0; j < n; j += 17) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += double(a[i * k + p]) * b[(j / width * k + p) * width + j % width];
      worst = std::max(worst, std::abs(sum - c[i * n + j]));
    }
  double flops = 2.0 * m * n * k * 1e-9;
  printf(
      "matmul %ldx%ldx%ld tile %2ldx%-3ld block %4ld k %4ld%s  %6.1f of %6.1f GFLOP/s, %3.0f %%  "
      "error %.1e  loop: %u vector %u scalar\n",
      m, n, k, rows, width, block, chunk, masked ? " masked" : "       ", flops / time, peak,
      100 * flops / time / peak, worst, kernel->stats.vectorOps, kernel->stats.scalarOps);
  if (getenv("SECTILE_ASM"))
    puts(kernel->assembly.c_str());
  free(a);
  free(b);
  free(c);
}

int main(int argc, char **argv) {
  int rounds = 11;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.rfind("--level=", 0) == 0)
      only = argument.substr(8);
    else if (argument.rfind("--rounds=", 0) == 0)
      rounds = std::max(1, static_cast<int>(strtol(argument.c_str() + 9, nullptr, 10)));
  }
  for (const CpuLevel *level : presentLevels()) {
    if (!only.empty() && level->name != only)
      continue;
    auto peak = compilePeak(*level);
    printf("%s\n", level->name.str().c_str());
    int64_t lanes = level->getLanes(4);
    std::vector<std::pair<int64_t, int64_t>> tiles;
    if (level->vectorRegisters == 32)
      tiles = {{6, 4}, {8, 3}, {12, 2}, {10, 2}, {7, 3}};
    else if (level->single.hasFma)
      tiles = {{6, 2}, {4, 3}, {5, 2}, {4, 2}, {3, 4}};
    else
      tiles = {{4, 2}, {6, 2}, {4, 3}, {5, 2}, {3, 4}};
    for (auto [r, v] : tiles)
      for (int64_t chunks : {1, 2, 4})
        for (int64_t rows : {96, 192})
          runMatmul(*level, 1024, 1024, 1024, r, v * lanes, (rows + r - 1) / r * r, 1024 / chunks,
                    false, rounds, *peak);
  }
}
