// A YAML configuration file as a flat list of option names and texts. For config.cc.
#ifndef CAIRN_BASE_CONFIG_YAML_H_
#define CAIRN_BASE_CONFIG_YAML_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/config.h"

namespace cairn {

struct YamlEntry {
  std::string key;                 // "tier.dram.capacity_bytes"
  std::vector<std::string> items;  // One text, or those of a sequence.
  bool is_sequence = false;
  int line = 0;  // From 1.
};

// In the order of the file; an empty file has no entries. kInvalidArgument, naming file and line:
// no YAML, not a mapping, a key without value or given twice, a sequence of anything but texts, or
// nesting deeper than 16.
absl::StatusOr<std::vector<YamlEntry>> FlattenYaml(const ConfigFile& file);

}  // namespace cairn

#endif  // CAIRN_BASE_CONFIG_YAML_H_
