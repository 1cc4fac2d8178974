#include "base/handle.h"

#include <fcntl.h>
#include <unistd.h>

#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

std::vector<int>& Destroyed() {
  static std::vector<int> destroyed;
  return destroyed;
}
void Destroy(int handle) { Destroyed().push_back(handle); }

using Number = Handle<int, Destroy, -1>;
static_assert(!std::is_copy_constructible_v<Number>);
static_assert(std::is_nothrow_move_constructible_v<Number>);
static_assert(sizeof(Number) == sizeof(int));

class HandleTest : public testing::Test {
 protected:
  void SetUp() override { Destroyed().clear(); }
};

TEST_F(HandleTest, DestroysOnce) {
  {
    const Number number(7);
  }
  EXPECT_EQ(Destroyed(), std::vector<int>{7});
}

TEST_F(HandleTest, TheNullHandleIsNotDestroyed) {
  {
    Number number;
    EXPECT_FALSE(number);
    number.Reset();
  }
  EXPECT_TRUE(Destroyed().empty());
}

TEST_F(HandleTest, AMoveLeavesOneOwner) {
  {
    Number first(1);
    Number second(std::move(first));
    EXPECT_EQ(second.get(), 1);
    Number third(3);
    third = std::move(second);
    EXPECT_EQ(Destroyed(), std::vector<int>{3});
  }
  EXPECT_EQ(Destroyed(), (std::vector<int>{3, 1}));
}

TEST_F(HandleTest, ReleaseHandsOwnershipOver) {
  int released;
  {
    Number number(5);
    released = number.Release();
    EXPECT_FALSE(number);
  }
  EXPECT_EQ(released, 5);
  EXPECT_TRUE(Destroyed().empty());
}

TEST_F(HandleTest, AFileDescriptorIsClosed) {
  int raw;
  {
    const FileDescriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file);
    raw = file.get();
    EXPECT_NE(::fcntl(raw, F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

}  // namespace
}  // namespace cairn
