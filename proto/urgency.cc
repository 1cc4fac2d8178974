#include "proto/urgency.h"

#include <absl/strings/str_cat.h>

namespace cairn {

v1::Urgency UrgencyOf(wire::Urgency urgency) {
  switch (urgency) {
    case wire::Urgency::kInteractive:
      return v1::INTERACTIVE;
    case wire::Urgency::kBatch:
      return v1::BATCH;
    case wire::Urgency::kStandard:
      break;
  }
  return v1::STANDARD;
}

wire::Urgency OnWire(v1::Urgency urgency) {
  if (urgency == v1::INTERACTIVE) return wire::Urgency::kInteractive;
  return urgency == v1::BATCH ? wire::Urgency::kBatch : wire::Urgency::kStandard;
}

const char* UrgencyText(v1::Urgency urgency) {
  if (urgency == v1::INTERACTIVE) return "interactive";
  return urgency == v1::BATCH ? "batch" : "standard";
}

absl::StatusOr<v1::Urgency> ParseUrgency(const char* field, const std::string& text) {
  for (const v1::Urgency urgency : kUrgencies) {
    if (text == UrgencyText(urgency)) return urgency;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", text, "\" must be interactive, standard or batch"));
}

}  // namespace cairn
