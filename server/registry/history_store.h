// Where a coordinator keeps what it observed, so that a restart does not blind it. Its own, not
// agreed between coordinators. Implementation: sqlite_history.h.
#ifndef CAIRN_SERVER_REGISTRY_HISTORY_STORE_H_
#define CAIRN_SERVER_REGISTRY_HISTORY_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace cairn {

enum class HistoryStep : uint8_t { kFine = 0, kCoarse = 1 };

struct HistoryRow {
  HistoryStep step = HistoryStep::kFine;
  int64_t unix_s = 0;
  std::string point;  // a serialized v1::HistoryPoint
};

// Thread-safe. Every call may block on a disk.
class HistoryStore {
 public:
  virtual ~HistoryStore() = default;
  // A row of the same step and time is replaced; rows of its step older than keep_s before it go.
  virtual absl::Status Append(const HistoryRow& row, int64_t keep_s) = 0;
  // Rows that were given and not kept, since it was opened. Never blocks.
  virtual uint64_t lost_rows() const = 0;
  // The oldest first.
  virtual absl::StatusOr<std::vector<HistoryRow>> Read(HistoryStep step) = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_HISTORY_STORE_H_
