#include "server/registry/given_name.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(GivenName, ALetterOrSixtyThreeOfThoseThatAreAllowed) {
  for (const std::string& name : {std::string("a"), std::string("0_b-9"), std::string(63, 'z')}) {
    EXPECT_TRUE(CheckGivenName("tenant.name", name).ok()) << name;
  }
}

TEST(GivenName, AnotherIsRefusedWithFieldAndRule) {
  for (const std::string& name : {std::string(), std::string(64, 'z'), std::string("A"),
                                  std::string("a b"), std::string("a.b"), std::string("a\0b", 3)}) {
    const absl::Status status = CheckGivenName("tenant.name", name);
    EXPECT_EQ(status, absl::InvalidArgumentError("tenant.name: \"" + name +
                                                 "\" must be 1 to 63 of a-z, 0-9, _ and -"));
  }
}

}  // namespace
}  // namespace cairn
