#include "server/cli/end_guard.h"

#include <cstdlib>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "base/log.h"
#include "server/cli/exit_code.h"
#include "server/registry/history_writer.h"
#include "tests/server/registry/stuck_store.h"

namespace cairn {
namespace {

using testing::StuckDisk;
using testing::StuckStore;

constexpr absl::Duration kSoon = absl::Milliseconds(50);

// As a daemon ends whose history is on a disk that does not answer.
void EndWithAStuckDisk() {
  EndGuard end(kSoon);
  StuckDisk disk;
  HistoryWriter writer(std::make_unique<StuckStore>(disk));
  writer.Append({HistoryStep::kFine, 10, "x"}, /*keep_s=*/100).IgnoreError();
  while (disk.begun == 0) std::this_thread::yield();
  end.Begin();
}

TEST(EndGuardDeathTest, ADiskThatDoesNotAnswerHoldsNobodysEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(EndWithAStuckDisk(), ::testing::ExitedWithCode(kExitFailure), "end_overdue");
}

TEST(EndGuardDeathTest, AnEndInTimeKeepsItsOwnCode) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto end_in_time = [] {
    {
      EndGuard end;
      end.Begin();
    }
    std::exit(kExitOk);
  };
  EXPECT_EXIT(end_in_time(), ::testing::ExitedWithCode(kExitOk), "");
}

}  // namespace
}  // namespace cairn
