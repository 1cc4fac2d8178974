// A tenant's name and secret in a file: one line "cairn-tenant-v1 NAME HEX".
#ifndef CAIRN_CLIENT_TENANT_FILE_H_
#define CAIRN_CLIENT_TENANT_FILE_H_

#include <string>

#include <absl/status/statusor.h>

#include "base/disk.h"
#include "proto/identity.h"

namespace cairn {

struct TenantFile {
  std::string name;
  TenantSecret secret{};
};

// kInvalidArgument: not such a file; names the path and what it should hold, never the secret.
absl::StatusOr<TenantFile> ReadTenantFile(const std::string& path, Disk& disk);
// Mode 0600.
absl::Status WriteTenantFile(const std::string& path, const TenantFile& tenant, Disk& disk);

}  // namespace cairn

#endif  // CAIRN_CLIENT_TENANT_FILE_H_
