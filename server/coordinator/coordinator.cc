#include "server/coordinator/coordinator.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/version.h"
#include "cairn/v1/coordinator.pb.h"
#include "cairn/v1/overview.pb.h"
#include "server/coordinator/change_feeds.h"
#include "server/coordinator/identity.h"
#include "server/coordinator/inventory.h"
#include "server/coordinator/known_namespaces.h"
#include "server/coordinator/locate.h"
#include "server/coordinator/match_prefix.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/observe/observer.h"
#include "server/coordinator/prefix_index.h"
#include "server/coordinator/sessions.h"
#include "server/coordinator/watch_reply.h"

namespace cairn {
namespace {

constexpr char kService[] = "/cairn.v1.Coordinator/";
constexpr char kObserver[] = "/cairn.v1.Observer/";
constexpr uint32_t kReportEvery_ms = 10'000;
constexpr size_t kNamespacesShown = 100;

absl::Status CheckRange(const char* field, absl::Duration value, absl::Duration low,
                        absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("coordinator.", field, ": ", absl::FormatDuration(value), " must be ",
                   absl::FormatDuration(low), " to ", absl::FormatDuration(high)));
}

// Of an id that a peer sent, of whatever length.
std::string HexOf(const std::string& id) {
  return HexEncode({reinterpret_cast<const std::byte*>(id.data()),
                    std::min(id.size(), sizeof(ClusterId::bytes))});
}

class CoordinatorImpl final : public Coordinator {
 public:
  CoordinatorImpl(const CoordinatorOptions& options, CoordinatorIdentity identity,
                  Registry& registry, HistoryStore* history, Runtime& runtime)
      : options_(options),
        admin_(std::move(identity.admin)),
        cluster_(identity.cluster),
        registry_(registry),
        history_(history),
        clock_(runtime.clock),
        started_(runtime.clock.Now()),
        last_step_(started_),
        sessions_(options.session_lifetime, std::move(identity.signer), cluster_, runtime.clock),
        members_(options.node_timeout, runtime.clock),
        feeds_(runtime.random, runtime.clock),
        index_(options.index_bytes_max, &feeds_),
        inventory_(index_),
        observer_(runtime.clock) {
    BindAsking("OpenSession", &CoordinatorImpl::OpenSession);
    Bind("Locate", &CoordinatorImpl::LocateChain);
    Bind("ReportClient", &CoordinatorImpl::ReportClient);
    Bind("MatchPrefix", &CoordinatorImpl::MatchChain);
    Bind("RegisterNode", &CoordinatorImpl::RegisterNode);
    Bind("Heartbeat", &CoordinatorImpl::Heartbeat);
    Bind("Report", &CoordinatorImpl::Report);
    BindAsking("GetStatus", &CoordinatorImpl::GetStatus);
    Bind("ForgetNode", &CoordinatorImpl::ForgetNode);
    BindAsking("AddTenant", &CoordinatorImpl::AddTenant);
    BindAsking("ListTenants", &CoordinatorImpl::ListTenants);
    BindAsking("RemoveTenant", &CoordinatorImpl::RemoveTenant);
    Bind("ListNamespaces", &CoordinatorImpl::ListNamespaces);
    BindAsking("GetOverview", &CoordinatorImpl::GetOverview, kObserver);
    BindUnlocked("GetHistory", &CoordinatorImpl::GetHistory, kObserver);
    BindAsking("SetObjective", &CoordinatorImpl::SetObjective, kObserver);
    Bind("ListObjectives", &CoordinatorImpl::ListObjectives, kObserver);
    BindAsking("RemoveObjective", &CoordinatorImpl::RemoveObjective, kObserver);
  }

