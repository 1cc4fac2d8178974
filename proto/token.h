// Session tokens: what a tenant may do, signed by a coordinator (Ed25519), checked by every node
// without asking anybody. Layout: FORMAT.md, "Token".
#ifndef CAIRN_PROTO_TOKEN_H_
#define CAIRN_PROTO_TOKEN_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/disk.h"
#include "base/random.h"
#include "proto/identity.h"

namespace cairn {

inline constexpr uint32_t kRightRead = 1u << 0;
inline constexpr uint32_t kRightWrite = 1u << 1;
inline constexpr size_t kTokenBytes = 128;
inline constexpr int64_t kTokenClockSkew_s = 60;  // tolerated between coordinator and node

using PublicKey = std::array<std::byte, 32>;
using TokenBytes = std::array<std::byte, kTokenBytes>;

struct TokenClaims {
  TenantId tenant = 0;
  uint32_t rights = 0;
  int64_t not_before_unix_s = 0;
  int64_t expiry_unix_s = 0;
  ClientId client;  // the session's client: a stolen token cannot pose as another client
  uint64_t inflight_bytes_max = 0;  // the tenant's cap per session
};

// An Ed25519 key pair. Movable; thread-safe once made.
class TokenSigner {
 public:
  // Reads the private key (32 bytes, hex) from `path`, or makes it and writes it with mode 0600.
  // kInvalidArgument: the file holds something else; disk errors as Disk gives them.
  static absl::StatusOr<TokenSigner> LoadOrCreate(const std::string& path, Disk& disk,
                                                  Random& random);
  // From 32 bytes of private key (tests, simulation). kInvalidArgument: not 32 bytes.
  static absl::StatusOr<TokenSigner> FromSeed(absl::Span<const std::byte> seed);
  ~TokenSigner();
  TokenSigner(TokenSigner&&) noexcept;
  TokenSigner& operator=(TokenSigner&&) noexcept;

  TokenBytes Sign(const TokenClaims& claims) const;
  PublicKey public_key() const;

 private:
  struct State;
  explicit TokenSigner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Checks the signature under any of `keys`, before anything that it covers, then version, claims
// and time. About 0.1 ms per key. Every failure is kUnauthenticated; the message (for the node's
// log, never for the peer) says why: malformed, bad signature, unknown version, not yet valid,
// expired. Rights that this build does not know are left out of the claims. now_unix_s: 0 or later.
absl::StatusOr<TokenClaims> VerifyToken(absl::Span<const std::byte> token,
                                        absl::Span<const PublicKey> keys, int64_t now_unix_s);

}  // namespace cairn

#endif  // CAIRN_PROTO_TOKEN_H_
