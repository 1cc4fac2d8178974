// Opens sessions for tenants and checks the tokens of calls. Not thread-safe: the coordinator's
// mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_SESSIONS_H_
#define CAIRN_SERVER_COORDINATOR_SESSIONS_H_

#include <cstdint>
#include <string>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/token.h"
#include "server/registry/registry.h"

namespace cairn {

class Sessions {
 public:
  Sessions(absl::Duration lifetime, TokenSigner signer, const ClusterId& cluster, Clock& clock)
      : lifetime_(lifetime), signer_(std::move(signer)), cluster_(cluster), clock_(clock) {}

  // tenant: what the registry says of the request's; its errors but kNotFound are ours.
  // kUnauthenticated: unknown tenant or wrong credential, told alike and after the same work.
  // kInvalidArgument names the field. kFailedPrecondition: no version of the data plane that both
  // speak; it names both and which to upgrade.
  absl::StatusOr<v1::OpenSessionReply> Open(const v1::OpenSessionRequest& request,
                                            const absl::StatusOr<TenantRecord>& tenant);
  // The claims of a call's token. kUnauthenticated without a reason: it is told to a stranger.
  absl::StatusOr<TokenClaims> Check(const std::string& token);

  PublicKey public_key() const { return signer_.public_key(); }
  uint64_t opened() const { return opened_; }

 private:
  // Ed25519 costs 100 us, so verified tokens are remembered; when full, all are forgotten.
  static constexpr size_t kVerifiedMax = 4096;

  const absl::Duration lifetime_;
  const TokenSigner signer_;
  const ClusterId cluster_;
  Clock& clock_;
  absl::flat_hash_map<std::string, TokenClaims> verified_;
  uint64_t opened_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_SESSIONS_H_
