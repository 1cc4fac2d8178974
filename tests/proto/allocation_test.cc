// What runs once per block or per message allocates nothing.

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "proto/block_key.h"
#include "proto/checksum.h"
#include "proto/inventory.h"
#include "tests/proto/sample_messages.h"

namespace {

std::atomic<size_t> allocation_count = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace cairn {
namespace {

template <typename Work>
size_t AllocationsOf(const Work& work) {
  const size_t before = allocation_count;
  work();
  return allocation_count - before;
}

TEST(Allocations, AreCounted) {
  EXPECT_GT(AllocationsOf([] { std::vector<std::byte> bytes(100); }), 0u);
}

TEST(Allocations, NoneToDecodeAMessage) {
  for (const SampleMessage& sample : SampleMessages()) {
    bool ok = false;
    EXPECT_EQ(AllocationsOf([&] { ok = sample.decode(sample.bytes, sample.bulk_bytes).ok(); }), 0u)
        << sample.name;
    EXPECT_TRUE(ok) << sample.name;
  }
}

TEST(Allocations, NoneToMakeAKeyOrAChecksum) {
  const BlockKeyMaker maker(TenantSecret{}, NamespaceId{});
  const std::vector<std::byte> payload(100000);
  const auto work = [&] {
    const BlockKey key = maker.Make(absl::MakeSpan(payload).subspan(0, 32));
    MakeChecksum(key, NamespaceId{}, payload);
  };
  EXPECT_EQ(AllocationsOf(work), 0u);
}

TEST(Allocations, NoneToDecodeInventory) {
  InventoryChange change{};
  change.tenant = 1;
  change.change = kInventoryAdded;
  const std::string_view encoded(reinterpret_cast<const char*>(&change), sizeof(change));
  EXPECT_EQ(AllocationsOf([&] { EXPECT_TRUE(DecodeInventory(encoded).ok()); }), 0u);
}

}  // namespace
}  // namespace cairn
