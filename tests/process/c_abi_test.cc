// The C ABI against real daemons.
#include <sys/eventfd.h>

#include <cstring>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/handle.h"
#include "client/cairn.h"
#include "client/tenant_file.h"
#include "server/cli/child_process.h"
#include "server/cli/ready_file.h"
#include "server/cli/scratch_folder.h"

namespace cairn::process {
namespace {

constexpr uint32_t kBlockBytes = 128 << 10;
constexpr uint32_t kLayers = 4;  // a block lies in four pieces, a stride apart
constexpr size_t kBlocks = 8;
constexpr uint64_t kStrideBytes = kBlocks * kBlockBytes / kLayers;
constexpr int64_t kTimeout_ns = 5'000'000'000;

int64_t Deadline_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec + kTimeout_ns;
}

class CAbi : public ::testing::Test {
 protected:
  void SetUp() override {
    Start();
    if (HasFatalFailure()) return;
    ASSERT_EQ(Connect(tenant_file, &client), CAIRN_OK) << cairn_error();
    memory.resize(kBlocks * kBlockBytes);
    ASSERT_EQ(cairn_register(client, memory.data(), memory.size(), &region), CAIRN_OK);
    MakeChain();
  }
  void TearDown() override {
    cairn_unregister(region);
    cairn_close(client);
  }
  void Start() {
    const std::string ready = folder.File("ready"), log = folder.File("log");
    auto started = ChildProcess::Start(
        {.arguments = {CAIRN_PROGRAM, "up", "--state-folder", folder.File("state"), "--ready-file",
                       ready, "--coordinator.listen", "127.0.0.1:0", "--node.dram-bytes", "128MiB"},
         .log_path = log});
    ASSERT_TRUE(started.ok()) << started.status();
    daemons.emplace(*std::move(started));
    const auto facts = AwaitReadyFile(ready, *daemons, log, absl::Seconds(60));
    ASSERT_TRUE(facts.ok()) << facts.status();
    coordinators = facts->at("coordinator");
    tenant_file = facts->at("tenant_file");
  }
  int Connect(const std::string& file, cairn_client** out) const {
    static constexpr uint8_t kDigest[32] = {1};
    cairn_options options{};
    options.struct_bytes = sizeof(options);
    options.coordinators = coordinators.c_str();
    options.tenant_file = file.c_str();
    cairn_namespace ns{};
    ns.struct_bytes = sizeof(ns);
    ns.model = "c-abi";
    ns.model_digest = kDigest;
    ns.kv_dtype = "bf16";
    ns.layout = "opaque";
    ns.hash_scheme = "test";
    ns.layers = kLayers;
    ns.kv_heads = ns.head_size = 1;
    ns.tokens_per_block = 16;
    ns.block_bytes = kBlockBytes;
    return cairn_connect(&options, &ns, out);
  }
  void MakeChain() {
    uint64_t hashes[kBlocks];
    for (size_t i = 0; i < kBlocks; ++i) hashes[i] = 1000 + i;
    chain.resize(kBlocks);
    ASSERT_EQ(cairn_make_keys(client, hashes, sizeof(hashes[0]), kBlocks, chain.data()), CAIRN_OK);
    for (size_t i = 0; i < kBlocks; ++i) {
      extents.push_back({i * kBlockBytes / kLayers, kStrideBytes, kLayers, kBlockBytes / kLayers});
    }
  }
  std::vector<cairn_transfer> Transfers() const {
    std::vector<cairn_transfer> batch(kBlocks);
    for (size_t i = 0; i < kBlocks; ++i) {
      batch[i].key = chain[i];
      batch[i].region = region;
      batch[i].extents = &extents[i];
      batch[i].extents_count = 1;
      batch[i].tag = i;
      batch[i].position = static_cast<uint32_t>(i);
      if (i > 0) batch[i].parent = chain[i - 1];
      batch[i].run_key = chain[cairn_run_start(static_cast<uint32_t>(i))];
    }
    return batch;
  }
  // Completions by tag.
  std::map<uint64_t, cairn_completion> Collect(size_t count) {
    std::map<uint64_t, cairn_completion> found;
    const int64_t deadline_ns = Deadline_ns() + kTimeout_ns;
    while (found.size() < count && Deadline_ns() < deadline_ns) {
      cairn_completion completions[3];
      const size_t polled = cairn_poll(client, completions, 3);
      for (size_t i = 0; i < polled; ++i) found[completions[i].tag] = completions[i];
      if (polled == 0) cairn_wait(client, 10'000'000);
    }
    return found;
  }
  void ExpectAllOk(size_t count) {
    for (const auto& [tag, completion] : Collect(count)) {
      EXPECT_EQ(completion.code, CAIRN_OK) << tag << cairn_miss_reason_name(completion.reason);
      --count;
    }
    EXPECT_EQ(count, 0u);
  }
  void Fill() {
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint8_t>(i * 31 >> 3);
  }

