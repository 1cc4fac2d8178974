#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "client/tenant_file.h"
#include "server/cli/bench/bench.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

class BenchOptionsTest : public testing::Test {
 protected:
  BenchOptionsTest() {
    options_.client.coordinators = {"127.0.0.1:7400"};
    options_.client.tenant_file = folder_.File("tenant");
    EXPECT_TRUE(WriteTenantFile(options_.client.tenant_file, {"t", {}}, RealDisk()).ok());
  }
  std::string Mistake() const {
    const absl::Status status = options_.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(Std(status.message()));
  }

  ScratchFolder folder_ = *ScratchFolder::Create();
  BenchOptions options_;
};

TEST_F(BenchOptionsTest, TheDefaultsWithAClusterAreGood) { EXPECT_TRUE(options_.Validate().ok()); }

TEST_F(BenchOptionsTest, WhatIsMissingIsNamedWithItsRemedy) {
  options_.client.coordinators.clear();
  EXPECT_THAT(Mistake(), testing::HasSubstr("--coordinators"));
}

TEST_F(BenchOptionsTest, ATenantFileIsReadBeforeAnythingStarts) {
  options_.client.tenant_file = folder_.File("absent");
  EXPECT_THAT(Mistake(), testing::AllOf(testing::StartsWith("tenant_file: "),
                                        testing::HasSubstr("give --tenant-file")));
  ASSERT_TRUE(RealDisk().WriteFileAtomically(folder_.File("absent"), "nonsense", 0600).ok());
  EXPECT_THAT(Mistake(), testing::HasSubstr("not a tenant file"));
}

TEST_F(BenchOptionsTest, MoreMemoryThanTheBoundIsRefused) {
  options_.client.block_bytes = 64u << 20;
  options_.batch = 1024;
  options_.depth = 1;
  EXPECT_THAT(Mistake(), testing::HasSubstr("64GiB of memory"));
}

}  // namespace
}  // namespace cairn
