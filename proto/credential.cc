#include "proto/credential.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace cairn {

Credential MakeCredential(const TenantSecret& secret) {
  static constexpr unsigned char kPurpose[] = "cairn.v1.auth";
  Credential credential;
  unsigned int size = 0;
  const unsigned char* made =
      HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), kPurpose,
           sizeof(kPurpose) - 1, reinterpret_cast<unsigned char*>(credential.data()), &size);
  CAIRN_CHECK(made != nullptr && size == credential.size());
  return credential;
}

bool CredentialFits(const TenantSecret& secret, std::string_view credential) {
  const Credential wanted = MakeCredential(secret);
  return credential.size() == wanted.size() &&
         CRYPTO_memcmp(wanted.data(), credential.data(), wanted.size()) == 0;
}

}  // namespace cairn
