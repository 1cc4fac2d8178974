#include "cache/disk/io_scheduler.h"

#include <cerrno>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "cache/disk/aligned_buffer.h"
#include "tests/cache/disk/manual_queue.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;

class ManualClock final : public Clock {
 public:
  Instant Now() override { return now; }
  int64_t UnixSeconds() override { return 0; }

  Instant now{};
};

class Client final : public IoClient {
 public:
  void OnIoEnd(uint64_t cookie, const IoResult& result) override {
    ++ends;
    results[cookie % results.size()] = result;
    last = cookie;
    if (then) then(cookie);
  }

  size_t ends = 0;
  uint64_t last = 0;
  std::vector<IoResult> results = std::vector<IoResult>(16);
  std::function<void(uint64_t cookie)> then;
};

class IoSchedulerTest : public testing::Test {
 protected:
  void Read(uint64_t bytes, uint64_t cookie = 0, DeviceId device = DeviceId{0}) {
    ASSERT_EQ(io_.Read(device, 0, memory_.bytes().first(bytes), client_, cookie), absl::OkStatus());
  }
  void Write(uint64_t bytes, uint64_t cookie = 0, DeviceId device = DeviceId{0}) {
    ASSERT_EQ(io_.Write(device, 0, memory_.bytes().first(bytes), client_, cookie),
              absl::OkStatus());
  }
  size_t CountOf(DeviceId device) const {
    size_t count = 0;
    for (const Io& io : queue_.started()) count += io.device == device;
    return count;
  }

  ManualClock clock_;
  ManualQueue queue_;
  IoScheduler io_{queue_, clock_};
  Client client_;
  AlignedBuffer memory_ = AlignedBuffer::Create(64 * kMiB).value();
};

TEST_F(IoSchedulerTest, ATransferGoesInChunksAndEndsOnceWithTheLastOfThem) {
  const uint64_t bytes = 3 * kMiB + kSectorBytes;
  ASSERT_EQ(io_.Read(DeviceId{3}, 8 * kMiB, memory_.bytes().first(bytes), client_, 7),
            absl::OkStatus());
  EXPECT_TRUE(queue_.started().empty());  // until Poll
  EXPECT_EQ(io_.Poll(), 0u);
  ASSERT_EQ(queue_.started().size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const Io& io = queue_.started()[i];
    EXPECT_EQ(io.kind, IoKind::kRead);
    EXPECT_EQ(io.device, DeviceId{3});
    EXPECT_EQ(io.offset_bytes, 8 * kMiB + i * kMiB);
    EXPECT_EQ(io.memory.data(), memory_.bytes().data() + i * kMiB);
    EXPECT_EQ(io.memory.size(), i < 3 ? kMiB : kSectorBytes);
  }
  for (const size_t index : {3, 0, 1}) {  // any order
    queue_.End(index);
    EXPECT_EQ(io_.Poll(), 0u);
  }
  EXPECT_EQ(client_.ends, 0u);
  EXPECT_FALSE(io_.idle());
  queue_.End(0);
  EXPECT_EQ(io_.Poll(), 1u);
  EXPECT_EQ(client_.ends, 1u);
  EXPECT_EQ(client_.last, 7u);
  EXPECT_TRUE(client_.results[7].ok());
  EXPECT_TRUE(io_.idle());
  EXPECT_EQ(io_.counters().read_bytes, bytes);
}

TEST_F(IoSchedulerTest, AReadOvertakesTheWritesAndSlowsThem) {
  Write(64 * kMiB, 1);
  io_.Poll();
  EXPECT_EQ(queue_.Bytes(IoKind::kWrite), kWriteBytesInFlightMax);
  Read(kSectorBytes, 2);
  io_.Poll();
  ASSERT_EQ(queue_.Count(IoKind::kRead), 1u);
  EXPECT_EQ(io_.reads_pending(), 1u);
  // No chunk more before those that were sent already are down to one.
  while (queue_.Count(IoKind::kWrite) > 0) {
    queue_.End(0);
    const size_t left = queue_.Count(IoKind::kWrite);
    io_.Poll();
    ASSERT_EQ(queue_.Count(IoKind::kWrite), std::max<size_t>(left, kWriteChunksBesideReadsMax));
    if (left == 0) break;
  }
  ASSERT_EQ(queue_.started().front().kind, IoKind::kRead);
  queue_.End(0);
  io_.Poll();
  EXPECT_EQ(client_.last, 2u);
  EXPECT_EQ(io_.reads_pending(), 0u);
  EXPECT_EQ(queue_.Bytes(IoKind::kWrite), kWriteBytesInFlightMax);
}

