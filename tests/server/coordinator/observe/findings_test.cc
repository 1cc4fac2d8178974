#include "server/coordinator/observe/findings.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/coordinator/observe/objective.h"
#include "tests/server/coordinator/observe/sample_observations.h"
#include "tests/server/coordinator/sample_requests.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct FindingsTest : ::testing::Test {
  FindingsTest() {
    AddNode(1);
    AddNode(2);
    status.set_indexed_blocks(4000);
    minute_ago = hour_ago = status;
  }
  void AddNode(uint64_t number) {
    v1::GetStatusReply::Node& node = *status.add_nodes();
    node.set_node_id(testing::ToBytes(testing::Node(number)));
    node.set_incarnation(1);
    node.set_state("ready");
    node.set_block_count(2000);
    node.set_indexed_blocks(2000);
    node.set_transport("tcp");
  }
  v1::GetStatusReply::Node& node() { return *status.mutable_nodes(0); }
  std::vector<std::string> Ids() {
    findings = Advise({status, objectives, hits, minute_ago, hour_ago});
    std::vector<std::string> ids;
    for (const v1::Finding& finding : findings) {
      ids.push_back(finding.id());
      EXPECT_FALSE(finding.evidence().empty()) << finding.id();
      EXPECT_FALSE(finding.remedy().empty()) << finding.id();
    }
    return ids;
  }

  v1::GetStatusReply status, minute_ago, hour_ago;
  std::vector<v1::ObjectiveState> objectives;
  HitSums hits;
  std::vector<v1::Finding> findings;
};

TEST_F(FindingsTest, AHealthyClusterHasNone) { EXPECT_THAT(Ids(), IsEmpty()); }

TEST_F(FindingsTest, ALostNodeIsAPageWithItsName) {
  node().set_state("lost");
  node().set_last_heartbeat_age_ms(12'345);
  EXPECT_THAT(Ids(), ElementsAre("node_lost"));
  EXPECT_EQ(findings[0].severity(), "page");
  EXPECT_THAT(findings[0].evidence(), HasSubstr("No heartbeat for 12s"));
  EXPECT_THAT(findings[0].remedy(), HasSubstr("cairn forget " + findings[0].subject()));
}

TEST_F(FindingsTest, WithoutAReadyNodeNothingServes) {
  node().set_state("not_ready");
  status.mutable_nodes(1)->set_state("lost");
  EXPECT_THAT(Ids(), ElementsAre("no_nodes", "node_lost", "node_not_ready")) << "the worst first";
}

TEST_F(FindingsTest, AnIndexThatLagsIsTold) {
  node().set_indexed_blocks(1799);
  EXPECT_THAT(Ids(), ElementsAre("index_stale"));
  node().set_indexed_blocks(1800);
  EXPECT_THAT(Ids(), IsEmpty());
}

TEST_F(FindingsTest, DrivesThatFailAndBudgetsThatEnd) {
  node().mutable_nvme()->set_drives_failed(1);
  EXPECT_THAT(Ids(), ElementsAre("drive_failed"));
  node().mutable_nvme()->set_drives_failed(0);
  node().mutable_nvme()->set_write_budget_bytes(1000);
  node().mutable_nvme()->set_write_budget_left_bytes(99);
  EXPECT_THAT(Ids(), ElementsAre("write_budget"));
  node().mutable_nvme()->set_write_budget_left_bytes(100);
  EXPECT_THAT(Ids(), IsEmpty());
}

TEST_F(FindingsTest, DriveErrorsOfTheLastMinuteAreTold) {
  node().mutable_nvme()->set_errors(7);
  EXPECT_THAT(Ids(), ElementsAre("drive_errors"));
  EXPECT_THAT(findings[0].evidence(), HasSubstr("7 reads and writes"));
  minute_ago.mutable_nodes(0)->mutable_nvme()->set_errors(7);
  EXPECT_THAT(Ids(), IsEmpty()) << "it works again";
}

TEST_F(FindingsTest, WrongBytesOfTheLastHourAreTold) {
  node().mutable_counters()->set_checksum_failures(3);
  EXPECT_THAT(Ids(), ElementsAre("wrong_bytes"));
  EXPECT_THAT(findings[0].evidence(), HasSubstr("3 blocks"));
  *hour_ago.mutable_nodes(0)->mutable_counters() = node().counters();
  EXPECT_THAT(Ids(), IsEmpty()) << "all of them are older";
  node().set_incarnation(2);
  EXPECT_THAT(Ids(), ElementsAre("wrong_bytes")) << "a new life counts from nothing";
}

TEST_F(FindingsTest, TwoContentsOfAKeyAreTold) {
  node().mutable_counters()->set_conflicts(1);
  EXPECT_THAT(Ids(), ElementsAre("conflict"));
}

TEST_F(FindingsTest, ZeroHitsAreTakenSeriouslyOnlyWithTrafficAndBlocks) {
  hits.requested_tokens = 20'000;
  hits.misses["absent"] = {5, 80};
  hits.misses["namespace"] = {500, 8000};
  EXPECT_THAT(Ids(), ElementsAre("zero_hits"));
  EXPECT_THAT(findings[0].evidence(), HasSubstr("Most misses: namespace"));
  hits.hit_tokens = 16;
  EXPECT_THAT(Ids(), IsEmpty());
  hits = {.requested_tokens = 9'999};
  EXPECT_THAT(Ids(), IsEmpty());
  hits.requested_tokens = 20'000;
  status.set_indexed_blocks(999);
  EXPECT_THAT(Ids(), IsEmpty()) << "an empty cluster hits nothing";
}

TEST_F(FindingsTest, OneThatFellBackToTcpAmongRdmaIsTold) {
  node().set_transport("rdma");
  EXPECT_THAT(Ids(), ElementsAre("tcp_fallback"));
  status.mutable_nodes(1)->set_transport("rdma");
  EXPECT_THAT(Ids(), IsEmpty());
}

TEST_F(FindingsTest, ABurningObjectiveIsToldWithItsWindows) {
  CallHistory calls;
  calls.AddFine({1'700'000'000, 900, 1000});
  objectives.push_back(Evaluate(testing::FastGets(), calls, 1'700'000'000));
  EXPECT_THAT(Ids(), ElementsAre("budget_burning"));
  EXPECT_EQ(findings[0].severity(), "page");
  EXPECT_THAT(findings[0].evidence(), HasSubstr("over 1h and 5m"));
  EXPECT_THAT(findings[0].evidence(), HasSubstr("100 of 1000 calls were bad"));
  EXPECT_EQ(findings[0].subject(), "fast");
}

TEST_F(FindingsTest, ASpentBudgetThatBurnsNoMoreIsATicket) {
  CallHistory calls;
  calls.AddCoarse({1'700'000'000, 900, 1000});
  objectives.push_back(Evaluate(testing::FastGets(), calls, 1'700'000'000 + 4 * 24 * 3600));
  EXPECT_THAT(Ids(), ElementsAre("budget_exhausted"));
  EXPECT_EQ(findings[0].severity(), "ticket");
}

}  // namespace
}  // namespace cairn
