// Messages of the data plane: fixed layouts, little endian, alignment 1. FORMAT.md describes each
// byte. Every message starts with MessageHeader; bulk transfers carry DataHeader or PutHeader.
//
// Decoders take a span and trust nothing: a view is returned only when every length, count and
// enumerator is in range, otherwise kInvalidArgument names the field. Views point into the span.
// Accepting one allocates nothing and takes tens of nanoseconds; a refusal builds its message.
// Thread-safe.
#ifndef CAIRN_PROTO_WIRE_H_
#define CAIRN_PROTO_WIRE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"
#include "proto/little_endian.h"
#include "proto/token.h"

namespace cairn::wire {

inline constexpr uint16_t kWireVersion = 1;     // spoken by this build
inline constexpr uint16_t kWireVersionMin = 1;  // N-1 once there is one; a peer below is refused
// Feature bits of Hello: both sides use only what both offered.
inline constexpr uint64_t kFeatureChunkSize = 1u << 0;  // Fetch may choose the chunk size per block
inline constexpr uint64_t kFeaturesSupported = kFeatureChunkSize;

inline constexpr size_t kMessageBytesMax = 8192;  // one eager segment of every lane
inline constexpr size_t kBulkHeaderBytesMax = 128;
inline constexpr uint32_t kFetchBlocksMax = 64;
inline constexpr uint32_t kPinBlocksMax = 256;
// Below it a block of kBlockBytesMax would take more than 16,384 bulks.
inline constexpr uint32_t kChunkBytesMin = 4096;
// Deadlines cross the wire as what is left of them. At most what a signed count of nanoseconds
// holds, so that no receiver's clock overflows.
inline constexpr uint64_t kBudgetMax_us = uint64_t{INT64_MAX} / 1000;

enum class MessageType : uint16_t {
  kHello = 1,
  kHelloReply = 2,
  kPing = 3,
  kPong = 4,
  kPin = 5,
  kPinReply = 6,
  kFetch = 7,
  kFetchReply = 8,
  kRelease = 9,
  kPutReply = 10,
  kCancel = 11,
  kGoodbye = 12,  // the node drains: finish what is in flight, open nothing new
  kSuspect = 13,  // the client saw wrong bytes: the node compares its own with their checksum
};

// Why a block is not delivered. One word on every surface (metrics, completions, logs): P3.
enum class MissReason : uint16_t {
  kNone = 0,
  kAbsent = 1,          // not here; also the answer for another tenant's key (P5)
  kChecksum = 2,        // bytes differ from their checksum; the node drops its copy if that does
  kDeadline = 3,        // could not or did not end in time
  kOverload = 4,        // a bound was reached: retry later or recompute
  kIncarnation = 5,     // the node restarted since
  kVersion = 6,         // wire version or feature unknown
  kNamespace = 7,       // key found under another namespace
  kLength = 8,          // stored length differs from the landing slot
  kSession = 9,         // no session, wrong or expired token, missing right
  kLease = 10,          // lease unknown or expired
  kNodeDown = 11,       // connection lost or refused
  kNoCoordinator = 12,  // no location known and no coordinator answers
  kNoNode = 13,         // no node is ready for placement
  kDraining = 14,
  kCapacity = 15,      // put refused: nothing could be evicted
  kConflict = 16,      // put refused: other bytes are sealed under this key (alarm)
  kParentAbsent = 17,  // put refused: its parent in the same run is not here
  kCanceled = 18,      // the caller closed the client or released the lease
  kCircuitOpen = 19,   // the client's breaker for this node is open
  kDrive = 20,         // the NVMe drive that holds it has failed or is too slow
  kMax = 20,
};
// The word, e.g. "absent". Static storage.
const char* MissReasonName(MissReason reason);

enum class Lane : uint16_t { kControl = 0, kBulk = 1 };
enum class Urgency : uint16_t { kInteractive = 0, kStandard = 1, kBatch = 2 };

struct MessageHeader {
  U32Le magic;  // kMagic
  U16Le version;
  U16Le type;
  U32Le message_bytes;  // whole message, this header included
  U32Le reserved;       // 0
};
static_assert(sizeof(MessageHeader) == 16);
inline constexpr uint32_t kMagic = 0x4e524943;  // "CIRN"

struct Hello {
  MessageHeader header;
  U16Le version_min;
  U16Le version_max;
  U16Le lane;
  U16Le reserved;
  U64Le features;
  ClientId client;
  TokenBytes token;
};
static_assert(sizeof(Hello) == 176);

struct HelloReply {
  MessageHeader header;
  U16Le status;   // MissReason; kNone: open
  U16Le version;  // negotiated; counts, as all that follows, only when open
  U32Le reserved;
  U64Le features;  // of those that Hello offers the ones that the node supports too
  U64Le incarnation;
  U64Le inflight_bytes_max;  // per session
  U32Le fetches_max;         // outstanding Fetch messages per session
  U32Le puts_max;            // outstanding puts per session
  U32Le reactor;             // which reactor answered
  U32Le lease_ms_max;
};
static_assert(sizeof(HelloReply) == 64);

struct Ping {  // and Pong
  MessageHeader header;
  U64Le nonce;
  U64Le incarnation;  // the sender's view of the node's incarnation
};
static_assert(sizeof(Ping) == 32);

struct Pin {  // followed by BlockKey[block_count], a chain's keys in order
  MessageHeader header;
  U64Le request;
  U64Le incarnation;
  U64Le lease;  // chosen by the client, unique in its session; not 0
  NamespaceId ns;
  U32Le block_count;  // 1 to kPinBlocksMax
  U32Le lease_ms;     // at most lease_ms_max
  U64Le budget_us;    // at most kBudgetMax_us
};
static_assert(sizeof(Pin) == 72);

struct PinReply {
  MessageHeader header;
  U64Le request;
  U64Le lease;
  U64Le incarnation;
  U16Le status;  // MissReason of the whole request
  U16Le reserved;
  U32Le block_count;  // as asked; may be 0 when status is not kNone
  // Bit i % 8 of byte i / 8: block i is pinned. Unheld ones are kAbsent. No bit stands at or beyond
  // block_count, none at all when status is not kNone.
  std::array<std::byte, kPinBlocksMax / 8> held;
};
static_assert(sizeof(PinReply) == 80);

struct FetchBlock {
  BlockKey key;
  U32Le length;  // bytes of the landing slot; a stored block of another length is kLength
  // 0: the node's choice; else each bulk carries exactly this much but the last. Then
  // kChunkBytesMin to length, or length itself.
  U32Le chunk_bytes;
};
static_assert(sizeof(FetchBlock) == 24);

struct Fetch {  // followed by FetchBlock[block_count]
  MessageHeader header;
  U64Le request;  // unique in the session
  U64Le incarnation;
  U64Le lease;  // 0: pin and fetch in one
  NamespaceId ns;
  U64Le budget_us;  // at most kBudgetMax_us
  U16Le urgency;
  U16Le reserved;
  U32Le block_count;  // 1 to kFetchBlocksMax
};
static_assert(sizeof(Fetch) == 72);
static_assert(sizeof(Fetch) + kFetchBlocksMax * sizeof(FetchBlock) <= kMessageBytesMax);
static_assert(sizeof(Pin) + kPinBlocksMax * sizeof(BlockKey) <= kMessageBytesMax);

struct FetchFailure {
  U16Le block_index;  // below kFetchBlocksMax
  U16Le reason;       // MissReason, not kNone
};
static_assert(sizeof(FetchFailure) == 4);

// Only for blocks that will not come; a delivered block needs no reply (its last chunk is its
// reply).
struct FetchReply {  // followed by FetchFailure[failure_count]
  MessageHeader header;
  U64Le request;
  U64Le incarnation;
  U32Le failure_count;  // 1 to kFetchBlocksMax
  U32Le reserved;
};
static_assert(sizeof(FetchReply) == 40);

struct Release {
  MessageHeader header;
  U64Le lease;
};
static_assert(sizeof(Release) == 24);

// Client to node: do not start what is still queued of this request. Nothing answers.
struct Cancel {
  MessageHeader header;
  U64Le request;
};
static_assert(sizeof(Cancel) == 24);

// Client to node: this block's bytes failed their check here. The node reads its copy again and
// quarantines it only when that differs from its checksum, for the wire may have been at fault and
// the client may lie. Nothing answers.
struct Suspect {
  MessageHeader header;
  U64Le incarnation;
  NamespaceId ns;
  BlockKey key;
};
static_assert(sizeof(Suspect) == 56);

struct PutReply {
  MessageHeader header;
  U64Le request;
  U64Le incarnation;
  U16Le status;  // MissReason; kNone: sealed here (by us or before us with the same bytes)
  U16Le reserved;
  U32Le retry_after_ms;  // with kOverload, kCapacity
};
static_assert(sizeof(PutReply) == 40);

struct Goodbye {
  MessageHeader header;
};
static_assert(sizeof(Goodbye) == 16);

// Header of a bulk from node to client: one chunk of one block.
struct DataHeader {
  U32Le magic;  // kDataMagic
  U16Le version;
  U16Le block_index;  // in the Fetch
  U64Le request;
  U64Le incarnation;
  U32Le offset;       // offset + chunk_bytes <= block_bytes
  U32Le chunk_bytes;  // at least 1
  U32Le block_bytes;  // 1 to kBlockBytesMax
  U32Le reserved;
  Checksum checksum;  // of the whole block
};
static_assert(sizeof(DataHeader) == 56);
inline constexpr uint32_t kDataMagic = 0x41544144;  // "DATA"

// Header of a bulk from client to node: one whole block.
struct PutHeader {
  U32Le magic;  // kPutMagic
  U16Le version;
  U16Le hints;  // kHint bits
  U64Le request;
  U64Le incarnation;
  BlockKey key;
  BlockKey parent;  // all zero at position 0, and only there
  NamespaceId ns;
  Checksum checksum;
  U32Le position;   // at most kChainPositionMax
  U32Le length;     // 1 to kBlockBytesMax
  U64Le budget_us;  // at most kBudgetMax_us
};
static_assert(sizeof(PutHeader) == 104 && sizeof(PutHeader) <= kBulkHeaderBytesMax);
inline constexpr uint32_t kPutMagic = 0x5f545550;  // "PUT_"
inline constexpr uint16_t kHintWillReturn = 1u << 0;
inline constexpr uint16_t kHintOneOff = 1u << 1;
inline constexpr uint16_t kHintLowPriority = 1u << 2;
inline constexpr uint16_t kHintHighPriority = 1u << 3;  // never with the low one
inline constexpr uint16_t kHintsKnown =
    kHintWillReturn | kHintOneOff | kHintLowPriority | kHintHighPriority;

template <typename Head, typename Item>
struct View {
  const Head* head;
  absl::Span<const Item> items;
};

// The type of a well-formed header whose message_bytes equals the span. kInvalidArgument: the
// field. Hello and HelloReply settle the version and keep their layout for ever, so theirs is not
// checked.
absl::StatusOr<MessageType> DecodeType(absl::Span<const std::byte> message);

absl::StatusOr<const Hello*> DecodeHello(absl::Span<const std::byte> message);
absl::StatusOr<const HelloReply*> DecodeHelloReply(absl::Span<const std::byte> message);
// A Ping or a Pong.
absl::StatusOr<const Ping*> DecodePing(absl::Span<const std::byte> message);
absl::StatusOr<View<Pin, BlockKey>> DecodePin(absl::Span<const std::byte> message);
absl::StatusOr<const PinReply*> DecodePinReply(absl::Span<const std::byte> message);
absl::StatusOr<View<Fetch, FetchBlock>> DecodeFetch(absl::Span<const std::byte> message);
absl::StatusOr<View<FetchReply, FetchFailure>> DecodeFetchReply(
    absl::Span<const std::byte> message);
absl::StatusOr<const Release*> DecodeRelease(absl::Span<const std::byte> message);
absl::StatusOr<const Cancel*> DecodeCancel(absl::Span<const std::byte> message);
absl::StatusOr<const Suspect*> DecodeSuspect(absl::Span<const std::byte> message);
absl::StatusOr<const PutReply*> DecodePutReply(absl::Span<const std::byte> message);
absl::StatusOr<const Goodbye*> DecodeGoodbye(absl::Span<const std::byte> message);
// bulk_bytes: the payload's length as the transport announced it; must equal chunk_bytes / length.
absl::StatusOr<const DataHeader*> DecodeDataHeader(absl::Span<const std::byte> header,
                                                   uint64_t bulk_bytes);
absl::StatusOr<const PutHeader*> DecodePutHeader(absl::Span<const std::byte> header,
                                                 uint64_t bulk_bytes);

// Fills the MessageHeader of a fixed-size message.
template <typename Message>
void Seal(Message& message, MessageType type, size_t extra_bytes = 0) {
  message.header.magic = kMagic;
  message.header.version = kWireVersion;
  message.header.type = static_cast<uint16_t>(type);
  message.header.message_bytes = static_cast<uint32_t>(sizeof(Message) + extra_bytes);
  message.header.reserved = 0;
}
template <typename Message>
absl::Span<const std::byte> AsBytes(const Message& message) {
  return {reinterpret_cast<const std::byte*>(&message), sizeof(Message)};
}

// The highest version that both speak, or 0: none.
uint16_t NegotiateVersion(uint16_t peer_min, uint16_t peer_max);

}  // namespace cairn::wire

#endif  // CAIRN_PROTO_WIRE_H_
