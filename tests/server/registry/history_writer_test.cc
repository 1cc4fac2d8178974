#include "server/registry/history_writer.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/strings/match.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/registry/stuck_store.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StuckDisk;
using testing::StuckStore;

constexpr int64_t kKeep_s = 100;

struct HistoryWriterTest : ::testing::Test {
  absl::Status Append(int64_t unix_s) {
    return writer->Append({HistoryStep::kFine, unix_s, "x"}, kKeep_s);
  }
  // Until the writer's thread is at the disk.
  void AwaitBegun() const {
    while (disk.begun == 0) std::this_thread::yield();
  }
  ~HistoryWriterTest() override { EXPECT_FALSE(disk.waited_for); }

  StuckDisk disk;
  StuckStore::Content content;
  std::unique_ptr<HistoryWriter> writer =
      std::make_unique<HistoryWriter>(std::make_unique<StuckStore>(disk, &content));
};

TEST_F(HistoryWriterTest, WhatWaitsAtTheEndIsWrittenInOrder) {
  for (const int64_t at : {10, 20, 30}) EXPECT_TRUE(Append(at).ok());
  disk.LetGo();
  writer.reset();
  EXPECT_THAT(content.written, ElementsAre(10, 20, 30));
}

TEST_F(HistoryWriterTest, AStuckDiskCostsTheOldestOfThoseThatWaitAndCountsThem) {
  EXPECT_TRUE(Append(0).ok());
  AwaitBegun();
  const auto max = static_cast<int64_t>(HistoryWriter::kRowsMax);
  for (int64_t at = 1; at <= max; ++at) EXPECT_TRUE(Append(at).ok());
  EXPECT_EQ(writer->lost_rows(), 0u);
  EXPECT_EQ(Append(max + 1).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Append(max + 2).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(writer->lost_rows(), 2u);
  disk.LetGo();
  writer.reset();
  ASSERT_EQ(content.written.size(), HistoryWriter::kRowsMax + 1);
  EXPECT_EQ(content.written[1], 3) << "the oldest that waited went";
  EXPECT_EQ(content.written.back(), max + 2);
}

TEST_F(HistoryWriterTest, WhatTheDiskRefusesIsCounted) {
  content.refuses = true;
  EXPECT_TRUE(Append(1).ok());
  EXPECT_TRUE(Append(2).ok());
  disk.LetGo();
  while (writer->lost_rows() < 2) std::this_thread::yield();
  writer.reset();
  EXPECT_TRUE(content.written.empty());
}

TEST_F(HistoryWriterTest, AnEndThatADiskDelaysSaysWhatIsLostIfNobodyWaits) {
  StuckDisk stuck;
  auto impatient = std::make_unique<HistoryWriter>(std::make_unique<StuckStore>(stuck, &content),
                                                   /*end_patience=*/absl::ZeroDuration());
  for (const int64_t at : {10, 20, 30}) {
    EXPECT_TRUE(impatient->Append({HistoryStep::kFine, at, "x"}, kKeep_s).ok());
  }
  while (stuck.begun == 0) std::this_thread::yield();
  ::testing::internal::CaptureStderr();
  std::thread end([&impatient] { impatient.reset(); });
  std::string log;
  for (int look = 0; look < 6000 && !absl::StrContains(log, "history_not_kept"); ++look) {
    absl::SleepFor(absl::Milliseconds(10));
    log += ::testing::internal::GetCapturedStderr();
    ::testing::internal::CaptureStderr();
  }
  stuck.LetGo();
  end.join();
  ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("points=3"));
  EXPECT_THAT(content.written, ElementsAre(10, 20, 30)) << "the disk came back in time";
  EXPECT_FALSE(stuck.waited_for);
}

}  // namespace
}  // namespace cairn
