// The client's machinery. One thread; one subject per file: match.cc, get.cc, put.cc,
// locating.cc (asking coordinators), node_link.cc (connections).
#ifndef CAIRN_CLIENT_CLIENT_IMPL_H_
#define CAIRN_CLIENT_CLIENT_IMPL_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "client/bounce_pool.h"
#include "client/client.h"
#include "client/client_figures.h"
#include "client/coordinator_session.h"
#include "client/location_cache.h"
#include "client/region.h"
#include "client/sleeper.h"
#include "proto/block_key.h"
#include "transport/network.h"

namespace cairn {

inline constexpr uint32_t kNone = UINT32_MAX;
inline constexpr size_t kLinksMax = 4096;
inline constexpr size_t kMatchesMax = 4096;                        // in flight
inline constexpr size_t kMatchKeysMax = 65536;                     // of one chain
inline constexpr uint64_t kBouncePoolBytes = 128u << 20;           // two blocks of the largest size
inline constexpr uint64_t kStagedBytesMax = kBouncePoolBytes / 2;  // the rest is for other bounces

// Request ids name a record and a time that it was taken.
inline constexpr int kIndexBits = 20;

class ClientImpl final : public Client, private Handler {
 public:
  ClientImpl(const ClientOptions& options, Runtime& runtime);
  absl::Status Build(const v1::Namespace& ns);
  ~ClientImpl() override;

  bool ready() const override { return session_->open(); }
  const std::string& server_version() const override { return session_->server_version(); }
  absl::StatusOr<std::unique_ptr<MemoryRegion>> RegisterPieces(
      absl::Span<const absl::Span<std::byte>> pieces) override;
  BlockKey MakeKey(absl::Span<const std::byte> block_hash) const override {
    return key_maker_->Make(block_hash);
  }
  absl::Status Match(absl::Span<const BlockKey> chain, uint64_t tag, Instant deadline) override;
  absl::Status Get(absl::Span<const Transfer> batch, LeaseId lease, Instant deadline) override;
  absl::Status Put(absl::Span<const Transfer> batch, const PutHints& hints,
                   Instant deadline) override;
  absl::Status PutBehind(absl::Span<const Transfer> batch, const PutHints& hints,
                         Instant deadline) override;
  void Release(LeaseId lease) override;
  size_t Poll(absl::Span<Completion> out) override;
  int event_fd() const override { return sleeper_ == nullptr ? -1 : sleeper_->event_fd(); }
  bool HasEnded() const override { return completions_taken_ < ended_before_; }
  bool PrepareToSleep() override;
  const ClientStatistics& statistics() const override { return statistics_; }
  const Histogram& get_latency_ns() const override { return get_latency_ns_; }
  const CoordinatorSession& session() const { return *session_; }
  // Ends what names the region; on return no lane touches its bytes.
  void Forget(ClientRegion& region);

 private:
  enum class Kind : uint8_t { kGet, kPut };
  enum class Stage : uint8_t { kFree, kLocating, kQueued, kSent };

  // One block on its way, in a slab of operations_max.
  struct Operation {
    Kind kind = Kind::kGet;
    Stage stage = Stage::kFree;
    bool ending = false;        // for `reason`, when its link's bulk endpoint is closed
    bool replied = false;       // Put: the node has answered `reason`
    uint16_t request_slot = 0;  // Get: in its request
    uint16_t hints = 0;
    uint32_t batch = kNone;
    LinkIndex link = kNone;
    uint32_t request = kNone;  // Get: index into requests_
    uint32_t length = 0;
    uint32_t landed_bytes = 0;
    uint32_t started_bytes = 0;
    uint32_t chunk_bytes = 0;          // Get: asked for; 0 leaves it to the node
    uint32_t transfers_in_flight = 0;  // receives or sends that the lane has
    uint32_t queue_next = kNone;       // in its link's queue
    uint32_t queue_previous = kNone;
    uint32_t position = 0;
    uint64_t tag = 0;
    uint64_t serial = 0;  // unique; of a Put also its request id
    uint64_t bounce_offset = UINT64_MAX;
    BlockKey key;
    BlockKey parent;
    BlockKey run_key;
    Checksum checksum;                     // Get: as the first chunk announced it
    const MemoryRegion* region = nullptr;  // null of a PutBehind, which reads the bounce pool alone
    std::vector<Extents> extents;          // from its region's origin; keeps its capacity
    Instant begun;
    Instant placed;  // Get: its node is known
    wire::MissReason reason = wire::MissReason::kNone;
  };

  // What was submitted together and has one deadline.
  struct Batch {
    std::vector<uint32_t> operations;
    uint32_t remaining = 0;
    uint64_t lease = 0;
    Instant deadline;
    Instant late_after;
    bool expired = false;
  };

  // One Fetch message: which operation each of its blocks is.
  struct Request {
    uint64_t id = 0;  // 0: free
    LinkIndex link = kNone;
    uint32_t remaining = 0;
    bool canceled = false;
    std::vector<uint32_t> operations;  // kNone: has ended
  };

