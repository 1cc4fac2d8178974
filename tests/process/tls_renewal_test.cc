// Certificates that are replaced while everything runs.
#include "tests/process/tls_cluster.h"

namespace cairn::process {
namespace {

using ::testing::HasSubstr;

constexpr int kOk = 0;
constexpr int kUnreachable = 3;
constexpr absl::Duration kPatience = absl::Seconds(60);

class TlsRenewalTest : public TlsCluster {
 protected:
  // Another authority's certificates for all, in place of theirs.
  void ReplaceAll() const {
    Write("ca.pem", next.certificate_pem());
    Write(next.Issue("IP:127.0.0.1"), "server");
    Write(next.Issue("DNS:client"), "client");
  }
  void Write(const PemPair& pair, const std::string& name) const {
    TlsCluster::Write(name + ".pem", pair.certificate);
    TlsCluster::Write(name + ".key", pair.key);
  }
  using TlsCluster::Write;
  std::string LogOf(const std::string& process) const {
    return RealDisk().ReadFile(cluster->state_folder(process) + ".log").value_or("");
  }
  size_t Counted(const std::string& process, const std::string& words) const {
    const std::string log = LogOf(process);
    size_t count = 0;
    for (size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) {
      ++count;
    }
    return count;
  }
  bool IsLogged(const std::string& process, const std::string& words) const {
    return Eventually(kPatience, [&] { return Counted(process, words) > 0; });
  }

  const TestAuthority next{"next authority"};
  // What the files held at first.
  const TlsOptions old{Write("old-ca.pem", authority.certificate_pem()),
                       Write("old-client.pem", of_client.certificate),
                       Write("old-client.key", of_client.key)};
};

TEST_F(TlsRenewalTest, NewFilesAreForNewConnectionsAndThoseThatAreOpenLiveOn) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithCertificate(), {"--tls-client-ca-file", ca}));
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  MovesBlocks(*engine, 1);
  tls = old;  // whose files nobody replaces
  const auto connected_before = ConnectEngine();
  ASSERT_NE(connected_before, nullptr);
  MovesBlocks(*connected_before, 2);

  ReplaceAll();
  ASSERT_TRUE(IsLogged("coordinator", "certificates_renewed")) << LogOf("coordinator");
  ASSERT_TRUE(IsLogged("node0", "certificates_renewed")) << LogOf("node0");
  EXPECT_EQ(Ask({"status"}, Flags(WithCertificate())).code, kOk);
  const Ending stranger = Ask({"status"}, Flags({ca, old.certificate_file, old.key_file}));
  EXPECT_EQ(stranger.code, kUnreachable) << stranger.output;
  EXPECT_THAT(stranger.output, HasSubstr("may refuse certificate_file"));
  const Ending distrustful =
      Ask({"status"}, Flags({old.ca_file, files.File("client.pem"), files.File("client.key")}));
  EXPECT_EQ(distrustful.code, kUnreachable) << distrustful.output;
  EXPECT_THAT(distrustful.output, HasSubstr("ca_file did not sign"));
  MovesBlocks(*connected_before, 3);
  MovesBlocks(*engine, 4);
}

// Once the coordinator is another process, every connection is a new one.
TEST_F(TlsRenewalTest, WhoRanAllAlongFindsACoordinatorThatStartedWithTheNewFiles) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithCertificate(), {"--tls-client-ca-file", ca}));
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  ReplaceAll();
  ASSERT_TRUE(IsLogged("node0", "certificates_renewed")) << LogOf("node0");
  cluster->processes()[0].Stop();
  ASSERT_TRUE(cluster->Restart(0).ok());
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return Metric(cluster->coordinator_http(), "cairn_coordinator_nodes_ready") == 1;
  })) << LogOf("node0");
  EXPECT_TRUE(Eventually(kPatience, [&] {
    const std::vector<BlockKey> keys = engine->Keys(5, 8);
    return engine->Put(keys, absl::Seconds(2)).ok == keys.size() &&
           engine->Get(keys, absl::Seconds(2)).ok == keys.size();
  }));
}

TEST_F(TlsRenewalTest, ABrokenRenewalLeavesTheOldCertificateAndOneLine) {
  ASSERT_NO_FATAL_FAILURE(StartTls(WithAuthority()));
  const PemPair renewed = authority.Issue("IP:127.0.0.1");
  Write("server.key", renewed.key);
  ASSERT_TRUE(IsLogged("coordinator", "certificates_not_renewed")) << LogOf("coordinator");
  EXPECT_THAT(LogOf("coordinator"), HasSubstr("tls_key_file: "));
  EXPECT_EQ(Ask({"status"}, Flags(WithAuthority())).code, kOk);
  Write("server.pem", renewed.certificate);
  ASSERT_TRUE(IsLogged("coordinator", "certificates_renewed")) << LogOf("coordinator");
  EXPECT_EQ(Ask({"status"}, Flags(WithAuthority())).code, kOk);
  EXPECT_EQ(Counted("coordinator", "certificates_not_renewed"), 1u);
}

}  // namespace
}  // namespace cairn::process
