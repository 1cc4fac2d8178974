#include "server/coordinator/sessions.h"

#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "base/version.h"
#include "proto/block_key.h"
#include "proto/credential.h"
#include "proto/wire.h"

namespace cairn {
namespace {

absl::Span<const std::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A node would refuse such a client block by block; here it hears of it once, and why.
absl::Status CheckVersion(const v1::OpenSessionRequest& request) {
  const uint32_t newest = request.wire_version_max() == 0 ? 1 : request.wire_version_max();
  const uint32_t oldest = request.wire_version_max() == 0 ? 1 : request.wire_version_min();
  if (oldest <= wire::kWireVersion && newest >= wire::kWireVersionMin) return absl::OkStatus();
  const bool we_are_older = oldest > wire::kWireVersion;
  return absl::FailedPreconditionError(absl::StrCat(
      "version: the client ", request.client_version(), " speaks ", oldest, " to ", newest,
      " of the data plane, this coordinator ", Version(), " speaks ", wire::kWireVersionMin, " to ",
      wire::kWireVersion, "; upgrade ", we_are_older ? "the cluster" : "the client"));
}

absl::Status Refused() { return absl::UnauthenticatedError("unknown tenant or wrong credential"); }

}  // namespace

absl::StatusOr<v1::OpenSessionReply> Sessions::Open(const v1::OpenSessionRequest& request,
                                                    const absl::StatusOr<TenantRecord>& tenant) {
  if (request.client_id().size() != sizeof(ClientId)) {
    return absl::InvalidArgumentError(
        absl::StrCat("client_id: ", request.client_id().size(), " bytes; it must be 16"));
  }
  const uint32_t rights = request.rights() & (kRightRead | kRightWrite);
  if (rights == 0 || rights != request.rights()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rights: ", request.rights(), "; 1 is read, 2 is write, 3 is both"));
  }
  if (!tenant.ok() && !absl::IsNotFound(tenant.status())) return tenant.status();
  const TenantSecret secret = tenant.ok() ? tenant->secret : TenantSecret{};
  const bool fits = CredentialFits(secret, request.credential());
  if (!tenant.ok() || !fits) return Refused();
  CAIRN_RETURN_IF_ERROR(CheckVersion(request));
  CAIRN_ASSIGN_OR_RETURN(const NamespaceId ns, MakeNamespaceId(request.ns()));

  TokenClaims claims;
  claims.tenant = tenant->id;
  claims.rights = rights;
  claims.not_before_unix_s = clock_.UnixSeconds();
  claims.expiry_unix_s = claims.not_before_unix_s + absl::ToInt64Seconds(lifetime_);
  std::memcpy(claims.client.bytes.data(), request.client_id().data(), sizeof(ClientId));
  claims.inflight_bytes_max = tenant->inflight_bytes_max;
  const TokenBytes token = signer_.Sign(claims);

  v1::OpenSessionReply reply;
  reply.set_token(token.data(), token.size());
  reply.set_expires_in_ms(absl::ToInt64Milliseconds(lifetime_));
  reply.set_namespace_id(ns.bytes.data(), ns.bytes.size());
  reply.set_tenant_id(tenant->id);
  reply.set_inflight_bytes_max(tenant->inflight_bytes_max);
  reply.set_cluster_id(cluster_.bytes.data(), cluster_.bytes.size());
  reply.set_server_version(Version());
  ++opened_;
  return reply;
}

absl::StatusOr<TokenClaims> Sessions::Check(const std::string& token) {
  const int64_t now_s = clock_.UnixSeconds();
  if (const auto known = verified_.find(token); known != verified_.end()) {
    if (now_s - kTokenClockSkew_s < known->second.expiry_unix_s) return known->second;
    verified_.erase(known);
  }
  const PublicKey key = signer_.public_key();
  absl::StatusOr<TokenClaims> claims = VerifyToken(Bytes(token), {&key, 1}, now_s);
  if (!claims.ok()) return absl::UnauthenticatedError("token refused; open a new session");
  if (verified_.size() == kVerifiedMax) verified_.clear();
  verified_[token] = *claims;
  return claims;
}

}  // namespace cairn
