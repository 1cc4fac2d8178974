#include "tests/server/node/wire_client.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cairn::testing {
namespace {

constexpr size_t kPutSlots = 64;

template <typename Message>
Message Copy(absl::Span<const std::byte> bytes) {
  Message message;
  CAIRN_CHECK(bytes.size() >= sizeof(message));
  std::memcpy(&message, bytes.data(), sizeof(message));
  return message;
}

// A fixed head followed by items, as one message.
template <typename Head, typename Item>
std::vector<std::byte> Join(Head head, wire::MessageType type, const std::vector<Item>& items) {
  wire::Seal(head, type, items.size() * sizeof(Item));
  std::vector<std::byte> message(sizeof(Head) + items.size() * sizeof(Item));
  std::memcpy(message.data(), &head, sizeof(head));
  std::memcpy(message.data() + sizeof(Head), items.data(), items.size() * sizeof(Item));
  return message;
}

}  // namespace

BlockKey ChainKey(uint64_t chain, uint32_t position) {
  BlockKey key;
  SeededRandom(chain << 20 | position).Fill(absl::MakeSpan(key.bytes));
  return key;
}

std::vector<BlockKey> ChainKeys(uint64_t chain, uint32_t count) {
  std::vector<BlockKey> keys;
  for (uint32_t i = 0; i < count; ++i) keys.push_back(ChainKey(chain, i));
  return keys;
}

std::vector<std::byte> BytesOf(const BlockKey& key, uint32_t length) {
  std::vector<std::byte> bytes(length);
  SeededRandom(key.Word(0)).Fill(absl::MakeSpan(bytes));
  return bytes;
}

WireClient::WireClient(SimHost& host, const std::string& node, const TokenSigner& signer,
                       const TokenClaims& claims)
    : host_(host),
      node_(node),
      token_(signer.Sign(claims)),
      client_(claims.client),
      worker_(*host.CreateWorker()),
      landing_(size_t{wire::kFetchBlocksMax} * kBlockBytes),
      sending_(kPutSlots * kBlockBytes),
      landing_region_(*worker_->Register(absl::MakeSpan(landing_))),
      sending_region_(*worker_->Register(absl::MakeSpan(sending_))) {
  host_.Run([this] { return worker_->Poll(*this); });
}

WireClient::~WireClient() {
  if (host_.alive()) {
    for (const EndpointId endpoint : open_endpoints_) worker_->Close(endpoint);
    while (!open_endpoints_.empty()) worker_->Poll(*this);
  }
  landing_region_.reset();
  sending_region_.reset();
  worker_.reset();
  if (host_.alive()) host_.Crash(SimCrash::kProcess);
}

wire::Hello WireClient::MakeHello(wire::Lane lane) const {
  wire::Hello hello{};
  wire::Seal(hello, wire::MessageType::kHello);
  hello.version_min = wire::kWireVersionMin;
  hello.version_max = wire::kWireVersion;
  hello.lane = static_cast<uint16_t>(lane);
  hello.features = wire::kFeaturesSupported;
  hello.client = client_;
  hello.token = token_;
  return hello;
}

EndpointId WireClient::Connect() {
  const EndpointId endpoint = *worker_->Connect(node_);
  open_endpoints_.insert(endpoint);
  return endpoint;
}

EndpointId WireClient::Connect(const wire::Hello& hello) {
  const EndpointId endpoint = Connect();
  Send(endpoint, wire::AsBytes(hello));
  return endpoint;
}

void WireClient::Open() {
  control_ = Connect(MakeHello(wire::Lane::kControl));
  bulk_ = Connect(MakeHello(wire::Lane::kBulk));
}

bool WireClient::open() const {
  return heard_.hello_replies.size() >= 2 &&
         std::all_of(heard_.hello_replies.begin(), heard_.hello_replies.end(),
                     [](const wire::HelloReply& reply) { return reply.status == 0; });
}

void WireClient::Send(EndpointId endpoint, absl::Span<const std::byte> message) {
  static_cast<void>(worker_->SendMessage(endpoint, message));
}

void WireClient::Ping(uint64_t nonce) {
  wire::Ping ping{};
  wire::Seal(ping, wire::MessageType::kPing);
  ping.nonce = nonce;
  Send(control_, wire::AsBytes(ping));
}

void WireClient::Pin(uint64_t lease, const std::vector<BlockKey>& keys, absl::Duration held_for) {
  wire::Pin head{};
  head.request = lease;
  head.incarnation = incarnation_;
  head.lease = lease;
  head.ns = kNamespace;
  head.block_count = static_cast<uint32_t>(keys.size());
  head.lease_ms = static_cast<uint32_t>(absl::ToInt64Milliseconds(held_for));
  head.budget_us = kAmpleBudget_us;
  Send(control_, Join(head, wire::MessageType::kPin, keys));
}

void WireClient::Release(uint64_t lease) {
  wire::Release release{};
  wire::Seal(release, wire::MessageType::kRelease);
  release.lease = lease;
  Send(control_, wire::AsBytes(release));
}

void WireClient::Suspect(const BlockKey& key) {
  wire::Suspect suspect{};
  wire::Seal(suspect, wire::MessageType::kSuspect);
  suspect.incarnation = incarnation_;
  suspect.ns = kNamespace;
  suspect.key = key;
  Send(control_, wire::AsBytes(suspect));
}

void WireClient::Cancel(uint64_t request) {
  wire::Cancel cancel{};
  wire::Seal(cancel, wire::MessageType::kCancel);
  cancel.request = request;
  Send(control_, wire::AsBytes(cancel));
}

