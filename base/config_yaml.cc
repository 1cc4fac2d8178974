#include "base/config_yaml.h"

#include <map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <yaml-cpp/yaml.h>

#include "base/status.h"

namespace cairn {
namespace {

// Option names have a handful of parts; an alias to its own parent would nest without end.
constexpr int kDepthMax = 16;

class Flattener {
 public:
  explicit Flattener(const std::string& path) : path_(path) {}

  absl::Status AddMap(const YAML::Node& map, const std::string& prefix, int depth) {
    if (depth > kDepthMax) return Error(map, absl::StrCat(prefix, " is nested too deeply"));
    for (const auto& child : map) {
      if (!child.first.IsScalar()) return Error(child.first, "a key is not a plain word");
      const std::string& word = child.first.Scalar();
      const std::string key = prefix.empty() ? word : absl::StrCat(prefix, ".", word);
      if (child.second.IsMap()) {
        CAIRN_RETURN_IF_ERROR(AddMap(child.second, key, depth + 1));
      } else {
        CAIRN_RETURN_IF_ERROR(AddValue(child.first, child.second, key));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Error(const YAML::Node& at, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", LineOf(at), ": ", what));
  }

  std::vector<YamlEntry> Take() { return std::move(entries_); }

 private:
  static int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

  absl::Status AddValue(const YAML::Node& key_node, const YAML::Node& value,
                        const std::string& key) {
    YamlEntry entry{.key = key, .is_sequence = value.IsSequence(), .line = LineOf(key_node)};
    if (value.IsScalar()) {
      entry.items.push_back(value.Scalar());
    } else if (!value.IsSequence()) {
      return Error(key_node, absl::StrCat(key, " has no value; give one or remove the line"));
    }
    if (entry.is_sequence) {
      for (const YAML::Node& item : value) {
        if (!item.IsScalar()) return Error(item, absl::StrCat(key, " is not a list of texts"));
        entry.items.push_back(item.Scalar());
      }
    }
    const auto [first, is_new] = lines_.emplace(key, entry.line);
    if (!is_new) {
      return Error(key_node, absl::StrCat(key, " was given on line ", first->second,
                                          " already; remove one of the two"));
    }
    entries_.push_back(std::move(entry));
    return absl::OkStatus();
  }

  const std::string& path_;
  std::map<std::string, int> lines_;
  std::vector<YamlEntry> entries_;
};

}  // namespace

absl::StatusOr<std::vector<YamlEntry>> FlattenYaml(const ConfigFile& file) {
  try {
    const YAML::Node root = YAML::Load(file.text);
    Flattener flattener(file.path);
    if (root.IsNull()) return flattener.Take();
    if (!root.IsMap()) return flattener.Error(root, "the file is not a mapping (name: value)");
    CAIRN_RETURN_IF_ERROR(flattener.AddMap(root, "", 1));
    return flattener.Take();
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
}

}  // namespace cairn
