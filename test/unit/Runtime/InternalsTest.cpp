//===- InternalsTest.cpp - parts of the runtime by themselves ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CpuFeatures.h"
#include "Launch.h"
#include "Memory.h"
#include "Message.h"
#include "ThreadPool.h"

#include "sectile/Package/Abi.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

using namespace sectile::runtime;

namespace {

TEST(Message, ReplacesPlaceholders) {
  Message message;
  int64_t values[] = {7, INT64_MIN, 3};
  message.appendPattern("%0 of %2, %1%; 50% %3 %x %", values, 3);
  EXPECT_STREQ(message.text(), "7 of 3, -9223372036854775808%; 50% %3 %x %");
  message.clear();
  message.appendPattern("%0", nullptr, 0);
  EXPECT_STREQ(message.text(), "%0");
}

TEST(Message, EndsLongTextWithDots) {
  Message message;
  std::string text(3000, 'x');
  message.append("%s", text.c_str());
  EXPECT_EQ(strlen(message.text()), 1023u);
  EXPECT_STREQ(message.text() + 1020, "...");
  message.append("more");
  message.appendPattern(text.c_str(), nullptr, 0);
  EXPECT_EQ(strlen(message.text()), 1023u);
  EXPECT_STREQ(message.text() + 1020, "...");
}

TEST(GrowingBuffer, GrowsAndIsAligned) {
  Memory memory({});
  GrowingBuffer buffer;
  EXPECT_TRUE(buffer.reserve(memory, 0));
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.reserve(memory, 100));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
  void *first = buffer.data();
  EXPECT_TRUE(buffer.reserve(memory, 128));
  EXPECT_EQ(buffer.data(), first);
  EXPECT_TRUE(buffer.reserve(memory, 8 << 20));
  EXPECT_FALSE(buffer.reserve(memory, UINT64_MAX));
  EXPECT_FALSE(buffer.reserve(memory, uint64_t(1) << 63));
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_TRUE(buffer.reserve(memory, 1));
  buffer.release(memory);
}

TEST(Launch, CoversTheGridOnce) {
  for (int64_t blocks : {1, 2, 3, 7, 64, 1000, 12345})
    for (uint32_t threads : {1u, 2u, 3u, 64u, 1024u})
      for (int64_t operations : {int64_t(0), int64_t(1000000), int64_t(1) << 60}) {
        LaunchPlan plan = planLaunch({blocks, 0, 0, operations}, threads);
        ASSERT_GE(plan.chunks, 1u);
        ASSERT_GE(plan.threads, 1u);
        ASSERT_LE(plan.chunks, blocks);
        ASSERT_LE(plan.threads, std::min(threads, plan.chunks));
        ASSERT_EQ(firstBlock(blocks, plan.chunks, 0), 0);
        ASSERT_EQ(firstBlock(blocks, plan.chunks, plan.chunks), blocks);
        for (uint32_t chunk = 0; chunk < plan.chunks; ++chunk)
          ASSERT_LT(firstBlock(blocks, plan.chunks, chunk),
                    firstBlock(blocks, plan.chunks, chunk + 1));
      }
}

TEST(Launch, HandlesTheLargestGrid) {
  LaunchPlan plan = planLaunch({INT64_MAX, 0, INT64_MAX, INT64_MAX}, 1024);
  EXPECT_EQ(firstBlock(INT64_MAX, plan.chunks, plan.chunks), INT64_MAX);
}

TEST(Launch, KeepsSmallWorkOnItsCaller) {
  EXPECT_EQ(planLaunch({100, 0, 10000, 10000}, 4).chunks, 1u);
  EXPECT_GT(planLaunch({100, 0, 100000000, 0}, 4).chunks, 3u);
  EXPECT_EQ(planLaunch({1, 0, 100000000, 0}, 4).chunks, 1u);
  EXPECT_EQ(planLaunch({100, 0, 100000000, 0}, 1).chunks, 1u);
}