TEST_F(IoSchedulerTest, WritesAreBoundedInFlightAndKeepTheirOrder) {
  Write(20 * kMiB, 1);
  for (uint64_t i = 2; i < 12; ++i) Write(kSectorBytes, i);
  uint64_t offset = 0;
  while (client_.ends < 11) {
    io_.Poll();
    ASSERT_LE(queue_.Count(IoKind::kWrite), kWriteChunksMax);
    ASSERT_FALSE(queue_.started().empty());
    if (offset < 20 * kMiB) {
      ASSERT_EQ(queue_.started().front().offset_bytes, offset);
    }
    offset += kMiB;
    queue_.End(0);
    io_.Poll();
  }
  EXPECT_EQ(client_.last, 11u);
  EXPECT_EQ(io_.counters().written_bytes, 20 * kMiB + 10 * kSectorBytes);
}

// Fault 12: another device is unharmed.
TEST_F(IoSchedulerTest, ADeviceThatHangsHoldsUpNoOther) {
  for (uint32_t device = 0; device + 1 < kDevicesMax; ++device) {
    for (int i = 0; i < 100; ++i) Read(kMiB, 1, DeviceId{device});
    Write(64 * kMiB, 1, DeviceId{device});
  }
  io_.Poll();
  EXPECT_EQ(CountOf(DeviceId{0}), kReadChunksMax + kWriteChunksBesideReadsMax);
  const DeviceId healthy{kDevicesMax - 1};
  for (uint64_t i = 0; i < 10; ++i) {
    Read(kMiB, 2, healthy);
    Write(kMiB, 3, healthy);
    io_.Poll();
    EXPECT_EQ(CountOf(healthy), 2u);
    while (CountOf(healthy) > 0) {
      size_t index = 0;
      while (queue_.started()[index].device != healthy) ++index;
      queue_.End(index);
    }
    EXPECT_EQ(io_.Poll(), 2u);
  }
}

TEST_F(IoSchedulerTest, AFlushIsSentInItsTurn) {
  Write(10 * kMiB, 1);
  ASSERT_EQ(io_.Flush(DeviceId{0}, client_, 2), absl::OkStatus());
  Write(kMiB, 3);
  io_.Poll();
  EXPECT_EQ(queue_.Count(IoKind::kFlush), 0u);
  for (int i = 0; i < 3; ++i) queue_.End(0);
  io_.Poll();
  ASSERT_EQ(queue_.Count(IoKind::kFlush), 1u);
  EXPECT_EQ(queue_.started().back().kind, IoKind::kFlush);
  queue_.EndAll();
  EXPECT_EQ(io_.Poll(), 2u);
  EXPECT_TRUE(client_.results[2].ok());
}

TEST_F(IoSchedulerTest, OneFlushIsUnderWayAtATimeAndFailuresAreCountedPerDevice) {
  ASSERT_EQ(io_.Flush(DeviceId{0}, client_, 1), absl::OkStatus());
  ASSERT_EQ(io_.Flush(DeviceId{0}, client_, 2), absl::OkStatus());
  Write(kMiB, 3);
  ASSERT_EQ(io_.Flush(DeviceId{1}, client_, 4), absl::OkStatus());
  io_.Poll();
  EXPECT_EQ(CountOf(DeviceId{0}), 1u);
  EXPECT_EQ(CountOf(DeviceId{1}), 1u);
  queue_.End(0, EIO);
  queue_.End(0);
  io_.Poll();
  EXPECT_EQ(io_.failed_flushes(DeviceId{0}), 1u);
  EXPECT_EQ(io_.failed_flushes(DeviceId{1}), 0u);
  EXPECT_EQ(queue_.Count(IoKind::kFlush), 1u);
  EXPECT_EQ(queue_.Count(IoKind::kWrite), 1u);
  queue_.End(1, EIO);  // a write's error is no flush's
  queue_.End(0);
  io_.Poll();
  EXPECT_EQ(io_.failed_flushes(DeviceId{0}), 1u);
}

TEST_F(IoSchedulerTest, OneChunksErrorIsTheTransfers) {
  Read(3 * kMiB, 1);
  io_.Poll();
  queue_.End(1, EIO);
  queue_.EndAll();
  io_.Poll();
  EXPECT_EQ(client_.results[1].error_number, EIO);
  EXPECT_FALSE(client_.results[1].ok());
  EXPECT_EQ(io_.counters().errors, 1u);
}

// Fault 6: a short transfer that is reported as success.
TEST_F(IoSchedulerTest, AShortChunkIsNotTheWholeTransfer) {
  for (const uint32_t bytes : {0u, 1u, static_cast<uint32_t>(kMiB - 1)}) {
    Read(3 * kMiB, 1);
    io_.Poll();
    queue_.End(2, 0, bytes);
    queue_.EndAll();
    io_.Poll();
    EXPECT_FALSE(client_.results[1].whole);
    EXPECT_FALSE(client_.results[1].ok());
    EXPECT_EQ(client_.results[1].ErrorNumber(), EIO);
  }
  EXPECT_EQ(io_.counters().short_transfers, 3u);
  EXPECT_EQ(io_.counters().errors, 0u);
}

