// PEM files of certificates and keys, checked before anybody speaks TLS with them.
#ifndef CAIRN_TRANSPORT_CONTROL_PEM_FILE_H_
#define CAIRN_TRANSPORT_CONTROL_PEM_FILE_H_

#include <string>

#include <absl/status/statusor.h>

namespace cairn {

// A file and the option that names it, for messages.
struct PemFile {
  const char* option;
  const std::string& path;
};

struct PemPair {
  std::string certificate;  // with the chain behind it
  std::string key;          // secret: never in a message or a log

  bool operator==(const PemPair&) const = default;
};

// The file's text. kInvalidArgument, with option, file and remedy: it cannot be read, or holds no
// certificate.
absl::StatusOr<std::string> ReadPemCertificates(PemFile file);
// kInvalidArgument likewise: one of the two cannot be read, the key wants a passphrase or is not
// the certificate's.
absl::StatusOr<PemPair> ReadPemPair(PemFile certificate, PemFile key);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_PEM_FILE_H_
