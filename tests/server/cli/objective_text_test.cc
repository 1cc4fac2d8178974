#include "server/cli/objective_text.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

ObjectiveText Fast() {
  return {.tenant = "search", .tier = "dram", .size = "1MiB", .within = "1ms", .target = "99.9"};
}

std::string ErrorOf(const ObjectiveText& text) {
  return std::string(ParseObjective(text).status().message());
}

std::string FileErrorOf(const std::string& text) {
  return std::string(ParseObjectivesFile({"slo.yaml", text}).status().message());
}

TEST(ObjectiveText, EachFieldGetsThere) {
  const v1::Objective objective = ParseObjective(Fast()).value();
  EXPECT_EQ(objective.name(), "search-dram-1mib-1ms");
  EXPECT_EQ(objective.tenant(), "search");
  EXPECT_EQ(objective.tier(), v1::DRAM_TIER);
  EXPECT_EQ(SizeClassText(objective.size_class()), "1MiB");
  EXPECT_EQ(objective.threshold_ns(), 1'000'000);
  EXPECT_EQ(objective.target_ppm(), 999'000u);
  EXPECT_EQ(objective.window_s(), 30 * 24 * 3600);
}

TEST(ObjectiveText, AnUrgencyIsOptionalAndPartOfTheName) {
  EXPECT_FALSE(ParseObjective(Fast()).value().has_urgency());
  ObjectiveText text = Fast();
  text.urgency = "interactive";
  const v1::Objective objective = ParseObjective(text).value();
  EXPECT_EQ(objective.urgency(), v1::INTERACTIVE);
  EXPECT_EQ(objective.name(), "search-dram-1mib-1ms-interactive");
}

TEST(ObjectiveText, WhatWasParsedIsWrittenAlike) {
  for (const char* window : {"6h", "30d", "1h30m"}) {
    ObjectiveText text = Fast();
    text.window = window;
    const int64_t window_s = ParseObjective(text).value().window_s();
    text.window = WindowText(window_s);
    EXPECT_EQ(ParseObjective(text).value().window_s(), window_s) << window;
  }
  for (const char* tier : {"dram", "nvme", "any"}) {
    ObjectiveText text = Fast();
    text.tier = tier;
    EXPECT_EQ(TierText(ParseObjective(text).value().tier()), tier);
  }
}

TEST(ObjectiveText, MistakesNameFieldAndRemedy) {
  ObjectiveText text = Fast();
  text.size = "3MiB";
  EXPECT_THAT(ErrorOf(text), HasSubstr("size: \"3MiB\" must be a size class: 16KiB, 64KiB"));
  text = Fast();
  text.size = "";
  EXPECT_THAT(ErrorOf(text), HasSubstr("size: \"\" must be a size class"));
  text = Fast();
  text.within = "fast";
  EXPECT_THAT(ErrorOf(text), HasSubstr("within: \"fast\" must be a time as 500us"));
  text = Fast();
  text.within = "-1ms";
  EXPECT_THAT(ErrorOf(text), HasSubstr("within"));
  text = Fast();
  text.target = "100";
  EXPECT_THAT(ErrorOf(text), HasSubstr("target: \"100\" must be 50 to 99.9999"));
  text = Fast();
  text.target = "nan";
  EXPECT_THAT(ErrorOf(text), HasSubstr("target"));
  text = Fast();
  text.window = "0d";
  EXPECT_THAT(ErrorOf(text), HasSubstr("window"));
  text = Fast();
  text.tier = "ssd";
  EXPECT_THAT(ErrorOf(text), HasSubstr("tier: \"ssd\" must be dram or nvme"));
  text = Fast();
  text.urgency = "soon";
  EXPECT_THAT(ErrorOf(text), HasSubstr("urgency: \"soon\" must be interactive, standard or batch"));
  text = Fast();
  text.kind = "quick";
  EXPECT_THAT(ErrorOf(text), HasSubstr("kind: \"quick\" must be latency or answered"));
}

TEST(ObjectiveText, AnsweredHasNoTierSizeOrTime) {
  const v1::Objective objective =
      ParseObjective({.kind = "answered", .tenant = "t", .target = "99.99%"}).value();
  EXPECT_EQ(objective.kind(), v1::Objective::ANSWERED);
  EXPECT_EQ(objective.name(), "t-answered");
  EXPECT_EQ(objective.target_ppm(), 999'900u);
  EXPECT_THAT(ErrorOf({.kind = "answered", .size = "1MiB"}),
              HasSubstr("no tier, size, within or urgency"));
  EXPECT_THAT(ErrorOf({.kind = "answered", .urgency = "batch"}), HasSubstr("or urgency"));
}

TEST(ObjectiveText, AFileHoldsAMappingOfNames) {
  const auto objectives = ParseObjectivesFile({"slo.yaml",
                                               "fast:\n  tier: dram\n  size: 1MiB\n  within: 1ms\n"
                                               "answered:\n  kind: answered\n  target: 99.99\n"})
                              .value();
  ASSERT_EQ(objectives.size(), 2u);
  EXPECT_EQ(objectives[0].name(), "fast");
  EXPECT_EQ(objectives[1].kind(), v1::Objective::ANSWERED);
  EXPECT_TRUE(ParseObjectivesFile({"slo.yaml", ""}).value().empty());
}

TEST(ObjectiveText, MistakesInAFileNameItsLine) {
  EXPECT_THAT(FileErrorOf("fast:\n  tier: dram\n  sizes: 1MiB\n"),
              HasSubstr("slo.yaml:3: unknown field \"sizes\"; did you mean \"size\"?"));
  EXPECT_THAT(FileErrorOf("a:\n  kind: answered\nfast:\n  tier: dram\n"),
              HasSubstr("slo.yaml:4: objective fast: size: \"\" must be"));
  EXPECT_THAT(FileErrorOf("fast: 1ms\n"), HasSubstr("slo.yaml:1: fast is no objective"));
}

}  // namespace
}  // namespace cairn
