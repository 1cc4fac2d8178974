#include "proto/token.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/handle.h"
#include "base/hex.h"
#include "base/status.h"
#include "proto/little_endian.h"

namespace cairn {
namespace {

constexpr size_t kSignatureBytes = 64;
constexpr uint32_t kTokenMagic = 0x4b4f5443;  // "CTOK"
constexpr uint16_t kTokenVersion = 1;
constexpr char kDomain[] = "cairn.v1.token";

struct TokenLayout {
  U32Le magic;
  U16Le version;
  U16Le reserved;
  U32Le tenant;
  U32Le rights;
  U64Le not_before_unix_s;
  U64Le expiry_unix_s;
  ClientId client;
  U64Le inflight_bytes_max;
  U64Le reserved_too;
  std::array<unsigned char, kSignatureBytes> signature;
};
static_assert(sizeof(TokenLayout) == kTokenBytes);
using Seed = std::array<std::byte, 32>;  // RFC 8032: the private key of Ed25519
constexpr size_t kSignedBytes = kTokenBytes - kSignatureBytes;

using Key = Handle<EVP_PKEY*, EVP_PKEY_free>;
using SignContext = Handle<EVP_MD_CTX*, EVP_MD_CTX_free>;

// What is signed: the domain, so that no other signature of this key is ever a token, then the
// claims.
std::string SignedText(const void* claims) {
  return std::string(kDomain).append(static_cast<const char*>(claims), kSignedBytes);
}

bool SignatureFits(const PublicKey& key, const TokenLayout& token) {
  const Key public_key(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(key.data()), key.size()));
  const SignContext context(EVP_MD_CTX_new());
  CAIRN_CHECK(public_key && context);
  const std::string text = SignedText(&token);
  const bool fits =
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), token.signature.data(), token.signature.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  // A refusal stays in the thread's error queue, where TLS on the same thread would find it.
  if (!fits) ERR_clear_error();
  return fits;
}

TokenClaims ClaimsOf(const TokenLayout& token) {
  return {.tenant = token.tenant,
          .rights = token.rights & (kRightRead | kRightWrite),
          .not_before_unix_s = static_cast<int64_t>(uint64_t{token.not_before_unix_s}),
          .expiry_unix_s = static_cast<int64_t>(uint64_t{token.expiry_unix_s}),
          .client = token.client,
          .inflight_bytes_max = token.inflight_bytes_max};
}

absl::Status CheckLayout(const TokenLayout& token) {
  if (token.magic != kTokenMagic) return absl::UnauthenticatedError("token is malformed: magic");
  if (token.version != kTokenVersion) {
    return absl::UnauthenticatedError(
        absl::StrCat("token has the unknown version ", uint16_t{token.version}));
  }
  if (token.reserved != 0 || token.reserved_too != 0) {
    return absl::UnauthenticatedError("token is malformed: reserved bytes are set");
  }
  return absl::OkStatus();
}

absl::Status CheckClaims(const TokenClaims& claims, int64_t now_unix_s) {
  if (claims.tenant == 0) return absl::UnauthenticatedError("token is malformed: tenant 0");
  if (claims.not_before_unix_s < 0 || claims.expiry_unix_s < claims.not_before_unix_s) {
    return absl::UnauthenticatedError("token is malformed: it ends before it begins");
  }
  if (claims.not_before_unix_s - kTokenClockSkew_s > now_unix_s) {
    return absl::UnauthenticatedError(
        absl::StrCat("token is not yet valid: it begins ", claims.not_before_unix_s - now_unix_s,
                     " s from now; compare the clocks of coordinator and node"));
  }
  if (now_unix_s - kTokenClockSkew_s >= claims.expiry_unix_s) {
    return absl::UnauthenticatedError(
        absl::StrCat("token expired ", now_unix_s - claims.expiry_unix_s, " s ago"));
  }
  return absl::OkStatus();
}

}  // namespace

struct TokenSigner::State {
  Key key;
  PublicKey public_key;
};

