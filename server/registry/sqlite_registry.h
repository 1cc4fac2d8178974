// The embedded registry: one SQLite file in WAL mode. For one machine; a cluster uses another
// implementation of the interface.
#ifndef CAIRN_SERVER_REGISTRY_SQLITE_REGISTRY_H_
#define CAIRN_SERVER_REGISTRY_SQLITE_REGISTRY_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/random.h"
#include "server/registry/registry.h"

namespace cairn {

// path: the database file, made with mode 0600 if absent; ":memory:" keeps nothing. random makes
// identities and secrets and outlives the registry. kFailedPrecondition: written by a newer
// version. kDataLoss: not a database, or damaged. kPermissionDenied: no folder, or not writable.
// Every message names the file and the remedy.
absl::StatusOr<std::unique_ptr<Registry>> OpenSqliteRegistry(const std::string& path,
                                                             Random& random);

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_SQLITE_REGISTRY_H_