  // What an earlier life knew. An objective of a tenant that is gone stays, and judges nobody.
  absl::Status Load() {
    MutexLock lock(mutex_);
    if (history_ != nullptr) {
      CAIRN_ASSIGN_OR_RETURN(std::vector<HistoryRow> fine, history_->Read(HistoryStep::kFine));
      CAIRN_ASSIGN_OR_RETURN(std::vector<HistoryRow> coarse, history_->Read(HistoryStep::kCoarse));
      observer_.Load(std::move(fine), std::move(coarse));
    }
    CAIRN_ASSIGN_OR_RETURN(const std::vector<ObjectiveRecord> records, registry_.ListObjectives());
    for (const ObjectiveRecord& record : records) {
      v1::Objective objective;
      absl::Status status = absl::DataLossError("it is no valid protobuf");
      if (objective.ParseFromString(record.body)) {
        status = observer_.SetObjective(objective, TenantOf(objective).value_or(0));
      }
      if (status.ok()) continue;
      Log(LogLevel::kWarning, "objective_ignored",
          {{"objective", record.name}, {"why", std::string(status.message())}});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Handle(const std::string& method,
                                     const std::string& request) override {
    const auto handler = handlers_.find(method);
    if (handler == handlers_.end()) {
      return absl::UnimplementedError(absl::StrCat("no method ", method));
    }
    return handler->second(request);
  }

  bool AsksRegistry(const std::string& method) const override { return asking_.contains(method); }

  absl::StatusOr<std::unique_ptr<Watch>> OpenWatch(const std::string& bytes) override {
    v1::WatchRequest request;
    if (!request.ParseFromString(bytes)) return BadProtobuf();
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(const TokenClaims claims, sessions_.Check(request.token()));
    CAIRN_ASSIGN_OR_RETURN(const ChangeFeeds::Opened opened,
                           feeds_.Open(claims.tenant, {request.epoch(), request.sequence()}));
    return std::make_unique<OpenedWatch>(*this, request.token(), claims.tenant, opened);
  }

  void Step() override {
    for (const HistoryRow& row : StepMembers()) {
      if (history_ == nullptr) break;
      const int64_t keep_s = row.step == HistoryStep::kFine ? kFineSpan_s : kCoarseSpan_s;
      const absl::Status status = history_->Append(row, keep_s);
      if (status.ok()) continue;
      Log(LogLevel::kWarning, "history_not_kept", {{"why", std::string(status.message())}});
    }
    last_step_ = clock_.Now();
  }

  // What is to be kept of it.
  std::vector<HistoryRow> StepMembers() {
    MutexLock lock(mutex_);
    feeds_.Step();
    const bool lost_one = members_.Step();
    for (const NodeSlot slot : members_.LostFor(options_.forget_node_after)) {
      if (index_.count_of(slot) == 0) continue;
      inventory_.Restart(slot);
      Log(LogLevel::kWarning, "node_forgotten",
          {{"node", HexEncode(members_.member(slot).id.bytes)}});
    }
    // A loss is looked at before the node can be back.
    if (!lost_one && !observer_.wants_look()) return {};
    return observer_.Look(Status());
  }

  std::string admin_credential() const override { return admin_; }
  bool ready() const override { return true; }
  absl::Status health() const override {
    const absl::Duration still = clock_.Now() - last_step_.load();
    if (still <= kStepStallMax) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("membership and objectives stand still for ",
                                               absl::ToInt64Seconds(still), " s"));
  }

  std::string MetricsText() const override {
    MutexLock lock(mutex_);
    std::string text;
    const auto add = [&text](const char* name, const char* type, const char* help, uint64_t value) {
      absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name,
                      " ", value, "\n");
    };
    uint64_t ready_nodes = 0;
    for (size_t i = 0; i < members_.size(); ++i) {
      ready_nodes += members_.member(static_cast<NodeSlot>(i)).ready() ? 1 : 0;
    }
    add("cairn_coordinator_nodes_ready", "gauge", "Nodes that take placements.", ready_nodes);
    add("cairn_coordinator_index_blocks", "gauge", "Blocks in the prefix index.", index_.size());
    add("cairn_coordinator_index_bytes", "gauge", "Estimated memory of the index.", index_.bytes());
    add("cairn_coordinator_locates_total", "counter", "Locate calls.", locates_);
    add("cairn_coordinator_matches_total", "counter", "MatchPrefix calls.", matches_);
    add("cairn_coordinator_watches", "gauge", "Watch calls that are open.", feeds_.watchers());
    add("cairn_coordinator_sessions_total", "counter", "Sessions opened.", sessions_.opened());
    add("cairn_coordinator_history_lost_points_total", "counter",
        "Points of the history that were not kept: the disk is stuck, slow or broken.",
        history_ == nullptr ? 0 : history_->lost_rows());
    absl::StrAppend(&text, observer_.MetricsText());
    return text;
  }

