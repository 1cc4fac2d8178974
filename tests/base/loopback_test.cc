#include "base/loopback.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Loopback, OnlyWhatIsSpelledSo) {
  for (const char* address :
       {"127.0.0.1:7400", "127.9.9.9:0", "localhost:1", "[::1]:1", "unix:/s"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:7400", "10.0.0.1:1", "[::]:1", "localhost.evil.org:1", "12", ""}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace cairn
