#include "server/cli/midway_restart.h"

#include <algorithm>
#include <csignal>

#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/ratio.h"
#include "base/status.h"
#include "server/cli/figures.h"

namespace cairn {
namespace {

constexpr uint64_t kWindowShare = 20;  // one part in so many of all requests

}  // namespace

double MidwayRestart::HitsBetween(const ReplayProgress& from, const ReplayProgress& to) {
  return Ratio(to.hits - from.hits, to.lookups - from.lookups);
}

absl::Status MidwayRestart::Step(const ReplayProgress& progress) {
  const State state = state_;
  const uint64_t window = std::max<uint64_t>(1, progress.total / kWindowShare);
  switch (state) {
    case State::kFirstHalf:
      if (progress.done + window >= progress.total / 2) state_ = State::kBefore;
      break;
    case State::kBefore:
      if (progress.done < since_.done + window) break;
      outcome_.at_request = progress.done;
      outcome_.hit_ratio_before = HitsBetween(since_, progress);
      stopped_s_ = progress.seconds;
      cluster_.processes()[process_].Signal(SIGTERM);
      state_ = State::kStopping;
      break;
    case State::kStopping:
      if (cluster_.processes()[process_].running()) return absl::OkStatus();
      CAIRN_RETURN_IF_ERROR(cluster_.BeginRestart(process_));
      state_ = State::kStarting;
      return absl::OkStatus();
    case State::kStarting: {
      CAIRN_ASSIGN_OR_RETURN(const bool serves, cluster_.Serves(process_));
      if (!serves) return absl::OkStatus();
      outcome_.away_s = progress.seconds - stopped_s_;
      outcome_.hit_ratio_away = HitsBetween(since_, progress);
      state_ = State::kAfter;
      break;
    }
    case State::kAfter:
      if (progress.done < std::min(since_.done + window, progress.total)) break;
      outcome_.requests_after = progress.done - since_.done;
      outcome_.hit_ratio_after = HitsBetween(since_, progress);
      state_ = State::kDone;
      break;
    case State::kDone:
      break;
  }
  if (state_ != state) since_ = progress;
  return absl::OkStatus();
}

std::string MidwayRestart::ToText() const {
  return absl::StrFormat(
      "restart        a node ended at request %s and served again %.1f s later\n"
      "               block hits: %s before, %s while it was away, %s in the %s requests after\n",
      FormatCount(outcome_.at_request), outcome_.away_s, FormatPercent(outcome_.hit_ratio_before),
      FormatPercent(outcome_.hit_ratio_away), FormatPercent(outcome_.hit_ratio_after),
      FormatCount(outcome_.requests_after));
}

std::string MidwayRestart::ToJson() const {
  const nlohmann::ordered_json json = {{"at_request", outcome_.at_request},
                                       {"away_s", outcome_.away_s},
                                       {"block_hit_ratio_before", outcome_.hit_ratio_before},
                                       {"block_hit_ratio_away", outcome_.hit_ratio_away},
                                       {"block_hit_ratio_after", outcome_.hit_ratio_after},
                                       {"requests_after", outcome_.requests_after}};
  return json.dump();
}

}  // namespace cairn
