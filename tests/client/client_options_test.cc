#include <functional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/client.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

ClientOptions Good() {
  ClientOptions options;
  options.coordinators = {"127.0.0.1:7400"};
  return options;
}

TEST(ClientOptions, DefaultsNeedACoordinatorOnly) {
  EXPECT_TRUE(Good().Validate().ok());
  EXPECT_THAT(std::string(ClientOptions{}.Validate().message()), HasSubstr("client.coordinators"));
}

TEST(ClientOptions, WhatIsOutOfRangeIsNamed) {
  const std::pair<const char*, std::function<void(ClientOptions&)>> bad[] = {
      {"tenant", [](ClientOptions& o) { o.tenant.clear(); }},
      {"inflight_bytes_max", [](ClientOptions& o) { o.inflight_bytes_max = (1u << 20) - 1; }},
      {"inflight_bytes_max", [](ClientOptions& o) { o.inflight_bytes_max = uint64_t{1} << 40; }},
      {"operations_max", [](ClientOptions& o) { o.operations_max = 0; }},
      {"operations_max", [](ClientOptions& o) { o.operations_max = (1u << 20) + 1; }},
      {"location_cache_entries", [](ClientOptions& o) { o.location_cache_entries = 1; }},
      {"connect_timeout", [](ClientOptions& o) { o.connect_timeout = absl::ZeroDuration(); }},
      {"connect_timeout", [](ClientOptions& o) { o.connect_timeout = absl::InfiniteDuration(); }},
      {"fence_margin", [](ClientOptions& o) { o.fence_margin = -absl::Seconds(1); }},
      {"fence_margin", [](ClientOptions& o) { o.fence_margin = absl::Seconds(2); }},
      {"lease", [](ClientOptions& o) { o.lease = absl::Milliseconds(1); }},
      {"heartbeat_interval", [](ClientOptions& o) { o.heartbeat_interval = absl::Seconds(0); }},
      {"backoff_min", [](ClientOptions& o) { o.backoff_min = absl::ZeroDuration(); }},
      {"backoff_min", [](ClientOptions& o) { o.backoff_min = absl::Seconds(3); }},
      {"backoff_max", [](ClientOptions& o) { o.backoff_max = absl::Hours(1); }},
      {"breaker_failures", [](ClientOptions& o) { o.breaker_failures = 0; }},
      {"breaker_open", [](ClientOptions& o) { o.breaker_open = -absl::Seconds(1); }},
      {"breaker_open", [](ClientOptions& o) { o.breaker_open = absl::InfiniteDuration(); }},
  };
  for (const auto& [field, damage] : bad) {
    ClientOptions options = Good();
    damage(options);
    const absl::Status status = options.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("client.") + field + ":"));
  }
}

}  // namespace
}  // namespace cairn
