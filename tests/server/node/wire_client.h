// A client that speaks the wire protocol message by message and writes down every answer, so that a
// node can be told things that the production client never says.
#ifndef CAIRN_TESTS_SERVER_NODE_WIRE_CLIENT_H_
#define CAIRN_TESTS_SERVER_NODE_WIRE_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "base/random.h"
#include "proto/checksum.h"
#include "proto/identity.h"
#include "proto/token.h"
#include "proto/wire.h"
#include "transport/sim/sim_world.h"

namespace cairn::testing {

inline constexpr uint32_t kBlockBytes = 256 << 10;
inline constexpr uint64_t kAmpleBudget_us = 60'000'000;

inline constexpr NamespaceId kNamespace = {{std::byte{0x6e}}};

// The i-th block of a chain. Its bytes are a function of its key.
BlockKey ChainKey(uint64_t chain, uint32_t position);
std::vector<BlockKey> ChainKeys(uint64_t chain, uint32_t count);
std::vector<std::byte> BytesOf(const BlockKey& key, uint32_t length = kBlockBytes);

class WireClient final : private Handler {
 public:
  // What the node said, in the order it said it.
  struct Heard {
    std::vector<wire::HelloReply> hello_replies;
    std::vector<wire::Ping> pongs;
    std::vector<wire::PinReply> pin_replies;
    std::map<uint64_t, std::map<uint16_t, wire::MissReason>> fetch_failures;  // by request, block
    std::map<uint64_t, wire::PutReply> put_replies;
    int goodbyes = 0;
    std::set<EndpointId> ended;  // failed or closed
  };

  // claims: of the token it shows; its client's id is taken from there, too.
  WireClient(SimHost& host, const std::string& node, const TokenSigner& signer,
             const TokenClaims& claims);
  ~WireClient() override;
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  SimHost& host() { return host_; }
  const Heard& heard() const { return heard_; }
  EndpointId control() const { return control_; }
  EndpointId bulk() const { return bulk_; }

  // The message as an honest client of this build sends it.
  wire::Hello MakeHello(wire::Lane lane) const;
  EndpointId Connect();
  EndpointId Connect(const wire::Hello& hello);
  // Both lanes; the session is open when both replies are there. incarnation: learnt then.
  void Open();
  bool open() const;
  uint64_t incarnation() const { return incarnation_; }
  // Of its fetches from now on.
  void set_urgency(wire::Urgency urgency) { urgency_ = urgency; }
  void set_incarnation(uint64_t incarnation) { incarnation_ = incarnation; }

  void Send(EndpointId endpoint, absl::Span<const std::byte> message);
  void Ping(uint64_t nonce);
  void Pin(uint64_t lease, const std::vector<BlockKey>& keys,
           absl::Duration held_for = absl::Seconds(30));
  void Release(uint64_t lease);
  void Suspect(const BlockKey& key);
  void Cancel(uint64_t request);
  // Blocks land in slots of the same number. chunk_bytes 0: the node's choice.
  void Fetch(uint64_t request, const std::vector<BlockKey>& keys,
             uint64_t budget_us = kAmpleBudget_us, uint32_t length = kBlockBytes,
             uint32_t chunk_bytes = 0);

  struct PutOptions {
    BlockKey parent;
    uint32_t position = 0;
    uint64_t budget_us = kAmpleBudget_us;
    bool wrong_checksum = false;
    bool other_bytes = false;  // with a checksum that fits them
    bool on_control_lane = false;
  };
  void Put(uint64_t request, const BlockKey& key, const PutOptions& options);
  // The position-th block of a chain, with its parent.
  void PutChain(uint64_t request, uint64_t chain, uint32_t position);

  // Of a fetched block: all chunks have landed, and the bytes are those of its key.
  bool Delivered(uint64_t request, uint16_t block_index, const BlockKey& key) const;
  uint64_t delivered_bytes(uint64_t request) const;
  const std::vector<uint32_t>& chunks(uint64_t request) const { return chunks_.at(request); }
  // Bulks that were landing at the same moment, at most.
  size_t landing_max() const { return landing_max_; }
  void RefuseBulks() { refusing_ = true; }
  bool EndpointsGone(std::initializer_list<EndpointId> endpoints) const;
  void Close(EndpointId endpoint) { worker_->Close(endpoint); }

 private:
  void OnAccepted(EndpointId, const std::string&) override {}
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  Landing OnBulkArrival(EndpointId endpoint, absl::Span<const std::byte> header,
                        uint64_t bulk_bytes) override;
  void OnBulkReceived(EndpointId endpoint, uint64_t tag, absl::StatusCode code) override;
  void OnBulkSent(EndpointId, uint64_t, absl::StatusCode) override {}
  void OnFailed(EndpointId endpoint, const absl::Status&) override {
    heard_.ended.insert(endpoint);
    worker_->Close(endpoint);
  }
  void OnClosed(EndpointId endpoint) override {
    heard_.ended.insert(endpoint);
    open_endpoints_.erase(endpoint);
  }
  void TakeFetchReply(absl::Span<const std::byte> message);

  struct Arrival {
    uint64_t request = 0;
    uint16_t block_index = 0;
    uint32_t bytes = 0;
  };

  SimHost& host_;
  const std::string node_;
  const TokenBytes token_;
  const ClientId client_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::byte> landing_;  // one slot per block of a Fetch
  std::vector<std::byte> sending_;  // one slot per put, reused round robin
  std::unique_ptr<Region> landing_region_;
  std::unique_ptr<Region> sending_region_;
  std::set<EndpointId> open_endpoints_;
  EndpointId control_ = EndpointId::kNone;
  EndpointId bulk_ = EndpointId::kNone;
  uint64_t incarnation_ = 0;
  wire::Urgency urgency_ = wire::Urgency::kStandard;
  Heard heard_;
  std::map<uint64_t, std::vector<uint32_t>> chunks_;
  std::map<uint64_t, std::map<uint16_t, uint64_t>> landed_bytes_;
  std::vector<Arrival> arrivals_;
  size_t landing_now_ = 0;
  size_t landing_max_ = 0;
  size_t next_put_slot_ = 0;
  bool refusing_ = false;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_NODE_WIRE_CLIENT_H_
