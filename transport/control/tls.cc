#include "transport/control/tls.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

// The peer hung up before gRPC's first words. gRPC 1.51 knows no more: it is what a TLS server does
// to plain text, and, as TLS 1.3 has it, to a certificate that it does not want.
const char* AdviceOnRefusal(const TlsOptions& options) {
  if (!options.enabled()) return "if the coordinator speaks it, give its authority as ca_file";
  if (options.certificate_file.empty()) {
    return "if the coordinator has a tls_client_ca_file, give certificate_file and key_file";
  }
  return "the coordinator may refuse certificate_file: its tls_client_ca_file must have signed it";
}

const char* AdviceOn(const TlsOptions& options, absl::string_view grpc_message) {
  const auto says = [grpc_message](const char* words) {
    return absl::StrContains(grpc_message, words);
  };
  if (!says("failed to connect")) return "";
  if (says("wrong version number")) {
    return "the coordinator speaks none: give no ca_file and no certificate_file, or start it with "
           "tls_certificate_file and tls_key_file";
  }
  if (says("is not in peer certificate")) {
    return "the coordinator's certificate is for other names; call it by one of them, or give it "
           "one that has this name (subjectAltName)";
  }
  const bool refused = says("Socket closed") || says("Connection reset") || says("Broken pipe");
  if (refused || says(" alert ")) return AdviceOnRefusal(options);
  return says("handshake failed")
             ? "ca_file did not sign the coordinator's certificate, or that has expired; give the "
               "authority that signed it, or renew it"
             : "";
}

}  // namespace

absl::Status TlsOptions::Validate() const {
  if (certificate_file.empty() == key_file.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      key_file.empty() ? "certificate_file: given without key_file; give both, or neither"
                       : "key_file: given without certificate_file; give both, or neither");
}

absl::StatusOr<TlsTexts> ReadTls(const TlsOptions& options) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  TlsTexts texts;
  if (!options.ca_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(texts.authorities, ReadPemCertificates({"ca_file", options.ca_file}));
  }
  if (!options.certificate_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(texts.pair, ReadPemPair({"certificate_file", options.certificate_file},
                                                   {"key_file", options.key_file}));
  }
  return texts;
}

std::string TlsAdvice(const TlsOptions& options, absl::string_view grpc_message) {
  const char* const advice = AdviceOn(options, grpc_message);
  return *advice == '\0' ? "" : absl::StrCat(kTlsAdvice, advice);
}

}  // namespace cairn