  // Waits for a coordinator's session, then asks where these operations go.
  using Waiting = std::vector<std::pair<uint32_t, uint64_t>>;  // index and serial
  struct Locating {
    v1::LocateRequest request;
    Waiting gets;
    BlockKey run_key;  // Put: who waits stands in placing_
    Kind kind = Kind::kGet;
    Instant deadline;
  };

  // A lease at one node.
  struct NodeLease {
    LinkIndex link = kNone;
    uint64_t id = 0;
  };
  struct HeldLease {
    NodeLease lease;
    uint32_t first_index = 0;  // the first block of the chain that it holds
  };
  struct ClientLease {
    Instant expiry;
    std::vector<NodeLease> parts;
  };

  struct MatchOperation {
    uint64_t tag = 0;
    Instant deadline;
    Instant late_after;
    std::vector<BlockKey> chain;
    std::vector<bool> held;
    std::vector<wire::MissReason> reasons;  // of those not held
    uint32_t pins_pending = 0;
    bool begun = false;  // asked a coordinator or pinned
    std::vector<HeldLease> leases;
  };
  struct PendingPin {
    uint64_t match = 0;
    NodeLease lease;
    std::vector<uint32_t> indices;  // into the chain
  };

  // First in, first out, threaded through the operations.
  struct Queue {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };

  enum class LinkState : uint8_t { kIdle, kOpening, kOpen, kClosing };
  struct Link {
    std::string address;
    uint64_t incarnation = 0;         // of the session; 0 before Hello
    uint64_t newest_incarnation = 0;  // that anybody told
    uint64_t features = 0;
    LinkState state = LinkState::kIdle;
    EndpointId control = EndpointId::kNone;
    EndpointId bulk = EndpointId::kNone;
    uint32_t hellos_pending = 0;
    uint32_t failures = 0;  // in a row
    bool draining = false;
    bool opened_before = false;
    absl::Duration backoff;
    Instant retry_at{INT64_MIN};
    Instant opening_until;
    uint32_t pings_unanswered = 0;
    Instant next_ping;
    uint32_t fetches = 0;
    uint32_t fetches_max = 1;
    uint32_t puts = 0;
    uint32_t puts_max = 1;
    Queue gets, puts_queued;            // of operations
    std::vector<uint64_t> queued_pins;  // requests; bounded by the matches in flight
  };

