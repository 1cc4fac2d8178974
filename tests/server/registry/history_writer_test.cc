#include "server/registry/history_writer.h"

#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/registry/stuck_store.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
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

}  // namespace
}  // namespace cairn
