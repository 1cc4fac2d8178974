// The options by which nodes and commands reach coordinators and move bytes, named as the client's.
#ifndef CAIRN_SERVER_CLI_NETWORK_FLAGS_H_
#define CAIRN_SERVER_CLI_NETWORK_FLAGS_H_

#include <string>

#include "transport/real_network.h"

namespace cairn {

class ConfigSchema;

// Under `prefix` ("" or "node."): ca_file, certificate_file, key_file.
void BindTlsOptions(TlsOptions& options, const std::string& prefix, ConfigSchema& schema);
// ucx_tls.
void BindUcxTls(UcxOptions& options, const std::string& prefix, ConfigSchema& schema);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_NETWORK_FLAGS_H_
