// Certificates for tests, made on the spot.
#ifndef CAIRN_TESTS_TRANSPORT_CONTROL_CERTIFICATES_H_
#define CAIRN_TESTS_TRANSPORT_CONTROL_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string>

#include "base/handle.h"
#include "transport/control/pem_file.h"

namespace cairn {

// Signs certificates that are good for an hour.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "test authority");
  std::string certificate_pem() const;
  std::string certificate_der() const;
  // alternative_name: "IP:127.0.0.1", "DNS:node".
  PemPair Issue(const std::string& alternative_name) const;

 private:
  Handle<EVP_PKEY*, EVP_PKEY_free> key_;
  Handle<X509*, X509_free> certificate_;
};

// The same key under a passphrase.
std::string EncryptKey(const std::string& key_pem);

}  // namespace cairn

#endif  // CAIRN_TESTS_TRANSPORT_CONTROL_CERTIFICATES_H_
