#include "proto/wire.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/proto/sample_messages.h"

namespace cairn::wire {
namespace {

using ::testing::StartsWith;

// Decodes a copy that ends where its heap block ends, so that AddressSanitizer sees the first byte
// read beyond it.
absl::Status DecodeCopy(const SampleMessage& sample, absl::Span<const std::byte> bytes,
                        uint64_t bulk_bytes) {
  const auto copy = std::make_unique<std::byte[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return sample.decode({copy.get(), bytes.size()}, bulk_bytes);
}

void SetMessageBytes(std::vector<std::byte>& message, size_t size) {
  if (message.size() < sizeof(MessageHeader)) return;
  const U32Le message_bytes = static_cast<uint32_t>(size);
  std::memcpy(message.data() + offsetof(MessageHeader, message_bytes), &message_bytes,
              sizeof(message_bytes));
}

struct Corruption {
  const char* sample;
  size_t offset;
  int width_bytes;
  uint64_t value;
  const char* field;  // that the refusal must name
};

void ExpectRefusal(const Corruption& corruption) {
  SCOPED_TRACE(std::string(corruption.sample) + " " + corruption.field + " = " +
               std::to_string(corruption.value));
  SampleMessage sample = SampleNamed(corruption.sample);
  const U64Le value = corruption.value;
  std::memcpy(sample.bytes.data() + corruption.offset, &value, corruption.width_bytes);
  const absl::Status status = DecodeCopy(sample, sample.bytes, sample.bulk_bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Std(status.message())), StartsWith(corruption.field));
}

constexpr size_t kFetchBlock1 = sizeof(Fetch) + sizeof(FetchBlock);
constexpr size_t kFailure1 = sizeof(FetchReply) + sizeof(FetchFailure);
constexpr uint64_t kReasonUnknown = static_cast<uint64_t>(MissReason::kMax) + 1;

constexpr Corruption kCorruptions[] = {
    {"hello", offsetof(Hello, version_min), 2, 0, "hello.version_min"},
    {"hello", offsetof(Hello, version_min), 2, 2, "hello.version_min"},
    {"hello", offsetof(Hello, version_max), 2, 0, "hello.version_min"},
    {"hello", offsetof(Hello, lane), 2, 2, "hello.lane"},
    {"hello", offsetof(Hello, reserved), 2, 1, "hello.reserved"},

    {"hello_reply", offsetof(HelloReply, status), 2, kReasonUnknown, "hello_reply.status"},
    {"hello_reply", offsetof(HelloReply, version), 2, 0, "hello_reply.version"},
    {"hello_reply", offsetof(HelloReply, version), 2, kWireVersion + 1, "hello_reply.version"},
    {"hello_reply", offsetof(HelloReply, reserved), 4, 1, "hello_reply.reserved"},
    {"hello_reply", offsetof(HelloReply, features), 8, 2, "hello_reply.features"},

    {"pin", offsetof(Pin, lease), 8, 0, "pin.lease"},
    {"pin", offsetof(Pin, block_count), 4, 0, "pin.block_count"},
    {"pin", offsetof(Pin, block_count), 4, kPinBlocksMax + 1, "pin.block_count"},
    {"pin", offsetof(Pin, block_count), 4, UINT32_MAX, "pin.block_count"},
    {"pin", offsetof(Pin, block_count), 4, 2, "header.message_bytes"},
    {"pin", offsetof(Pin, block_count), 4, 4, "header.message_bytes"},
    {"pin", offsetof(Pin, budget_us), 8, kBudgetMax_us + 1, "pin.budget_us"},

    {"pin_reply", offsetof(PinReply, status), 2, kReasonUnknown, "pin_reply.status"},
    {"pin_reply", offsetof(PinReply, reserved), 2, 1, "pin_reply.reserved"},
    {"pin_reply", offsetof(PinReply, block_count), 4, 0, "pin_reply.block_count"},
    {"pin_reply", offsetof(PinReply, block_count), 4, kPinBlocksMax + 1, "pin_reply.block_count"},
    {"pin_reply", offsetof(PinReply, block_count), 4, 1, "pin_reply.held"},
    {"pin_reply", offsetof(PinReply, held), 1, 0b1011, "pin_reply.held"},
    {"pin_reply", offsetof(PinReply, held) + 31, 1, 0x80, "pin_reply.held"},
    {"pin_reply", offsetof(PinReply, status), 2, 10, "pin_reply.held"},

    {"fetch", offsetof(Fetch, budget_us), 8, kBudgetMax_us + 1, "fetch.budget_us"},
    {"fetch", offsetof(Fetch, urgency), 2, 3, "fetch.urgency"},
    {"fetch", offsetof(Fetch, reserved), 2, 1, "fetch.reserved"},
    {"fetch", offsetof(Fetch, block_count), 4, 0, "fetch.block_count"},
    {"fetch", offsetof(Fetch, block_count), 4, kFetchBlocksMax + 1, "fetch.block_count"},
    {"fetch", offsetof(Fetch, block_count), 4, UINT32_MAX, "fetch.block_count"},
    {"fetch", offsetof(Fetch, block_count), 4, 1, "header.message_bytes"},
    {"fetch", kFetchBlock1 + offsetof(FetchBlock, length), 4, 0, "fetch.blocks.length"},
    {"fetch", kFetchBlock1 + offsetof(FetchBlock, length), 4, kBlockBytesMax + 1,
     "fetch.blocks.length"},
    {"fetch", kFetchBlock1 + offsetof(FetchBlock, chunk_bytes), 4, 99, "fetch.blocks.chunk_bytes"},
    {"fetch", kFetchBlock1 + offsetof(FetchBlock, chunk_bytes), 4, 101, "fetch.blocks.chunk_bytes"},
    {"fetch", sizeof(Fetch) + offsetof(FetchBlock, chunk_bytes), 4, kChunkBytesMin - 1,
     "fetch.blocks.chunk_bytes"},

    {"fetch_reply", offsetof(FetchReply, failure_count), 4, 0, "fetch_reply.failure_count"},
    {"fetch_reply", offsetof(FetchReply, failure_count), 4, kFetchBlocksMax + 1,
     "fetch_reply.failure_count"},
    {"fetch_reply", offsetof(FetchReply, failure_count), 4, 1, "header.message_bytes"},
    {"fetch_reply", offsetof(FetchReply, reserved), 4, 1, "fetch_reply.reserved"},
    {"fetch_reply", kFailure1 + offsetof(FetchFailure, block_index), 2, kFetchBlocksMax,
     "fetch_reply.failures.block_index"},
    {"fetch_reply", kFailure1 + offsetof(FetchFailure, reason), 2, 0,
     "fetch_reply.failures.reason"},
    {"fetch_reply", kFailure1 + offsetof(FetchFailure, reason), 2, kReasonUnknown,
     "fetch_reply.failures.reason"},

    {"release", offsetof(Release, lease), 8, 0, "release.lease"},

    {"put_reply", offsetof(PutReply, status), 2, kReasonUnknown, "put_reply.status"},
    {"put_reply", offsetof(PutReply, reserved), 2, 1, "put_reply.reserved"},

    {"data", offsetof(DataHeader, magic), 4, kPutMagic, "data.magic"},
    {"data", offsetof(DataHeader, version), 2, 0, "data.version"},
    {"data", offsetof(DataHeader, version), 2, kWireVersion + 1, "data.version"},
    {"data", offsetof(DataHeader, block_index), 2, kFetchBlocksMax, "data.block_index"},
    {"data", offsetof(DataHeader, block_bytes), 4, 0, "data.block_bytes"},
    {"data", offsetof(DataHeader, block_bytes), 4, kBlockBytesMax + 1, "data.block_bytes"},
    {"data", offsetof(DataHeader, block_bytes), 4, 65535, "data.chunk_bytes"},
    {"data", offsetof(DataHeader, chunk_bytes), 4, 0, "data.chunk_bytes"},
    {"data", offsetof(DataHeader, chunk_bytes), 4, 65535, "data.chunk_bytes"},
    {"data", offsetof(DataHeader, offset), 4, (1u << 20) - 65535, "data.offset"},
    {"data", offsetof(DataHeader, offset), 4, UINT32_MAX, "data.offset"},
    {"data", offsetof(DataHeader, reserved), 4, 1, "data.reserved"},

    {"put", offsetof(PutHeader, magic), 4, kDataMagic, "put.magic"},
    {"put", offsetof(PutHeader, version), 2, 0, "put.version"},
    {"put", offsetof(PutHeader, version), 2, kWireVersion + 1, "put.version"},
    {"put", offsetof(PutHeader, hints), 2, 16, "put.hints"},
    {"put", offsetof(PutHeader, hints), 2, kHintLowPriority | kHintHighPriority, "put.hints"},
    {"put", offsetof(PutHeader, position), 4, kChainPositionMax + 1, "put.position"},
    {"put", offsetof(PutHeader, position), 4, 0, "put.parent"},
    {"put", offsetof(PutHeader, length), 4, 0, "put.length"},
    {"put", offsetof(PutHeader, length), 4, kBlockBytesMax + 1, "put.length"},
    {"put", offsetof(PutHeader, length), 4, 4097, "put.length"},
    {"put", offsetof(PutHeader, budget_us), 8, kBudgetMax_us + 1, "put.budget_us"},
};

TEST(WireDecoders, AcceptEverySample) {
  for (const SampleMessage& sample : SampleMessages()) {
    EXPECT_EQ(DecodeCopy(sample, sample.bytes, sample.bulk_bytes), absl::OkStatus()) << sample.name;
  }
}

TEST(WireDecoders, RefuseEachFieldOutOfRangeByItsName) {
  for (const Corruption& corruption : kCorruptions) ExpectRefusal(corruption);
}

TEST(WireDecoders, RefuseEachFieldOfTheHeaderByItsName) {
  for (const SampleMessage& sample : SampleMessages()) {
    if (!HasMessageHeader(sample)) continue;
    const char* name = sample.name.c_str();
    ExpectRefusal({name, offsetof(MessageHeader, magic), 4, kDataMagic, "header.magic"});
    ExpectRefusal({name, offsetof(MessageHeader, type), 2, 0, "header.type"});
    ExpectRefusal({name, offsetof(MessageHeader, type), 2, 14, "header.type"});
    ExpectRefusal({name, offsetof(MessageHeader, message_bytes), 4, sample.bytes.size() - 1,
                   "header.message_bytes"});
    ExpectRefusal({name, offsetof(MessageHeader, message_bytes), 4, sample.bytes.size() + 1,
                   "header.message_bytes"});
    ExpectRefusal(
        {name, offsetof(MessageHeader, message_bytes), 4, UINT32_MAX, "header.message_bytes"});
    ExpectRefusal({name, offsetof(MessageHeader, reserved), 4, 1, "header.reserved"});
  }
}

TEST(WireDecoders, RefuseAnotherVersionExceptInTheHandshakeThatSettlesIt) {
  for (SampleMessage& sample : SampleMessages()) {
    if (!HasMessageHeader(sample)) continue;
    const bool handshake = sample.name == "hello" || sample.name == "hello_reply";
    for (const uint16_t version : {uint16_t{0}, uint16_t{kWireVersion + 1}, uint16_t{UINT16_MAX}}) {
      const U16Le encoded = version;
      std::memcpy(sample.bytes.data() + offsetof(MessageHeader, version), &encoded,
                  sizeof(encoded));
      const absl::Status status = DecodeCopy(sample, sample.bytes, sample.bulk_bytes);
      EXPECT_EQ(status.ok(), handshake) << sample.name << " " << version;
      if (!handshake) {
        EXPECT_THAT(std::string(Std(status.message())), StartsWith("header.version"));
      }
    }
  }
}

TEST(WireDecoders, RefuseEveryTruncation) {
  for (const SampleMessage& sample : SampleMessages()) {
    for (size_t size = 0; size < sample.bytes.size(); ++size) {
      std::vector<std::byte> cut(sample.bytes.begin(), sample.bytes.begin() + size);
      EXPECT_FALSE(DecodeCopy(sample, cut, sample.bulk_bytes).ok()) << sample.name << " " << size;
      if (!HasMessageHeader(sample)) continue;
      SetMessageBytes(cut, size);
      EXPECT_FALSE(DecodeCopy(sample, cut, sample.bulk_bytes).ok())
          << sample.name << " that admits to " << size << " bytes";
    }
  }
}

TEST(WireDecoders, RefuseTrailingBytes) {
  for (const SampleMessage& sample : SampleMessages()) {
    for (const size_t extra : {size_t{1}, sizeof(BlockKey), sizeof(FetchBlock)}) {
      std::vector<std::byte> longer = sample.bytes;
      longer.resize(longer.size() + extra);
      EXPECT_FALSE(DecodeCopy(sample, longer, sample.bulk_bytes).ok()) << sample.name;
      if (!HasMessageHeader(sample)) continue;
      SetMessageBytes(longer, longer.size());
      EXPECT_FALSE(DecodeCopy(sample, longer, sample.bulk_bytes).ok()) << sample.name;
    }
  }
}

TEST(WireDecoders, RefuseMoreThanOneEagerSegment) {
  for (const SampleMessage& sample : SampleMessages()) {
    if (!HasMessageHeader(sample)) continue;
    std::vector<std::byte> huge = sample.bytes;
    huge.resize(kMessageBytesMax + 1);
    SetMessageBytes(huge, huge.size());
    EXPECT_FALSE(DecodeCopy(sample, huge, sample.bulk_bytes).ok()) << sample.name;
  }
}

TEST(WireDecoders, RefuseEveryOtherKindOfMessage) {
  const std::vector<SampleMessage> samples = SampleMessages();
  for (const SampleMessage& decoder : samples) {
    for (const SampleMessage& message : samples) {
      // Ping and Pong are one layout and one decoder.
      if (decoder.name == message.name || decoder.decode == message.decode) continue;
      EXPECT_FALSE(DecodeCopy(decoder, message.bytes, message.bulk_bytes).ok())
          << message.name << " taken for " << decoder.name;
    }
  }
}

TEST(WireDecoders, AcceptTheLargestPinAndFetch) {
  std::vector<std::byte> pin_bytes = SampleNamed("pin").bytes;
  pin_bytes.resize(sizeof(Pin) + kPinBlocksMax * sizeof(BlockKey));
  reinterpret_cast<Pin*>(pin_bytes.data())->block_count = kPinBlocksMax;
  SetMessageBytes(pin_bytes, pin_bytes.size());
  const auto pin = DecodePin(pin_bytes);
  ASSERT_EQ(pin.status(), absl::OkStatus());
  EXPECT_EQ(pin->items.size(), kPinBlocksMax);

  const std::vector<std::byte> sample = SampleNamed("fetch").bytes;
  std::vector<std::byte> fetch_bytes(sample.begin(), sample.begin() + sizeof(Fetch));
  for (uint32_t i = 0; i < kFetchBlocksMax; ++i) {
    fetch_bytes.insert(fetch_bytes.end(), sample.begin() + sizeof(Fetch),
                       sample.begin() + sizeof(Fetch) + sizeof(FetchBlock));
  }
  reinterpret_cast<Fetch*>(fetch_bytes.data())->block_count = kFetchBlocksMax;
  SetMessageBytes(fetch_bytes, fetch_bytes.size());
  const auto fetch = DecodeFetch(fetch_bytes);
  ASSERT_EQ(fetch.status(), absl::OkStatus());
  EXPECT_EQ(fetch->items.size(), kFetchBlocksMax);
}

TEST(WireDecoders, ViewsPointIntoTheMessage) {
  const std::vector<std::byte> bytes = SampleNamed("fetch").bytes;
  const auto fetch = DecodeFetch(bytes);
  ASSERT_EQ(fetch.status(), absl::OkStatus());
  EXPECT_EQ(static_cast<const void*>(fetch->head), bytes.data());
  EXPECT_EQ(static_cast<const void*>(fetch->items.data()), bytes.data() + sizeof(Fetch));
  ASSERT_EQ(fetch->items.size(), 2u);
  EXPECT_EQ(fetch->items[0].length, 1u << 20);
  EXPECT_EQ(fetch->items[1].chunk_bytes, 0u);
}

TEST(WireDecoders, ChunkOfAShortBlockMayBeTheWholeBlock) {
  std::vector<std::byte> bytes = SampleNamed("fetch").bytes;
  reinterpret_cast<FetchBlock*>(bytes.data() + kFetchBlock1)->chunk_bytes = 100;
  EXPECT_EQ(DecodeFetch(bytes).status(), absl::OkStatus());
}

TEST(WireDecoders, RefusalBeforeNegotiationNeedsNoCommonVersion) {
  SampleMessage sample = SampleNamed("hello_reply");
  auto* reply = reinterpret_cast<HelloReply*>(sample.bytes.data());
  reply->header.version = kWireVersion + 1;
  reply->status = static_cast<uint16_t>(MissReason::kVersion);
  reply->version = 0;
  reply->features = UINT64_MAX;
  const auto decoded = DecodeHelloReply(sample.bytes);
  ASSERT_EQ(decoded.status(), absl::OkStatus());
  EXPECT_EQ((*decoded)->status, static_cast<uint16_t>(MissReason::kVersion));
}

TEST(WireDecoders, HelloMayOfferFeaturesThatWeDoNotKnow) {
  SampleMessage sample = SampleNamed("hello");
  reinterpret_cast<Hello*>(sample.bytes.data())->features = UINT64_MAX;
  EXPECT_EQ(DecodeHello(sample.bytes).status(), absl::OkStatus());
}

TEST(WireDecoders, RefusingPinReplyMayTellNoCount) {
  SampleMessage sample = SampleNamed("pin_reply");
  auto* reply = reinterpret_cast<PinReply*>(sample.bytes.data());
  reply->status = static_cast<uint16_t>(MissReason::kSession);
  reply->block_count = 0;
  reply->held = {};
  EXPECT_EQ(DecodePinReply(sample.bytes).status(), absl::OkStatus());
}

TEST(WireDecoders, FirstBlockOfAChainHasNoParent) {
  SampleMessage sample = SampleNamed("put");
  auto* put = reinterpret_cast<PutHeader*>(sample.bytes.data());
  put->position = 0;
  put->parent = BlockKey{};
  EXPECT_EQ(DecodePutHeader(sample.bytes, sample.bulk_bytes).status(), absl::OkStatus());
  put->position = 1;
  EXPECT_THAT(std::string(Std(DecodePutHeader(sample.bytes, sample.bulk_bytes).status().message())),
              StartsWith("put.parent"));
}

TEST(WireDecoders, AnnouncedBulkMustBeWhatTheHeaderSays) {
  for (const char* name : {"data", "put"}) {
    const SampleMessage sample = SampleNamed(name);
    const uint64_t wrong[] = {0, sample.bulk_bytes - 1, sample.bulk_bytes + 1,
                              sample.bulk_bytes + (uint64_t{1} << 32)};
    for (const uint64_t bulk_bytes : wrong) {
      EXPECT_FALSE(DecodeCopy(sample, sample.bytes, bulk_bytes).ok()) << name << " " << bulk_bytes;
    }
  }
}

TEST(DecodeType, TellsTheTypeOfEverySample) {
  uint16_t expected = 0;
  for (const SampleMessage& sample : SampleMessages()) {
    if (!HasMessageHeader(sample)) continue;
    const auto type = DecodeType(sample.bytes);
    ASSERT_EQ(type.status(), absl::OkStatus()) << sample.name;
    EXPECT_EQ(static_cast<uint16_t>(*type), ++expected) << sample.name;
  }
}

TEST(DecodeType, RefusesATypeThatIsNone) {
  std::vector<std::byte> goodbye = SampleNamed("goodbye").bytes;
  for (const uint16_t type : {uint16_t{0}, uint16_t{14}, uint16_t{UINT16_MAX}}) {
    reinterpret_cast<MessageHeader*>(goodbye.data())->type = type;
    EXPECT_THAT(std::string(Std(DecodeType(goodbye).status().message())),
                StartsWith("header.type"));
  }
}

TEST(DecodeType, BoundsTheMessageByOneEagerSegment) {
  std::vector<std::byte> message = SampleNamed("goodbye").bytes;
  message.resize(kMessageBytesMax);
  SetMessageBytes(message, message.size());
  EXPECT_EQ(DecodeType(message).status(), absl::OkStatus());
  message.resize(kMessageBytesMax + 1);
  SetMessageBytes(message, message.size());
  EXPECT_THAT(std::string(Std(DecodeType(message).status().message())),
              StartsWith("message (bytes)"));
}

TEST(NegotiateVersion, IsTheHighestThatBothSpeak) {
  EXPECT_EQ(NegotiateVersion(kWireVersion, kWireVersion), kWireVersion);
  EXPECT_EQ(NegotiateVersion(1, kWireVersion), kWireVersion);
  EXPECT_EQ(NegotiateVersion(kWireVersion, kWireVersion + 1), kWireVersion);
  EXPECT_EQ(NegotiateVersion(kWireVersionMin, UINT16_MAX), kWireVersion);
  EXPECT_EQ(NegotiateVersion(kWireVersionMin, kWireVersionMin), kWireVersionMin);
}

TEST(NegotiateVersion, IsNoneWhenTheRangesDoNotMeet) {
  EXPECT_EQ(NegotiateVersion(kWireVersion + 1, UINT16_MAX), 0);
  EXPECT_EQ(NegotiateVersion(0, kWireVersionMin - 1), 0);
  EXPECT_EQ(NegotiateVersion(kWireVersion + 1, kWireVersion), 0);
}

TEST(MissReasonName, IsOneDistinctWordPerReason) {
  std::vector<std::string> names;
  for (uint64_t reason = 0; reason < kReasonUnknown; ++reason) {
    names.emplace_back(MissReasonName(static_cast<MissReason>(reason)));
    EXPECT_THAT(names.back(), ::testing::MatchesRegex("[a-z_]+"));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_STREQ(MissReasonName(static_cast<MissReason>(kReasonUnknown)), "unknown");
}

}  // namespace
}  // namespace cairn::wire
