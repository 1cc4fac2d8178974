#include "tests/transport/control/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"

namespace cairn {
namespace {

using Bio = Handle<BIO*, BIO_free_all>;
using Key = Handle<EVP_PKEY*, EVP_PKEY_free>;
using Certificate = Handle<X509*, X509_free>;
using Extension = Handle<X509_EXTENSION*, X509_EXTENSION_free>;

constexpr long kHour_s = 3600;

std::string TextOf(const Bio& bio) {
  char* begin = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &begin);
  return {begin, static_cast<size_t>(bytes)};
}

template <typename Write>
std::string Written(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  CAIRN_CHECK(bio && write(bio.get()) == 1);
  return TextOf(bio);
}

std::string CertificatePem(const Certificate& certificate) {
  return Written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

// cipher: null for none.
std::string KeyPem(const Key& key, const EVP_CIPHER* cipher) {
  char passphrase[] = "secret";
  return Written([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), cipher, nullptr, 0, nullptr,
                                    cipher == nullptr ? nullptr : passphrase);
  });
}

void AddExtension(const Certificate& certificate, int nid, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  CAIRN_CHECK(extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1);
}

// Of `key`, not yet signed. issuer: null for itself.
Certificate Unsigned(const Key& key, const std::string& name, const X509* issuer) {
  static long serial = 0;
  Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  CAIRN_CHECK(raw != nullptr && X509_set_version(raw, 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(raw), -kHour_s);
  X509_gmtime_adj(X509_getm_notAfter(raw), kHour_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
  CAIRN_CHECK(X509_set_pubkey(raw, key.get()) == 1);
  return certificate;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
  CAIRN_CHECK(key_);
  certificate_ = Unsigned(key_, name, nullptr);
  AddExtension(certificate_, NID_basic_constraints, "critical,CA:TRUE");
  CAIRN_CHECK(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
}

std::string TestAuthority::certificate_pem() const { return CertificatePem(certificate_); }

std::string TestAuthority::certificate_der() const {
  return Written([this](BIO* bio) { return i2d_X509_bio(bio, certificate_.get()); });
}

PemPair TestAuthority::Issue(const std::string& alternative_name) const {
  const Key key(EVP_EC_gen("P-256"));
  CAIRN_CHECK(key);
  const Certificate certificate = Unsigned(key, "test", certificate_.get());
  AddExtension(certificate, NID_subject_alt_name, alternative_name);
  CAIRN_CHECK(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  return {CertificatePem(certificate), KeyPem(key, nullptr)};
}

std::string EncryptKey(const std::string& key_pem) {
  const Bio bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  CAIRN_CHECK(key);
  return KeyPem(key, EVP_aes_128_cbc());
}

}  // namespace cairn
