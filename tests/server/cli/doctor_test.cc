#include "server/cli/doctor.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Doctor, LooksAtEverythingThatANodeNeeds) {
  std::set<std::string> subjects;
  for (const Finding& finding : ExamineMachine()) subjects.insert(finding.subject);
  EXPECT_EQ(subjects, (std::set<std::string>{"memory", "memlock", "huge_pages", "open_files",
                                             "numa", "hca", "ports", "nvme", "io_uring"}));
}

TEST(Doctor, WhatIsNotGoodHasARemedyAndWhatIsGoodNone) {
  for (const Finding& finding : ExamineMachine()) {
    EXPECT_EQ(finding.remedy.empty(), finding.health == Health::kGood) << finding.subject;
    EXPECT_FALSE(finding.observed.empty()) << finding.subject;
  }
}

}  // namespace
}  // namespace cairn
