#include "proto/wire.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn::wire {
namespace {

constexpr uint64_t kU64Max = UINT64_MAX;
constexpr auto kReasonMax = static_cast<uint64_t>(MissReason::kMax);

absl::Status Bad(const char* field, uint64_t value, uint64_t min, uint64_t max) {
  return absl::InvalidArgumentError(
      min == max ? absl::StrCat(field, ": ", value, "; it must be ", min)
                 : absl::StrCat(field, ": ", value, "; it must be ", min, " to ", max));
}

inline absl::Status InRange(const char* field, uint64_t value, uint64_t min, uint64_t max) {
  return value >= min && value <= max ? absl::OkStatus() : Bad(field, value, min, max);
}

inline absl::Status Equal(const char* field, uint64_t value, uint64_t wanted) {
  return InRange(field, value, wanted, wanted);
}

// The layout of a message whose header is right, of this type, and at least as long as its fixed
// part.
template <typename Message>
absl::StatusOr<const Message*> DecodeHead(absl::Span<const std::byte> message, MessageType type) {
  CAIRN_ASSIGN_OR_RETURN(const MessageType actual, DecodeType(message));
  CAIRN_RETURN_IF_ERROR(
      Equal("header.type", static_cast<uint64_t>(actual), static_cast<uint64_t>(type)));
  CAIRN_RETURN_IF_ERROR(
      InRange("header.message_bytes", message.size(), sizeof(Message), kMessageBytesMax));
  return reinterpret_cast<const Message*>(message.data());
}

template <typename Message>
absl::StatusOr<const Message*> DecodeExact(absl::Span<const std::byte> message, MessageType type) {
  CAIRN_ASSIGN_OR_RETURN(const Message* decoded, DecodeHead<Message>(message, type));
  CAIRN_RETURN_IF_ERROR(Equal("header.message_bytes", message.size(), sizeof(Message)));
  return decoded;
}

struct CountField {
  const char* name;
  uint32_t max;
};

// Head with a count of items, then exactly that many.
template <typename Head, typename Item>
absl::StatusOr<View<Head, Item>> DecodeList(absl::Span<const std::byte> message, MessageType type,
                                            U32Le Head::* count, CountField field) {
  CAIRN_ASSIGN_OR_RETURN(const Head* head, DecodeHead<Head>(message, type));
  const uint32_t item_count = head->*count;
  CAIRN_RETURN_IF_ERROR(InRange(field.name, item_count, 1, field.max));
  CAIRN_RETURN_IF_ERROR(
      Equal("header.message_bytes", message.size(), sizeof(Head) + item_count * sizeof(Item)));
  const auto* items = reinterpret_cast<const Item*>(message.data() + sizeof(Head));
  return View<Head, Item>{head, {items, item_count}};
}

absl::Status CheckFetchBlock(const FetchBlock& block) {
  CAIRN_RETURN_IF_ERROR(InRange("fetch.blocks.length", block.length, 1, kBlockBytesMax));
  if (block.chunk_bytes == 0) return absl::OkStatus();
  return InRange("fetch.blocks.chunk_bytes", block.chunk_bytes,
                 std::min<uint32_t>(kChunkBytesMin, block.length), block.length);
}

absl::Status CheckFetchFailure(const FetchFailure& failure) {
  CAIRN_RETURN_IF_ERROR(
      InRange("fetch_reply.failures.block_index", failure.block_index, 0, kFetchBlocksMax - 1));
  return InRange("fetch_reply.failures.reason", failure.reason, 1, kReasonMax);
}

// No block is held beyond those asked for, nor by a reply that refuses.
absl::Status CheckHeld(const PinReply& reply) {
  const uint32_t held_max = reply.status == 0 ? uint32_t{reply.block_count} : 0;
  for (uint32_t i = held_max; i < kPinBlocksMax; ++i) {
    if ((reply.held[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0}) {
      return absl::InvalidArgumentError(
          absl::StrCat("pin_reply.held: bit ", i, " of ", held_max, " is set"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckParent(const PutHeader& put) {
  const bool has_parent = put.parent != BlockKey{};
  if (has_parent == (put.position > 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("put.parent: ", has_parent ? "a key" : "zero",
                                                 " at position ", uint32_t{put.position}));
}

}  // namespace

const char* MissReasonName(MissReason reason) {
  static constexpr const char* kNames[] = {
      "none",           "absent",       "checksum", "deadline", "overload", "incarnation",
      "version",        "namespace",    "length",   "session",  "lease",    "node_down",
      "no_coordinator", "no_node",      "draining", "capacity", "conflict", "parent_absent",
      "canceled",       "circuit_open", "drive"};
  static_assert(std::size(kNames) == kReasonMax + 1);
  const auto index = static_cast<size_t>(reason);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

absl::StatusOr<MessageType> DecodeType(absl::Span<const std::byte> message) {
  CAIRN_RETURN_IF_ERROR(
      InRange("message (bytes)", message.size(), sizeof(MessageHeader), kMessageBytesMax));
  const auto* header = reinterpret_cast<const MessageHeader*>(message.data());
  CAIRN_RETURN_IF_ERROR(Equal("header.magic", header->magic, kMagic));
  CAIRN_RETURN_IF_ERROR(InRange("header.type", header->type,
                                static_cast<uint64_t>(MessageType::kHello),
                                static_cast<uint64_t>(MessageType::kSuspect)));
  const auto type = static_cast<MessageType>(uint16_t{header->type});
  if (type != MessageType::kHello && type != MessageType::kHelloReply) {
    CAIRN_RETURN_IF_ERROR(
        InRange("header.version", header->version, kWireVersionMin, kWireVersion));
  }
  CAIRN_RETURN_IF_ERROR(Equal("header.message_bytes", header->message_bytes, message.size()));
  CAIRN_RETURN_IF_ERROR(Equal("header.reserved", header->reserved, 0));
  return type;
}

absl::StatusOr<const Hello*> DecodeHello(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const Hello* hello, DecodeExact<Hello>(message, MessageType::kHello));
  CAIRN_RETURN_IF_ERROR(InRange("hello.version_min", hello->version_min, 1, hello->version_max));
  CAIRN_RETURN_IF_ERROR(InRange("hello.lane", hello->lane, 0, static_cast<uint64_t>(Lane::kBulk)));
  CAIRN_RETURN_IF_ERROR(Equal("hello.reserved", hello->reserved, 0));
  return hello;
}

absl::StatusOr<const HelloReply*> DecodeHelloReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const HelloReply* reply,
                         DecodeExact<HelloReply>(message, MessageType::kHelloReply));
  CAIRN_RETURN_IF_ERROR(InRange("hello_reply.status", reply->status, 0, kReasonMax));
  CAIRN_RETURN_IF_ERROR(Equal("hello_reply.reserved", reply->reserved, 0));
  if (reply->status != 0) return reply;
  CAIRN_RETURN_IF_ERROR(
      InRange("hello_reply.version", reply->version, kWireVersionMin, kWireVersion));
  CAIRN_RETURN_IF_ERROR(
      Equal("hello_reply.features (beyond ours)", reply->features & ~kFeaturesSupported, 0));
  return reply;
}

absl::StatusOr<const Ping*> DecodePing(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const MessageType type, DecodeType(message));
  return DecodeExact<Ping>(message, type == MessageType::kPong ? type : MessageType::kPing);
}

absl::StatusOr<View<Pin, BlockKey>> DecodePin(absl::Span<const std::byte> message) {
  auto view = DecodeList<Pin, BlockKey>(message, MessageType::kPin, &Pin::block_count,
                                        {"pin.block_count", kPinBlocksMax});
  CAIRN_RETURN_IF_ERROR(view.status());
  CAIRN_RETURN_IF_ERROR(InRange("pin.lease", view->head->lease, 1, kU64Max));
  CAIRN_RETURN_IF_ERROR(InRange("pin.budget_us", view->head->budget_us, 0, kBudgetMax_us));
  return view;
}

absl::StatusOr<const PinReply*> DecodePinReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const PinReply* reply,
                         DecodeExact<PinReply>(message, MessageType::kPinReply));
  CAIRN_RETURN_IF_ERROR(InRange("pin_reply.status", reply->status, 0, kReasonMax));
  CAIRN_RETURN_IF_ERROR(Equal("pin_reply.reserved", reply->reserved, 0));
  CAIRN_RETURN_IF_ERROR(InRange("pin_reply.block_count", reply->block_count,
                                reply->status == 0 ? 1 : 0, kPinBlocksMax));
  CAIRN_RETURN_IF_ERROR(CheckHeld(*reply));
  return reply;
}

absl::StatusOr<View<Fetch, FetchBlock>> DecodeFetch(absl::Span<const std::byte> message) {
  auto view = DecodeList<Fetch, FetchBlock>(message, MessageType::kFetch, &Fetch::block_count,
                                            {"fetch.block_count", kFetchBlocksMax});
  CAIRN_RETURN_IF_ERROR(view.status());
  const Fetch& fetch = *view->head;
  CAIRN_RETURN_IF_ERROR(InRange("fetch.budget_us", fetch.budget_us, 0, kBudgetMax_us));
  CAIRN_RETURN_IF_ERROR(
      InRange("fetch.urgency", fetch.urgency, 0, static_cast<uint64_t>(Urgency::kBatch)));
  CAIRN_RETURN_IF_ERROR(Equal("fetch.reserved", fetch.reserved, 0));
  for (const FetchBlock& block : view->items) CAIRN_RETURN_IF_ERROR(CheckFetchBlock(block));
  return view;
}

absl::StatusOr<View<FetchReply, FetchFailure>> DecodeFetchReply(
    absl::Span<const std::byte> message) {
  auto view = DecodeList<FetchReply, FetchFailure>(message, MessageType::kFetchReply,
                                                   &FetchReply::failure_count,
                                                   {"fetch_reply.failure_count", kFetchBlocksMax});
  CAIRN_RETURN_IF_ERROR(view.status());
  CAIRN_RETURN_IF_ERROR(Equal("fetch_reply.reserved", view->head->reserved, 0));
  for (const FetchFailure& failure : view->items) {
    CAIRN_RETURN_IF_ERROR(CheckFetchFailure(failure));
  }
  return view;
}

absl::StatusOr<const Release*> DecodeRelease(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const Release* release,
                         DecodeExact<Release>(message, MessageType::kRelease));
  CAIRN_RETURN_IF_ERROR(InRange("release.lease", release->lease, 1, kU64Max));
  return release;
}

absl::StatusOr<const Cancel*> DecodeCancel(absl::Span<const std::byte> message) {
  return DecodeExact<Cancel>(message, MessageType::kCancel);
}

absl::StatusOr<const Suspect*> DecodeSuspect(absl::Span<const std::byte> message) {
  return DecodeExact<Suspect>(message, MessageType::kSuspect);
}

absl::StatusOr<const PutReply*> DecodePutReply(absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(const PutReply* reply,
                         DecodeExact<PutReply>(message, MessageType::kPutReply));
  CAIRN_RETURN_IF_ERROR(InRange("put_reply.status", reply->status, 0, kReasonMax));
  CAIRN_RETURN_IF_ERROR(Equal("put_reply.reserved", reply->reserved, 0));
  return reply;
}

absl::StatusOr<const Goodbye*> DecodeGoodbye(absl::Span<const std::byte> message) {
  return DecodeExact<Goodbye>(message, MessageType::kGoodbye);
}

absl::StatusOr<const DataHeader*> DecodeDataHeader(absl::Span<const std::byte> header,
                                                   uint64_t bulk_bytes) {
  CAIRN_RETURN_IF_ERROR(Equal("data (bytes)", header.size(), sizeof(DataHeader)));
  const auto* data = reinterpret_cast<const DataHeader*>(header.data());
  CAIRN_RETURN_IF_ERROR(Equal("data.magic", data->magic, kDataMagic));
  CAIRN_RETURN_IF_ERROR(InRange("data.version", data->version, kWireVersionMin, kWireVersion));
  CAIRN_RETURN_IF_ERROR(InRange("data.block_index", data->block_index, 0, kFetchBlocksMax - 1));
  CAIRN_RETURN_IF_ERROR(InRange("data.block_bytes", data->block_bytes, 1, kBlockBytesMax));
  CAIRN_RETURN_IF_ERROR(InRange("data.chunk_bytes", data->chunk_bytes, 1, data->block_bytes));
  CAIRN_RETURN_IF_ERROR(Equal("data.chunk_bytes", data->chunk_bytes, bulk_bytes));
  CAIRN_RETURN_IF_ERROR(
      InRange("data.offset", data->offset, 0, data->block_bytes - data->chunk_bytes));
  CAIRN_RETURN_IF_ERROR(Equal("data.reserved", data->reserved, 0));
  return data;
}

absl::StatusOr<const PutHeader*> DecodePutHeader(absl::Span<const std::byte> header,
                                                 uint64_t bulk_bytes) {
  CAIRN_RETURN_IF_ERROR(Equal("put (bytes)", header.size(), sizeof(PutHeader)));
  const auto* put = reinterpret_cast<const PutHeader*>(header.data());
  CAIRN_RETURN_IF_ERROR(Equal("put.magic", put->magic, kPutMagic));
  CAIRN_RETURN_IF_ERROR(InRange("put.version", put->version, kWireVersionMin, kWireVersion));
  CAIRN_RETURN_IF_ERROR(Equal("put.hints (unknown bits)", put->hints & ~uint32_t{kHintsKnown}, 0));
  constexpr uint32_t kBothPriorities = kHintLowPriority | kHintHighPriority;
  if ((put->hints & kBothPriorities) == kBothPriorities) {
    return absl::InvalidArgumentError("put.hints: low and high priority at once");
  }
  CAIRN_RETURN_IF_ERROR(InRange("put.position", put->position, 0, kChainPositionMax));
  CAIRN_RETURN_IF_ERROR(CheckParent(*put));
  CAIRN_RETURN_IF_ERROR(InRange("put.length", put->length, 1, kBlockBytesMax));
  CAIRN_RETURN_IF_ERROR(Equal("put.length", put->length, bulk_bytes));
  CAIRN_RETURN_IF_ERROR(InRange("put.budget_us", put->budget_us, 0, kBudgetMax_us));
  return put;
}

uint16_t NegotiateVersion(uint16_t peer_min, uint16_t peer_max) {
  const uint16_t best = std::min(kWireVersion, peer_max);
  return best >= std::max(kWireVersionMin, peer_min) ? best : 0;
}

}  // namespace cairn::wire
