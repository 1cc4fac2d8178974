#include "tests/proto/sample_messages.h"

#include <utility>

#include "base/check.h"
#include "proto/wire.h"

namespace cairn {
namespace {

constexpr uint64_t kIncarnation = 0x1112131415161718;
constexpr uint32_t kMiB = 1u << 20;

// 16 bytes that count up.
template <typename Id>
Id Identifier(unsigned first) {
  Id id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::byte>(first + i);
  return id;
}

template <typename Message>
std::vector<std::byte> Bytes(const Message& message) {
  const absl::Span<const std::byte> bytes = wire::AsBytes(message);
  return {bytes.begin(), bytes.end()};
}

template <typename Head, typename Item>
std::vector<std::byte> Sealed(Head head, wire::MessageType type, const std::vector<Item>& items) {
  wire::Seal(head, type, items.size() * sizeof(Item));
  std::vector<std::byte> message = Bytes(head);
  for (const Item& item : items) {
    const std::vector<std::byte> bytes = Bytes(item);
    message.insert(message.end(), bytes.begin(), bytes.end());
  }
  return message;
}

template <typename Message>
std::vector<std::byte> Sealed(Message message, wire::MessageType type) {
  wire::Seal(message, type);
  return Bytes(message);
}

std::vector<std::byte> HelloBytes() {
  wire::Hello hello{};
  hello.version_min = 1;
  hello.version_max = 1;
  hello.lane = static_cast<uint16_t>(wire::Lane::kBulk);
  hello.features = wire::kFeatureChunkSize;
  hello.client = Identifier<ClientId>(0x10);
  for (size_t i = 0; i < hello.token.size(); ++i) {
    hello.token[i] = static_cast<std::byte>(3 * i + 1);
  }
  return Sealed(hello, wire::MessageType::kHello);
}

std::vector<std::byte> HelloReplyBytes() {
  wire::HelloReply reply{};
  reply.version = 1;
  reply.features = wire::kFeatureChunkSize;
  reply.incarnation = kIncarnation;
  reply.inflight_bytes_max = 64 * kMiB;
  reply.fetches_max = 256;
  reply.puts_max = 128;
  reply.reactor = 3;
  reply.lease_ms_max = 60000;
  return Sealed(reply, wire::MessageType::kHelloReply);
}

std::vector<std::byte> PingBytes(wire::MessageType type) {
  wire::Ping ping{};
  ping.nonce = 0x0102030405060708;
  ping.incarnation = kIncarnation;
  return Sealed(ping, type);
}

std::vector<std::byte> PinBytes() {
  wire::Pin pin{};
  pin.request = 7;
  pin.incarnation = kIncarnation;
  pin.lease = 9;
  pin.ns = Identifier<NamespaceId>(0x20);
  pin.block_count = 3;
  pin.lease_ms = 30000;
  pin.budget_us = 250000;
  return Sealed(pin, wire::MessageType::kPin,
                std::vector{Identifier<BlockKey>(0x30), Identifier<BlockKey>(0x40),
                            Identifier<BlockKey>(0x50)});
}

std::vector<std::byte> PinReplyBytes() {
  wire::PinReply reply{};
  reply.request = 7;
  reply.lease = 9;
  reply.incarnation = kIncarnation;
  reply.block_count = 3;
  reply.held[0] = std::byte{0b011};
  return Sealed(reply, wire::MessageType::kPinReply);
}

std::vector<std::byte> FetchBytes() {
  wire::Fetch fetch{};
  fetch.request = 8;
  fetch.incarnation = kIncarnation;
  fetch.lease = 9;
  fetch.ns = Identifier<NamespaceId>(0x20);
  fetch.budget_us = 5000;
  fetch.urgency = static_cast<uint16_t>(wire::Urgency::kStandard);
  fetch.block_count = 2;
  return Sealed(fetch, wire::MessageType::kFetch,
                std::vector<wire::FetchBlock>{{Identifier<BlockKey>(0x30), kMiB, 65536},
                                              {Identifier<BlockKey>(0x40), 100, 0}});
}

std::vector<std::byte> FetchReplyBytes() {
  wire::FetchReply reply{};
  reply.request = 8;
  reply.incarnation = kIncarnation;
  reply.failure_count = 2;
  return Sealed(
      reply, wire::MessageType::kFetchReply,
      std::vector<wire::FetchFailure>{{0, static_cast<uint16_t>(wire::MissReason::kAbsent)},
                                      {5, static_cast<uint16_t>(wire::MissReason::kLength)}});
}

std::vector<std::byte> ReleaseBytes() {
  wire::Release release{};
  release.lease = 9;
  return Sealed(release, wire::MessageType::kRelease);
}

std::vector<std::byte> CancelBytes() {
  wire::Cancel cancel{};
  cancel.request = 8;
  return Sealed(cancel, wire::MessageType::kCancel);
}

std::vector<std::byte> SuspectBytes() {
  wire::Suspect suspect{};
  suspect.incarnation = kIncarnation;
  suspect.ns = Identifier<NamespaceId>(0x20);
  suspect.key = Identifier<BlockKey>(0x40);
  return Sealed(suspect, wire::MessageType::kSuspect);
}

std::vector<std::byte> PutReplyBytes() {
  wire::PutReply reply{};
  reply.request = 11;
  reply.incarnation = kIncarnation;
  reply.status = static_cast<uint16_t>(wire::MissReason::kOverload);
  reply.retry_after_ms = 20;
  return Sealed(reply, wire::MessageType::kPutReply);
}

wire::DataHeader Data() {
  wire::DataHeader data{};
  data.magic = wire::kDataMagic;
  data.version = 1;
  data.block_index = 1;
  data.request = 8;
  data.incarnation = kIncarnation;
  data.offset = 65536;
  data.chunk_bytes = 65536;
  data.block_bytes = kMiB;
  data.checksum = Identifier<Checksum>(0x60);
  return data;
}

wire::PutHeader Put() {
  wire::PutHeader put{};
  put.magic = wire::kPutMagic;
  put.version = 1;
  put.hints = wire::kHintWillReturn;
  put.request = 11;
  put.incarnation = kIncarnation;
  put.key = Identifier<BlockKey>(0x40);
  put.parent = Identifier<BlockKey>(0x30);
  put.ns = Identifier<NamespaceId>(0x20);
  put.checksum = Identifier<Checksum>(0x60);
  put.position = 33;
  put.length = 4096;
  put.budget_us = 250000;
  return put;
}

template <auto kDecode>
absl::Status Status(absl::Span<const std::byte> message, uint64_t) {
  return kDecode(message).status();
}

template <auto kDecode>
absl::Status BulkStatus(absl::Span<const std::byte> header, uint64_t bulk_bytes) {
  return kDecode(header, bulk_bytes).status();
}

}  // namespace

bool HasMessageHeader(const SampleMessage& sample) {
  return sample.name != "data" && sample.name != "put";
}

std::vector<SampleMessage> SampleMessages() {
  const wire::DataHeader data = Data();
  const wire::PutHeader put = Put();
  return {
      {"hello", HelloBytes(), 0, Status<wire::DecodeHello>},
      {"hello_reply", HelloReplyBytes(), 0, Status<wire::DecodeHelloReply>},
      {"ping", PingBytes(wire::MessageType::kPing), 0, Status<wire::DecodePing>},
      {"pong", PingBytes(wire::MessageType::kPong), 0, Status<wire::DecodePing>},
      {"pin", PinBytes(), 0, Status<wire::DecodePin>},
      {"pin_reply", PinReplyBytes(), 0, Status<wire::DecodePinReply>},
      {"fetch", FetchBytes(), 0, Status<wire::DecodeFetch>},
      {"fetch_reply", FetchReplyBytes(), 0, Status<wire::DecodeFetchReply>},
      {"release", ReleaseBytes(), 0, Status<wire::DecodeRelease>},
      {"put_reply", PutReplyBytes(), 0, Status<wire::DecodePutReply>},
      {"cancel", CancelBytes(), 0, Status<wire::DecodeCancel>},
      {"goodbye", Sealed(wire::Goodbye{}, wire::MessageType::kGoodbye), 0,
       Status<wire::DecodeGoodbye>},
      {"suspect", SuspectBytes(), 0, Status<wire::DecodeSuspect>},
      {"data", Bytes(data), data.chunk_bytes, BulkStatus<wire::DecodeDataHeader>},
      {"put", Bytes(put), put.length, BulkStatus<wire::DecodePutHeader>},
  };
}

SampleMessage SampleNamed(const std::string& name) {
  for (SampleMessage& sample : SampleMessages()) {
    if (sample.name == name) return std::move(sample);
  }
  CAIRN_CHECK(!"a sample of this name");
  return {};
}

}  // namespace cairn
