#include "base/config.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kMiB = uint64_t{1} << 20;

struct Options {
  std::string listen = "127.0.0.1";
  std::vector<std::string> coordinators;
  bool reserve = false;
  int64_t reactors = 1;
  double burst = 0.25;
  uint64_t dram_bytes = 64 * kMiB;
  absl::Duration timeout = absl::Milliseconds(250);
};

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    schema_.Add("listen", &options_.listen, "Address to serve on.");
    schema_.Add("coordinators", &options_.coordinators, "Addresses of the coordinators.");
    schema_.Add("tier.dram.reserve", &options_.reserve, "Touch all memory at start.");
    schema_.Add("reactors", &options_.reactors, {1, 256}, "threads", "Data-plane threads.");
    schema_.Add("quota.burst", &options_.burst, {0, 1}, "", "Share above the reserve.");
    schema_.AddBytes("tier.dram.capacity_bytes", &options_.dram_bytes, {kMiB, 1024 * kMiB},
                     "DRAM for blocks.");
    schema_.Add("fetch.timeout", &options_.timeout, {absl::Milliseconds(1), absl::Seconds(30)},
                "Deadline of a fetch.");
    schema_.ReserveEnvironment("CAIRN_CONFIG");
  }

  std::string ErrorOf(const ConfigSources& sources) {
    const absl::Status status = schema_.Load(sources);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(Std(status.message()));
  }
  std::string ErrorOfFile(const std::string& text) {
    return ErrorOf({.file = ConfigFile{"node.yaml", text}});
  }
  std::string SourceOf(const std::string& name) {
    for (const ConfigOption& option : schema_.Options()) {
      if (option.name == name) return option.source;
    }
    return "";
  }

  Options options_;
  ConfigSchema schema_;
};

TEST_F(ConfigTest, WithoutSourcesTheDefaultsStand) {
  ASSERT_TRUE(schema_.Load({}).ok());
  EXPECT_EQ(options_.listen, "127.0.0.1");
  EXPECT_EQ(options_.dram_bytes, 64 * kMiB);
  EXPECT_EQ(SourceOf("listen"), "default");
}

