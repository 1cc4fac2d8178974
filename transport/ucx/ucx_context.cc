#include "transport/ucx/ucx_context.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "transport/ucx/send_guard.h"

namespace cairn {
namespace {

using UcpConfig = Handle<ucp_config_t*, ucp_config_release, nullptr>;

constexpr uint64_t kFeatures = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
static_assert((kFeatures & (UCP_FEATURE_RMA | UCP_FEATURE_AMO32 | UCP_FEATURE_AMO64)) == 0);

absl::StatusCode CodeOf(ucs_status_t status) {
  switch (status) {
    case UCS_ERR_NO_MEMORY:
    case UCS_ERR_NO_RESOURCE:
    case UCS_ERR_EXCEEDS_LIMIT:
      return absl::StatusCode::kResourceExhausted;
    case UCS_ERR_INVALID_PARAM:
    case UCS_ERR_INVALID_ADDR:
      return absl::StatusCode::kInvalidArgument;
    case UCS_ERR_BUSY:
      return absl::StatusCode::kAlreadyExists;
    case UCS_ERR_CANCELED:
      return absl::StatusCode::kCancelled;
    case UCS_ERR_TIMED_OUT:
    case UCS_ERR_ENDPOINT_TIMEOUT:
    case UCS_ERR_CONNECTION_RESET:
    case UCS_ERR_NOT_CONNECTED:
    case UCS_ERR_REJECTED:
    case UCS_ERR_UNREACHABLE:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status FromUcs(ucs_status_t status, std::string_view what) {
  if (status == UCS_OK) return absl::OkStatus();
  return absl::Status(CodeOf(status),
                      absl::StrCat("ucx: ", Absl(what), ": ", ucs_status_string(status)));
}

absl::StatusOr<UcpContext> CreateUcpContext(const UcxOptions& options) {
  if (const absl::Status guarded = GuardUcxSends(); !guarded.ok()) {
    Log(LogLevel::kWarning, "ucx_sends_unguarded", {{"why", guarded.message()}});
  }
  ucp_config_t* raw = nullptr;
  CAIRN_RETURN_IF_ERROR(FromUcs(ucp_config_read(nullptr, nullptr, &raw), "ucp_config_read"));
  const UcpConfig config(raw);
  // docs/transports.md gives the reason of each.
  const std::pair<const char*, std::string> settings[] = {
      {"TLS", options.tls},
      {"NET_DEVICES", options.net_devices},
      {"SOCKADDR_TLS_PRIORITY", "rdmacm,tcp"},
      {"RNDV_SCHEME", "put_zcopy"},
      {"KEEPALIVE_INTERVAL", "1s"},
      {"MAX_RNDV_RAILS", "1"},
      {"SA_DATA_VERSION", "v1"},
      {"ADDRESS_VERSION", "v1"},
  };
  for (const auto& [name, value] : settings) {
    CAIRN_RETURN_IF_ERROR(FromUcs(ucp_config_modify(config.get(), name, value.c_str()),
                                  absl::StrCat("setting ", name, "=", value)));
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = kFeatures;
  params.mt_workers_shared = 1;
  ucp_context_h context = nullptr;
  CAIRN_RETURN_IF_ERROR(
      FromUcs(ucp_init(&params, config.get(), &context),
              absl::StrCat("ucp_init over ", options.tls, " on ", options.net_devices)));
  return UcpContext(context);
}

}  // namespace cairn
