#include "tests/client/fake_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "proto/checksum.h"

namespace cairn::testing {

std::vector<std::byte> PayloadOf(const BlockKey& key, uint32_t length) {
  std::vector<std::byte> bytes(length);
  SeededRandom(key.Word(0)).Fill(absl::MakeSpan(bytes));
  return bytes;
}

FakeNode::FakeNode(SimHost& host, const std::string& address)
    : host_(host), worker_(*host.CreateWorker()) {
  CAIRN_CHECK(worker_->Listen(address).ok());
  host_.Run([this] { return worker_->Poll(*this); });
}

FakeNode::~FakeNode() {
  if (host_.alive()) {
    for (const auto& [endpoint, lane] : lanes_) worker_->Close(endpoint);
    while (!lanes_.empty()) worker_->Poll(*this);
  }
  sending_.clear();
  receiving_.clear();
  worker_.reset();
  if (host_.alive()) host_.Crash(SimCrash::kProcess);
}

FakeNode::Buffer FakeNode::MakeBuffer(std::vector<std::byte> bytes) {
  Buffer buffer{std::move(bytes), nullptr};
  buffer.region = *worker_->Register(absl::MakeSpan(buffer.bytes));
  return buffer;
}

void FakeNode::OnAccepted(EndpointId endpoint, const std::string&) {
  connected.push_back(host_.clock().Now());
  lanes_[endpoint] = wire::Lane::kControl;
  if (hangs_up) worker_->Close(endpoint);
}

void FakeNode::TakeHello(EndpointId endpoint, absl::Span<const std::byte> message) {
  ++hellos;
  const wire::Hello& hello = **wire::DecodeHello(message);
  lanes_[endpoint] = static_cast<wire::Lane>(uint16_t{hello.lane});
  if (!answers_hello) return;
  wire::HelloReply reply{};
  wire::Seal(reply, wire::MessageType::kHelloReply);
  reply.status = static_cast<uint16_t>(hello_status);
  reply.version = wire::kWireVersion;
  reply.features = features;
  reply.incarnation = incarnation;
  reply.inflight_bytes_max = 1u << 30;
  reply.fetches_max = 256;
  reply.puts_max = 256;
  reply.lease_ms_max = 60'000;
  static_cast<void>(worker_->SendMessage(endpoint, wire::AsBytes(reply)));
}

void FakeNode::SendPong(EndpointId endpoint) {
  ++pings;
  if (!answers_pings) return;
  wire::Ping pong{};
  wire::Seal(pong, wire::MessageType::kPong);
  static_cast<void>(worker_->SendMessage(endpoint, wire::AsBytes(pong)));
}

void FakeNode::TakeFetch(absl::Span<const std::byte> message) {
  const auto fetch = wire::DecodeFetch(message).value();
  FetchSeen seen{fetch.head->request,
                 fetch.head->ns,
                 fetch.head->budget_us,
                 static_cast<wire::Urgency>(uint16_t{fetch.head->urgency}),
                 {}};
  seen.blocks.assign(fetch.items.begin(), fetch.items.end());
  for (const wire::FetchBlock& block : seen.blocks) owed_bytes_ += block.length;
  fetches.push_back(seen);
  for (uint16_t i = 0; delivers && i < seen.blocks.size(); ++i) SendBlock(seen, i, {});
}

void FakeNode::OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) {
  switch (*wire::DecodeType(message)) {
    case wire::MessageType::kHello:
      return TakeHello(endpoint, message);
    case wire::MessageType::kPing:
      return SendPong(endpoint);
    case wire::MessageType::kFetch:
      return TakeFetch(message);
    case wire::MessageType::kCancel:
      return canceled.push_back((*wire::DecodeCancel(message))->request);
    case wire::MessageType::kSuspect:
      return suspected.push_back((*wire::DecodeSuspect(message))->key);
    default:
      return;
  }
}

void FakeNode::HangUp() {
  for (const auto& [endpoint, lane] : lanes_) worker_->Close(endpoint);
}

void FakeNode::SendToAll(absl::Span<const std::byte> message) {
  for (const auto& [endpoint, lane] : lanes_) {
    if (lane != wire::Lane::kControl) continue;
    static_cast<void>(worker_->SendMessage(endpoint, message));
  }
}

