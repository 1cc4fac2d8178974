#include "client/tenant_file.h"

#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/hex.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr char kFormat[] = "cairn-tenant-v1";

}  // namespace

absl::StatusOr<TenantFile> ReadTenantFile(const std::string& path, Disk& disk) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, disk.ReadFile(path));
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  TenantFile tenant;
  if (words.size() != 3 || words[0] != kFormat ||
      !HexDecode(words[2], absl::MakeSpan(tenant.secret)).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a tenant file (one line \"", kFormat,
                     " NAME SECRET\"); make one with `cairn tenant add NAME --out FILE`"));
  }
  tenant.name = words[1];
  return tenant;
}

absl::Status WriteTenantFile(const std::string& path, const TenantFile& tenant, Disk& disk) {
  return disk.WriteFileAtomically(
      path, absl::StrCat(kFormat, " ", tenant.name, " ", HexEncode(tenant.secret), "\n"), 0600);
}

}  // namespace cairn
