#include "server/cli/replay/simulate.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "server/cli/figures.h"

namespace cairn {

NumberedTrace NumberBlocks(const std::vector<TraceRequest>& trace) {
  NumberedTrace numbered;
  absl::flat_hash_map<uint64_t, ModelBlock> numbers;
  int64_t now_ms = 0;
  for (const TraceRequest& request : trace) {
    now_ms = std::max(now_ms, request.timestamp_ms);
    numbered.requests.push_back(
        {now_ms, request.input_tokens, numbered.blocks.size(), request.block_ids.size()});
    for (const uint64_t id : request.block_ids) {
      const auto next = static_cast<ModelBlock>(numbers.size());
      numbered.blocks.push_back(numbers.try_emplace(id, next).first->second);
    }
  }
  numbered.unique = numbers.size();
  return numbered;
}

absl::StatusOr<SimulationResult> Simulate(const NumberedTrace& trace,
                                          const SimulateOptions& options) {
  SimulationOptions model;
  model.policy = options.policy;
  const auto part = [&trace](double share) {
    const double blocks = std::floor(share * static_cast<double>(trace.unique));
    return std::max<uint64_t>(1, static_cast<uint64_t>(blocks));
  };
  model.dram_blocks = part(options.dram_share);
  if (options.flash_share > 0) model.flash_blocks = part(options.flash_share);
  model.flash_writes_per_reference = options.flash_writes_per_reference;
  model.blocks_max = trace.unique;
  model.tokens_per_block = kTraceTokensPerBlock;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Simulation> simulation, Simulation::Create(model));
  const absl::Span<const ModelBlock> blocks = trace.blocks;
  for (const NumberedTrace::Request& request : trace.requests) {
    simulation->Take(
        {request.now_ms, request.tokens, blocks.subspan(request.first, request.count)});
  }
  return simulation->result();
}

absl::StatusOr<double> ParseShare(const std::string& option, const std::string& text) {
  double percent = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, percent);
  const bool whole = error == std::errc() && stopped + 1 == end && *stopped == '%';
  if (!whole || !(percent > 0) || percent > 100) {
    return absl::InvalidArgumentError(absl::StrCat(
        option, ": \"", text, "\" is no share of the trace's unique blocks; give one such as 3%"));
  }
  return percent / 100;
}

std::string SimulationJson(const SimulationResult& result) {
  const nlohmann::ordered_json json = {
      {"token_hit_ratio", result.token_hit_ratio()},
      {"block_hit_ratio", result.block_hit_ratio()},
      {"flash_writes_per_reference", result.flash_writes_per_reference()}};
  return json.dump();
}

std::string SimulationText(const SimulationResult& result) {
  return absl::StrFormat(
      "token hits   %s of %s\nblock hits   %s of %s\nNVMe writes  %.2f a block\n",
      FormatPercent(result.token_hit_ratio()), FormatCount(result.tokens),
      FormatPercent(result.block_hit_ratio()), FormatCount(result.references),
      result.flash_writes_per_reference());
}

}  // namespace cairn
