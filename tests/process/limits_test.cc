// Too little memory, and a cache that is full.
#include <fstream>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "server/cli/scratch_folder.h"
#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

class Limits : public ClusterTest {
 protected:
  // Runs the program to its end under a limit; its output and exit code.
  static int RunLimited(const ScratchFolder& folder, const std::string& limit,
                        const std::vector<std::string>& arguments, std::string& output) {
    const std::string log = folder.File("output");
    ChildProcess::Options options{.arguments = {"/usr/bin/prlimit", limit, CAIRN_PROGRAM},
                                  .log_path = log};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    auto child = ChildProcess::Start(options);
    EXPECT_TRUE(child.ok());
    EXPECT_TRUE(Eventually(absl::Seconds(30), [&child] { return !child->running(); }));
    output = RealDisk().ReadFile(log).value_or("");
    return child->Stop();
  }
};

TEST_F(Limits, ANodeWithoutMemorySaysWhichSettingToChange) {
  const auto folder = ScratchFolder::Create();
  ASSERT_TRUE(folder.ok());
  std::string output;
  const int code = RunLimited(*folder, "--as=4000000000",
                              {"node", "--coordinators", "127.0.0.1:1", "--dram-bytes", "8GiB",
                               "--state-folder", folder->File("node")},
                              output);
  EXPECT_NE(code, 0);
  EXPECT_LT(code, 128) << "ended by a signal";
  EXPECT_TRUE(absl::StrContains(output, "capacity_bytes") ||
              absl::StrContains(output, "dram_bytes"))
      << output;
}

TEST_F(Limits, AFullCacheEvictsAndNeverGrows) {
  constexpr uint64_t kDramBytes = 128u << 20;
  Start(1, kDramBytes);
  EngineOptions options = MakeEngineOptions();
  options.block_bytes = 1u << 20;
  options.blocks = 32;
  const auto connected = Engine::Connect(options);
  ASSERT_TRUE(connected.ok()) << connected.status();
  Engine& engine = **connected;
  for (uint64_t round = 0; round < 4 * (kDramBytes >> 20) / 32; ++round) {
    const std::vector<BlockKey> keys = engine.Keys(round, 32);
    const Outcome put = engine.Put(keys, absl::Seconds(5));
    EXPECT_EQ(put.late, 0u);
    const Outcome got = engine.Get(keys, absl::Seconds(5));
    EXPECT_EQ(got.wrong_bytes, 0u);
    EXPECT_GE(got.ok, put.ok);
  }
  const std::string& http = cluster->node_http()[0];
  EXPECT_GT(Metric(http, "cairn_evicted_blocks_total"), 0);
  EXPECT_LE(Metric(http, "cairn_dram_used_bytes"), static_cast<double>(kDramBytes));
  std::ifstream status(absl::StrCat("/proc/", cluster->processes()[1].pid(), "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (!absl::StartsWith(line, "VmHWM:")) continue;
    EXPECT_LT(std::stod(line.substr(6)) * 1024, static_cast<double>(kDramBytes + (128u << 20)));
  }
}

}  // namespace
}  // namespace cairn::process
