// A cluster of real processes per test.
#ifndef CAIRN_TESTS_PROCESS_CLUSTER_TEST_H_
#define CAIRN_TESTS_PROCESS_CLUSTER_TEST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "server/cli/local_cluster.h"
#include "tests/process/engine.h"
#include "transport/real_network.h"

namespace cairn::process {

class ClusterTest : public ::testing::Test {
 protected:
  void Start(int64_t nodes, uint64_t dram_bytes, std::vector<std::string> node_arguments = {}) {
    LocalClusterOptions options;
    options.nodes = nodes;
    options.dram_bytes_per_node = dram_bytes;
    options.node_arguments = std::move(node_arguments);
    Start(options);
  }
  void Start(LocalClusterOptions options) {
    SetLog(LogLevel::kError, LogFormat::kKeyValue);
    network = *CreateRealNetwork({.ucx = {}, .tls = tls});
    options.program = CAIRN_PROGRAM;
    auto started = LocalCluster::Start(options, *network);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster = *std::move(started);
  }
  EngineOptions MakeEngineOptions() const {
    EngineOptions options;
    options.coordinator = cluster->coordinator();
    options.tls = tls;
    options.tenant = *ReadTenantFile(cluster->tenant_file(), RealDisk());
    return options;
  }
  std::unique_ptr<Engine> ConnectEngine() const {
    auto engine = Engine::Connect(MakeEngineOptions());
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  // Of all nodes.
  double Sum(const std::string& metric) const {
    double sum = 0;
    for (const std::string& http : cluster->node_http()) sum += Metric(http, metric);
    return sum;
  }

  TlsOptions tls;  // of the test itself, towards the coordinator
  std::unique_ptr<Network> network;
  std::unique_ptr<LocalCluster> cluster;
};

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_CLUSTER_TEST_H_
