// Nodes, engines and commands at a coordinator that speaks TLS, and those that it does not fit.
#include "server/cli/ready_file.h"
#include "tests/process/tls_cluster.h"

namespace cairn::process {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kOk = 0;
constexpr int kUsage = 2;
constexpr int kUnreachable = 3;
constexpr absl::Duration kPatience = absl::Seconds(60);

class Tls : public TlsCluster {
 protected:
  Ending Load(const Words& words, const Words& flags) const {
    return RunToEnd(
        Words{CAIRN_PROGRAM} + words +
        Words{"--coordinators", cluster->coordinator(), "--tenant-file", cluster->tenant_file()} +
        flags);
  }
  // What a node logs that the coordinator does not take.
  std::string LogOfANodeThatWaits(const Words& flags) const {
    const std::string log = files.File("node.log");
    auto node = ChildProcess::Start(
        {.arguments = Words{CAIRN_PROGRAM, "node", "--coordinators", cluster->coordinator(),
                            "--state-folder", files.File("node"), "--dram-bytes", "64MiB"} +
                      flags,
         .log_path = log});
    EXPECT_TRUE(node.ok());
    std::string text;
    EXPECT_TRUE(Eventually(kPatience, [&] {
      text = RealDisk().ReadFile(log).value_or("");
      return text.find("coordinator_silent") != std::string::npos;
    })) << text;
    EXPECT_TRUE(node->running()) << "it should go on trying";
    return text;
  }
};

TEST_F(Tls, BlocksAreStoredAndFoundAtACoordinatorThatSpeaksIt) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithAuthority()));
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  MovesBlocks(*engine);
  // What the node reported came through the same channel.
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return Metric(cluster->coordinator_http(), "cairn_coordinator_index_blocks") >= 32;
  }));
}

TEST_F(Tls, EveryCommandThatCallsACoordinatorSpeaksIt) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithAuthority()));
  const Words flags = Flags(WithAuthority());
  for (const Words& words :
       {Words{"status"}, Words{"top", "--rounds", "1", "--interval", "100ms"},
        Words{"tenant", "list"}, Words{"slo", "list"}, Words{"doctor", "--engine", "vllm"}}) {
    const Ending ending = Ask(words, flags);
    EXPECT_THAT(ending.output, Not(HasSubstr("no answer"))) << words[0];
    // Nothing is shared here, which the doctor calls bad.
    EXPECT_EQ(ending.code, words[0] == "doctor" ? 1 : kOk) << words[0] << ": " << ending.output;
  }
  const std::string trace =
      Write("trace.jsonl",
            R"({"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [1, 2]})");
  for (const Words& words : {Words{"bench", "--blocks", "64", "--working-set", "1MiB"},
                             Words{"replay", "--clients", "1", "--trace", trace}}) {
    const Ending ending = Load(words, flags + Words{"--ucx-tls", "tcp"});
    EXPECT_EQ(ending.code, kOk) << words[0] << ": " << ending.output;
  }
}

TEST_F(Tls, OnlyWhoHasACertificateEntersWhereOneIsAskedFor) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithCertificate(), {"--tls-client-ca-file", ca}));
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  MovesBlocks(*engine);
  EXPECT_EQ(Ask({"status"}, Flags(WithCertificate())).code, kOk);
  EXPECT_EQ(
      Load({"bench", "--blocks", "64", "--working-set", "1MiB"}, Flags(WithCertificate())).code,
      kOk);
  const Ending without = Ask({"status"}, Flags(WithAuthority()));
  EXPECT_EQ(without.code, kUnreachable);
  EXPECT_THAT(without.output, HasSubstr("give certificate_file and key_file"));
  const PemPair stranger = TestAuthority().Issue("DNS:client");
  const Ending strange = Ask({"status"}, Flags({ca, Write("stranger.pem", stranger.certificate),
                                                Write("stranger.key", stranger.key)}));
  EXPECT_EQ(strange.code, kUnreachable);
  EXPECT_THAT(strange.output, HasSubstr("may refuse certificate_file"));
  EXPECT_THAT(LogOfANodeThatWaits(Flags(WithAuthority())),
              HasSubstr("give certificate_file and key_file"));
}

TEST_F(Tls, PlainTextAtACoordinatorThatSpeaksItIsToldOfCaFile) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithAuthority()));
  const Ending status = Ask({"status"}, {});
  EXPECT_EQ(status.code, kUnreachable);
  EXPECT_THAT(status.output, AllOf(HasSubstr("give its authority as ca_file"),
                                   Not(HasSubstr("is the coordinator running"))));
  const Ending bench = Load({"bench", "--blocks", "64"}, {});
  EXPECT_EQ(bench.code, kUnreachable);
  EXPECT_THAT(bench.output, HasSubstr("give its authority as ca_file"));
  EXPECT_THAT(LogOfANodeThatWaits({}), HasSubstr("give its authority as ca_file"));
}

