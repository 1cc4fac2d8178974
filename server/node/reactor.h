// One reactor: a network worker, a shard, and the sessions between them. Owned by one thread; what
// others may touch is in ReactorChannel. One event of the hot path per file: node_hello.cc,
// node_pin.cc, node_fetch.cc, node_put.cc.
#ifndef CAIRN_SERVER_NODE_REACTOR_H_
#define CAIRN_SERVER_NODE_REACTOR_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "cache/flash_tier.h"
#include "cache/shard.h"
#include "server/node/identity.h"
#include "server/node/node.h"
#include "server/node/reactor_channel.h"
#include "server/node/session.h"
#include "transport/network.h"

namespace cairn {

inline constexpr uint32_t kSendsMax = 16384;  // per reactor: 256 full Fetch messages
inline constexpr uint32_t kPutsMax = 4096;    // per reactor
inline constexpr uint32_t kLeasesPerSessionMax = 4096;
inline constexpr uint64_t kDriveBytesExpected = uint64_t{4} << 40;  // of a block device
inline constexpr uint32_t kBadMessagesMax = 16;                     // then the endpoint is closed

class Reactor final : private Handler, private LoadListener {
 public:
  // `address` to listen at; channel outlives the reactor. warm: taken if it fits; may be nullptr.
  static absl::StatusOr<std::unique_ptr<Reactor>> Create(const NodeOptions& options, uint16_t index,
                                                         const std::string& address,
                                                         const NodeIdentity& identity,
                                                         WarmShard* warm, ReactorChannel& channel,
                                                         Runtime& runtime);
  ~Reactor() override;

  size_t Poll();
  void Sleep(absl::Duration limit);
  void Wake() { worker_->Wake(); }
  const std::string& address() const { return address_; }
  std::string_view transport() const { return worker_->transport(); }
  Shard& shard() { return *shard_; }
  // nullptr: no NVMe.
  const FlashTier* flash() const { return flash_.get(); }

 private:
  struct Endpoint {
    Session* session = nullptr;
    wire::Lane lane = wire::Lane::kControl;
    Instant opened;
    Instant last_heard;
    Instant close_at = kNever;  // refused: after its reply had time to leave
    uint32_t bad_messages = 0;
    bool closing = false;
  };
  using SessionName = std::pair<TenantId, ClientId>;

  Reactor(const NodeOptions& options, uint16_t index, uint64_t incarnation, ReactorChannel& channel,
          Runtime& runtime);

  void OnAccepted(EndpointId endpoint, const std::string& peer) override;
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                        uint64_t bulk_bytes) override;
  void OnBulkReceived(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnBulkSent(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnFailed(EndpointId endpoint, const absl::Status& why) override;
  void OnClosed(EndpointId endpoint) override;

  // node_hello.cc
  void TakeHello(EndpointId id, Endpoint& endpoint, absl::Span<const std::byte> message);
  wire::MissReason OpenSession(EndpointId id, Endpoint& endpoint, const wire::Hello& hello);
  void TakePing(EndpointId id, absl::Span<const std::byte> message);
  // node_pin.cc
  void TakePin(Session& session, absl::Span<const std::byte> message);
  wire::MissReason AddLease(Session& session, const wire::View<wire::Pin, BlockKey>& pin,
                            wire::PinReply& reply);
  void TakeRelease(Session& session, absl::Span<const std::byte> message);
  void TakeSuspect(Session& session, absl::Span<const std::byte> message);
  void EndLease(Session& session, Lease& lease);
  // node_fetch.cc
  void TakeFetch(Session& session, absl::Span<const std::byte> message);
  wire::MissReason QueueSend(Session& session,
                             const wire::View<wire::Fetch, wire::FetchBlock>& fetch, ScopeId scope,
                             uint16_t block_index, Instant deadline);
  void Enqueue(uint32_t send_index);
  void TakeCancel(Session& session, absl::Span<const std::byte> message);
  size_t PumpSends();
  bool PumpSession(Session& session);
  bool SendChunk(Session& session, uint32_t send_index);
  void ReplyFailure(Session& session, uint64_t request, uint16_t block_index,
                    wire::MissReason reason);
  void CountDelivered(Send& send);
  void FreeSendIfDone(uint32_t send_index);
  // node_load.cc
  void OnLoaded(BlockRef block, LoadEnd end) override;
  wire::MissReason StartLoad(BlockRef block, Instant deadline);
  void Await(uint32_t send_index);
  void StopAwaiting(uint32_t send_index);
  void TellDrives();
  // node_put.cc
  wire::MissReason ReservePut(Session& session, EndpointId id, const wire::PutHeader& header,
                              uint32_t* put_index);
  void LandPut(uint32_t put_index);
  bool SealPut(uint32_t put_index);
  void SealWaiting(const BlockKey& ended);
  void DropPuts(const Session& session, EndpointId id);
  void AbortPut(uint32_t put_index);
  void EndPut(uint32_t put_index, wire::MissReason reason);
  void ReplyPut(Session& session, uint64_t request, wire::MissReason reason);

  template <typename Message>
  void Reply(EndpointId endpoint, const Message& message) {
    // A peer that does not read its replies loses them; its own deadlines tell it.
    static_cast<void>(worker_->SendMessage(endpoint, wire::AsBytes(message)));
  }
  void Refuse(wire::MissReason reason) {
    channel_.counters.refusals[static_cast<size_t>(reason)].Add(1);
  }
  Endpoint* Find(EndpointId id);
  void CloseEndpoint(EndpointId id);
  void EndSessionIfUnused(Session& session);
  void DropLane(Session& session, EndpointId id);
  void ObeyCommands();
  void KeepHouse();
  void CheckEndpoints();
  void CheckSends();
  void Report();
  void CollectReports();
  void BeginSnapshot();

  const NodeOptions options_;
  const uint16_t index_;
  const uint64_t incarnation_;
  ReactorChannel& channel_;
  Clock& clock_;
  std::string address_;
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<FlashTier> flash_;  // dies before the shard
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Region> arena_;  // dies before worker and shard
  std::vector<PublicKey> token_keys_;
  // Ordered maps, so that a simulation replays: hash maps iterate differently in each process.
  std::map<EndpointId, Endpoint> endpoints_;                  // bounded by the lane's kEndpointsMax
  std::map<SessionName, std::unique_ptr<Session>> sessions_;  // at most sessions_max
  std::vector<Send> sends_;
  std::vector<uint32_t> free_sends_;
  std::vector<Put> puts_;
  std::vector<uint32_t> free_puts_;
  std::multimap<BlockKey, uint32_t> waiting_puts_;  // landed, by parent; at most kPutsMax
  std::deque<Session*> ring_;                       // sessions with something to send, each once
  absl::flat_hash_map<TenantId, uint64_t> tenant_inflight_bytes_;
  absl::flat_hash_map<BlockRef, uint32_t> awaited_;  // first of the sends; at most kLoadsMax
  bool drives_told_ = false;
  Instant now_;  // of this Poll
  Instant next_housekeeping_;
  Instant next_report_;
  bool goodbye_said_ = false;
  bool snapshot_running_ = false;
  uint64_t snapshot_cursor_ = 0;
  std::vector<ReportItem> unreported_;  // one batch, while the agent's ring is full
  size_t reported_ = 0;                 // of unreported_
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_REACTOR_H_
