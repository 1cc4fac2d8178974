// Random lives of a log against a model, by seed: recovered is a subset of what was appended, byte
// for byte; what was reported as sealed and not given back is recovered; wrong bytes never pass.

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cache/disk/log_records.h"
#include "tests/cache/disk/log_rig.h"

namespace cairn {
namespace {

constexpr uint64_t kSeeds = 240;
constexpr int kLives = 4;
constexpr int kActions = 60;

// What the drive may do to us, beyond dying.
enum class Drive : uint64_t {
  kHonest,
  kFailing,  // errors of writes and flushes, a full device
  kLying,    // all else
  kKinds,
};

class LogLives {
 public:
  explicit LogLives(uint64_t seed)
      : drive_(static_cast<Drive>(seed % static_cast<uint64_t>(Drive::kKinds))),
        random_(seed),
        rig_({.seed = seed,
              .segments = 6,
              .key =
                  seed % 2 == 0 ? std::optional<DiskKey>() : std::optional<DiskKey>(DiskKey{})}) {}

  // False: the log was refused, which only a lying drive may cause.
  bool Live() {
    rig_.drive().faults() = {};
    if (!rig_.Start()) return false;
    CheckTold();
    if (testing::Test::HasFatalFailure()) return false;
    SetFaults();
    const auto actions = random_.Below(kActions);
    for (uint64_t i = 0; i < actions; ++i) Act();
    rig_.drive().faults() = {};
    // In the middle of whatever is under way.
    for (uint64_t steps = random_.Below(20); steps > 0; --steps) rig_.Step();
    random_.Below(2) == 0 ? rig_.Kill() : rig_.CutPower();
    return true;
  }

  Drive drive() const { return drive_; }
  size_t told() const { return told_; }

 private:
  void SetFaults() {
    SimDeviceFaults& faults = rig_.drive().faults();
    // As slow as it takes for deaths to come between.
    faults.latency = absl::Microseconds(static_cast<int64_t>(random_.Below(5'000)));
    const auto some = static_cast<uint32_t>(random_.Below(50'000));
    if (drive_ == Drive::kFailing) {
      faults.write_error_ppm = some;
      faults.flush_error_ppm = some;
    }
    if (drive_ == Drive::kLying) {
      faults.read_error_ppm = faults.short_read_ppm = faults.rot_ppm = some;
      faults.lost_write_ppm = faults.misdirected_write_ppm = some;
      faults.repeated_end_ppm = 5 * some;
    }
  }

  void Act() {
    const uint64_t dice = random_.Below(100);
    if (dice < 60) {
      Append();
    } else if (dice < 75) {
      ReadOne();
    } else if (dice < 85) {
      FreeOldest();
    } else if (dice < 90) {
      rig_.log().Finish();
    } else if (dice < 92 && drive_ == Drive::kFailing) {
      const int errors[] = {0, 0, 0, ENOSPC, EROFS, EIO};
      rig_.drive().faults().write_errno = errors[random_.Below(6)];
    } else {
      rig_.RunFor(absl::Milliseconds(static_cast<int64_t>(random_.Below(200))));
    }
  }

  void Append() {
    const uint64_t burst = 1 + random_.Below(20);
    for (uint64_t i = 0; i < burst; ++i) {
      const uint64_t most = random_.Below(10) == 0 ? 400'000 : 20'000;
      rig_.TryAppend(next_number_++, static_cast<uint32_t>(1 + random_.Below(most)));
      if (random_.Below(4) == 0) rig_.Step();
    }
  }

  void ReadOne() {
    const std::vector<LogRecord> live = rig_.LiveRecords();
    if (live.empty()) return;
    const LogRecord& record = live[random_.Below(live.size())];
    // Wrong bytes fail within; here: none at all, from a drive that has no excuse.
    const ReadOutcome outcome = rig_.Read(record);
    EXPECT_TRUE(drive_ == Drive::kLying || outcome == ReadOutcome::kGood) << rig_.Describe(record);
  }

  void FreeOldest() {
    uint32_t oldest = 0;
    if (rig_.log().free_segments() > 1 || !rig_.log().OldestSealed(&oldest)) return;
    if (random_.Below(2) == 0) ReadOne();  // perhaps of it
    rig_.Free(oldest);
  }

  void CheckTold() {
    told_ += rig_.told.size();
    std::set<const LogRecord*> told;
    for (const LogRecord& record : rig_.told) {
      const LogRecord* appended = rig_.Find(record.place, record.generation);
      ASSERT_NE(appended, nullptr) << rig_.Describe(record);
      ASSERT_TRUE(SameEntry(appended->entry, record.entry)) << rig_.Describe(record);
      ASSERT_TRUE(told.insert(appended).second) << "told twice: " << rig_.Describe(record);
    }
    if (drive_ == Drive::kLying) return rig_.ForgetUntold();
    for (const LogRecord& record : rig_.LiveRecords()) {
      EXPECT_TRUE(told.contains(rig_.Find(record.place, record.generation)))
          << "sealed and not recovered: " << rig_.Describe(record);
    }
  }

  const Drive drive_;
  SeededRandom random_;
  LogRig rig_;
  uint64_t next_number_ = 0;
  size_t told_ = 0;
};

TEST(DiskLogProperty, WhatIsRecoveredWasAppendedAndWhatWasSealedIsRecovered) {
  uint64_t first = 0, count = kSeeds;
  if (const char* only = std::getenv("CAIRN_TEST_SEED"); only != nullptr) {
    first = std::strtoull(only, nullptr, 10);
    count = 1;
  }
  size_t told = 0, refused = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("CAIRN_TEST_SEED=" + std::to_string(seed));
    LogLives lives(seed);
    for (int life = 0; life < kLives; ++life) {
      if (lives.Live()) continue;
      EXPECT_EQ(lives.drive(), Drive::kLying);
      ++refused;
      break;
    }
    told += lives.told();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(told, 100 * count);  // it was about something
  EXPECT_LT(refused, count / 10);
}

}  // namespace
}  // namespace cairn