// Fault 7.
TEST_F(IoSchedulerTest, ACompletionThatNobodyWaitsForIsCountedAndIgnored) {
  Read(2 * kMiB, 1);
  io_.Poll();
  const uint64_t tag = queue_.End(0);
  queue_.Invent(tag, kMiB);  // twice at once: not the second chunk's
  EXPECT_EQ(io_.Poll(), 0u);
  EXPECT_EQ(io_.counters().strange_ends, 1u);
  queue_.End(0);
  EXPECT_EQ(io_.Poll(), 1u);
  // Its record is used again by now: the late one is of another life.
  Read(2 * kMiB, 2);
  io_.Poll();
  queue_.Invent(tag, kMiB);
  for (const uint64_t invented : {uint64_t{0}, UINT64_MAX, tag + 1, tag ^ uint64_t{1} << 40}) {
    queue_.Invent(invented, kMiB);
  }
  EXPECT_EQ(io_.Poll(), 0u);
  EXPECT_EQ(io_.counters().strange_ends, 6u);
  EXPECT_EQ(client_.ends, 1u);
  queue_.EndAll();
  EXPECT_EQ(io_.Poll(), 1u);
  EXPECT_TRUE(client_.results[2].ok());
}

TEST_F(IoSchedulerTest, TooManyOperationsAreRefusedUntilSomeEnd) {
  for (size_t i = 0; i < kOperationsMax; ++i) Read(kSectorBytes);
  const auto read = [&] {
    return io_.Read(DeviceId{0}, 0, memory_.bytes().first(kSectorBytes), client_, 1);
  };
  EXPECT_EQ(read().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(io_.Flush(DeviceId{0}, client_, 1).code(), absl::StatusCode::kResourceExhausted);
  io_.Poll();
  EXPECT_EQ(queue_.started().size(), kReadChunksMax);
  queue_.End(0);
  io_.Poll();
  EXPECT_EQ(read(), absl::OkStatus());
  while (!io_.idle()) {
    queue_.EndAll();
    io_.Poll();
  }
  EXPECT_EQ(client_.ends, kOperationsMax + 1);
}

TEST_F(IoSchedulerTest, WaitsWhereOthersFillTheQueue) {
  const std::vector<Io> others(kIosInFlightMax - 1, Io{IoKind::kRead, DeviceId{9}, 0,
                                                       memory_.bytes().first(kSectorBytes), 0});
  ASSERT_EQ(queue_.Submit(others), absl::OkStatus());
  Read(2 * kMiB, 1);
  Write(kMiB, 2);
  io_.Poll();
  EXPECT_EQ(queue_.in_flight(), kIosInFlightMax);
  EXPECT_EQ(CountOf(DeviceId{0}), 1u);
  queue_.EndAll();  // those of others end for nobody
  io_.Poll();
  EXPECT_EQ(io_.counters().strange_ends, others.size());
  queue_.EndAll();
  io_.Poll();
  queue_.EndAll();
  io_.Poll();
  EXPECT_EQ(client_.ends, 2u);
}

TEST_F(IoSchedulerTest, WhatAnEndAsksForGoesOutInTheSamePoll) {
  client_.then = [this](uint64_t cookie) {
    if (cookie == 1) Read(kMiB, 2);
  };
  Read(kMiB, 1);
  io_.Poll();
  queue_.End(0);
  EXPECT_EQ(io_.Poll(), 1u);
  EXPECT_EQ(queue_.started().size(), 1u);
}

TEST_F(IoSchedulerTest, TheDeviceWorksWhileClientsCheckTheirBytes) {
  size_t under_way = 0;
  client_.then = [&](uint64_t) { under_way = queue_.started().size(); };
  Read(kMiB, 1);
  io_.Poll();
  queue_.End(0);
  Read(kMiB, 2);
  EXPECT_EQ(io_.Poll(), 1u);
  EXPECT_EQ(under_way, 1u);
}

TEST_F(IoSchedulerTest, TellsHowLongATransferTook) {
  Read(kMiB, 1);
  clock_.now = clock_.now + absl::Milliseconds(2);
  io_.Poll();
  clock_.now = clock_.now + absl::Milliseconds(3);
  queue_.End(0);
  io_.Poll();
  EXPECT_EQ(client_.results[1].taken, absl::Milliseconds(5));
}

TEST_F(IoSchedulerTest, AllocatesNothingPerOperation) {
  if (!AllocationsAreCounted()) GTEST_SKIP() << "the sanitizer owns operator new";
  const auto work = [&] {
    for (uint64_t round = 0; round < 1000; ++round) {
      for (uint64_t i = 0; i < 4; ++i) {
        io_.Read(DeviceId{0}, 0, memory_.bytes().first(2 * kMiB), client_, i).IgnoreError();
        io_.Write(DeviceId{1}, 0, memory_.bytes().first(3 * kMiB), client_, i).IgnoreError();
        io_.Flush(DeviceId{1}, client_, i).IgnoreError();
      }
      while (!io_.idle()) {
        io_.Poll();
        queue_.EndAll();
      }
    }
  };
  EXPECT_EQ(AllocationsOf(work), 0u);
  EXPECT_EQ(client_.ends, 12000u);
}

}  // namespace
}  // namespace cairn
