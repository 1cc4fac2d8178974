#include "cache/admission/write_governor.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

constexpr uint64_t kBudget = 8'640'000'000'000;  // a day's; 100 MB a second
constexpr double kNominalPerSecond = 1e8;
constexpr absl::Duration kDay = absl::Hours(24);

// Uniform below 1.
double Draw(Random& random) { return static_cast<double>(random.Below(1'000'000)) / 1e6; }

class ManualClock final : public Clock {
 public:
  Instant Now() override { return now; }
  int64_t UnixSeconds() override { return 0; }
  Instant now{1};
};

// Offers blocks and writes what the governor wants and allows; keeps books of its own.
class WriteGovernorTest : public testing::Test {
 protected:
  // for so long: so much offered a second, in blocks.
  void Run(absl::Duration time, double per_second, uint64_t block_bytes = 50'000'000) {
    const Instant end = clock.now + time;
    double due = 0;
    while (clock.now < end) {
      clock.now = clock.now + absl::Seconds(1);
      due += per_second;
      while (due >= static_cast<double>(block_bytes)) {
        due -= static_cast<double>(block_bytes);
        // As a chain is drawn.
        const bool wanted = Draw(random) < governor->Share();
        governor->Offer(block_bytes);
        if (wanted && governor->Allows(block_bytes)) Write(block_bytes);
      }
      worst_day = std::max(worst_day, last_day);
    }
  }
  void Write(uint64_t bytes) {
    governor->Spend(bytes);
    written += bytes;
    books.emplace_back(clock.now, bytes);
    last_day += bytes;
    while (books.front().first <= clock.now - kDay) {
      last_day -= books.front().second;
      books.pop_front();
    }
  }
  uint64_t WrittenDuring(const std::function<void()>& run) {
    const uint64_t before = written;
    run();
    return written - before;
  }

  SeededRandom random{1};
  ManualClock clock;
  std::optional<WriteGovernor> governor{std::in_place, kBudget, clock};
  std::deque<std::pair<Instant, uint64_t>> books;  // of 24 hours
  uint64_t written = 0;
  uint64_t last_day = 0;
  uint64_t worst_day = 0;
};

TEST_F(WriteGovernorTest, WhatFitsTheBudgetIsAllWritten) {
  Run(absl::Minutes(20), 0.2 * kNominalPerSecond);  // the reserve fills
  const uint64_t got = WrittenDuring([&] { Run(absl::Hours(5), 0.8 * kNominalPerSecond); });
  EXPECT_EQ(got, static_cast<uint64_t>(5 * 3600 * 0.8 * kNominalPerSecond));
  EXPECT_EQ(governor->Share(), 1);
}

TEST_F(WriteGovernorTest, ADayOfTooMuchWritesTheBudgetWithinOnePercent) {
  for (int day = 0; day < 4; ++day) {
    const uint64_t got = WrittenDuring([&] { Run(kDay, 3 * kNominalPerSecond); });
    EXPECT_LE(got, kBudget) << day;
    EXPECT_GE(got, kBudget / 100 * 99) << day;
  }
  EXPECT_LE(worst_day, kBudget);
}

TEST_F(WriteGovernorTest, ADaysWritingIsSpreadEvenlyOverItsHours) {
  Run(absl::Hours(1), 3 * kNominalPerSecond);
  for (int hour = 0; hour < 48; ++hour) {
    const uint64_t got = WrittenDuring([&] { Run(absl::Hours(1), 3 * kNominalPerSecond); });
    EXPECT_NEAR(static_cast<double>(got), kBudget / 24.0, kBudget / 24.0 / 25) << hour;
  }
}

TEST_F(WriteGovernorTest, TheShareSettlesAtWhatTheBudgetAllows) {
  Run(absl::Hours(1), 4 * kNominalPerSecond);
  EXPECT_NEAR(governor->Share(), 0.25, 0.03);
}

TEST_F(WriteGovernorTest, WhatAQuietNightLeftIsUsedByTheDay) {
  Run(absl::Hours(12), 0);
  const uint64_t got = WrittenDuring([&] { Run(absl::Hours(12), 3 * kNominalPerSecond); });
  EXPECT_GE(got, kBudget / 100 * 70);
  EXPECT_LE(got, kBudget);
}

TEST_F(WriteGovernorTest, NoHourWritesMoreThanTwiceTheNominalRate) {
  Run(absl::Hours(20), 0);
  for (int hour = 0; hour < 12; ++hour) {
    const uint64_t got = WrittenDuring([&] { Run(absl::Hours(1), 20 * kNominalPerSecond); });
    EXPECT_LE(got, 2 * kBudget / 24 + kBudget / 100) << hour;
  }
}

