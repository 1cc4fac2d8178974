#include "proto/inventory.h"

#include <cstddef>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace cairn {
namespace {

using ::testing::StartsWith;

std::string Encoded(const InventoryChange& change) {
  return {reinterpret_cast<const char*>(&change), sizeof(change)};
}

InventoryChange Added() {
  InventoryChange change{};
  change.key.bytes[0] = std::byte{1};
  change.tenant = 7;
  change.reactor = 2;
  change.change = kInventoryAdded;
  return change;
}

void ExpectRefused(const std::string& changes, const std::string& field) {
  const absl::Status status = DecodeInventory(changes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Std(status.message())), StartsWith(field));
}

TEST(Inventory, ComesBackAsItWasSent) {
  InventoryChange removed = Added();
  removed.change = kInventoryRemoved;
  InventoryChange demoted = Added();
  demoted.change = kInventoryOnDrive;
  const std::string encoded = Encoded(Added()) + Encoded(removed) + Encoded(demoted);
  const auto changes = DecodeInventory(encoded);
  ASSERT_EQ(changes.status(), absl::OkStatus());
  ASSERT_EQ(changes->size(), 3u);
  EXPECT_EQ((*changes)[0].key, Added().key);
  EXPECT_EQ((*changes)[0].tenant, 7u);
  EXPECT_EQ((*changes)[0].reactor, 2);
  EXPECT_EQ((*changes)[1].change, kInventoryRemoved);
  EXPECT_EQ((*changes)[2].change, kInventoryOnDrive);
}

TEST(Inventory, MayBeEmpty) {
  const auto changes = DecodeInventory("");
  ASSERT_EQ(changes.status(), absl::OkStatus());
  EXPECT_TRUE(changes->empty());
}

TEST(Inventory, RefusesEveryTruncation) {
  const std::string encoded = Encoded(Added()) + Encoded(Added());
  for (size_t size = 1; size < encoded.size(); ++size) {
    if (size == sizeof(InventoryChange)) continue;
    ExpectRefused(encoded.substr(0, size), "changes:");
  }
}

TEST(Inventory, RefusesMoreThanOneReportMayHold) {
  std::string encoded;
  for (size_t i = 0; i < kInventoryChangesMax; ++i) encoded += Encoded(Added());
  EXPECT_EQ(DecodeInventory(encoded).status(), absl::OkStatus());
  ExpectRefused(encoded + Encoded(Added()), "changes:");
}

TEST(Inventory, RefusesUnknownChangesAndNoTenantWhereverTheyStand) {
  for (const uint16_t unknown : {uint16_t{0}, uint16_t{4}, uint16_t{UINT16_MAX}}) {
    InventoryChange change = Added();
    change.change = unknown;
    ExpectRefused(Encoded(Added()) + Encoded(change), "changes.change");
  }
  InventoryChange nobody = Added();
  nobody.tenant = 0;
  ExpectRefused(Encoded(Added()) + Encoded(nobody), "changes.tenant");
}

}  // namespace
}  // namespace cairn
