#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "client/client.h"

namespace cairn {
namespace {

template <typename T>
absl::Status CheckRange(const char* field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("client.", field, ": ", value, " must be ", low, " to ", high));
}

absl::Status CheckTime(const char* field, absl::Duration value, absl::Duration low,
                       absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("client.", field, ": ", absl::FormatDuration(value), " must be ",
                   absl::FormatDuration(low), " to ", absl::FormatDuration(high)));
}

}  // namespace

absl::Status ClientOptions::Validate() const {
  if (coordinators.empty()) {
    return absl::InvalidArgumentError(
        "client.coordinators: none given; `cairn up` prints the address of one");
  }
  if (tenant.empty()) return absl::InvalidArgumentError("client.tenant: empty; name the tenant");
  CAIRN_RETURN_IF_ERROR(
      CheckRange<uint64_t>("inflight_bytes_max", inflight_bytes_max, 1u << 20, uint64_t{16} << 30));
  CAIRN_RETURN_IF_ERROR(CheckRange<uint32_t>("operations_max", operations_max, 1, 1u << 20));
  CAIRN_RETURN_IF_ERROR(
      CheckRange<uint32_t>("location_cache_entries", location_cache_entries, 16, 1u << 26));
  CAIRN_RETURN_IF_ERROR(CheckRange<uint32_t>("breaker_failures", breaker_failures, 1, 1000));
  CAIRN_RETURN_IF_ERROR(
      CheckTime("connect_timeout", connect_timeout, absl::Milliseconds(1), absl::Hours(1)));
  CAIRN_RETURN_IF_ERROR(
      CheckTime("breaker_open", breaker_open, absl::ZeroDuration(), absl::Hours(1)));
  CAIRN_RETURN_IF_ERROR(
      CheckTime("fence_margin", fence_margin, absl::ZeroDuration(), absl::Seconds(1)));
  CAIRN_RETURN_IF_ERROR(CheckTime("lease", lease, absl::Milliseconds(10), absl::Hours(1)));
  CAIRN_RETURN_IF_ERROR(CheckTime("heartbeat_interval", heartbeat_interval, absl::Milliseconds(10),
                                  absl::Minutes(1)));
  CAIRN_RETURN_IF_ERROR(CheckTime("backoff_min", backoff_min, absl::Milliseconds(1), backoff_max));
  return CheckTime("backoff_max", backoff_max, backoff_min, absl::Minutes(10));
}

}  // namespace cairn