 private:
  class OpenedWatch final : public Watch {
   public:
    OpenedWatch(CoordinatorImpl& coordinator, std::string token, TenantId tenant,
                const ChangeFeeds::Opened& opened)
        : coordinator_(coordinator),
          token_(std::move(token)),
          tenant_(tenant),
          first_(opened),
          position_(opened.position) {}
    ~OpenedWatch() override {
      MutexLock lock(coordinator_.mutex_);
      coordinator_.feeds_.Close(tenant_);
    }

    absl::StatusOr<std::optional<std::string>> Next() override {
      MutexLock lock(coordinator_.mutex_);
      CAIRN_RETURN_IF_ERROR(coordinator_.sessions_.Check(token_).status());
      if (first_.has_value()) {
        const ChangeFeeds::Opened first = *std::exchange(first_, std::nullopt);
        return MakeFirstWatchReply(first).SerializeAsString();
      }
      CAIRN_ASSIGN_OR_RETURN(const std::vector<IndexChange> changes,
                             coordinator_.feeds_.Read(tenant_, &position_, kWatchReplyChangesMax));
      if (changes.empty()) return std::nullopt;
      return MakeWatchReply(position_, changes, coordinator_.members_).SerializeAsString();
    }

   private:
    CoordinatorImpl& coordinator_;
    const std::string token_;
    const TenantId tenant_;
    std::optional<ChangeFeeds::Opened> first_;  // until it was told
    ChangeFeeds::Position position_;
  };

  static absl::Status BadProtobuf() {
    return absl::InvalidArgumentError("the request is no valid protobuf of its type");
  }

  template <typename Request, typename Reply>
  using Method = absl::StatusOr<Reply> (CoordinatorImpl::*)(const Request&);

  template <typename Request, typename Reply>
  void Bind(const char* name, Method<Request, Reply> method, const char* service = kService) {
    BindCall<Request>(absl::StrCat(service, name), [this, method](const Request& request) {
      MutexLock lock(mutex_);
      return (this->*method)(request);
    });
  }
  // Of those that take long: lookups and heartbeats must not wait with them.
  template <typename Request, typename Reply>
  void BindUnlocked(const char* name, Method<Request, Reply> method,
                    const char* service = kService) {
    BindCall<Request>(absl::StrCat(service, name),
                      [this, method](const Request& request) { return (this->*method)(request); });
  }
  // Of those that ask the registry, which may wait for a disk.
  template <typename Request, typename Reply>
  void BindAsking(const char* name, Method<Request, Reply> method, const char* service = kService) {
    asking_.insert(absl::StrCat(service, name));
    BindUnlocked(name, method, service);
  }
  template <typename Request, typename Call>
  void BindCall(const std::string& path, Call call) {
    handlers_[path] = [call](const std::string& bytes) -> absl::StatusOr<std::string> {
      Request request;
      if (!request.ParseFromString(bytes)) return BadProtobuf();
      CAIRN_ASSIGN_OR_RETURN(const auto reply, call(request));
      return reply.SerializeAsString();
    };
  }

  absl::StatusOr<v1::OpenSessionReply> OpenSession(const v1::OpenSessionRequest& request) {
    const absl::StatusOr<TenantRecord> tenant = registry_.FindTenant(request.tenant());
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(v1::OpenSessionReply reply, sessions_.Open(request, tenant));
    namespaces_.Opened(request, reply, clock_.Now());
    return reply;
  }

