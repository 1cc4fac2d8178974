#include "base/memory_limit.h"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "base/disk.h"

namespace cairn {
namespace {

class MemoryLimit : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(root); }
  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(RealDisk().WriteFileAtomically(root + path, text, 0644).ok());
  }

  const std::string root = ::testing::TempDir() + "memory_limit_" +
                           ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                           std::to_string(getpid());
};

TEST_F(MemoryLimit, IsTheMachinesWithoutGroups) {
  EXPECT_EQ(MemoryLimitBytes(root), UINT64_MAX);
  Write("/proc/meminfo", "MemTotal:       24000 kB\nMemFree:         5 kB\n");
  EXPECT_EQ(MemoryLimitBytes(root), 24000u * 1024);
}

TEST_F(MemoryLimit, IsTheNarrowestGroupsOfVersion2) {
  Write("/proc/meminfo", "MemTotal:       24000 kB\n");
  Write("/proc/self/cgroup", "0::/kubepods/pod7/node\n");
  Write("/sys/fs/cgroup/kubepods/pod7/node/memory.max", "max\n");
  EXPECT_EQ(MemoryLimitBytes(root), 24000u * 1024);
  Write("/sys/fs/cgroup/kubepods/pod7/memory.max", "4096000\n");
  EXPECT_EQ(MemoryLimitBytes(root), 4096000u);
}

TEST_F(MemoryLimit, IsTheNarrowestGroupsOfVersion1) {
  Write("/proc/meminfo", "MemTotal:       24000 kB\n");
  Write("/proc/self/cgroup", "4:memory:/docker/7\n3:cpu,cpuacct:/docker/7\n0::/\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "8192000\n");  // all a container sees
  EXPECT_EQ(MemoryLimitBytes(root), 8192000u);
}

TEST_F(MemoryLimit, ThisMachineHasOne) {
  EXPECT_GT(MemoryLimitBytes(), 64u << 20);
  EXPECT_LT(MemoryLimitBytes(), UINT64_MAX);
}

}  // namespace
}  // namespace cairn
