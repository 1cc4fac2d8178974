// Stretches of observed time: a day in steps of kFineStep_s, 31 days in steps of kCoarseStep_s.
// Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cairn/v1/history.pb.h"
#include "cairn/v1/overview.pb.h"
#include "server/coordinator/observe/sums.h"
#include "server/registry/history_store.h"

namespace cairn {

class History {
 public:
  // Serialized: 60 to 100 bytes a series instead of 170, so that a day of a busy cluster is some
  // MB.
  static constexpr size_t kBytesMax = 64u << 20;  // beyond it the oldest fine points go

  // Of an earlier life, the oldest first; what cannot be read is left out.
  void Load(std::vector<HistoryRow> fine, std::vector<HistoryRow> coarse);

  // A stretch of kFineStep_s that has just ended, later than any before. What is to be kept of it:
  // the point, and now and then a coarse one.
  std::vector<HistoryRow> Add(const v1::HistoryPoint& point);

  // kInvalidArgument names the field.
  absl::StatusOr<v1::GetHistoryReply> Reply(const v1::GetHistoryRequest& request,
                                            int64_t now_unix_s) const;
  int64_t newest_unix_s() const { return fine_.empty() ? 0 : fine_.back().unix_s; }

  // visit(unix_s, observed), the oldest first.
  template <typename Visit>
  void VisitFine(Visit visit) const {
    VisitAll(fine_, visit);
  }
  template <typename Visit>
  void VisitCoarse(Visit visit) const {
    VisitAll(coarse_, visit);
  }

 private:
  struct Kept {
    int64_t unix_s = 0;
    std::string point;
  };
  template <typename Visit>
  static void VisitAll(const std::deque<Kept>& kept, Visit visit) {
    for (const Kept& one : kept) {
      v1::HistoryPoint point;
      if (point.ParseFromString(one.point)) visit(one.unix_s, ParsePoint(point));
    }
  }
  HistoryRow CloseCoarse();
  void Trim(int64_t now_unix_s);

  std::deque<Kept> fine_;
  std::deque<Kept> coarse_;
  size_t bytes_ = 0;                              // of fine_
  std::optional<v1::HistoryPoint> coarse_point_;  // being filled
  int64_t coarse_step_ = 0;  // it ends with the first point beyond this many steps since 1970
  Observed coarse_observed_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_
