// A cluster whose coordinator speaks TLS with certificates made on the spot.
#ifndef CAIRN_TESTS_PROCESS_TLS_CLUSTER_H_
#define CAIRN_TESTS_PROCESS_TLS_CLUSTER_H_

#include <string>
#include <vector>

#include "tests/process/cluster_test.h"
#include "tests/process/run_to_end.h"
#include "tests/transport/control/certificates.h"

namespace cairn::process {

using Words = std::vector<std::string>;

inline Words operator+(Words head, const Words& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

class TlsCluster : public ClusterTest {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = files.File(name);
    EXPECT_TRUE(RealDisk().WriteFileAtomically(path, text, 0600).ok());
    return path;
  }
  // What those are told who call the coordinator.
  TlsOptions WithAuthority() const { return {ca, "", ""}; }
  TlsOptions WithCertificate() const { return {ca, certificate, key}; }
  static Words Flags(const TlsOptions& options) {
    Words words{"--ca-file", options.ca_file};
    if (options.certificate_file.empty()) return words;
    return words +
           Words{"--certificate-file", options.certificate_file, "--key-file", options.key_file};
  }

  void StartTls(const TlsOptions& callers, const Words& coordinator_arguments = {}) {
    tls = callers;
    LocalClusterOptions options;
    options.nodes = 1;
    options.dram_bytes_per_node = 128u << 20;
    options.coordinator_arguments =
        Words{"--tls-certificate-file", server, "--tls-key-file", server_key} +
        coordinator_arguments;
    options.node_arguments = Flags(callers);
    Start(options);
  }
  // cairn WORDS at the coordinator, as its operator.
  Ending Ask(const Words& words, const Words& flags) const {
    return RunToEnd(
        Words{CAIRN_PROGRAM} + words +
        Words{"--coordinator", cluster->coordinator(), "--admin-file", cluster->admin_file()} +
        flags);
  }
  static void MovesBlocks(Engine& engine, uint64_t salt = 1) {
    const std::vector<BlockKey> keys = engine.Keys(salt, 32);
    EXPECT_EQ(engine.Put(keys, absl::Seconds(10)).ok, keys.size());
    const Outcome got = engine.Get(keys, absl::Seconds(10));
    EXPECT_EQ(got.ok, keys.size());
    EXPECT_EQ(got.wrong_bytes, 0u);
  }

  const ScratchFolder files = *ScratchFolder::Create();
  const TestAuthority authority;
  const PemPair of_server = authority.Issue("IP:127.0.0.1");
  const PemPair of_client = authority.Issue("DNS:client");
  const std::string ca = Write("ca.pem", authority.certificate_pem());
  const std::string server = Write("server.pem", of_server.certificate);
  const std::string server_key = Write("server.key", of_server.key);
  const std::string certificate = Write("client.pem", of_client.certificate);
  const std::string key = Write("client.key", of_client.key);
};

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_TLS_CLUSTER_H_
