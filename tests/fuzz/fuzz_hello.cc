// The handshake behind a right header, so that the fuzzer spends its time on the fields: what two
// peers agree on is something that both offered.

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {
namespace {

// A message of this type whose fields are the input, filled up with zeros.
template <typename Message>
Message Framed(absl::Span<const std::byte> input, wire::MessageType type) {
  Message message{};
  const size_t bytes = std::min(input.size(), sizeof(Message) - sizeof(wire::MessageHeader));
  if (bytes > 0) {
    std::memcpy(reinterpret_cast<std::byte*>(&message) + sizeof(wire::MessageHeader), input.data(),
                bytes);
  }
  wire::Seal(message, type);
  return message;
}

void CheckAgreement(const wire::Hello& hello) {
  CAIRN_CHECK(hello.version_min >= 1 && hello.version_min <= hello.version_max);
  CAIRN_CHECK(hello.lane <= static_cast<uint16_t>(wire::Lane::kBulk));
  const uint16_t version = wire::NegotiateVersion(hello.version_min, hello.version_max);
  const bool ranges_meet =
      hello.version_min <= wire::kWireVersion && hello.version_max >= wire::kWireVersionMin;
  CAIRN_CHECK((version != 0) == ranges_meet);
  if (version == 0) return;
  CAIRN_CHECK(version >= hello.version_min && version <= hello.version_max);
  CAIRN_CHECK(version >= wire::kWireVersionMin && version <= wire::kWireVersion);
}

void CheckReply(const wire::HelloReply& reply) {
  CAIRN_CHECK(reply.status <= static_cast<uint16_t>(wire::MissReason::kMax));
  if (reply.status != 0) return;
  CAIRN_CHECK(wire::NegotiateVersion(reply.version, reply.version) == reply.version);
  CAIRN_CHECK((reply.features & ~wire::kFeaturesSupported) == 0);
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_hello) {
  const auto hello = Framed<wire::Hello>(input, wire::MessageType::kHello);
  if (wire::DecodeHello(wire::AsBytes(hello)).ok()) CheckAgreement(hello);
  const auto reply = Framed<wire::HelloReply>(input, wire::MessageType::kHelloReply);
  if (wire::DecodeHelloReply(wire::AsBytes(reply)).ok()) CheckReply(reply);
}

}  // namespace cairn
