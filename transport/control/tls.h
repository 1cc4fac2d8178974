// TLS as those speak it who call a coordinator: nodes, clients and commands alike.
#ifndef CAIRN_TRANSPORT_CONTROL_TLS_H_
#define CAIRN_TRANSPORT_CONTROL_TLS_H_

#include <string>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "transport/control/pem_file.h"

namespace cairn {

// All empty: plain text. PEM files otherwise.
struct TlsOptions {
  std::string ca_file;           // authorities that sign the servers; empty: the system's
  std::string certificate_file;  // our own, for mTLS; with key_file or not at all
  std::string key_file;

  bool enabled() const { return !ca_file.empty() || !certificate_file.empty(); }
  // Reads no file. kInvalidArgument: one of certificate_file and key_file without the other.
  absl::Status Validate() const;
};

struct TlsTexts {
  std::string authorities;
  PemPair pair;

  bool operator==(const TlsTexts&) const = default;
};

// What the files hold; empty for what is not given. kInvalidArgument: what Validate() says, or a
// file that is not what it should be; names option, file and remedy.
absl::StatusOr<TlsTexts> ReadTls(const TlsOptions& options);

// What each advice begins with.
inline constexpr char kTlsAdvice[] = "; TLS: ";
// By gRPC's words of a failed connection, what to change; to be put behind them. Empty where TLS
// has no part in it.
std::string TlsAdvice(const TlsOptions& options, absl::string_view grpc_message);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_TLS_H_