TEST_F(Tls, WhoSpeaksItToAPlainCoordinatorIsTold) {
  ASSERT_NO_FATAL_FAILURE(Start(1, 128u << 20));
  const Ending status = Ask({"status"}, Flags(WithAuthority()));
  EXPECT_EQ(status.code, kUnreachable);
  EXPECT_THAT(status.output, HasSubstr("give no ca_file"));
  EXPECT_THAT(LogOfANodeThatWaits(Flags(WithAuthority())),
              AllOf(HasSubstr("give no ca_file"), HasSubstr("tls_certificate_file")));
}

TEST_F(Tls, ACoordinatorOfAnotherAuthorityOrNameIsNotTrusted) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithAuthority()));
  // One of the same name is told apart by its signature alone.
  for (const char* name : {"another", "test authority"}) {
    const std::string other = Write("other.pem", TestAuthority(name).certificate_pem());
    const Ending untrusted = Ask({"status"}, Flags({other, "", ""}));
    EXPECT_EQ(untrusted.code, kUnreachable);
    EXPECT_THAT(untrusted.output, HasSubstr("ca_file did not sign"));
  }
  const size_t colon = cluster->coordinator().rfind(':');
  const Ending elsewhere = Ask(
      {"status"}, Flags(WithAuthority()) +
                      Words{"--coordinator", "localhost" + cluster->coordinator().substr(colon)});
  EXPECT_EQ(elsewhere.code, kUnreachable);
  EXPECT_THAT(elsewhere.output, HasSubstr("for other names"));
}

TEST_F(Tls, DaemonsWithFilesThatAreNoneDoNotStartAndNameThem) {
  const std::string absent = files.File("absent.pem");
  const Words node{CAIRN_PROGRAM,    "node",          "--coordinators", "127.0.0.1:1",
                   "--state-folder", files.File("n"), "--dram-bytes",   "64MiB"};
  const Ending unread = RunToEnd(node + Words{"--ca-file", absent});
  EXPECT_EQ(unread.code, kUsage);
  EXPECT_THAT(unread.output, AllOf(HasSubstr("ca_file: "), HasSubstr(absent)));
  const Ending half = RunToEnd(node + Words{"--key-file", key});
  EXPECT_EQ(half.code, kUsage);
  EXPECT_THAT(half.output, HasSubstr("key_file: given without certificate_file"));
  const Words coordinator{CAIRN_PROGRAM,    "coordinator",   "--listen",
                          "127.0.0.1:0",    "--http-listen", "127.0.0.1:0",
                          "--state-folder", files.File("c"), "--tls-certificate-file"};
  const Ending not_pem = RunToEnd(coordinator + Words{server_key, "--tls-key-file", server_key});
  EXPECT_EQ(not_pem.code, kUsage);
  EXPECT_THAT(not_pem.output, HasSubstr("tls_certificate_file: " + server_key));
  const Ending other_key = RunToEnd(coordinator + Words{server, "--tls-key-file", key});
  EXPECT_EQ(other_key.code, kUsage);
  EXPECT_THAT(other_key.output, HasSubstr("tls_key_file: " + key + " is not the key of"));
}

TEST_F(Tls, UpServesANodeOfItsOwnWithIt) {
  const std::string ready = files.File("ready"), log = files.File("up.log");
  auto up = ChildProcess::Start(
      {.arguments = {CAIRN_PROGRAM, "up", "--state-folder", files.File("up"), "--ready-file", ready,
                     "--coordinator.listen", "127.0.0.1:0", "--node.dram-bytes", "64MiB",
                     "--coordinator.tls-certificate-file", server, "--coordinator.tls-key-file",
                     server_key, "--node.ca-file", ca},
       .log_path = log});
  ASSERT_TRUE(up.ok());
  const auto facts = AwaitReadyFile(ready, *up, log, kPatience);
  ASSERT_TRUE(facts.ok()) << facts.status();
  const Ending bench = RunToEnd({CAIRN_PROGRAM, "bench", "--coordinators", facts->at("coordinator"),
                                 "--tenant-file", facts->at("tenant_file"), "--blocks", "64",
                                 "--working-set", "1MiB", "--ca-file", ca});
  EXPECT_EQ(bench.code, kOk) << bench.output;
}

}  // namespace
}  // namespace cairn::process
