#include "server/cli/network_flags.h"

#include "base/config.h"

namespace cairn {

void BindTlsOptions(TlsOptions& options, const std::string& prefix, ConfigSchema& schema) {
  schema.Add(prefix + "ca_file", &options.ca_file,
             "PEM authorities that sign the coordinators' certificates; turns TLS to them on.");
  schema.Add(prefix + "certificate_file", &options.certificate_file,
             "PEM certificate of our own, where coordinators want one (mTLS); with key_file.");
  schema.Add(prefix + "key_file", &options.key_file, "PEM private key of certificate_file.");
}

void BindUcxTls(UcxOptions& options, const std::string& prefix, ConfigSchema& schema) {
  schema.Add(prefix + "ucx_tls", &options.tls,
             "What moves bytes, as UCX calls it: tcp, or with an RDMA adapter rc_mlx5,tcp.");
}

}  // namespace cairn
