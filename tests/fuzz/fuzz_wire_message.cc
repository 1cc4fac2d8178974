// Every decoder of messages over any bytes: what one accepts lies within the input, and written
// out again is the input.

#include <cstring>
#include <vector>

#include "base/check.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {
namespace {

using Input = absl::Span<const std::byte>;

void CheckWhole(Input input, const std::vector<std::byte>& written) {
  CAIRN_CHECK(written.size() == input.size());
  CAIRN_CHECK(std::memcmp(written.data(), input.data(), input.size()) == 0);
}

template <typename Message>
std::vector<std::byte> Written(const Message& message) {
  const Message copy = message;
  const Input bytes = wire::AsBytes(copy);
  return {bytes.begin(), bytes.end()};
}

template <typename Message>
bool CheckFixed(Input input, const absl::StatusOr<const Message*>& decoded) {
  if (!decoded.ok()) return false;
  CAIRN_CHECK(LiesWithin(input, *decoded, sizeof(Message)));
  CheckWhole(input, Written(**decoded));
  return true;
}

template <typename Head, typename Item>
bool CheckList(Input input, const absl::StatusOr<wire::View<Head, Item>>& decoded) {
  if (!decoded.ok()) return false;
  CAIRN_CHECK(LiesWithin(input, decoded->head, sizeof(Head)));
  CAIRN_CHECK(!decoded->items.empty());
  CAIRN_CHECK(LiesWithin(input, decoded->items.data(), decoded->items.size() * sizeof(Item)));
  std::vector<std::byte> written = Written(*decoded->head);
  for (const Item& item : decoded->items) {
    const Item copy = item;
    const Input bytes = wire::AsBytes(copy);
    written.insert(written.end(), bytes.begin(), bytes.end());
  }
  CheckWhole(input, written);
  return true;
}

int AcceptedBy(Input input) {
  return CheckFixed(input, wire::DecodeHello(input)) +
         CheckFixed(input, wire::DecodeHelloReply(input)) +
         CheckFixed(input, wire::DecodePing(input)) + CheckList(input, wire::DecodePin(input)) +
         CheckFixed(input, wire::DecodePinReply(input)) +
         CheckList(input, wire::DecodeFetch(input)) +
         CheckList(input, wire::DecodeFetchReply(input)) +
         CheckFixed(input, wire::DecodeRelease(input)) +
         CheckFixed(input, wire::DecodeCancel(input)) +
         CheckFixed(input, wire::DecodeSuspect(input)) +
         CheckFixed(input, wire::DecodePutReply(input)) +
         CheckFixed(input, wire::DecodeGoodbye(input));
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_wire_message) {
  // No bytes are two kinds of message, and none are one without a well-formed header.
  CAIRN_CHECK(AcceptedBy(input) <= (wire::DecodeType(input).ok() ? 1 : 0));
}

}  // namespace cairn
