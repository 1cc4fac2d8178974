// An objective as people write it, on the command line and in a file.
#ifndef CAIRN_SERVER_CLI_OBJECTIVE_TEXT_H_
#define CAIRN_SERVER_CLI_OBJECTIVE_TEXT_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/config.h"
#include "cairn/v1/objectives.pb.h"

namespace cairn {

struct ObjectiveText {
  std::string name;              // empty: made of the rest, "search-dram-1mib-1ms"
  std::string kind = "latency";  // or "answered"
  std::string tenant;            // empty: all
  std::string tier = "any";      // dram, nvme, any
  std::string size;              // a size class: "1MiB"
  std::string within;            // "1ms": what a good get takes at most
  std::string target = "99";     // per cent of the calls that must be good
  std::string window = "30d";
  std::string urgency = "any";  // interactive, standard, batch
};

// kInvalidArgument names the field, the value and what is allowed. What a coordinator alone can
// judge (is there such a tenant?) it judges.
absl::StatusOr<v1::Objective> ParseObjective(const ObjectiveText& text);

// "1MiB", "1ms", "30d".
std::string SizeClassText(uint32_t size_class);
std::string ThresholdText(int64_t threshold_ns);
std::string WindowText(int64_t window_s);
std::string TierText(v1::BlockTier tier);

// A mapping of names to mappings with ObjectiveText's other fields. kInvalidArgument names file,
// line or objective, field and remedy.
absl::StatusOr<std::vector<v1::Objective>> ParseObjectivesFile(const ConfigFile& file);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_OBJECTIVE_TEXT_H_
