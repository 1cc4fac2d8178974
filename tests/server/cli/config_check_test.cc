#include "server/cli/config_check.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/status.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

using testing::HasSubstr;

class ConfigCheckTest : public testing::Test {
 protected:
  std::string Write(const std::string& yaml) {
    EXPECT_TRUE(RealDisk().WriteFileAtomically(path_, yaml, 0600).ok());
    return path_;
  }
  // Value and source by name.
  std::map<std::string, std::pair<std::string, std::string>> Good(const std::string& command,
                                                                  std::vector<std::string> flags) {
    const auto options = CheckConfig(command, std::move(flags), context_);
    EXPECT_TRUE(options.ok()) << options.status();
    std::map<std::string, std::pair<std::string, std::string>> values;
    if (!options.ok()) return values;
    for (const ConfigOption& option : *options) values[option.name] = {option.value, option.source};
    return values;
  }
  std::string Mistake(const std::string& command, std::vector<std::string> flags) {
    const absl::Status status = CheckConfig(command, std::move(flags), context_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(Std(status.message()));
  }

  ScratchFolder folder_ = *ScratchFolder::Create();
  const std::string path_ = folder_.File("node.yaml");
  CommandContext context_;
};

constexpr char kNode[] = "coordinators: [c1:7400, c2:7400]\nstate_folder: /var/lib/cairn\n";

TEST_F(ConfigCheckTest, EveryValueComesWithItsSource) {
  context_.environment = {{"CAIRN_REACTORS", "2"}};
  const auto values = Good("node", {"--config", Write(kNode), "--dram-bytes", "8GiB"});
  EXPECT_EQ(values.at("coordinators"), std::pair(std::string("c1:7400,c2:7400"), path_ + ":1"));
  EXPECT_EQ(values.at("state_folder").second, path_ + ":2");
  EXPECT_EQ(values.at("reactors"), std::pair(std::string("2"), std::string("CAIRN_REACTORS")));
  EXPECT_EQ(values.at("dram_bytes"), std::pair(std::string("8GiB"), std::string("--dram-bytes")));
  EXPECT_EQ(values.at("drain_timeout"), std::pair(std::string("30s"), std::string("default")));
}

TEST_F(ConfigCheckTest, AnUnknownPolicyNamesItselfAndTheKnownOnes) {
  EXPECT_EQ(Good("node", {"--config", Write(kNode)}).at("policy").first, "learned");
  EXPECT_EQ(Good("node", {"--config", Write(kNode), "--policy", "s3fifo"}).at("policy").second,
            "--policy");
  const std::string mistake = Mistake("node", {"--config", Write(kNode), "--policy", "fifo"});
  EXPECT_THAT(mistake, HasSubstr("policy: fifo"));
  EXPECT_THAT(mistake, HasSubstr("lru, s3fifo or learned"));
}

TEST_F(ConfigCheckTest, TheDefaultsOfUpAreGood) {
  EXPECT_EQ(Good("up", {}).at("state_folder").first, "cairn-state");
}

TEST_F(ConfigCheckTest, AnUnknownKeyNamesItsLineAndTheNearestKey) {
  EXPECT_EQ(Mistake("node", {"--config", Write(std::string(kNode) + "dram_byts: 8GiB\n")}),
            path_ + ":3: unknown key dram_byts; did you mean dram_bytes?");
}

TEST_F(ConfigCheckTest, AKeyOfAnotherCommandIsUnknown) {
  EXPECT_THAT(Mistake("coordinator", {"--config", Write("dram_bytes: 8GiB\n")}),
              HasSubstr("unknown key dram_bytes"));
}

TEST_F(ConfigCheckTest, WhatTheSchemaCannotKnowIsValidatedToo) {
  EXPECT_THAT(Mistake("node", {}), HasSubstr("coordinators: none given"));
  EXPECT_THAT(Mistake("node", {"--config", Write(kNode), "--reactors", "256"}),
              HasSubstr("dram_bytes per reactor"));
  EXPECT_THAT(Mistake("node", {"--config", Write(kNode), "--data-listen", "127.0.0.1"}),
              HasSubstr("data_listen"));
  EXPECT_THAT(Mistake("node", {"--config", Write(kNode), "--http-listen", "9400"}),
              HasSubstr("http_listen"));
  EXPECT_THAT(Mistake("coordinator", {"--state-folder", "x", "--listen", "10.0.0.1:7400"}),
              HasSubstr("beyond loopback without TLS"));
  EXPECT_THAT(Mistake("coordinator", {"--state-folder", "x", "--tls-key-file", "key.pem"}),
              HasSubstr("give both or neither"));
  EXPECT_THAT(Mistake("up", {"--coordinator.node-timeout", "1s"}), HasSubstr("node_timeout"));
}

TEST_F(ConfigCheckTest, HalfOfTlsIsNamed) {
  EXPECT_THAT(Mistake("node", {"--config", Write(kNode), "--certificate-file", "node.pem"}),
              HasSubstr("certificate_file: given without key_file"));
  EXPECT_THAT(Mistake("coordinator", {"--state-folder", "x", "--tls-client-ca-file", "ca.pem"}),
              HasSubstr("tls_client_ca_file: given without TLS"));
}

TEST_F(ConfigCheckTest, TheNodeOfUpSpeaksTlsIfItsCoordinatorDoes) {
  const std::vector<std::string> coordinator{"--coordinator.tls-certificate-file", "c.pem",
                                             "--coordinator.tls-key-file", "c.key"};
  EXPECT_THAT(Mistake("up", coordinator), HasSubstr("node.ca_file: none given"));
  EXPECT_THAT(Mistake("up", {"--node.ca-file", "ca.pem"}), HasSubstr("the coordinator does not"));
  std::vector<std::string> both = coordinator;
  both.insert(both.end(), {"--node.ca-file", "ca.pem"});
  EXPECT_EQ(Good("up", both).at("node.ca_file").first, "ca.pem");
}

TEST_F(ConfigCheckTest, TheExplicitFlagOpensTheCoordinatorBeyondLoopback) {
  Good("coordinator", {"--state-folder", "x", "--listen", "10.0.0.1:7400", "--insecure"});
}

TEST_F(ConfigCheckTest, AnUnknownFlagNamesTheNearest) {
  EXPECT_EQ(Mistake("node", {"--reactor", "2"}),
            "--reactor: unknown option; did you mean --reactors?");
}

TEST_F(ConfigCheckTest, OnlyTheDaemonsHaveAConfiguration) {
  EXPECT_THAT(Mistake("status", {}), HasSubstr("up|node|coordinator"));
}

}  // namespace
}  // namespace cairn
