#include "server/cli/objective_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/strip.h>
#include <absl/time/time.h>

#include "base/byte_size.h"
#include "base/config_yaml.h"
#include "base/latency_buckets.h"
#include "base/nearest_name.h"
#include "base/status.h"
#include "proto/urgency.h"

namespace cairn {
namespace {

constexpr int64_t kDay_s = 24 * 3600;

absl::Status Wrong(const char* field, const std::string& value, const std::string& allowed) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": \"", value, "\" must be ", allowed));
}

absl::StatusOr<absl::Duration> ParseTime(const char* field, const std::string& text) {
  absl::string_view days = text;
  int64_t count = 0;
  if (absl::ConsumeSuffix(&days, "d") && absl::SimpleAtoi(days, &count) && count > 0 &&
      count <= 10'000) {
    return absl::Hours(24 * count);
  }
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration() &&
      duration < absl::Hours(24 * 10'000)) {
    return duration;
  }
  return Wrong(field, text, "a time as 500us, 1ms, 2s, 6h or 30d");
}

absl::StatusOr<uint32_t> ParseSizeClass(const std::string& text) {
  std::string classes;
  const std::optional<uint64_t> bytes = ParseByteSize(text);
  for (uint32_t i = 0; i < kSizeClassBytes.size(); ++i) {
    if (bytes.has_value() && kSizeClassBytes[i] == *bytes) return i;
    absl::StrAppend(&classes, i == 0 ? "" : ", ", SizeClassText(i));
  }
  return Wrong("size", text, absl::StrCat("a size class: ", classes));
}

absl::StatusOr<v1::BlockTier> ParseTier(const std::string& text) {
  for (const v1::BlockTier tier : {v1::DRAM_TIER, v1::NVME_TIER, v1::UNKNOWN_TIER}) {
    if (text == TierText(tier)) return tier;
  }
  return Wrong("tier", text,
               "dram or nvme, as the nodes measure it, or any, as the clients see it");
}

absl::StatusOr<uint32_t> ParseTarget(const std::string& text) {
  double percent = 0;
  std::string number = text;
  if (!number.empty() && number.back() == '%') number.pop_back();
  if (absl::SimpleAtod(number, &percent) && percent >= 50 && percent <= 99.9999) {
    return static_cast<uint32_t>(std::lround(percent * 1e4));
  }
  return Wrong("target", text, "50 to 99.9999, in per cent");
}

std::string MakeName(const ObjectiveText& text) {
  std::string name = text.tenant.empty() ? "" : absl::StrCat(text.tenant, "-");
  if (text.kind == "answered") {
    absl::StrAppend(&name, "answered");
  } else {
    absl::StrAppend(&name, text.tier, "-", text.size, "-", text.within);
    if (text.urgency != "any") absl::StrAppend(&name, "-", text.urgency);
  }
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{".", "_"}});
}

absl::Status SetField(ObjectiveText& text, const std::string& field, const std::string& value) {
  const std::map<std::string, std::string*> fields = {
      {"kind", &text.kind},     {"tenant", &text.tenant},  {"tier", &text.tier},
      {"size", &text.size},     {"within", &text.within},  {"target", &text.target},
      {"window", &text.window}, {"urgency", &text.urgency}};
  const auto found = fields.find(field);
  if (found != fields.end()) {
    *found->second = value;
    return absl::OkStatus();
  }
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const auto& [name, unused] : fields) names.push_back(name);
  const std::string nearest = NearestName(field, names);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown field \"", field, "\"",
                   nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

}  // namespace

std::string SizeClassText(uint32_t size_class) {
  return FormatByteSize(kSizeClassBytes[std::min<size_t>(size_class, kSizeClassBytes.size() - 1)]);
}

std::string ThresholdText(int64_t threshold_ns) {
  return absl::FormatDuration(absl::Nanoseconds(threshold_ns));
}

std::string WindowText(int64_t window_s) {
  return window_s % kDay_s == 0 ? absl::StrCat(window_s / kDay_s, "d")
                                : absl::FormatDuration(absl::Seconds(window_s));
}

std::string TierText(v1::BlockTier tier) {
  return tier == v1::DRAM_TIER ? "dram" : tier == v1::NVME_TIER ? "nvme" : "any";
}

absl::StatusOr<v1::Objective> ParseObjective(const ObjectiveText& text) {
  v1::Objective objective;
  objective.set_name(text.name.empty() ? MakeName(text) : text.name);
  objective.set_tenant(text.tenant);
  CAIRN_ASSIGN_OR_RETURN(const uint32_t target_ppm, ParseTarget(text.target));
  objective.set_target_ppm(target_ppm);
  CAIRN_ASSIGN_OR_RETURN(const absl::Duration window, ParseTime("window", text.window));
  objective.set_window_s(absl::ToInt64Seconds(window));
  if (text.kind == "answered") {
    objective.set_kind(v1::Objective::ANSWERED);
    if (text.size.empty() && text.within.empty() && text.tier == "any" && text.urgency == "any") {
      return objective;
    }
    return absl::InvalidArgumentError(
        "kind: \"answered\" is about calls that end by their own deadline: it has no tier, size, "
        "within or urgency");
  }
  if (text.kind != "latency") return Wrong("kind", text.kind, "latency or answered");
  CAIRN_ASSIGN_OR_RETURN(const v1::BlockTier tier, ParseTier(text.tier));
  objective.set_tier(tier);
  CAIRN_ASSIGN_OR_RETURN(const uint32_t size_class, ParseSizeClass(text.size));
  objective.set_size_class(size_class);
  CAIRN_ASSIGN_OR_RETURN(const absl::Duration within, ParseTime("within", text.within));
  objective.set_threshold_ns(absl::ToInt64Nanoseconds(within));
  if (text.urgency == "any") return objective;
  CAIRN_ASSIGN_OR_RETURN(const v1::Urgency urgency, ParseUrgency("urgency", text.urgency));
  objective.set_urgency(urgency);
  return objective;
}

absl::StatusOr<std::vector<v1::Objective>> ParseObjectivesFile(const ConfigFile& file) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<YamlEntry> entries, FlattenYaml(file));
  std::vector<std::pair<ObjectiveText, int>> texts;  // and the line that begins it
  for (const YamlEntry& entry : entries) {
    const auto fail = [&](const std::string& why) {
      return absl::InvalidArgumentError(absl::StrCat(file.path, ":", entry.line, ": ", why));
    };
    const size_t dot = entry.key.find('.');
    if (dot == std::string::npos || entry.is_sequence) {
      return fail(absl::StrCat(
          entry.key, " is no objective; give NAME: and below it its fields, as tier: dram"));
    }
    const std::string name = entry.key.substr(0, dot);
    if (texts.empty() || texts.back().first.name != name) {
      texts.emplace_back(ObjectiveText{.name = name}, entry.line);
    }
    const absl::Status status =
        SetField(texts.back().first, entry.key.substr(dot + 1), entry.items.front());
    if (!status.ok()) return fail(std::string(status.message()));
  }
  std::vector<v1::Objective> objectives;
  objectives.reserve(texts.size());
  for (const auto& [text, line] : texts) {
    absl::StatusOr<v1::Objective> objective = ParseObjective(text);
    if (!objective.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(file.path, ":", line, ": objective ",
                                                     text.name, ": ",
                                                     std::string(objective.status().message())));
    }
    objectives.push_back(*std::move(objective));
  }
  return objectives;
}

}  // namespace cairn