  // Handler
  void OnAccepted(EndpointId, const std::string&) override {}
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                        uint64_t bulk_bytes) override;
  void OnBulkReceived(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnBulkSent(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnFailed(EndpointId endpoint, const absl::Status& why) override;
  void OnClosed(EndpointId endpoint) override;

  // node_link.cc
  LinkIndex FindOrAddLink(const v1::LocateReply::Node& node, uint32_t reactor);
  bool Usable(const Link& link) const;
  void OpenLink(LinkIndex index);
  bool SendHello(EndpointId endpoint, wire::Lane lane);
  void TakeHelloReply(LinkIndex index, absl::Span<const std::byte> message);
  void FailLink(LinkIndex index, wire::MissReason reason);
  void CloseLink(LinkIndex index, wire::MissReason reason);
  template <typename Visit>  // Visit(operation index), which may complete it
  void ForEachOperationOf(LinkIndex link, Visit visit);
  void TendLinks();
  void TendLink(LinkIndex index);
  LinkIndex LinkOf(EndpointId endpoint) const;
  void Pump(LinkIndex index);

  // match.cc
  void BeginMatches();
  void BeginMatch(uint64_t id);
  std::vector<LinkIndex> CachedPrefix(const std::vector<BlockKey>& chain) const;
  void TakeLocations(uint64_t id, const absl::StatusOr<v1::LocateReply>& reply);
  std::vector<LinkIndex> Learn(const std::vector<BlockKey>& chain, const v1::LocateReply& reply);
  void PinAt(uint64_t id, const std::vector<LinkIndex>& links);
  bool SendPin(Link& link, uint64_t request);
  void TakePinReply(LinkIndex index, absl::Span<const std::byte> message);
  void FailPins(LinkIndex index, wire::MissReason reason);
  void EndPin(uint64_t match);
  void EndMatch(uint64_t id);
  void ExpireMatches();
  void ExpireLeases();
  void SendRelease(const NodeLease& lease);

  // get.cc
  void PumpGets(LinkIndex index);
  bool SendFetch(LinkIndex index);
  uint32_t TakeRequest(LinkIndex link);
  void MarkFetching(Link& link, uint32_t request);
  bool PrepareLanding(Operation& operation, const Link& link);
  std::optional<RegionSlice> LandingOf(const Operation& operation, uint32_t offset,
                                       uint32_t bytes) const;
  void EndWithLink(Operation& operation);
  absl::Span<std::byte> BytesOf(const Operation& operation) const;
  Checksum LandedChecksum(const Operation& operation) const;
  void FinishGet(uint32_t operation);
  void TakeFetchReply(LinkIndex index, absl::Span<const std::byte> message);
  void LeaveRequest(uint32_t operation);
  void CancelRequest(const Operation& operation);
  void SendSuspect(const Operation& operation);
  uint64_t NodeLeaseAt(uint64_t lease, LinkIndex link) const;

  // put.cc and put_behind.cc
  absl::Status CheckPuts(absl::Span<const Transfer> batch) const;
  void SubmitPuts(absl::Span<const Transfer> batch, absl::Span<const uint64_t> staged,
                  const PutHints& hints, Instant deadline);
  bool Stage(const Transfer& transfer);
  void PumpPuts(LinkIndex index);
  bool SendPut(LinkIndex index, uint32_t operation);
  void TakePutReply(LinkIndex index, absl::Span<const std::byte> message);
  void FinishPut(uint32_t operation);

  // locating.cc
  void LocateGets(uint32_t batch, const std::vector<uint32_t>& operations);
  bool JoinPlacing(uint32_t operation);
  void AskForRun(uint32_t operation);
  void Ask(Locating locating);
  void AskPending();
  void TakePlaces(const Locating& locating, const absl::StatusOr<v1::LocateReply>& reply);
  void PlaceGets(const Locating& locating, const std::vector<LinkIndex>& places);
  void PlacePuts(const Locating& locating, LinkIndex place);
  void AskAgain(const Locating& locating);
  Waiting TakeWaiting(const Locating& locating);
  void FailLocating(const Locating& locating, wire::MissReason reason);
  using Runs = google::protobuf::RepeatedPtrField<v1::LocateReply::Run>;
  std::vector<LinkIndex> Places(const Runs& runs, const v1::LocateReply& reply, size_t count);
  bool Awaits(const std::pair<uint32_t, uint64_t>& operation) const;
  absl::Duration LocateTimeout(Instant deadline) const;

  // client_impl.cc
  void BeginCall();
  absl::Status CheckBatch(absl::Span<const Transfer> batch) const;
  uint32_t TakeBatch(uint64_t lease, Instant deadline);
  uint32_t TakeOperation(Kind kind, const Transfer& transfer, uint32_t batch);
  void Enqueue(uint32_t operation, LinkIndex link);
  void Push(Queue& queue, uint32_t operation);
  void Unlink(Queue& queue, uint32_t operation);
  Queue& QueueOf(const Operation& operation);
  void Complete(uint32_t operation, wire::MissReason reason);
  void AddCompletion(const Completion& completion, bool ends);
  void ExpireBatches();
  void End(absl::Span<const uint32_t> operations, wire::MissReason reason);
  bool EnsureBounce(Operation& operation);
  Instant LateAfter(Instant deadline) const;
  void Count(const Operation& operation, wire::MissReason reason);
  void ReportIfDue();
  void Report();
  uint64_t BudgetUntil(Instant deadline) const;
  uint64_t MakeSerial(uint32_t index) { return next_id_++ << kIndexBits | index; }
  static uint32_t IndexOf(uint64_t serial) {
    return static_cast<uint32_t>(serial & ((uint64_t{1} << kIndexBits) - 1));
  }
  Instant NextEvent() const;

  const ClientOptions options_;
  Clock& clock_;
  Random& random_;
  Network& network_;
  ClientId client_;
  NamespaceId ns_;
  Instant now_;
  std::unique_ptr<BlockKeyMaker> key_maker_;
  std::unique_ptr<CoordinatorSession> session_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<BouncePool> bounce_;  // dies before the worker
  std::unique_ptr<Sleeper> sleeper_;
  LocationCache locations_;
  absl::flat_hash_set<ClientRegion*> regions_;
  std::vector<std::unique_ptr<Link>> links_;  // at most kLinksMax
  std::map<std::pair<NodeId, uint32_t>, LinkIndex> link_of_node_;
  absl::flat_hash_map<EndpointId, LinkIndex> link_of_endpoint_;
  std::vector<Operation> operations_;
  std::vector<uint32_t> free_operations_;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<uint32_t> free_batches_;
  std::vector<uint32_t> active_batches_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<uint32_t> free_requests_;
  std::vector<uint32_t> unplaced_;  // of the batch being submitted
  std::vector<uint32_t> fetching_;  // the operations of the Fetch being written
  std::vector<uint64_t> staging_;   // offsets of the PutBehind being submitted
  std::vector<Extents> staged_extents_;
  uint64_t staged_bytes_ = 0;      // of all PutBehinds in flight
  std::vector<Locating> pending_;  // bounded by operations_max
  // Puts of runs whose place is being asked, in their order. Bounded by operations_max.
  std::map<BlockKey, Waiting> placing_;
  std::map<uint64_t, MatchOperation> matches_;
  size_t matches_waiting_ = 0;  // for a session
  std::map<uint64_t, PendingPin> pins_;
  std::map<uint64_t, ClientLease> leases_;  // expire in order
  // Bounded by operations and matches in flight and not taken.
  std::vector<Completion> completions_;
  size_t completions_taken_ = 0;
  size_t ended_before_ = 0;  // in completions_: behind the last one that ended a batch or a match
  uint64_t inflight_bytes_ = 0;
  uint64_t next_id_ = 1;
  ClientStatistics statistics_;
  Histogram get_latency_ns_;
  ClientFigures figures_;
  uint64_t ended_told_ = 0;  // operations that the last report knew of
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_CLIENT_IMPL_H_