TEST_F(WriteGovernorTest, ARestartGivesNoNewBudget) {
  Run(kDay, 3 * kNominalPerSecond);
  governor.emplace(kBudget, clock);
  Run(kDay, 3 * kNominalPerSecond);
  EXPECT_LE(worst_day, kBudget);
}

TEST_F(WriteGovernorTest, WhatTheDriveWritesBesidesCountsToo) {
  for (int i = 0; i < 24 * 60; ++i) {
    Run(absl::Minutes(1), 3 * kNominalPerSecond);
    Write(kBudget / 100 / (24 * 60));  // one percent: footers, superblocks
  }
  EXPECT_LE(worst_day, kBudget);
  EXPECT_GE(worst_day, kBudget / 100 * 99);
}

TEST_F(WriteGovernorTest, NothingIsBegunWhileTheReserveIsOverdrawn) {
  Run(absl::Hours(1), 0.5 * kNominalPerSecond);
  ASSERT_EQ(governor->Share(), 1);
  Write(kBudget / 48);  // half an hour's, at once
  Run(absl::Seconds(1), kNominalPerSecond);
  EXPECT_EQ(governor->Share(), 0);
  EXPECT_TRUE(governor->Allows(1));
  Run(absl::Minutes(70), 0);
  EXPECT_EQ(governor->Share(), 1);
}

TEST_F(WriteGovernorTest, TheDayIsKeptToTheByteWhateverTheReserveSays) {
  Run(absl::Hours(1), 3 * kNominalPerSecond);
  uint64_t left = governor->LeftToday();
  ASSERT_GT(left, 0u);
  EXPECT_TRUE(governor->Allows(left));
  EXPECT_FALSE(governor->Allows(left + 1));
  Write(left);
  EXPECT_EQ(governor->LeftToday(), 0u);
  EXPECT_FALSE(governor->Allows(1));
}

TEST_F(WriteGovernorTest, ABlockLargerThanTheReserveIsWrittenWhenItsTimeHasCome) {
  constexpr uint64_t kLarge = kBudget / 100;
  Run(absl::Hours(6), 3 * kNominalPerSecond, kLarge);
  EXPECT_GE(written, kBudget / 100 * 20);
  EXPECT_LE(worst_day, kBudget);
}

// Bursts, silences, jumps, any size of block, overhead: against books of all that was written.
TEST(WriteGovernorProperty, NoDayWritesMoreThanItsBudgetAndABusyOneHardlyLess) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    ManualClock clock;
    clock.now = clock.now + absl::Seconds(random.Below(1'000'000));
    WriteGovernor governor(kBudget, clock);
    std::deque<std::pair<Instant, uint64_t>> books;
    uint64_t last_day = 0;
    Instant busy_since = clock.now;
    const auto spend = [&](uint64_t bytes) {
      governor.Spend(bytes);
      books.emplace_back(clock.now, bytes);
      last_day += bytes;
    };
    double due = 0;
    for (int phase = 0; phase < 60; ++phase) {
      const double load = std::array{0.0, 0.3, 1.5, 4.0, 30.0}[random.Below(5)];
      const auto length = absl::Minutes(1 + random.Below(phase % 10 == 9 ? 3000 : 300));
      const uint64_t block_bytes = 1'000'000 * (1 + random.Below(2000));
      if (load < 2) busy_since = kNever;
      if (load >= 2 && busy_since == kNever) busy_since = clock.now;
      for (const Instant end = clock.now + length; clock.now < end;) {
        clock.now = clock.now + absl::Seconds(1 + random.Below(20));
        due += load * kNominalPerSecond * 10;
        while (due >= static_cast<double>(block_bytes)) {
          due -= static_cast<double>(block_bytes);
          const bool wanted = Draw(random) < governor.Share();
          governor.Offer(block_bytes);
          const uint64_t with_overhead = block_bytes + block_bytes / 200;
          if (wanted && governor.Allows(with_overhead)) spend(with_overhead);
        }
        while (!books.empty() && books.front().first <= clock.now - kDay) {
          last_day -= books.front().second;
          books.pop_front();
        }
        ASSERT_LE(last_day, kBudget);
        // Two days at more than the highest pace behind it. What a silence before them left is
        // shared out over several days: the last percents come later.
        if (clock.now - busy_since > kDay * 2) {
          ASSERT_GE(last_day, kBudget / 100 * 95);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cairn