  ScratchFolder folder = *ScratchFolder::Create();
  std::optional<ChildProcess> daemons;
  std::string coordinators;
  std::string tenant_file;
  cairn_client* client = nullptr;
  cairn_region* region = nullptr;
  std::vector<uint8_t> memory;
  std::vector<cairn_key> chain;
  std::vector<cairn_extents> extents;
};

TEST_F(CAbi, StoresMatchesAndFetchesABlockOfManyPieces) {
  Fill();
  const std::vector<uint8_t> stored = memory;
  const std::vector<cairn_transfer> batch = Transfers();
  ASSERT_EQ(cairn_put(client, batch.data(), kBlocks, nullptr, Deadline_ns()), CAIRN_OK);
  ExpectAllOk(kBlocks);
  std::fill(memory.begin(), memory.end(), uint8_t{0});
  ASSERT_EQ(cairn_match(client, chain.data(), kBlocks, 77, Deadline_ns()), CAIRN_OK);
  const cairn_completion match = Collect(1)[77];
  ASSERT_EQ(match.blocks, kBlocks) << cairn_miss_reason_name(match.reason);
  ASSERT_NE(match.lease, 0u);
  ASSERT_EQ(cairn_get(client, batch.data(), kBlocks, match.lease, Deadline_ns()), CAIRN_OK);
  ExpectAllOk(kBlocks);
  cairn_release(client, match.lease);
  EXPECT_EQ(memory, stored);
  cairn_statistics statistics{};
  statistics.struct_bytes = sizeof(statistics);
  ASSERT_EQ(cairn_get_statistics(client, &statistics), CAIRN_OK);
  EXPECT_EQ(statistics.get_hits, kBlocks);
  EXPECT_EQ(statistics.puts_stored, kBlocks);
  EXPECT_EQ(statistics.get_bytes, kBlocks * kBlockBytes);
}

TEST_F(CAbi, PutBehindLetsTheEngineOverwriteItsBlocksAtOnce) {
  Fill();
  const std::vector<uint8_t> stored = memory;
  const std::vector<cairn_transfer> batch = Transfers();
  ASSERT_EQ(cairn_put_behind(client, batch.data(), kBlocks, nullptr, Deadline_ns()), CAIRN_OK);
  std::fill(memory.begin(), memory.end(), uint8_t{0xEE});
  ExpectAllOk(kBlocks);
  ASSERT_EQ(cairn_get(client, batch.data(), kBlocks, 0, Deadline_ns()), CAIRN_OK);
  ExpectAllOk(kBlocks);
  EXPECT_EQ(memory, stored);
}

TEST_F(CAbi, PutBehindEndsItsCopiesWithoutTheRegion) {
  Fill();
  const std::vector<uint8_t> stored = memory;
  const std::vector<cairn_transfer> batch = Transfers();
  ASSERT_EQ(cairn_put_behind(client, batch.data(), kBlocks, nullptr, Deadline_ns()), CAIRN_OK);
  cairn_unregister(region);
  ExpectAllOk(kBlocks);
  ASSERT_EQ(cairn_register(client, memory.data(), memory.size(), &region), CAIRN_OK);
  const std::vector<cairn_transfer> again = Transfers();
  ASSERT_EQ(cairn_get(client, again.data(), kBlocks, 0, Deadline_ns()), CAIRN_OK);
  ExpectAllOk(kBlocks);
  EXPECT_EQ(memory, stored);
}

TEST_F(CAbi, AdvanceReturnsOnceABatchHasEndedAndTellsWhose) {
  cairn_client* other = nullptr;
  ASSERT_EQ(Connect(tenant_file, &other), CAIRN_OK) << cairn_error();
  cairn_client* const both[] = {other, client};
  const std::vector<cairn_transfer> batch = Transfers();
  ASSERT_EQ(cairn_put(client, batch.data(), kBlocks, nullptr, Deadline_ns()), CAIRN_OK);
  cairn_completion completions[kBlocks];
  size_t of = 99;
  EXPECT_EQ(cairn_advance(both, 2, -1, kTimeout_ns, completions, kBlocks, &of), kBlocks);
  EXPECT_EQ(of, 1u);
  ASSERT_EQ(cairn_get(client, batch.data(), kBlocks, 0, Deadline_ns()), CAIRN_OK);
  // What did not fit is there at once.
  EXPECT_EQ(cairn_advance(both, 2, -1, kTimeout_ns, completions, 1, &of), 1u);
  EXPECT_EQ(cairn_advance(both, 2, -1, 0, completions, kBlocks, &of), kBlocks - 1);
  EXPECT_EQ(cairn_advance(both, 2, -1, 0, completions, kBlocks, &of), 0u);
  ASSERT_EQ(cairn_match(other, chain.data(), kBlocks, 7, Deadline_ns()), CAIRN_OK);
  ASSERT_EQ(cairn_advance(both, 2, -1, kTimeout_ns, completions, kBlocks, &of), 1u);
  EXPECT_EQ(of, 0u);
  EXPECT_EQ(completions[0].blocks, kBlocks);
  cairn_close(other);
}

TEST_F(CAbi, AdvanceIsWokenByItsDescriptorAndReadsIt) {
  const FileDescriptor wake_fd(eventfd(2, EFD_NONBLOCK | EFD_CLOEXEC));
  ASSERT_TRUE(wake_fd);
  cairn_completion completion;
  size_t of = 0;
  EXPECT_EQ(cairn_advance(&client, 1, wake_fd.get(), INT64_MAX, &completion, 1, &of), 0u);
  eventfd_t count = 0;
  EXPECT_NE(eventfd_read(wake_fd.get(), &count), 0) << "it was not read";
}

TEST_F(CAbi, PutBehindIsBounded) {
  const std::vector<cairn_transfer> batch = Transfers();
  int code = CAIRN_OK;
  size_t accepted = 0;
  while (code == CAIRN_OK && accepted < 1000) {
    code = cairn_put_behind(client, batch.data(), kBlocks, nullptr, Deadline_ns());
    accepted += code == CAIRN_OK;
  }
  EXPECT_EQ(code, CAIRN_RESOURCE_EXHAUSTED);
  EXPECT_EQ(accepted, (64u << 20) / (kBlocks * kBlockBytes));
  EXPECT_NE(std::string(cairn_error()).find("write-behind"), std::string::npos) << cairn_error();
  // The same tags again and again: wait for all by counting.
  for (size_t ended = 0; ended < accepted * kBlocks;) {
    cairn_completion completions[64];
    const size_t polled = cairn_poll(client, completions, 64);
    ended += polled;
    if (polled == 0) cairn_wait(client, 10'000'000);
  }
  EXPECT_EQ(cairn_put_behind(client, batch.data(), kBlocks, nullptr, Deadline_ns()), CAIRN_OK);
  ExpectAllOk(kBlocks);
}

TEST_F(CAbi, AMistakeNamesTheTransferAndTheField) {
  std::vector<cairn_transfer> batch = Transfers();
  const auto refused = [&](const char* text) {
    EXPECT_EQ(cairn_get(client, batch.data(), kBlocks, 0, Deadline_ns()), CAIRN_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cairn_error()).find(text), std::string::npos) << cairn_error();
  };
  batch[3].extents_count = 0;
  refused("batch[3].extents_count");
  batch = Transfers();
  batch[2].region = nullptr;
  refused("batch[2].region");
  batch = Transfers();
  batch[1].reserved[1] = 1;
  refused("batch[1].reserved");
  batch = Transfers();
  cairn_extents beyond = extents[4];
  beyond.base_bytes = memory.size();
  batch[4].extents = &beyond;
  refused("batch[4].extents[0].base_bytes");
  EXPECT_TRUE(Collect(0).empty());
}

TEST_F(CAbi, AWrongSecretIsRefused) {
  TenantFile wrong = *ReadTenantFile(tenant_file, RealDisk());
  wrong.secret[5] ^= std::byte{1};
  const std::string file = folder.File("wrong");
  ASSERT_TRUE(WriteTenantFile(file, wrong, RealDisk()).ok());
  cairn_client* other = nullptr;
  EXPECT_EQ(Connect(file, &other), CAIRN_UNAUTHENTICATED) << cairn_error();
  EXPECT_EQ(other, nullptr);
}

TEST_F(CAbi, ARegionMayOutliveItsClient) {
  cairn_close(client);
  client = nullptr;
  cairn_unregister(region);
  region = nullptr;
}

}  // namespace
}  // namespace cairn::process
