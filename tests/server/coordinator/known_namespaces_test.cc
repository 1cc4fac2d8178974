#include "server/coordinator/known_namespaces.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr int64_t kMillisecond_ns = 1'000'000;

struct KnownNamespacesTest : ::testing::Test {
  void Open(TenantId tenant, const std::string& id, int64_t at_ms = 0) {
    v1::OpenSessionRequest request;
    request.set_tenant("tenant" + std::to_string(tenant));
    request.mutable_ns()->set_model("model of " + id);
    v1::OpenSessionReply reply;
    reply.set_tenant_id(tenant);
    reply.set_namespace_id(id);
    known.Opened(request, reply, {at_ms * kMillisecond_ns});
  }

  KnownNamespaces known;
};

TEST_F(KnownNamespacesTest, CountsSessionsAndBlocksOfEachTenantsNamespace) {
  Open(1, "a");
  Open(1, "a");
  Open(2, "a");
  known.Located(1, "a", 10, 4, {});
  known.Located(1, "a", 5, 0, {5 * kMillisecond_ns});
  const v1::ListNamespacesReply list = known.List({7 * kMillisecond_ns});
  ASSERT_EQ(list.namespaces_size(), 2);
  const v1::KnownNamespace& first = list.namespaces(0);
  EXPECT_EQ(first.tenant(), "tenant1");
  EXPECT_EQ(first.ns().model(), "model of a");
  EXPECT_EQ(first.sessions_opened(), 2u);
  EXPECT_EQ(first.blocks_asked(), 15u);
  EXPECT_EQ(first.blocks_found(), 4u);
  EXPECT_EQ(first.last_use_age_ms(), 2);
  EXPECT_EQ(list.namespaces(1).tenant(), "tenant2");
  EXPECT_EQ(list.namespaces(1).blocks_asked(), 0u);
}

TEST_F(KnownNamespacesTest, WhatNobodyDeclaredIsNotKept) {
  known.Located(1, "a", 10, 4, {});
  EXPECT_EQ(known.List({}).namespaces_size(), 0);
}

TEST_F(KnownNamespacesTest, AreBoundedAndForgetTheOneUsedLongestAgo) {
  Open(1, "first");
  Open(1, "second");
  known.Located(1, "first", 1, 0, {});
  for (size_t i = 2; i <= KnownNamespaces::kMax; ++i) Open(1, std::to_string(i));
  const v1::ListNamespacesReply list = known.List({});
  ASSERT_EQ(list.namespaces_size(), static_cast<int>(KnownNamespaces::kMax));
  EXPECT_EQ(list.namespaces(list.namespaces_size() - 1).namespace_id(), "first");
}

}  // namespace
}  // namespace cairn
