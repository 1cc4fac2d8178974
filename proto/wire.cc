#include "proto/wire.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn::wire {
namespace {

absl::Status Bad(const char* field, uint64_t value) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", value));
}

// Checks the common header against the span and the expected type, and that at least the fixed part
// of Message is there.
template <typename Message>
absl::StatusOr<const Message*> DecodeFixed(absl::Span<const std::byte> message, MessageType type) {
  CAIRN_ASSIGN_OR_RETURN(const MessageType actual, DecodeType(message));
  if (actual != type) return Bad("header.type", static_cast<uint64_t>(actual));
  if (message.size() < sizeof(Message)) return Bad("header.message_bytes", message.size());
  return reinterpret_cast<const Message*>(message.data());
}

template <typename Message>
absl::StatusOr<const Message*> DecodeExact(absl::Span<const std::byte> message, MessageType type) {
  absl::StatusOr<const Message*> decoded = DecodeFixed<Message>(message, type);
  if (decoded.ok() && message.size() != sizeof(Message)) {
    return Bad("header.message_bytes", message.size());
  }
  return decoded;
}

template <typename Head, typename Item>
absl::StatusOr<View<Head, Item>> DecodeList(absl::Span<const std::byte> message, MessageType type,
                                            U32Le Head::* count_field, const char* count_name,
                                            uint32_t count_max) {
  CAIRN_ASSIGN_OR_RETURN(const Head* head, DecodeFixed<Head>(message, type));
  const uint32_t count = head->*count_field;
  if (count == 0 || count > count_max) return Bad(count_name, count);
  if (message.size() != sizeof(Head) + count * sizeof(Item)) {
    return Bad("header.message_bytes", message.size());
  }
  return View<Head, Item>{head,
                          {reinterpret_cast<const Item*>(message.data() + sizeof(Head)), count}};
}

bool KnownReason(uint16_t reason) { return reason <= static_cast<uint16_t>(MissReason::kMax); }

bool KnownLength(uint32_t length) { return length >= 1 && length <= kBlockBytesMax; }

}  // namespace

const char* MissReasonName(MissReason reason) {
  static constexpr const char* kNames[] = {
      "none",        "absent",    "checksum",       "deadline", "overload",
      "incarnation", "version",   "namespace",      "length",   "session",
      "lease",       "node_down", "no_coordinator", "no_node",  "draining",
      "capacity",    "conflict",  "parent_absent",  "canceled", "circuit_open"};
  static_assert(std::size(kNames) == static_cast<size_t>(MissReason::kMax) + 1);
  const auto index = static_cast<size_t>(reason);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

absl::StatusOr<MessageType> DecodeType(absl::Span<const std::byte> message) {
  if (message.size() < sizeof(MessageHeader)) return Bad("header (bytes given)", message.size());
  if (message.size() > kMessageBytesMax) return Bad("header.message_bytes", message.size());
  const auto* header = reinterpret_cast<const MessageHeader*>(message.data());
  if (header->magic != kMagic) return Bad("header.magic", header->magic);
  if (header->message_bytes != message.size()) {
    return Bad("header.message_bytes", header->message_bytes);
  }
  // Hello settles the version, so that alone may carry one we do not speak.
  const auto type = static_cast<MessageType>(uint16_t{header->type});
  if (type != MessageType::kHello &&
      (header->version < kWireVersionMin || header->version > kWireVersion)) {
    return Bad("header.version", header->version);
  }
  if (type < MessageType::kHello || type > MessageType::kGoodbye) {
    return Bad("header.type", header->type);
  }
  return type;
}

absl::StatusOr<const Hello*> DecodeHello(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const Hello* hello, DecodeExact<Hello>(message, MessageType::kHello));
  if (hello->lane > static_cast<uint16_t>(Lane::kBulk)) return Bad("hello.lane", hello->lane);
  if (hello->version_min > hello->version_max) return Bad("hello.version_min", hello->version_min);
  return hello;
}

absl::StatusOr<const HelloReply*> DecodeHelloReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const HelloReply* reply,
                         DecodeExact<HelloReply>(message, MessageType::kHelloReply));
  if (!KnownReason(reply->status)) return Bad("hello_reply.status", reply->status);
  return reply;
}

absl::StatusOr<const Ping*> DecodePing(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const MessageType type, DecodeType(message));
  return DecodeExact<Ping>(message, type == MessageType::kPong ? type : MessageType::kPing);
}

absl::StatusOr<View<Pin, BlockKey>> DecodePin(absl::Span<const std::byte> message) {
  return DecodeList<Pin, BlockKey>(message, MessageType::kPin, &Pin::block_count, "pin.block_count",
                                   kPinBlocksMax);
}