void WireClient::Fetch(uint64_t request, const std::vector<BlockKey>& keys, uint64_t budget_us,
                       uint32_t length, uint32_t chunk_bytes) {
  wire::Fetch head{};
  head.request = request;
  head.incarnation = incarnation_;
  head.ns = kNamespace;
  head.budget_us = budget_us;
  head.urgency = static_cast<uint16_t>(urgency_);
  head.block_count = static_cast<uint32_t>(keys.size());
  std::vector<wire::FetchBlock> blocks;
  for (const BlockKey& key : keys) {
    wire::FetchBlock block{};
    block.key = key;
    block.length = length;
    block.chunk_bytes = chunk_bytes;
    blocks.push_back(block);
  }
  Send(control_, Join(head, wire::MessageType::kFetch, blocks));
}

void WireClient::Put(uint64_t request, const BlockKey& key, const PutOptions& options) {
  std::vector<std::byte> bytes = BytesOf(key);
  if (options.other_bytes) bytes[7] ^= std::byte{1};
  const size_t offset = next_put_slot_++ % kPutSlots * kBlockBytes;
  std::memcpy(sending_.data() + offset, bytes.data(), bytes.size());
  wire::PutHeader header{};
  header.magic = wire::kPutMagic;
  header.version = wire::kWireVersion;
  header.request = request;
  header.incarnation = incarnation_;
  header.key = key;
  header.parent = options.parent;
  header.ns = kNamespace;
  header.checksum = MakeChecksum(key, kNamespace, bytes);
  if (options.wrong_checksum) header.checksum.bytes[0] ^= std::byte{1};
  header.position = options.position;
  header.length = kBlockBytes;
  header.budget_us = options.budget_us;
  Bulk bulk;
  bulk.header = wire::AsBytes(header);
  bulk.source = {sending_region_.get(), offset, kBlockBytes};
  bulk.tag = request;
  static_cast<void>(worker_->SendBulks(options.on_control_lane ? control_ : bulk_, {&bulk, 1}));
}

void WireClient::PutChain(uint64_t request, uint64_t chain, uint32_t position) {
  PutOptions options;
  options.position = position;
  if (position > 0) options.parent = ChainKey(chain, position - 1);
  Put(request, ChainKey(chain, position), options);
}

bool WireClient::Delivered(uint64_t request, uint16_t block_index, const BlockKey& key) const {
  const auto found = landed_bytes_.find(request);
  if (found == landed_bytes_.end()) return false;
  const auto block = found->second.find(block_index);
  if (block == found->second.end() || block->second != kBlockBytes) return false;
  const std::vector<std::byte> expected = BytesOf(key);
  return std::equal(expected.begin(), expected.end(),
                    landing_.begin() + ptrdiff_t{block_index} * kBlockBytes);
}

uint64_t WireClient::delivered_bytes(uint64_t request) const {
  uint64_t sum = 0;
  const auto found = landed_bytes_.find(request);
  if (found == landed_bytes_.end()) return 0;
  for (const auto& [block, bytes] : found->second) sum += bytes;
  return sum;
}

bool WireClient::EndpointsGone(std::initializer_list<EndpointId> endpoints) const {
  return std::all_of(endpoints.begin(), endpoints.end(),
                     [this](EndpointId endpoint) { return heard_.ended.contains(endpoint); });
}

void WireClient::OnMessage(EndpointId, absl::Span<const std::byte> message) {
  switch (*wire::DecodeType(message)) {
    case wire::MessageType::kHelloReply:
      heard_.hello_replies.push_back(Copy<wire::HelloReply>(message));
      if (heard_.hello_replies.back().status == 0) {
        incarnation_ = heard_.hello_replies.back().incarnation;
      }
      return;
    case wire::MessageType::kPong:
      return heard_.pongs.push_back(Copy<wire::Ping>(message));
    case wire::MessageType::kPinReply:
      CAIRN_CHECK(wire::DecodePinReply(message).ok());
      return heard_.pin_replies.push_back(Copy<wire::PinReply>(message));
    case wire::MessageType::kFetchReply:
      return TakeFetchReply(message);
    case wire::MessageType::kPutReply: {
      const auto reply = Copy<wire::PutReply>(message);
      CAIRN_CHECK(heard_.put_replies.emplace(reply.request, reply).second);
      return;
    }
    case wire::MessageType::kGoodbye:
      ++heard_.goodbyes;
      return;
    default:
      CAIRN_CHECK(false);
  }
}

void WireClient::TakeFetchReply(absl::Span<const std::byte> message) {
  const auto reply = wire::DecodeFetchReply(message).value();
  for (const wire::FetchFailure& failure : reply.items) {
    heard_.fetch_failures[reply.head->request][failure.block_index] =
        static_cast<wire::MissReason>(uint16_t{failure.reason});
  }
}

Landing WireClient::OnBulkArrival(EndpointId, absl::Span<const std::byte> header,
                                  uint64_t bulk_bytes) {
  const auto data = wire::DecodeDataHeader(header, bulk_bytes);
  CAIRN_CHECK(data.ok());
  if (refusing_) return Landing::Refuse();
  const uint64_t request = (*data)->request;
  const uint16_t block = (*data)->block_index;
  const auto bytes = static_cast<uint32_t>(bulk_bytes);
  chunks_[request].push_back(bytes);
  landing_max_ = std::max(landing_max_, ++landing_now_);
  arrivals_.push_back({request, block, bytes});
  return {true,
          {landing_region_.get(), uint64_t{block} * kBlockBytes + (*data)->offset, bytes},
          arrivals_.size() - 1};
}

void WireClient::OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) {
  --landing_now_;
  const Arrival& arrival = arrivals_[tag];
  if (code == absl::StatusCode::kOk) {
    landed_bytes_[arrival.request][arrival.block_index] += arrival.bytes;
  }
}

}  // namespace cairn::testing
