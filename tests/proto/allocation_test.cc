// What runs once per block or per message allocates nothing.

#include <vector>

#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "proto/block_key.h"
#include "proto/checksum.h"
#include "proto/inventory.h"
#include "tests/proto/sample_messages.h"

namespace cairn {
namespace {

class Allocations : public testing::Test {
 protected:
  void SetUp() override {
    if (!AllocationsAreCounted()) GTEST_SKIP() << "the sanitizer owns operator new";
  }
};

TEST_F(Allocations, AreCounted) {
  EXPECT_GT(AllocationsOf([] { std::vector<std::byte> bytes(100); }), 0u);
}

TEST_F(Allocations, NoneToDecodeAMessage) {
  for (const SampleMessage& sample : SampleMessages()) {
    bool ok = false;
    EXPECT_EQ(AllocationsOf([&] { ok = sample.decode(sample.bytes, sample.bulk_bytes).ok(); }), 0u)
        << sample.name;
    EXPECT_TRUE(ok) << sample.name;
  }
}

TEST_F(Allocations, NoneToMakeAKeyOrAChecksum) {
  const BlockKeyMaker maker(TenantSecret{}, NamespaceId{});
  const std::vector<std::byte> payload(100000);
  const auto work = [&] {
    const BlockKey key = maker.Make(absl::MakeSpan(payload).subspan(0, 32));
    MakeChecksum(key, NamespaceId{}, payload);
  };
  EXPECT_EQ(AllocationsOf(work), 0u);
}

TEST_F(Allocations, NoneToDecodeInventory) {
  InventoryChange change{};
  change.tenant = 1;
  change.change = kInventoryAdded;
  const std::string_view encoded(reinterpret_cast<const char*>(&change), sizeof(change));
  EXPECT_EQ(AllocationsOf([&] { EXPECT_TRUE(DecodeInventory(encoded).ok()); }), 0u);
}

}  // namespace
}  // namespace cairn
