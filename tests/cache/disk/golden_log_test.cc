// The log against another implementation: what that one wrote this one reads, and what this one
// writes is byte for byte what that one would have written.

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hex.h"
#include "base/status.h"
#include "cache/disk/disk_log.h"
#include "cache/disk/record_codec.h"
#include "tests/cache/disk/log_records.h"
#include "tests/proto/golden_log.h"
#include "transport/sim/sim_scheduler.h"
#include "transport/sim/sim_storage.h"

namespace cairn {
namespace {

using log_format::Entry;

std::optional<DiskKey> KeyOf(const GoldenLog& golden) {
  if (golden.node_key_hex.empty()) return std::nullopt;
  DiskKey key;
  EXPECT_TRUE(HexDecode(golden.node_key_hex, absl::MakeSpan(key)).ok());
  return key;
}

// Gives a new log the id of a golden one.
class LogIdSource final : public Random {
 public:
  uint64_t Next() override { return log.Word(calls_++ % 2); }

  log_format::LogId log;

 private:
  int calls_ = 0;
};

class GoldenDiskLog : public testing::Test, public LogOwner {
 protected:
  void Load(const std::string& name) {
    golden_ = LoadGoldenLog(name);
    codec_ = std::make_unique<RecordCodec>(KeyOf(golden_));
    drive().Grow(golden_.image.size());
  }
  void WriteImage() {
    for (uint64_t at = 0; at < golden_.image.size(); at += kSectorBytes) {
      drive().Write(at, absl::MakeConstSpan(golden_.image).subspan(at, kSectorBytes));
    }
  }
  void Start() {
    random_.log = golden_.log;
    queue_ = storage_.CreateQueue();
    LogOptions options;
    options.device = queue_->Open({.path = "nvme0"}).value();
    options.size_bytes = golden_.image.size();
    options.segment_bytes = golden_.segment_bytes;
    options.node = golden_.node;
    options.incarnation = golden_.incarnation;
    io_ = std::make_unique<IoScheduler>(*queue_, scheduler_);
    log_ = DiskLog::Create(options, *io_, scheduler_, random_, *codec_, *this).value();
  }
  template <typename Done>
  void RunUntil(const Done& done) {
    for (int steps = 0; steps < 100'000 && !done(); ++steps) {
      io_->Poll();
      log_->Poll();
      io_->Poll();
      scheduler_.RunOne();
    }
    ASSERT_TRUE(done());
  }
  void TearDown() override {
    queue_.reset();
    log_.reset();
  }
  SimDevice& drive() { return storage_.device("nvme0"); }

  void OnRecovered(const Entry& entry, Place place) override {
    GoldenRecord record;
    record.entry = entry;
    record.segment = place.segment;
    record.generation = log_->GenerationOf(place.segment);
    EXPECT_EQ(entry.sector, place.sector);
    told_.push_back(record);
  }
  void OnSegmentLost(uint32_t, absl::Span<const Entry>, int) override { ADD_FAILURE(); }
  void OnSegmentSealed(uint32_t) override {}
  void OnRead(uint64_t cookie, const IoResult& result) override {
    EXPECT_TRUE(result.ok());
    read_ = cookie;
  }
  void OnEntries(uint32_t, absl::StatusOr<absl::Span<const Entry>>) override {}

  GoldenLog golden_;
  SimScheduler scheduler_{1};
  SimStorage storage_{scheduler_, [] {}};
  LogIdSource random_;
  std::unique_ptr<RecordCodec> codec_;
  std::unique_ptr<IoScheduler> io_;
  std::unique_ptr<DiskLog> log_;
  std::unique_ptr<BlockQueue> queue_;
  std::vector<GoldenRecord> told_;
  uint64_t read_ = 0;
};

class GoldenLogReads : public GoldenDiskLog, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(V1, GoldenLogReads, testing::Values("fresh", "fresh_encrypted", "worn"),
                         [](const auto& log) { return std::string(log.param); });

TEST_P(GoldenLogReads, TellsWhatTheOtherImplementationTells) {
  Load(GetParam());
  WriteImage();
  Start();
  RunUntil([&] { return log_->state() == DiskLog::State::kReady; });
  ASSERT_EQ(told_.size(), golden_.records.size());
  for (size_t i = 0; i < told_.size(); ++i) {
    EXPECT_EQ(told_[i].segment, golden_.records[i].segment) << i;
    EXPECT_EQ(told_[i].generation, golden_.records[i].generation) << i;
    EXPECT_TRUE(SameEntry(told_[i].entry, golden_.records[i].entry)) << i;
  }
  const RecoveryCounters& counters = log_->recovery_counters();
  EXPECT_EQ(counters.segments_sealed, golden_.segments_sealed);
  EXPECT_EQ(counters.segments_scanned, golden_.segments_scanned);
  EXPECT_EQ(counters.footers_damaged, golden_.footers_damaged);
  EXPECT_EQ(counters.tails_torn, golden_.tails_torn);
  EXPECT_EQ(counters.records_damaged, golden_.records_damaged);
}

TEST_P(GoldenLogReads, ReadsWhatTheOtherImplementationReads) {
  Load(GetParam());
  WriteImage();
  Start();
  RunUntil([&] { return log_->state() == DiskLog::State::kReady; });
  uint64_t cookie = 0;
  for (const GoldenRecord& record : golden_.records) {
    const Entry& entry = record.entry;
    AlignedBuffer memory = AlignedBuffer::Create(entry.sectors() * kSectorBytes).value();
    ++cookie;
    ASSERT_TRUE(log_->Read({record.segment, entry.sector}, memory.bytes(), cookie).ok());
    RunUntil([&] { return read_ == cookie; });
    const absl::Span<std::byte> stored = memory.bytes().first(entry.stored_bytes());
    const bool good =
        codec_->Verify(entry, log_->geometry(), record.generation, record.segment, stored);
    EXPECT_EQ(good, record.reads);
    if (good) {
      const std::vector<std::byte> payload = GoldenPayload(entry);
      EXPECT_EQ(std::memcmp(stored.data(), payload.data(), payload.size()), 0);
    }
  }
}

class GoldenLogWrites : public GoldenDiskLog, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(V1, GoldenLogWrites, testing::Values("fresh", "fresh_encrypted"),
                         [](const auto& log) { return std::string(log.param); });

TEST_P(GoldenLogWrites, WritesTheSameBytes) {
  Load(GetParam());
  Start();
  const auto room = [&] { return log_->CanAppend(1); };
  RunUntil(room);
  for (const GoldenRecord& record : golden_.records) {
    ASSERT_TRUE(log_->CanAppend(record.entry.stored_bytes()));
    Place place;
    const absl::Span<std::byte> stored = log_->Append(record.entry, &place);
    EXPECT_EQ(place.segment, record.segment);
    EXPECT_EQ(place.sector, record.entry.sector);
    EXPECT_EQ(log_->GenerationOf(place.segment), record.generation);
    codec_->Encode(record.entry, {golden_.log, record.generation, place.sector},
                   GoldenPayload(record.entry), stored);
  }
  log_->Finish();
  RunUntil([&] { return log_->quiet(); });
  std::vector<std::byte> image(golden_.image.size());
  drive().Read(0, absl::MakeSpan(image));
  for (uint64_t at = 0; at < image.size(); at += kSectorBytes) {
    ASSERT_EQ(std::memcmp(image.data() + at, golden_.image.data() + at, kSectorBytes), 0)
        << "sector " << at / kSectorBytes;
  }
}

}  // namespace
}  // namespace cairn
