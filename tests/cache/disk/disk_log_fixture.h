// A log, its records by the dozen, and what must come back of them.
#ifndef CAIRN_TESTS_CACHE_DISK_DISK_LOG_FIXTURE_H_
#define CAIRN_TESTS_CACHE_DISK_DISK_LOG_FIXTURE_H_

#include <cstdint>

#include <gtest/gtest.h>

#include "tests/cache/disk/log_records.h"
#include "tests/cache/disk/log_rig.h"

namespace cairn {

class DiskLogTest : public testing::Test {
 protected:
  explicit DiskLogTest(const LogRig::Options& options = {}) : rig_(options) {}

  // Records of 20 KB, 49 to a segment.
  void AppendMany(uint64_t first, uint64_t count) {
    for (uint64_t i = first; i < first + count; ++i) rig_.Append(i, 20'000);
  }
  // Every record that was appended is told, once and as it was, and reads.
  void ExpectEverythingTold() {
    ASSERT_EQ(rig_.told.size(), rig_.appended().size());
    for (const LogRecord& told : rig_.told) {
      const LogRecord* appended = rig_.Find(told.place, told.generation);
      ASSERT_NE(appended, nullptr);
      EXPECT_TRUE(SameEntry(appended->entry, told.entry));
      EXPECT_EQ(rig_.Read(told), ReadOutcome::kGood);
    }
  }

  LogRig rig_;
};

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_DISK_DISK_LOG_FIXTURE_H_
