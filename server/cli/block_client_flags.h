// The options by which commands reach a cluster as a tenant.
#ifndef CAIRN_SERVER_CLI_BLOCK_CLIENT_FLAGS_H_
#define CAIRN_SERVER_CLI_BLOCK_CLIENT_FLAGS_H_

#include <string>

#include "server/cli/block_client.h"

namespace cairn {

class ConfigSchema;

void BindBlockClientOptions(BlockClientOptions& options, ConfigSchema& schema);
void BindBlockBytes(BlockClientOptions& options, const std::string& help, ConfigSchema& schema);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BLOCK_CLIENT_FLAGS_H_