absl::StatusOr<const PinReply*> DecodePinReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const PinReply* reply,
                         DecodeExact<PinReply>(message, MessageType::kPinReply));
  if (!KnownReason(reply->status)) return Bad("pin_reply.status", reply->status);
  if (reply->block_count > kPinBlocksMax) return Bad("pin_reply.block_count", reply->block_count);
  return reply;
}

absl::StatusOr<View<Fetch, FetchBlock>> DecodeFetch(absl::Span<const std::byte> message) {
  auto view = DecodeList<Fetch, FetchBlock>(message, MessageType::kFetch, &Fetch::block_count,
                                            "fetch.block_count", kFetchBlocksMax);
  if (!view.ok()) return view;
  if (view->head->urgency > static_cast<uint16_t>(Urgency::kBatch)) {
    return Bad("fetch.urgency", view->head->urgency);
  }
  for (const FetchBlock& block : view->items) {
    if (!KnownLength(block.length)) return Bad("fetch.blocks.length", block.length);
    if (block.chunk_bytes > block.length) return Bad("fetch.blocks.chunk_bytes", block.chunk_bytes);
  }
  return view;
}

absl::StatusOr<View<FetchReply, FetchFailure>> DecodeFetchReply(
    absl::Span<const std::byte> message) {
  auto view = DecodeList<FetchReply, FetchFailure>(message, MessageType::kFetchReply,
                                                   &FetchReply::failure_count,
                                                   "fetch_reply.failure_count", kFetchBlocksMax);
  if (!view.ok()) return view;
  for (const FetchFailure& failure : view->items) {
    if (failure.block_index >= kFetchBlocksMax) {
      return Bad("fetch_reply.failures.block_index", failure.block_index);
    }
    if (failure.reason == 0 || !KnownReason(failure.reason)) {
      return Bad("fetch_reply.failures.reason", failure.reason);
    }
  }
  return view;
}

absl::StatusOr<const Release*> DecodeRelease(absl::Span<const std::byte> message) {
  return DecodeExact<Release>(message, MessageType::kRelease);
}

absl::StatusOr<const Cancel*> DecodeCancel(absl::Span<const std::byte> message) {
  return DecodeExact<Cancel>(message, MessageType::kCancel);
}

absl::StatusOr<const PutReply*> DecodePutReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const PutReply* reply,
                         DecodeExact<PutReply>(message, MessageType::kPutReply));
  if (!KnownReason(reply->status)) return Bad("put_reply.status", reply->status);
  return reply;
}

absl::StatusOr<const DataHeader*> DecodeDataHeader(absl::Span<const std::byte> header,
                                                   uint64_t bulk_bytes) {
  if (header.size() != sizeof(DataHeader)) return Bad("data (bytes given)", header.size());
  const auto* data = reinterpret_cast<const DataHeader*>(header.data());
  if (data->magic != kDataMagic) return Bad("data.magic", data->magic);
  if (data->version < kWireVersionMin || data->version > kWireVersion) {
    return Bad("data.version", data->version);
  }
  if (data->block_index >= kFetchBlocksMax) return Bad("data.block_index", data->block_index);
  if (!KnownLength(data->block_bytes)) return Bad("data.block_bytes", data->block_bytes);
  if (data->chunk_bytes == 0 || data->chunk_bytes != bulk_bytes) {
    return Bad("data.chunk_bytes", data->chunk_bytes);
  }
  if (uint64_t{data->offset} + data->chunk_bytes > data->block_bytes) {
    return Bad("data.offset", data->offset);
  }
  return data;
}

absl::StatusOr<const PutHeader*> DecodePutHeader(absl::Span<const std::byte> header,
                                                 uint64_t bulk_bytes) {
  if (header.size() != sizeof(PutHeader)) return Bad("put (bytes given)", header.size());
  const auto* put = reinterpret_cast<const PutHeader*>(header.data());
  if (put->magic != kPutMagic) return Bad("put.magic", put->magic);
  if (put->version < kWireVersionMin || put->version > kWireVersion)
    return Bad("put.version", put->version);
  if (!KnownLength(put->length) || put->length != bulk_bytes) return Bad("put.length", put->length);
  if (put->position > kChainPositionMax) return Bad("put.position", put->position);
  return put;
}

uint16_t NegotiateVersion(uint16_t peer_min, uint16_t peer_max) {
  const uint16_t best = std::min(kWireVersion, peer_max);
  return best >= std::max(kWireVersionMin, peer_min) ? best : 0;
}

}  // namespace cairn::wire
