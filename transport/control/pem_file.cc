#include "transport/control/pem_file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <absl/strings/str_cat.h>

#include "base/disk.h"
#include "base/handle.h"
#include "base/status.h"

namespace cairn {
namespace {

using Bio = Handle<BIO*, BIO_free_all>;
using Certificate = Handle<X509*, X509_free>;
using Key = Handle<EVP_PKEY*, EVP_PKEY_free>;

Bio Over(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL asks for the passphrase here. Its own way would be to ask at the terminal.
int RefusePassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Certificate ParseCertificate(const std::string& text) {
  Certificate certificate(PEM_read_bio_X509(Over(text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();  // TLS on this thread would take a refusal for its own
  return certificate;
}

Key ParseKey(const std::string& text, bool& wants_passphrase) {
  Key key(PEM_read_bio_PrivateKey(Over(text).get(), nullptr, RefusePassphrase, &wants_passphrase));
  ERR_clear_error();
  return key;
}

bool Fit(const Certificate& certificate, const Key& key) {
  const bool fit = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return fit;
}

absl::StatusOr<std::string> ReadText(PemFile file) {
  absl::StatusOr<std::string> text = RealDisk().ReadFile(file.path);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(file.option, ": ", text.status().message(),
                   "; give a PEM file that the user of this process may read"));
}

absl::StatusOr<std::string> ReadKey(PemFile file, const Certificate& certificate,
                                    PemFile certificate_file) {
  CAIRN_ASSIGN_OR_RETURN(std::string text, ReadText(file));
  bool wants_passphrase = false;
  const Key key = ParseKey(text, wants_passphrase);
  if (wants_passphrase) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.option, ": ", file.path,
        " wants a passphrase; give the key without: openssl pkey -in ", file.path, " -out NEW"));
  }
  if (!key) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.option, ": ", file.path,
                     " holds no private key in PEM; it should begin with -----BEGIN PRIVATE "
                     "KEY-----. DER becomes PEM with: openssl pkey -inform der -in ",
                     file.path, " -out NEW"));
  }
  if (!Fit(certificate, key)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.option, ": ", file.path, " is not the key of ", certificate_file.option,
                     " ", certificate_file.path,
                     "; give the two that were made together, its own certificate first"));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadPemCertificates(PemFile file) {
  CAIRN_ASSIGN_OR_RETURN(std::string text, ReadText(file));
  if (ParseCertificate(text)) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(file.option, ": ", file.path,
                   " holds no certificate in PEM; it should begin with -----BEGIN "
                   "CERTIFICATE-----. DER becomes PEM with: openssl x509 -inform der -in ",
                   file.path, " -out NEW"));
}

absl::StatusOr<PemPair> ReadPemPair(PemFile certificate, PemFile key) {
  PemPair pair;
  CAIRN_ASSIGN_OR_RETURN(pair.certificate, ReadPemCertificates(certificate));
  CAIRN_ASSIGN_OR_RETURN(pair.key, ReadKey(key, ParseCertificate(pair.certificate), certificate));
  return pair;
}

}  // namespace cairn
