#include "server/cli/cluster_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

v1::GetStatusReply Cluster(uint64_t gets) {
  v1::GetStatusReply status;
  status.set_cluster_id("\x91\x45\x23\xb6\xe0\x8b\x01\x02");
  status.set_uptime_ms(125'000);
  status.set_tenants(1);
  status.set_sessions_opened(4);
  status.set_locates(596);
  status.set_indexed_blocks(13712);
  status.set_index_bytes(1);
  status.set_index_bytes_max(1000);
  auto& node = *status.add_nodes();
  node.set_node_id("\xde\xad\xc4\xdb\x06\x74\x01");
  node.set_incarnation(3);
  node.set_state("ready");
  node.set_capacity_bytes(uint64_t{2} << 30);
  node.set_used_bytes(uint64_t{61} << 20);
  node.set_block_count(3809);
  node.set_pinned_blocks(4);
  node.mutable_counters()->set_gets(gets);
  node.mutable_counters()->set_get_hits(gets / 2);
  node.mutable_counters()->set_get_bytes(gets * 1'000'000);
  return status;
}

std::string TextOf(const v1::GetStatusReply& status) {
  return ClusterText({status, status, absl::ZeroDuration()}, Palette(false));
}

TEST(ClusterView, OneLookHasWhatIsThereAndNoRates) {
  const std::string text = TextOf(Cluster(1000));
  EXPECT_THAT(text, HasSubstr("cluster 914523b6e08b  up 2 m 5 s  1 tenant  4 sessions opened  596 "
                              "lookups  13,712 blocks indexed, 0.1 % full\n"));
  EXPECT_THAT(text,
              ContainsRegex("deadc4db0674  ready  61.0 MiB  2.00 GiB   3,809       4  50.0 %"));
  EXPECT_THAT(text, Not(HasSubstr("GETS/S")));
}

TEST(ClusterView, TwoLooksHaveTheRatesBetweenThem) {
  const v1::GetStatusReply before = Cluster(1000);
  const v1::GetStatusReply now = Cluster(3000);
  const ClusterLooks looks{now, before, absl::Seconds(4)};
  const std::string text = ClusterText(looks, Palette(false));
  EXPECT_THAT(text, HasSubstr("GETS/S"));
  EXPECT_THAT(text, ContainsRegex("500 +500 MB/s +0 B/s"));
  const auto json = nlohmann::json::parse(ClusterJson(looks));
  EXPECT_EQ(json["nodes"][0]["per_second"]["gets"], 500);
  EXPECT_EQ(json["nodes"][0]["per_second"]["get_bytes"], 500'000'000);
}

TEST(ClusterView, ANodeThatRestartedMeanwhileHasNoRates) {
  const v1::GetStatusReply before = Cluster(5000);
  v1::GetStatusReply now = Cluster(10);
  now.mutable_nodes(0)->set_incarnation(4);
  const ClusterLooks looks{now, before, absl::Seconds(1)};
  EXPECT_THAT(ClusterText(looks, Palette(false)), Not(HasSubstr("B/s")));
  EXPECT_FALSE(nlohmann::json::parse(ClusterJson(looks))["nodes"][0].contains("per_second"));
}

TEST(ClusterView, AStateThatNeedsALookSaysSince) {
  v1::GetStatusReply status = Cluster(0);
  status.mutable_nodes(0)->set_state("lost");
  status.mutable_nodes(0)->set_last_heartbeat_age_ms(12'345);
  EXPECT_THAT(TextOf(status), HasSubstr("lost 12 s"));
  EXPECT_THAT(ClusterText({status, status, absl::ZeroDuration()}, Palette(true)),
              HasSubstr(Palette(true).Bad("lost 12 s")));
}

TEST(ClusterView, WrongBytesAreAnAlarm) {
  v1::GetStatusReply status = Cluster(0);
  EXPECT_THAT(TextOf(status), Not(HasSubstr("ALARM")));
  status.mutable_nodes(0)->mutable_counters()->set_checksum_failures(1);
  EXPECT_THAT(TextOf(status), HasSubstr("ALARM deadc4db0674: 1 checksum failure, 0 conflicts"));
}

v1::GetStatusReply ClusterWithDrives() {
  v1::GetStatusReply status = Cluster(1000);
  auto& node = *status.mutable_nodes(0);
  node.mutable_nvme()->set_capacity_bytes(uint64_t{8} << 30);
  node.mutable_nvme()->set_used_bytes(uint64_t{3} << 30);
  node.mutable_nvme()->set_hits(77);
  node.set_capacity_bytes(node.capacity_bytes() + node.nvme().capacity_bytes());
  node.set_used_bytes(node.used_bytes() + node.nvme().used_bytes());
  return status;
}

TEST(ClusterView, EachTierHasItsOwnFill) {
  v1::GetStatusReply status = ClusterWithDrives();
  *status.add_nodes() = Cluster(1000).nodes(0);
  const std::string text = TextOf(status);
  EXPECT_THAT(text, ContainsRegex("DRAM +OF +NVME +OF +BLOCKS"));
  EXPECT_THAT(text, ContainsRegex("61.0 MiB +2.00 GiB +3.00 GiB +8.00 GiB +3,809 +4 +50.0 %"));
  EXPECT_THAT(text, ContainsRegex("61.0 MiB +2.00 GiB +- +- +3,809")) << "one without drives";
  const auto json = nlohmann::json::parse(ClusterJson({status, status, absl::ZeroDuration()}));
  EXPECT_EQ(json["nodes"][0]["nvme"]["hits"], 77);
  EXPECT_FALSE(json["nodes"][1].contains("nvme"));
  EXPECT_THAT(TextOf(Cluster(0)), Not(HasSubstr("NVME")));
}

TEST(ClusterView, AFailedDriveIsAnAlarm) {
  v1::GetStatusReply status = ClusterWithDrives();
  EXPECT_THAT(TextOf(status), Not(HasSubstr("ALARM")));
  status.mutable_nodes(0)->mutable_nvme()->set_drives_failed(1);
  EXPECT_THAT(TextOf(status), HasSubstr("ALARM deadc4db0674: 1 NVMe log failed"));
}

TEST(ClusterView, ANodeThatWasNeverAskedHasNoHitRatio) {
  EXPECT_THAT(TextOf(Cluster(0)), ContainsRegex("3,809 +4 +-\n"));
}

TEST(ClusterView, AClusterWithoutNodesSaysHowToStartOne) {
  v1::GetStatusReply status = Cluster(0);
  status.clear_nodes();
  EXPECT_THAT(TextOf(status), HasSubstr("cairn node --coordinators"));
}

TEST(ClusterView, TheJsonHasEveryCounter) {
  const v1::GetStatusReply status = Cluster(1000);
  const auto json = nlohmann::json::parse(ClusterJson({status, status, absl::ZeroDuration()}));
  EXPECT_EQ(json["cluster_id"], "914523b6e08b0102");
  EXPECT_EQ(json["locates"], 596);
  const auto& node = json["nodes"][0];
  EXPECT_EQ(node["node_id"], "deadc4db067401");
  EXPECT_EQ(node["get_hits"], 500);
  EXPECT_FALSE(node.contains("per_second"));
}

}  // namespace
}  // namespace cairn