  absl::StatusOr<v1::LocateReply> LocateChain(const v1::LocateRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_ASSIGN_OR_RETURN(const TokenClaims claims, sessions_.Check(request.token()));
    ++locates_;
    CAIRN_ASSIGN_OR_RETURN(v1::LocateReply reply, Locate(request, claims.tenant, index_, members_));
    uint64_t found = 0;
    for (const v1::LocateReply::Run& run : reply.available()) found += run.count();
    namespaces_.Located(claims.tenant, request.namespace_id(),
                        request.keys().size() / sizeof(BlockKey), found, clock_.Now());
    return reply;
  }

  absl::StatusOr<v1::MatchPrefixReply> MatchChain(const v1::MatchPrefixRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_ASSIGN_OR_RETURN(const TokenClaims claims, sessions_.Check(request.token()));
    ++matches_;
    CAIRN_ASSIGN_OR_RETURN(v1::MatchPrefixReply reply,
                           MatchPrefix(request, claims.tenant, index_, members_));
    const ChangeFeeds::Position newest = feeds_.newest(claims.tenant);
    reply.set_epoch(newest.epoch);
    reply.set_sequence(newest.sequence);
    return reply;
  }

  absl::StatusOr<v1::RegisterNodeReply> RegisterNode(const v1::RegisterNodeRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::string cluster_bytes(reinterpret_cast<const char*>(cluster_.bytes.data()),
                                    cluster_.bytes.size());
    if (!request.cluster_id().empty() && request.cluster_id() != cluster_bytes) {
      return absl::FailedPreconditionError(absl::StrCat(
          "cluster_id: the node's drives were used in cluster ", HexOf(request.cluster_id()),
          ", this coordinator is of cluster ", HexEncode(cluster_.bytes),
          "; point the node at its own coordinator, or remove the logs on its drives to begin "
          "anew"));
    }
    bool restarted = false;
    CAIRN_ASSIGN_OR_RETURN(const NodeSlot slot, members_.Register(request, &restarted));
    if (restarted) inventory_.Restart(slot);
    Log(LogLevel::kInfo, "node_joined",
        {{"node", HexEncode(members_.member(slot).id.bytes)},
         {"incarnation", request.incarnation()},
         {"reactors", request.reactor_addresses_size()}});
    v1::RegisterNodeReply reply;
    reply.set_cluster_id(cluster_bytes);
    AddTokenKey(reply.add_token_keys());
    reply.set_heartbeat_interval_ms(
        static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.heartbeat_interval)));
    reply.set_snapshot_wanted(inventory_.snapshot_wanted(slot));
    return reply;
  }

  absl::StatusOr<v1::HeartbeatReply> Heartbeat(const v1::HeartbeatRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::HeartbeatReply reply;
    const absl::StatusOr<NodeSlot> slot = members_.Heartbeat(request);
    if (!slot.ok() && !absl::IsNotFound(slot.status())) return slot.status();
    reply.set_known(slot.ok());
    if (slot.ok()) {
      AddTokenKey(reply.add_token_keys());
      reply.set_snapshot_wanted(inventory_.snapshot_wanted(*slot));
      CAIRN_RETURN_IF_ERROR(observer_.TakeNode(*slot, request));
    }
    return reply;
  }

  absl::StatusOr<v1::ReportClientReply> ReportClient(const v1::ReportClientRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_ASSIGN_OR_RETURN(const TokenClaims claims, sessions_.Check(request.token()));
    const uint32_t tokens = namespaces_.tokens_per_block(claims.tenant, request.namespace_id());
    CAIRN_RETURN_IF_ERROR(observer_.TakeClient(claims.tenant, claims.client, tokens, request));
    v1::ReportClientReply reply;
    reply.set_interval_ms(kReportEvery_ms);
    return reply;
  }

  absl::StatusOr<v1::ReportReply> Report(const v1::ReportRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_ASSIGN_OR_RETURN(const NodeId id, ParseNodeId(request.node_id(), "node_id"));
    CAIRN_ASSIGN_OR_RETURN(const NodeSlot slot, members_.Find(id, request.incarnation()));
    CAIRN_ASSIGN_OR_RETURN(const bool snapshot_wanted, inventory_.Apply(slot, request));
    v1::ReportReply reply;
    reply.set_snapshot_wanted(snapshot_wanted);
    return reply;
  }

  absl::StatusOr<v1::GetStatusReply> GetStatus(const v1::GetStatusRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_ASSIGN_OR_RETURN(const std::vector<TenantRecord> tenants, registry_.ListTenants());
    MutexLock lock(mutex_);
    v1::GetStatusReply reply = Status();
    reply.set_tenants(static_cast<uint32_t>(tenants.size()));
    return reply;
  }

  // All but what the registry knows.
  v1::GetStatusReply Status() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::GetStatusReply reply;
    reply.set_cluster_id(cluster_.bytes.data(), cluster_.bytes.size());
    reply.set_indexed_blocks(index_.size());
    reply.set_index_bytes(index_.bytes());
    reply.set_index_bytes_max(index_.bytes_max());
    reply.set_sessions_opened(sessions_.opened());
    reply.set_locates(locates_);
    reply.set_uptime_ms(absl::ToInt64Milliseconds(clock_.Now() - started_));
    for (size_t i = 0; i < members_.size(); ++i) {
      const auto slot = static_cast<NodeSlot>(i);
      if (!members_.member(slot).forgotten) FillNode(slot, *reply.add_nodes());
    }
    return reply;
  }

  void FillNode(NodeSlot slot, v1::GetStatusReply::Node& node) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Member& member = members_.member(slot);
    node.set_node_id(member.id.bytes.data(), member.id.bytes.size());
    node.set_incarnation(member.incarnation);
    node.set_state(member.lost ? "lost" : member.announced_ready ? "ready" : "not_ready");
    for (const std::string& address : member.reactor_addresses) node.add_reactor_addresses(address);
    node.set_http_address(member.http_address);
    node.set_version(member.version);
    node.set_capacity_bytes(member.capacity_bytes);
    node.set_used_bytes(member.last_report.used_bytes());
    node.set_block_count(member.last_report.block_count());
    node.set_pinned_blocks(member.last_report.pinned_blocks());
    node.set_last_heartbeat_age_ms(absl::ToInt64Milliseconds(clock_.Now() - member.last_heartbeat));
    node.set_indexed_blocks(index_.count_of(slot));
    *node.mutable_counters() = member.last_report.counters();
    if (member.last_report.has_nvme()) *node.mutable_nvme() = member.last_report.nvme();
    node.set_queued_blocks(member.last_report.queued_blocks());
    node.set_transport(member.last_report.transport());
  }

  absl::StatusOr<v1::ForgetNodeReply> ForgetNode(const v1::ForgetNodeRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_ASSIGN_OR_RETURN(const NodeSlot slot, members_.FindByDigits(request.node()));
    CAIRN_RETURN_IF_ERROR(members_.Forget(slot));
    inventory_.Restart(slot);
    const NodeId& id = members_.member(slot).id;
    v1::ForgetNodeReply reply;
    reply.set_node_id(id.bytes.data(), id.bytes.size());
    observer_.ForgetMember(reply.node_id());
    Log(LogLevel::kInfo, "node_taken_away", {{"node", HexEncode(id.bytes)}});
    return reply;
  }

  absl::StatusOr<v1::GetOverviewReply> GetOverview(const v1::GetOverviewRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_ASSIGN_OR_RETURN(const std::vector<TenantRecord> tenants, registry_.ListTenants());
    v1::GetOverviewReply overview;
    for (const TenantRecord& tenant : tenants) FillTenant(tenant, *overview.add_tenants());
    MutexLock lock(mutex_);
    *overview.mutable_status() = Status();
    overview.mutable_status()->set_tenants(static_cast<uint32_t>(tenants.size()));
    const v1::ListNamespacesReply known = namespaces_.List(clock_.Now());
    const int shown = std::min<int>(known.namespaces_size(), kNamespacesShown);
    for (int i = 0; i < shown; ++i) *overview.add_namespaces() = known.namespaces(i);
    overview.set_version(Version());
    observer_.Fill(overview);
    return overview;
  }

  absl::StatusOr<v1::GetHistoryReply> GetHistory(const v1::GetHistoryRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_ASSIGN_OR_RETURN(const HistoryExcerpt excerpt, HistoryExcerptFor(request));
    return excerpt.Reply();  // No lookup waits while a day is added up.
  }
  absl::StatusOr<HistoryExcerpt> HistoryExcerptFor(const v1::GetHistoryRequest& request) const {
    MutexLock lock(mutex_);
    return observer_.Excerpt(request);
  }

  // kNotFound: no such tenant. nullopt: of all tenants.
  absl::StatusOr<std::optional<TenantId>> TenantOf(const v1::Objective& objective) const {
    if (objective.tenant().empty()) return std::optional<TenantId>();
    CAIRN_ASSIGN_OR_RETURN(const TenantRecord tenant, registry_.FindTenant(objective.tenant()));
    return std::optional<TenantId>(tenant.id);
  }

  absl::Status CheckRoomFor(const v1::Objective& objective) const {
    MutexLock lock(mutex_);
    return observer_.CheckRoomFor(objective);
  }

  absl::StatusOr<v1::SetObjectiveReply> SetObjective(const v1::SetObjectiveRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    const v1::Objective& objective = request.objective();
    CAIRN_ASSIGN_OR_RETURN(const std::optional<TenantId> tenant, TenantOf(objective));
    MutexLock one_change(objectives_mutex_);
    CAIRN_RETURN_IF_ERROR(CheckRoomFor(objective));
    CAIRN_RETURN_IF_ERROR(
        registry_.SetObjective({objective.name(), objective.SerializeAsString()}));
    MutexLock lock(mutex_);
    CAIRN_RETURN_IF_ERROR(observer_.SetObjective(objective, tenant));
    observer_.AddEvent("objective_set", objective.name(),
                       absl::StrCat("Objective ", objective.name(), " was set."));
    Log(LogLevel::kInfo, "objective_set", {{"objective", objective.name()}});
    return v1::SetObjectiveReply();
  }

  absl::StatusOr<v1::ListObjectivesReply> ListObjectives(const v1::ListObjectivesRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    v1::ListObjectivesReply reply;
    for (v1::ObjectiveState& state : observer_.objectives()) {
      *reply.add_objectives() = std::move(state);
    }
    return reply;
  }

  absl::StatusOr<v1::RemoveObjectiveReply> RemoveObjective(
      const v1::RemoveObjectiveRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    MutexLock one_change(objectives_mutex_);
    CAIRN_RETURN_IF_ERROR(registry_.RemoveObjective(request.name()));
    MutexLock lock(mutex_);
    observer_.RemoveObjective(request.name());
    observer_.AddEvent("objective_removed", request.name(),
                       absl::StrCat("Objective ", request.name(), " was removed."));
    Log(LogLevel::kInfo, "objective_removed", {{"objective", request.name()}});
    return v1::RemoveObjectiveReply();
  }

  absl::StatusOr<v1::AddTenantReply> AddTenant(const v1::AddTenantRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    TenantRecord wanted;
    wanted.name = request.tenant().name();
    wanted.inflight_bytes_max = request.tenant().inflight_bytes_max();
    wanted.weight = request.tenant().weight();
    CAIRN_ASSIGN_OR_RETURN(const TenantRecord added, registry_.AddTenant(wanted));
    Log(LogLevel::kInfo, "tenant_added", {{"tenant", added.name}, {"id", added.id}});
    v1::AddTenantReply reply;
    FillTenant(added, *reply.mutable_tenant());
    reply.set_secret(added.secret.data(), added.secret.size());
    return reply;
  }

  absl::StatusOr<v1::ListTenantsReply> ListTenants(const v1::ListTenantsRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_ASSIGN_OR_RETURN(const std::vector<TenantRecord> tenants, registry_.ListTenants());
    v1::ListTenantsReply reply;
    for (const TenantRecord& tenant : tenants) FillTenant(tenant, *reply.add_tenants());
    return reply;
  }

  absl::StatusOr<v1::RemoveTenantReply> RemoveTenant(const v1::RemoveTenantRequest& request) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    CAIRN_RETURN_IF_ERROR(registry_.RemoveTenant(request.name()));
    Log(LogLevel::kInfo, "tenant_removed", {{"tenant", request.name()}});
    return v1::RemoveTenantReply();
  }

  absl::StatusOr<v1::ListNamespacesReply> ListNamespaces(const v1::ListNamespacesRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    CAIRN_RETURN_IF_ERROR(CheckAdmin(request.admin_credential()));
    return namespaces_.List(clock_.Now());
  }

  static void FillTenant(const TenantRecord& record, v1::Tenant& tenant) {
    tenant.set_name(record.name);
    tenant.set_id(record.id);
    tenant.set_inflight_bytes_max(record.inflight_bytes_max);
    tenant.set_weight(record.weight);
  }

  absl::Status CheckAdmin(const std::string& credential) const {
    const bool fits = credential.size() == admin_.size() &&
                      CRYPTO_memcmp(credential.data(), admin_.data(), admin_.size()) == 0;
    if (fits) return absl::OkStatus();
    return absl::UnauthenticatedError(
        "wrong admin credential; it is in the file `admin` of the coordinator's state folder");
  }

  void AddTokenKey(std::string* out) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const PublicKey key = sessions_.public_key();
    out->assign(reinterpret_cast<const char*>(key.data()), key.size());
  }

  const CoordinatorOptions options_;
  const std::string admin_;
  const ClusterId cluster_;
  Registry& registry_;
  HistoryStore* const history_;  // nullptr: none is kept
  Clock& clock_;
  const Instant started_;
  std::atomic<Instant> last_step_;
  absl::flat_hash_map<std::string, std::function<absl::StatusOr<std::string>(const std::string&)>>
      handlers_;
  absl::flat_hash_set<std::string> asking_;  // those that may ask the registry
  Mutex objectives_mutex_;  // registry and observer change alike; taken before mutex_
  mutable Mutex mutex_;     // not held while the registry is asked, but for the start
  Sessions sessions_ ABSL_GUARDED_BY(mutex_);
  Membership members_ ABSL_GUARDED_BY(mutex_);
  ChangeFeeds feeds_ ABSL_GUARDED_BY(mutex_);
  PrefixIndex index_ ABSL_GUARDED_BY(mutex_);
  Inventory inventory_ ABSL_GUARDED_BY(mutex_);
  KnownNamespaces namespaces_ ABSL_GUARDED_BY(mutex_);
  Observer observer_ ABSL_GUARDED_BY(mutex_);
  uint64_t locates_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t matches_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::Status CoordinatorOptions::Validate() const {
  if (state_folder.empty()) {
    return absl::InvalidArgumentError(
        "coordinator.state_folder: empty; give a folder for the signing key and the registry");
  }
  if (index_bytes_max < (1u << 20)) {
    return absl::InvalidArgumentError(
        absl::StrCat("coordinator.index_bytes_max: ", index_bytes_max, " must be at least 1 MiB"));
  }
  CAIRN_RETURN_IF_ERROR(CheckRange("heartbeat_interval", heartbeat_interval, absl::Milliseconds(10),
                                   absl::Minutes(1)));
  CAIRN_RETURN_IF_ERROR(
      CheckRange("node_timeout", node_timeout, 2 * heartbeat_interval, absl::Minutes(10)));
  CAIRN_RETURN_IF_ERROR(
      CheckRange("forget_node_after", forget_node_after, node_timeout, absl::Hours(24 * 30)));
  return CheckRange("session_lifetime", session_lifetime, absl::Seconds(10), absl::Hours(24));
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(const CoordinatorOptions& options,
                                                                 Registry& registry,
                                                                 Runtime& runtime,
                                                                 HistoryStore* history) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  CAIRN_ASSIGN_OR_RETURN(CoordinatorIdentity identity,
                         LoadOrCreateIdentity(options.state_folder, registry, runtime));
  auto coordinator =
      std::make_unique<CoordinatorImpl>(options, std::move(identity), registry, history, runtime);
  CAIRN_RETURN_IF_ERROR(coordinator->Load());
  return coordinator;
}

}  // namespace cairn