void FakeNode::FailBlock(uint64_t request, uint16_t block_index, wire::MissReason reason) {
  struct {
    wire::FetchReply reply;
    wire::FetchFailure failure;
  } message{};
  wire::Seal(message.reply, wire::MessageType::kFetchReply, sizeof(message.failure));
  message.reply.request = request;
  message.reply.incarnation = incarnation;
  message.reply.failure_count = 1;
  message.failure.block_index = block_index;
  message.failure.reason = static_cast<uint16_t>(reason);
  SendToAll(wire::AsBytes(message));
}

void FakeNode::AnswerPut(uint64_t request, wire::MissReason reason) {
  wire::PutReply reply{};
  wire::Seal(reply, wire::MessageType::kPutReply);
  reply.request = request;
  reply.incarnation = incarnation;
  reply.status = static_cast<uint16_t>(reason);
  SendToAll(wire::AsBytes(reply));
}

void FakeNode::SendBlock(const FetchSeen& fetch, uint16_t block_index, const Chunk& chunk) {
  const wire::FetchBlock& wanted = fetch.blocks[block_index];
  const uint32_t length = wanted.length;
  const std::vector<std::byte> payload = PayloadOf(wanted.key, length);
  wire::DataHeader header{};
  header.magic = wire::kDataMagic;
  header.version = wire::kWireVersion;
  header.block_index = block_index;
  header.request = fetch.request;
  header.incarnation = chunk.incarnation == 0 ? incarnation : chunk.incarnation;
  header.block_bytes = length;
  header.checksum = MakeChecksum(wanted.key, fetch.ns, payload);
  if (chunk.wrong_checksum) header.checksum.bytes[0] ^= std::byte{1};
  const uint32_t end = chunk.bytes == 0 ? length : chunk.offset + chunk.bytes;
  const uint32_t asked = wanted.chunk_bytes;
  const uint32_t step = asked == 0 ? end - chunk.offset : asked;
  for (uint32_t offset = chunk.offset; offset < end; offset += step) {
    header.offset = offset;
    header.chunk_bytes = std::min(step, end - offset);
    const auto from = payload.begin() + offset;
    std::vector<std::byte> bytes(from, from + header.chunk_bytes);
    if (chunk.wrong_bytes) bytes[bytes.size() / 2] ^= std::byte{1};
    const uint64_t tag = next_tag_++;
    Buffer& buffer = sending_[tag] = MakeBuffer(std::move(bytes));
    const Bulk bulk{wire::AsBytes(header), {buffer.region.get(), 0, buffer.bytes.size()}, tag};
    // The newest bulk lane: an older one may be on its way out.
    const auto lane = std::find_if(lanes_.rbegin(), lanes_.rend(),
                                   [](const auto& one) { return one.second == wire::Lane::kBulk; });
    if (lane == lanes_.rend() || !worker_->SendBulks(lane->first, {&bulk, 1}).ok()) {
      sending_.erase(tag);
    }
    owed_bytes_ -= std::min<uint64_t>(owed_bytes_, header.chunk_bytes);
  }
}

Landing FakeNode::OnBulkArrival(EndpointId, absl::Span<const std::byte> header,
                                uint64_t bulk_bytes) {
  const wire::PutHeader& put = **wire::DecodePutHeader(header, bulk_bytes);
  const uint64_t tag = next_tag_++;
  headers_[tag] = put;
  announced.push_back(put.position);
  Buffer& buffer = receiving_[tag] = MakeBuffer(std::vector<std::byte>(bulk_bytes));
  return {true, {buffer.region.get(), 0, bulk_bytes}, tag};
}

void FakeNode::OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) {
  if (code != absl::StatusCode::kOk)
    return;  // Its buffer is the lane's until the endpoint is gone.
  const wire::PutHeader header = headers_.at(tag);
  puts.push_back({header, receiving_.at(tag).bytes});
  receiving_.erase(tag);
  if (answers_puts) AnswerPut(header.request, put_status);
}

}  // namespace cairn::testing
