#include "proto/urgency.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Urgency, IsTheSameInEachNotation) {
  std::set<std::string> words;
  for (const v1::Urgency urgency : kUrgencies) {
    EXPECT_EQ(UrgencyOf(OnWire(urgency)), urgency);
    EXPECT_EQ(ParseUrgency("urgency", UrgencyText(urgency)).value(), urgency);
    words.insert(UrgencyText(urgency));
  }
  EXPECT_THAT(words, ::testing::ElementsAre("batch", "interactive", "standard"));
  EXPECT_EQ(kUrgencies.size(), static_cast<size_t>(v1::Urgency_ARRAYSIZE));
}

TEST(Urgency, AnotherWordIsRefusedByItsField) {
  for (const char* word : {"", "Batch", "urgent"}) {
    EXPECT_EQ(
        ParseUrgency("options.urgency", word).status().message(),
        std::string("options.urgency: \"") + word + "\" must be interactive, standard or batch");
  }
}

}  // namespace
}  // namespace cairn
