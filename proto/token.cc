#include "proto/token.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

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
constexpr size_t kSignedBytes = kTokenBytes - kSignatureBytes;

using PrivateKey = Handle<EVP_PKEY*, EVP_PKEY_free>;
using SignContext = Handle<EVP_MD_CTX*, EVP_MD_CTX_free>;

// What is signed: the domain, so that no other signature of this key is ever a token, then the
// claims.
std::string SignedText(const void* claims) {
  return std::string(kDomain).append(static_cast<const char*>(claims), kSignedBytes);
}

bool SignatureFits(const PublicKey& key, const TokenLayout& token) {
  const PrivateKey public_key(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(key.data()), key.size()));
  const SignContext context(EVP_MD_CTX_new());
  if (!public_key || !context) return false;
  const std::string text = SignedText(&token);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) == 1 &&
         EVP_DigestVerify(context.get(), token.signature.data(), token.signature.size(),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

absl::Status CheckTime(const TokenClaims& claims, int64_t now_unix_s) {
  if (now_unix_s + kTokenClockSkew_s < claims.not_before_unix_s) {
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
  PrivateKey key;
  PublicKey public_key;
};

TokenSigner::TokenSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenSigner::~TokenSigner() = default;
TokenSigner::TokenSigner(TokenSigner&&) noexcept = default;
TokenSigner& TokenSigner::operator=(TokenSigner&&) noexcept = default;

absl::StatusOr<TokenSigner> TokenSigner::FromSeed(absl::Span<const std::byte> seed) {
  if (seed.size() != sizeof(PublicKey)) {
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
  absl::StatusOr<std::string> text = disk.ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    std::array<std::byte, sizeof(PublicKey)> seed;
    random.Fill(absl::MakeSpan(seed));
    text = HexEncode(seed) + "\n";
    CAIRN_RETURN_IF_ERROR(disk.WriteFileAtomically(path, *text, 0600));
  }
  CAIRN_RETURN_IF_ERROR(text.status());
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  std::array<std::byte, sizeof(PublicKey)> seed;
  if (!HexDecode(*text, absl::MakeSpan(seed)).ok()) {
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
  if (layout.magic != kTokenMagic || layout.version != kTokenVersion) {
    return absl::UnauthenticatedError(
        absl::StrCat("token has the unknown version ", uint16_t{layout.version}));
  }
  TokenClaims claims;
  claims.tenant = layout.tenant;
  claims.rights = layout.rights;
  claims.not_before_unix_s = static_cast<int64_t>(uint64_t{layout.not_before_unix_s});
  claims.expiry_unix_s = static_cast<int64_t>(uint64_t{layout.expiry_unix_s});
  claims.client = layout.client;
  claims.inflight_bytes_max = layout.inflight_bytes_max;
  CAIRN_RETURN_IF_ERROR(CheckTime(claims, now_unix_s));
  return claims;
}

}  // namespace cairn
