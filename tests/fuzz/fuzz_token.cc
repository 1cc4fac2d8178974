// Tokens twice: as any bytes, which nobody signed, and as any claims under a right signature, as a
// newer or broken coordinator might make them.

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/handle.h"
#include "proto/token.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {
namespace {

using Key = Handle<EVP_PKEY*, EVP_PKEY_free>;
using SignContext = Handle<EVP_MD_CTX*, EVP_MD_CTX_free>;

constexpr int64_t kNow_unix_s = 1'800'000'000;
constexpr size_t kSignedBytes = 64;
constexpr unsigned char kSeed[32] = {1};

EVP_PKEY* PrivateKey() {
  static const Key key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, kSeed, sizeof(kSeed)));
  CAIRN_CHECK(key);
  return key.get();
}

PublicKey OurPublicKey() {
  PublicKey key;
  size_t bytes = key.size();
  CAIRN_CHECK(EVP_PKEY_get_raw_public_key(
                  PrivateKey(), reinterpret_cast<unsigned char*>(key.data()), &bytes) == 1);
  return key;
}

// The first bytes of the input, filled up with zeros, as FORMAT.md has them signed.
TokenBytes Signed(absl::Span<const std::byte> input) {
  TokenBytes token{};
  std::copy_n(input.begin(), std::min(input.size(), kSignedBytes), token.begin());
  std::string text = "cairn.v1.token";
  text.append(reinterpret_cast<const char*>(token.data()), kSignedBytes);
  const SignContext context(EVP_MD_CTX_new());
  size_t signature_bytes = token.size() - kSignedBytes;
  CAIRN_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, PrivateKey()) == 1);
  CAIRN_CHECK(EVP_DigestSign(context.get(),
                             reinterpret_cast<unsigned char*>(token.data()) + kSignedBytes,
                             &signature_bytes, reinterpret_cast<const unsigned char*>(text.data()),
                             text.size()) == 1);
  return token;
}

void CheckClaims(const TokenClaims& claims) {
  CAIRN_CHECK(claims.tenant != 0);
  CAIRN_CHECK((claims.rights & ~(kRightRead | kRightWrite)) == 0);
  CAIRN_CHECK(claims.not_before_unix_s >= 0);
  CAIRN_CHECK(claims.not_before_unix_s <= kNow_unix_s + kTokenClockSkew_s);
  CAIRN_CHECK(claims.expiry_unix_s > kNow_unix_s - kTokenClockSkew_s);
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_token) {
  static const PublicKey keys[] = {OurPublicKey()};
  const auto verified = VerifyToken(Signed(input), keys, kNow_unix_s);
  if (verified.ok()) CheckClaims(*verified);
  // The seeds that are whole tokens are signed under another key.
  CAIRN_CHECK(!VerifyToken(input, keys, kNow_unix_s).ok());
}

}  // namespace cairn
