#include "server/node/coordinator_link.h"

#include <cstring>
#include <utility>

#include "base/hex.h"
#include "base/log.h"
#include "base/version.h"

namespace cairn {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(2);
constexpr absl::Duration kRetryInterval = absl::Milliseconds(250);
// How often the log says that a coordinator does not answer.
constexpr absl::Duration kSilenceInterval = absl::Minutes(1);
// A coordinator that is away for longer than this many changes gets a snapshot when it is back.
constexpr size_t kWaitingChangesMax = 4 * kInventoryChangesMax;

std::string ToString(const NodeId& id) {
  return std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

}  // namespace

size_t CoordinatorLink::Poll() {
  const size_t answers = channel_->Poll();
  const Instant now = clock_.Now();
  if (!registered_) {
    if (!registering_ && now >= next_register_) Register();
    return answers;
  }
  if (!beating_ && (now >= next_heartbeat_ || facts_.serves() != served_)) Heartbeat();
  if (!reporting_ && !waiting_.empty() && now >= next_report_) SendReport();
  return answers;
}

void CoordinatorLink::Register() {
  registering_ = true;
  v1::RegisterNodeRequest request;
  request.set_node_id(ToString(facts_.identity.id));
  request.set_incarnation(facts_.identity.incarnation);
  for (const std::string& address : facts_.reactor_addresses) {
    request.add_reactor_addresses(address);
  }
  request.set_capacity_bytes(facts_.capacity_bytes);
  request.set_http_address(facts_.http_address);
  request.set_version(Version());
  request.set_cluster_id(cluster_id_.empty() ? facts_.cluster_id : cluster_id_);
  CallTyped<v1::RegisterNodeReply>(
      *channel_, "/cairn.v1.Coordinator/RegisterNode", request, kCallTimeout,
      [this](absl::StatusOr<v1::RegisterNodeReply> reply) {
        registering_ = false;
        next_register_ = clock_.Now() + kRetryInterval;
        refusal_ = absl::IsFailedPrecondition(reply.status()) ? reply.status() : absl::OkStatus();
        if (!reply.ok()) return Lost(reply.status());
        registered_ = true;
        next_word_of_silence_ = Instant{INT64_MIN};
        cluster_id_ = reply->cluster_id();
        heartbeat_interval_ = absl::Milliseconds(reply->heartbeat_interval_ms());
        TakeKeys(reply->token_keys());
        // What was not acknowledged is dropped with the changes that came meanwhile, and numbers
        // go on, so that no report is taken for one that was applied: only a snapshot tells all.
        snapshot_wanted_ = true;
        if (reporting_) ++sequence_;
        waiting_.clear();
        waiting_changes_ = 0;
        next_heartbeat_ = clock_.Now();
        Log(LogLevel::kInfo, "coordinator_joined", {{"coordinator", channel_->address()}});
      });
}

void CoordinatorLink::Heartbeat() {
  beating_ = true;
  next_heartbeat_ = clock_.Now() + heartbeat_interval_;
  v1::HeartbeatRequest request;
  request.set_node_id(ToString(facts_.identity.id));
  request.set_incarnation(facts_.identity.incarnation);
  facts_.fill_heartbeat(request);
  const bool ready = served_ = request.ready();
  CallTyped<v1::HeartbeatReply>(*channel_, "/cairn.v1.Coordinator/Heartbeat", request, kCallTimeout,
                                [this, ready](absl::StatusOr<v1::HeartbeatReply> reply) {
                                  beating_ = false;
                                  if (!reply.ok()) return Lost(reply.status());
                                  known_ = reply->known() && ready;
                                  if (!reply->known()) {
                                    registered_ = false;
                                    return;
                                  }
                                  TakeKeys(reply->token_keys());
                                  snapshot_wanted_ = snapshot_wanted_ || reply->snapshot_wanted();
                                });
}

void CoordinatorLink::SendReport() {
  reporting_ = true;
  next_report_ = clock_.Now() + facts_.report_interval;
  const Segment& segment = waiting_.front();
  v1::ReportRequest request;
  request.set_node_id(ToString(facts_.identity.id));
  request.set_incarnation(facts_.identity.incarnation);
  request.set_sequence(sequence_);
  request.set_kind(segment.kind);
  request.set_changes(segment.changes);
  CallTyped<v1::ReportReply>(*channel_, "/cairn.v1.Coordinator/Report", request, kCallTimeout,
                             [this, sequence = sequence_](absl::StatusOr<v1::ReportReply> reply) {
                               reporting_ = false;
                               // A registration between has dropped this report.
                               if (sequence != sequence_ || waiting_.empty()) return;
                               if (!reply.ok()) {
                                 next_report_ = clock_.Now() + kRetryInterval;
                                 return Lost(reply.status());
                               }
                               ++sequence_;
                               waiting_changes_ -=
                                   waiting_.front().changes.size() / sizeof(InventoryChange);
                               waiting_.pop_front();
                               if (reply->snapshot_wanted()) snapshot_wanted_ = true;
                             });
}

// The coordinator forgot us, or refuses: register again. A coordinator that only does not answer
// keeps what it knows, and the same report is sent again.
void CoordinatorLink::Lost(const absl::Status& why) {
  known_ = false;
  const bool silent = absl::IsUnavailable(why) || absl::IsDeadlineExceeded(why);
  if (silent) TellOfSilence(why);
  if (registered_ && !silent) registered_ = false;
  if (!registered_ && !silent && !absl::IsNotFound(why)) {
    Log(LogLevel::kWarning, "coordinator_refuses",
        {{"coordinator", channel_->address()}, {"why", std::string(why.message())}});
  }
}

// Calls are repeated several times a second: the first is told of, then one a while.
void CoordinatorLink::TellOfSilence(const absl::Status& why) {
  const Instant now = clock_.Now();
  if (now < next_word_of_silence_) return;
  next_word_of_silence_ = now + kSilenceInterval;
  Log(LogLevel::kWarning, "coordinator_silent",
      {{"coordinator", channel_->address()}, {"why", std::string(why.message())}});
}

void CoordinatorLink::TakeKeys(const google::protobuf::RepeatedPtrField<std::string>& keys) {
  token_keys_.clear();
  for (const std::string& bytes : keys) {
    PublicKey key;
    if (bytes.size() != key.size()) continue;
    std::memcpy(key.data(), bytes.data(), key.size());
    token_keys_.push_back(key);
  }
}

void CoordinatorLink::Add(const InventoryChange& change) {
  if (!registered_ || snapshot_wanted_) return;  // the snapshot to come tells it
  if (waiting_changes_ == kWaitingChangesMax) {
    snapshot_wanted_ = true;
    return;
  }
  const size_t segment_bytes_max = kInventoryChangesMax * sizeof(InventoryChange);
  // The front may be on its way: nothing is added to it.
  const bool closed = waiting_.empty() || (waiting_.size() == 1 && reporting_) ||
                      waiting_.back().kind == v1::ReportRequest::SNAPSHOT_END ||
                      waiting_.back().changes.size() >= segment_bytes_max;
  if (closed) waiting_.emplace_back();
  waiting_.back().changes.append(reinterpret_cast<const char*>(&change), sizeof(change));
  ++waiting_changes_;
}

void CoordinatorLink::BeginSnapshot() {
  if (!registered_) return;
  snapshot_wanted_ = false;
  // What waits is told by the snapshot too, but a report on its way keeps its number.
  while (waiting_.size() > (reporting_ ? 1u : 0u)) {
    waiting_changes_ -= waiting_.back().changes.size() / sizeof(InventoryChange);
    waiting_.pop_back();
  }
  waiting_.push_back({v1::ReportRequest::SNAPSHOT_BEGIN, ""});
}

void CoordinatorLink::EndSnapshot() {
  if (!registered_ || snapshot_wanted_) return;
  waiting_.push_back({v1::ReportRequest::SNAPSHOT_END, ""});
}

}  // namespace cairn