TEST(CpuFeatures, AgreeWithTheOperatingSystem) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> flags;
  for (std::string line; std::getline(file, line);)
    if (line.rfind("flags", 0) == 0) {
      std::istringstream words(line.substr(line.find(':') + 1));
      for (std::string word; words >> word;)
        flags.insert(word);
    }
  if (flags.empty())
    GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  auto hasAll = [&](std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (!flags.count(name))
        return false;
    return true;
  };
  uint64_t found = detectCpuFeatures();
  bool v3 = hasAll({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"});
  bool v4 = v3 && hasAll({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
  EXPECT_EQ(bool(found & SECTILE_ABI_X86_V2),
            hasAll({"pni", "ssse3", "cx16", "sse4_1", "sse4_2", "popcnt", "lahf_lm"}));
  EXPECT_EQ(bool(found & SECTILE_ABI_X86_V3), v3);
  EXPECT_EQ(bool(found & SECTILE_ABI_X86_V4), v4);
  EXPECT_EQ(bool(found & SECTILE_ABI_X86_AVX512VNNI), v4 && hasAll({"avx512_vnni"}));
  EXPECT_EQ(bool(found & SECTILE_ABI_X86_AVX512VBMI), v4 && hasAll({"avx512vbmi"}));
}

TEST(CpuFeatures, HaveNames) {
  Message message;
  appendFeatureNames(message, SECTILE_ABI_X86_V3 | SECTILE_ABI_X86_AVX512VBMI | uint64_t(1) << 63);
  EXPECT_STREQ(message.text(), "x86-64-v3, AVX-512 VBMI, feature 63");
}

/// One parallel region that counts its chunks and checks its threads.
struct Region {
  std::vector<int> visits; // per chunk; not atomic, so that races show
  std::vector<int> inUse;  // per thread
  std::atomic<int> concurrent{0}, most{0};

  Region(uint32_t chunks, uint32_t threads) : visits(chunks), inUse(threads) {}
  static void body(void *argument, uint32_t chunk, uint32_t thread) {
    Region &region = *static_cast<Region *>(argument);
    int now = ++region.concurrent;
    int seen = region.most;
    while (seen < now && !region.most.compare_exchange_weak(seen, now)) {
    }
    ++region.inUse[thread];
    ++region.visits[chunk];
    --region.inUse[thread];
    --region.concurrent;
  }
};

void runRegions(ThreadPool &pool, int rounds, uint32_t limit) {
  for (int round = 0; round < rounds; ++round) {
    uint32_t chunks = 1 + round % 37;
    Region region(chunks, pool.threads());
    pool.run(limit, chunks, Region::body, &region);
    for (int visits : region.visits)
      ASSERT_EQ(visits, 1);
    ASSERT_LE(region.most, static_cast<int>(limit));
  }
}

TEST(ThreadPool, RunsEachChunkOnce) {
  Memory memory({});
  for (uint32_t threads : {1, 2, 4}) {
    ThreadPool pool;
    Message message;
    ASSERT_EQ(pool.start(memory, threads, message), SECTILE_OK) << message.text();
    for (uint32_t limit = 1; limit <= threads; ++limit)
      runRegions(pool, 5000, limit);
    pool.stop(memory);
  }
}

TEST(ThreadPool, WakesSleepingWorkers) {
  Memory memory({});
  ThreadPool pool;
  Message message;
  ASSERT_EQ(pool.start(memory, 4, message), SECTILE_OK) << message.text();
  for (int round = 0; round < 200; ++round) {
    usleep(200); // far longer than workers spin
    runRegions(pool, 20, 4);
  }
  pool.stop(memory);
}

/// Two chunks that wait for each other, for ten seconds at most.
struct Meeting {
  std::atomic<int> arrived{0}, met{0};

  static void body(void *argument, uint32_t, uint32_t) {
    Meeting &meeting = *static_cast<Meeting *>(argument);
    ++meeting.arrived;
    for (int i = 0; i < 100000 && meeting.arrived < 2; ++i)
      usleep(100);
    meeting.met += meeting.arrived == 2;
  }
};

TEST(ThreadPool, SleepingWorkersHelp) {
  Memory memory({});
  ThreadPool pool;
  Message message;
  ASSERT_EQ(pool.start(memory, 2, message), SECTILE_OK) << message.text();
  for (int round = 0; round < 20; ++round) {
    usleep(2000);
    Meeting meeting;
    pool.run(2, 2, Meeting::body, &meeting);
    ASSERT_EQ(meeting.met, 2);
  }
  pool.stop(memory);
}

TEST(ThreadPool, JoinsSlowChunks) {
  Memory memory({});
  ThreadPool pool;
  Message message;
  ASSERT_EQ(pool.start(memory, 4, message), SECTILE_OK) << message.text();
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done{0};
    pool.run(
        4, 4,
        [](void *argument, uint32_t chunk, uint32_t) {
          usleep(chunk * 300); // the owner, with chunk 0, waits for the rest
          ++*static_cast<std::atomic<int> *>(argument);
        },
        &done);
    ASSERT_EQ(done, 4);
  }
  pool.stop(memory);
}

TEST(ThreadPool, ServesManyCallers) {
  Memory memory({});
  ThreadPool pool;
  Message message;
  ASSERT_EQ(pool.start(memory, 4, message), SECTILE_OK) << message.text();
  std::vector<std::thread> callers;
  callers.reserve(12);
  for (uint32_t caller = 0; caller < 12; ++caller)
    callers.emplace_back([&, caller] { runRegions(pool, 1000, 1 + caller % 4); });
  for (std::thread &caller : callers)
    caller.join();
  pool.stop(memory);
}

TEST(ThreadPool, StartsAndStops) {
  Memory memory({});
  for (int round = 0; round < 100; ++round) {
    ThreadPool pool;
    Message message;
    ASSERT_EQ(pool.start(memory, 4, message), SECTILE_OK) << message.text();
    if (round % 2)
      runRegions(pool, 3, 4);
    pool.stop(memory);
  }
}

} // namespace
