// What a tenant shows a coordinator in place of its secret, which itself never crosses a wire.
// Layout: FORMAT.md, "Credential".
#ifndef CAIRN_PROTO_CREDENTIAL_H_
#define CAIRN_PROTO_CREDENTIAL_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "proto/identity.h"

namespace cairn {

using Credential = std::array<std::byte, 32>;

// HMAC-SHA-256(secret, "cairn.v1.auth"). As good as the secret at a coordinator, useless for block
// keys: it travels over TLS or loopback only. Thread-safe.
Credential MakeCredential(const TenantSecret& secret);
// In constant time. False for a credential of another length.
bool CredentialFits(const TenantSecret& secret, std::string_view credential);

}  // namespace cairn

#endif  // CAIRN_PROTO_CREDENTIAL_H_
