// How soon a get is wanted, as the control plane's enum, as the wire's, and in a word.
#ifndef CAIRN_PROTO_URGENCY_H_
#define CAIRN_PROTO_URGENCY_H_

#include <array>
#include <string>

#include <absl/status/statusor.h>

#include "cairn/v1/latency.pb.h"
#include "proto/wire.h"

namespace cairn {

inline constexpr std::array<v1::Urgency, 3> kUrgencies = {v1::INTERACTIVE, v1::STANDARD, v1::BATCH};

v1::Urgency UrgencyOf(wire::Urgency urgency);
wire::Urgency OnWire(v1::Urgency urgency);
// "interactive", "standard", "batch".
const char* UrgencyText(v1::Urgency urgency);
// kInvalidArgument names the field and the words.
absl::StatusOr<v1::Urgency> ParseUrgency(const char* field, const std::string& text);

}  // namespace cairn

#endif  // CAIRN_PROTO_URGENCY_H_
