// What people look at: the last minute, a day, objectives, findings, events. Fed by heartbeats,
// clients' reports and the coordinator's own looks at its members. Not thread-safe: the
// coordinator's mutex covers it, so nothing here touches a disk.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_OBSERVER_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_OBSERVER_H_

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "cairn/v1/overview.pb.h"
#include "server/coordinator/observe/event_log.h"
#include "server/coordinator/observe/history.h"
#include "server/coordinator/observe/objective.h"
#include "server/coordinator/observe/writers.h"

namespace cairn {

class Observer {
 public:
  static constexpr size_t kObjectivesMax = 64;

  explicit Observer(Clock& clock) : clock_(clock), next_point_(clock.Now() + kPointEvery) {}

  // Of an earlier life. Before any other call.
  void Load(std::vector<HistoryRow> fine, std::vector<HistoryRow> coarse);

  // Reports; errors as of Writers.
  absl::Status TakeNode(NodeSlot node, const v1::HeartbeatRequest& report) {
    return writers_.TakeNode(node, report);
  }
  absl::Status TakeClient(TenantId tenant, const ClientId& client, uint32_t tokens_per_block,
                          const v1::ReportClientRequest& report) {
    return writers_.TakeClient(tenant, client, tokens_per_block, report, clock_.Now());
  }
  void AddEvent(std::string kind, std::string subject, std::string text) {
    events_.Add(clock_.UnixSeconds(), std::move(kind), std::move(subject), std::move(text));
  }

  // A member that the next status will not have, for good. The next look is due at once.
  void ForgetMember(const std::string& node_id);

  // What SetObjective would say. Errors as of CheckObjective; kResourceExhausted: kObjectivesMax.
  absl::Status CheckRoomFor(const v1::Objective& objective) const;
  // tenant: of the objective's; nullopt: all. Replaces the one of that name.
  absl::Status SetObjective(const v1::Objective& objective, std::optional<TenantId> tenant);
  void RemoveObjective(const std::string& name) { objectives_.erase(name); }
  // The least budget left first.
  std::vector<v1::ObjectiveState> objectives() const;

  // A look at the cluster, about every second and when a member was lost: members that came and
  // went become events, findings are made. What is to be kept on the disk, seldom more than
  // nothing.
  bool wants_look() const { return clock_.Now() >= next_look_; }
  std::vector<HistoryRow> Look(const v1::GetStatusReply& status);

  // All but status, namespaces and tenants.
  void Fill(v1::GetOverviewReply& overview) const;
  absl::StatusOr<HistoryExcerpt> Excerpt(const v1::GetHistoryRequest& request) const {
    return history_.Excerpt(request, clock_.UnixSeconds());
  }
  std::string MetricsText() const;

 private:
  static constexpr absl::Duration kPointEvery = absl::Seconds(kFineStep_s);
  static constexpr absl::Duration kLookEvery = absl::Seconds(1);
  static constexpr size_t kMinutePoints = 6;
  static constexpr size_t kHitPoints = 60;     // of ten minutes
  static constexpr size_t kStatusPoints = 12;  // of an hour

  struct Tracked {
    v1::Objective objective;
    std::optional<TenantId> tenant;
    CallHistory calls;
    GoodCalls since_start;
  };
  using FindingName = std::pair<std::string, std::string>;  // id and subject

  std::string HitMetricsText() const;
  std::string ObjectiveMetricsText() const;  // and findings
  void ClosePoint(const v1::GetStatusReply& status, std::vector<HistoryRow>& rows);
  void NoteMembers(const v1::GetStatusReply& status);
  void KeepThoseThatStand(std::vector<v1::Finding>& findings);
  void NoteFindings(std::vector<v1::Finding> findings);

  Clock& clock_;
  Instant next_point_;
  Instant next_look_{INT64_MIN};
  Writers writers_;
  History history_;
  EventLog events_;
  std::map<std::string, Tracked> objectives_;
  std::deque<Observed> minute_;
  std::deque<HitSums> hits_;
  HitSums hits_since_start_;
  std::deque<v1::GetStatusReply> minute_statuses_;  // one a point, and the first
  std::deque<v1::GetStatusReply> statuses_;         // one a coarse point, and the first
  std::map<std::string, std::string> members_;      // node id to the state last seen
  std::vector<v1::Finding> findings_;
  std::map<FindingName, Instant> seen_since_;  // also those that are not told yet
  std::map<FindingName, int64_t> raised_at_unix_s_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_OBSERVER_H_