TokenSigner::TokenSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenSigner::~TokenSigner() = default;
TokenSigner::TokenSigner(TokenSigner&&) noexcept = default;
TokenSigner& TokenSigner::operator=(TokenSigner&&) noexcept = default;

absl::StatusOr<TokenSigner> TokenSigner::FromSeed(absl::Span<const std::byte> seed) {
  if (seed.size() != sizeof(Seed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("token signing key: ", seed.size(), " bytes; it must be 32"));
  }
  auto state = std::make_unique<State>();
  state->key.Reset(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed.data()), seed.size()));
  size_t public_bytes = state->public_key.size();
  if (!state->key ||
      EVP_PKEY_get_raw_public_key(state->key.get(),
                                  reinterpret_cast<unsigned char*>(state->public_key.data()),
                                  &public_bytes) != 1) {
    return absl::InternalError("token signing key: OpenSSL refused it (is Ed25519 available?)");
  }
  return TokenSigner(std::move(state));
}

absl::StatusOr<TokenSigner> TokenSigner::LoadOrCreate(const std::string& path, Disk& disk,
                                                      Random& random) {
  Seed seed;
  absl::StatusOr<std::string> text = disk.ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    random.Fill(absl::MakeSpan(seed));
    CAIRN_RETURN_IF_ERROR(disk.WriteFileAtomically(path, HexEncode(seed) + "\n", 0600));
    return FromSeed(seed);
  }
  CAIRN_RETURN_IF_ERROR(text.status());
  if (!HexDecode(Std(absl::StripTrailingAsciiWhitespace(*text)), absl::MakeSpan(seed)).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": not 64 hexadecimal digits; restore the file, or remove it to make a "
                     "new key (clients then open new sessions)"));
  }
  return FromSeed(seed);
}

TokenBytes TokenSigner::Sign(const TokenClaims& claims) const {
  TokenLayout token{};
  token.magic = kTokenMagic;
  token.version = kTokenVersion;
  token.tenant = claims.tenant;
  token.rights = claims.rights;
  token.not_before_unix_s = static_cast<uint64_t>(claims.not_before_unix_s);
  token.expiry_unix_s = static_cast<uint64_t>(claims.expiry_unix_s);
  token.client = claims.client;
  token.inflight_bytes_max = claims.inflight_bytes_max;
  const std::string text = SignedText(&token);
  const SignContext context(EVP_MD_CTX_new());
  CAIRN_CHECK(context);
  size_t signature_bytes = token.signature.size();
  CAIRN_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1);
  CAIRN_CHECK(EVP_DigestSign(context.get(), token.signature.data(), &signature_bytes,
                             reinterpret_cast<const unsigned char*>(text.data()),
                             text.size()) == 1);
  CAIRN_CHECK(signature_bytes == kSignatureBytes);
  TokenBytes bytes;
  std::memcpy(bytes.data(), &token, sizeof(token));
  return bytes;
}

PublicKey TokenSigner::public_key() const { return state_->public_key; }

absl::StatusOr<TokenClaims> VerifyToken(absl::Span<const std::byte> token,
                                        absl::Span<const PublicKey> keys, int64_t now_unix_s) {
  if (token.size() != kTokenBytes) {
    return absl::UnauthenticatedError(
        absl::StrCat("token is malformed: ", token.size(), " bytes instead of ", kTokenBytes));
  }
  TokenLayout layout;
  std::memcpy(&layout, token.data(), sizeof(layout));
  const bool fits = std::any_of(keys.begin(), keys.end(), [&layout](const PublicKey& key) {
    return SignatureFits(key, layout);
  });
  if (!fits) return absl::UnauthenticatedError("token has a bad signature");
  CAIRN_RETURN_IF_ERROR(CheckLayout(layout));
  TokenClaims claims = ClaimsOf(layout);
  CAIRN_RETURN_IF_ERROR(CheckClaims(claims, now_unix_s));
  return claims;
}

}  // namespace cairn
