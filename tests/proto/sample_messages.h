// One well-formed example of every wire message: for the tests of the decoders, the golden bytes of
// tests/data/vectors/messages.json, and the fuzzers' seeds.
#ifndef CAIRN_TESTS_PROTO_SAMPLE_MESSAGES_H_
#define CAIRN_TESTS_PROTO_SAMPLE_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/types/span.h>

namespace cairn {

// Decodes as the kind of message that it stands for. bulk_bytes: ignored by all but data and put.
using Decode = absl::Status (*)(absl::Span<const std::byte> message, uint64_t bulk_bytes);

struct SampleMessage {
  std::string name;  // as in messages.json
  std::vector<std::byte> bytes;
  uint64_t bulk_bytes = 0;
  Decode decode = nullptr;
};

// False for the headers of bulks, which have no MessageHeader.
bool HasMessageHeader(const SampleMessage& sample);

std::vector<SampleMessage> SampleMessages();
// CAIRN_CHECKs that there is one of this name.
SampleMessage SampleNamed(const std::string& name);

}  // namespace cairn

#endif  // CAIRN_TESTS_PROTO_SAMPLE_MESSAGES_H_
