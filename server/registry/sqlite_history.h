// A coordinator's history in one SQLite file of its own, beside the registry's.
#ifndef CAIRN_SERVER_REGISTRY_SQLITE_HISTORY_H_
#define CAIRN_SERVER_REGISTRY_SQLITE_HISTORY_H_

#include <memory>
#include <string>

#include "server/registry/history_store.h"

namespace cairn {

// path: as of OpenSqliteRegistry, with its errors. A power cut may cost the last rows.
absl::StatusOr<std::unique_ptr<HistoryStore>> OpenSqliteHistory(const std::string& path);

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_SQLITE_HISTORY_H_
