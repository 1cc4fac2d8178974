#include "server/cli/block_client_flags.h"

#include "base/config.h"
#include "proto/identity.h"
#include "server/cli/network_flags.h"

namespace cairn {

void BindBlockClientOptions(BlockClientOptions& options, ConfigSchema& schema) {
  schema.Add("coordinators", &options.coordinators,
             "Addresses of the coordinators, comma separated.");
  schema.Add("tenant_file", &options.tenant_file,
             "Name and secret, from `cairn up` or `cairn tenant add`.");
  schema.Add("timeout", &options.timeout, {absl::Milliseconds(10), absl::Minutes(10)},
             "Deadline of each operation.");
  schema.Add("urgency", &options.urgency,
             "Of all gets: interactive, standard or batch; latencies are kept apart by it.");
  BindTlsOptions(options.network.tls, "", schema);
  BindUcxTls(options.network.ucx, "", schema);
}

void BindBlockBytes(BlockClientOptions& options, const std::string& help, ConfigSchema& schema) {
  schema.AddBytes("block_bytes", &options.block_bytes, {kBlockBytesMin, kBlockBytesMax}, help);
}

}  // namespace cairn