TEST_F(ConfigTest, AFileSetsEveryTypeOfOption) {
  ASSERT_TRUE(schema_
                  .Load({.file = ConfigFile{"node.yaml", R"(
listen: 0.0.0.0
coordinators: [c1:9000, c2:9000]
reactors: 4
quota: {burst: 0.5}
tier:
  dram:
    capacity_bytes: 512MiB
    reserve: yes
fetch.timeout: 1.5s
)"}})
                  .ok());
  EXPECT_EQ(options_.listen, "0.0.0.0");
  EXPECT_THAT(options_.coordinators, ElementsAre("c1:9000", "c2:9000"));
  EXPECT_EQ(options_.reactors, 4);
  EXPECT_EQ(options_.burst, 0.5);
  EXPECT_EQ(options_.dram_bytes, 512 * kMiB);
  EXPECT_TRUE(options_.reserve);
  EXPECT_EQ(options_.timeout, absl::Milliseconds(1500));
  EXPECT_EQ(SourceOf("tier.dram.capacity_bytes"), "node.yaml:8");
}

TEST_F(ConfigTest, AFlagBeatsTheEnvironmentWhichBeatsTheFile) {
  ASSERT_TRUE(schema_
                  .Load({.flags = {{"reactors", "8"}},
                         .environment = {{"CAIRN_REACTORS", "4"},
                                         {"CAIRN_FETCH_TIMEOUT", "2s"},
                                         {"PATH", "/bin"},
                                         {"CAIRN_CONFIG", "node.yaml"}},
                         .file = ConfigFile{"node.yaml",
                                            "reactors: 2\nfetch: {timeout: 3s}\nlisten: ::1\n"}})
                  .ok());
  EXPECT_EQ(options_.reactors, 8);
  EXPECT_EQ(options_.timeout, absl::Seconds(2));
  EXPECT_EQ(options_.listen, "::1");
  EXPECT_EQ(SourceOf("reactors"), "--reactors");
  EXPECT_EQ(SourceOf("fetch.timeout"), "CAIRN_FETCH_TIMEOUT");
  EXPECT_EQ(SourceOf("listen"), "node.yaml:3");
}

TEST_F(ConfigTest, ListsAreCommaSeparatedOutsideYaml) {
  ASSERT_TRUE(schema_.Load({.flags = {{"coordinators", "c1:9000,c2:9000"}}}).ok());
  EXPECT_THAT(options_.coordinators, ElementsAre("c1:9000", "c2:9000"));
}

TEST_F(ConfigTest, AnEmptyTextEmptiesAList) {
  options_.coordinators = {"c1"};
  ASSERT_TRUE(schema_.Load({.environment = {{"CAIRN_COORDINATORS", ""}}}).ok());
  EXPECT_THAT(options_.coordinators, IsEmpty());
}

TEST_F(ConfigTest, AnUnknownKeyNamesFileLineAndTheNearestKey) {
  EXPECT_EQ(ErrorOfFile("reactors: 2\ntier:\n  dram:\n    capcity_bytes: 1GiB\n"),
            "node.yaml:4: unknown key tier.dram.capcity_bytes; did you mean "
            "tier.dram.capacity_bytes?");
}

TEST_F(ConfigTest, AnUnknownVariableNamesTheNearestVariable) {
  EXPECT_EQ(ErrorOf({.environment = {{"CAIRN_REACTOR", "2"}}}),
            "CAIRN_REACTOR: unknown environment variable; did you mean CAIRN_REACTORS?");
}

TEST_F(ConfigTest, AnUnknownFlagFarFromAllPointsToHelp) {
  EXPECT_EQ(ErrorOf({.flags = {{"colour", "blue"}}}),
            "--colour: unknown option; --help lists the options");
}

TEST_F(ConfigTest, OutOfRangeNamesOptionValuePlaceAndBounds) {
  EXPECT_EQ(ErrorOfFile("tier:\n  dram: {capacity_bytes: 2GiB}\n"),
            "tier.dram.capacity_bytes: 2GiB (from node.yaml:2) is out of range; choose 1MiB to "
            "1GiB");
  EXPECT_EQ(ErrorOf({.flags = {{"reactors", "0"}}}),
            "reactors: 0 (from --reactors) is out of range; choose 1 to 256 threads");
}

TEST_F(ConfigTest, InfinityAndNanAreOutOfAnyRange) {
  EXPECT_THAT(ErrorOf({.flags = {{"fetch.timeout", "inf"}}}), testing::HasSubstr("out of range"));
  EXPECT_THAT(ErrorOf({.flags = {{"quota.burst", "nan"}}}), testing::HasSubstr("out of range"));
}

TEST_F(ConfigTest, ATextOfTheWrongFormIsShownWithTheRightOne) {
  EXPECT_EQ(ErrorOf({.environment = {{"CAIRN_FETCH_TIMEOUT", "fast"}}}),
            "fetch.timeout: \"fast\" (from CAIRN_FETCH_TIMEOUT) is not a duration such as 250ms "
            "(ns, us, ms, s, m, h)");
  EXPECT_EQ(ErrorOf({.flags = {{"reactors", "4x"}}}),
            "reactors: \"4x\" (from --reactors) is not a whole number such as 8");
  EXPECT_EQ(ErrorOf({.flags = {{"tier.dram.reserve", "perhaps"}}}),
            "tier.dram.reserve: \"perhaps\" (from --tier.dram.reserve) is not true or false");
}

TEST_F(ConfigTest, AListWhereOneValueBelongsIsRefused) {
  EXPECT_EQ(ErrorOfFile("listen: [a, b]\n"),
            "listen: \"a,b\" (from node.yaml:1) is not one value but a list");
}

TEST_F(ConfigTest, AllMistakesAreTold) {
  EXPECT_EQ(ErrorOf({.flags = {{"reactors", "x"}},
                     .file = ConfigFile{"node.yaml", "quota: {burst: 2}\n"}}),
            "quota.burst: 2 (from node.yaml:1) is out of range; choose 0 to 1\n"
            "reactors: \"x\" (from --reactors) is not a whole number such as 8");
}

TEST_F(ConfigTest, AMistakeLeavesEveryTargetAsItWas) {
  ErrorOf({.flags = {{"listen", "::"}, {"reactors", "0"}}});
  EXPECT_EQ(options_.listen, "127.0.0.1");
}

TEST_F(ConfigTest, BrokenYamlNamesFileAndLine) {
  EXPECT_THAT(ErrorOfFile("listen: x\nreactors: [1\n"),
              testing::StartsWith("node.yaml:3: not YAML"));
  EXPECT_EQ(ErrorOfFile("- listen\n"), "node.yaml:1: the file is not a mapping (name: value)");
  EXPECT_EQ(ErrorOfFile("reactors:\n"),
            "node.yaml:1: reactors has no value; give one or remove the line");
  EXPECT_EQ(ErrorOfFile("coordinators: [[a]]\n"),
            "node.yaml:1: coordinators is not a list of texts");
}

TEST_F(ConfigTest, AKeyGivenTwiceIsAnError) {
  EXPECT_EQ(ErrorOfFile("quota: {burst: 0.1}\nquota.burst: 0.2\n"),
            "node.yaml:2: quota.burst was given on line 1 already; remove one of the two");
}

TEST_F(ConfigTest, AnAliasToItsOwnParentEnds) {
  EXPECT_THAT(ErrorOfFile("tier: &loop\n  again: *loop\n"),
              testing::HasSubstr("nested too deeply"));
}

TEST_F(ConfigTest, AnEmptyFileIsNoMistake) {
  EXPECT_TRUE(schema_.Load({.file = ConfigFile{"node.yaml", "# nothing yet\n"}}).ok());
}

TEST_F(ConfigTest, TheListingHasAllThatHelpNeeds) {
  const std::vector<ConfigOption> options = schema_.Options();
  ASSERT_EQ(options.size(), 7u);
  const ConfigOption& size = options[5];
  EXPECT_EQ(size.name, "tier.dram.capacity_bytes");
  EXPECT_EQ(size.environment, "CAIRN_TIER_DRAM_CAPACITY_BYTES");
  EXPECT_EQ(size.type, "size");
  EXPECT_EQ(size.range, "1MiB to 1GiB");
  EXPECT_EQ(size.default_value, "64MiB");
  EXPECT_EQ(size.help, "DRAM for blocks.");
  EXPECT_EQ(options[3].unit, "threads");
}

TEST_F(ConfigTest, TheEffectiveDumpKeepsTheDefaultBesideTheValue) {
  ASSERT_TRUE(schema_.Load({.flags = {{"fetch.timeout", "2s"}}}).ok());
  const ConfigOption timeout = schema_.Options().back();
  EXPECT_EQ(timeout.value, "2s");
  EXPECT_EQ(timeout.default_value, "250ms");
}

using ConfigDeathTest = ConfigTest;

TEST_F(ConfigDeathTest, TwoOptionsOfOneVariableAreABug) {
  EXPECT_DEATH(schema_.Add("quota_burst", &options_.listen, ""), "environment");
  EXPECT_DEATH(schema_.Add("Quota", &options_.listen, ""), "IsOptionName");
}

TEST_F(ConfigDeathTest, ADefaultOutsideItsRangeIsABug) {
  EXPECT_DEATH(schema_.Add("other", &options_.reactors, {2, 3}, "", ""), "InRange");
}

}  // namespace
}  // namespace cairn
