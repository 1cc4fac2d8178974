// Stretches of observed time: a day in steps of kFineStep_s, 31 days in steps of kCoarseStep_s.
// Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "cairn/v1/history.pb.h"
#include "cairn/v1/overview.pb.h"
#include "server/coordinator/observe/sums.h"
#include "server/registry/history_store.h"

namespace cairn {

struct KeptPoint {
  int64_t unix_s = 0;
  std::shared_ptr<const std::string> point;  // never null; excerpts outlive what is trimmed
};

// What a request is about. Taken in no time; its reply takes tenths of a second for a day of a
// busy cluster, and needs no lock.
class HistoryExcerpt {
 public:
  HistoryExcerpt(std::vector<KeptPoint> points, int64_t step_s)
      : points_(std::move(points)), step_s_(step_s) {}
  v1::GetHistoryReply Reply() const;

 private:
  const std::vector<KeptPoint> points_;
  const int64_t step_s_;
};

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
  absl::StatusOr<HistoryExcerpt> Excerpt(const v1::GetHistoryRequest& request,
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
  template <typename Visit>
  static void VisitAll(const std::deque<KeptPoint>& kept, Visit visit) {
    for (const KeptPoint& one : kept) {
      v1::HistoryPoint point;
      if (point.ParseFromString(*one.point)) visit(one.unix_s, ParsePoint(point));
    }
  }
  HistoryRow CloseCoarse();
  void Trim(int64_t now_unix_s);

  std::deque<KeptPoint> fine_;
  std::deque<KeptPoint> coarse_;
  size_t bytes_ = 0;                              // of fine_
  std::optional<v1::HistoryPoint> coarse_point_;  // being filled
  int64_t coarse_step_ = 0;  // it ends with the first point beyond this many steps since 1970
  Observed coarse_observed_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_HISTORY_H_
