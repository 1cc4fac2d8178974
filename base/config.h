// Options of a program: one plain struct holds them, and a schema declares each once, with name,
// target, range and help. Values come, strongest first, from flags, the environment, a YAML file
// and the struct's own initialisers. Nothing here reads a file, getenv or a command line: main
// hands the texts in.
//
//   struct NodeOptions { uint64_t dram_bytes = uint64_t{4} << 30; int64_t reactors = 1; };
//   ConfigSchema schema;
//   schema.AddBytes("tier.dram.capacity_bytes", &options.dram_bytes, {kMiB, 64 * kTiB}, "DRAM
//   ..."); schema.Add("reactors", &options.reactors, {1, 256}, "threads", "Data-plane threads.");
//   CAIRN_RETURN_IF_ERROR(schema.Load({.flags = flags, .environment = environment}));
#ifndef CAIRN_BASE_CONFIG_H_
#define CAIRN_BASE_CONFIG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace cairn {

// Both ends are allowed.
template <typename T>
struct ConfigRange {
  T min;
  T max;
};

struct ConfigFile {
  std::string path;  // For messages.
  std::string text;  // YAML: nested mappings whose joined keys are option names.
};

struct ConfigSources {
  std::map<std::string, std::string> flags;        // Option name to text, only those given.
  std::map<std::string, std::string> environment;  // The whole environment.
  std::optional<ConfigFile> file;
};

// One option as help, completions and the dump of effective values show it.
struct ConfigOption {
  std::string name;
  std::string environment;  // CAIRN_TIER_DRAM_CAPACITY_BYTES
  std::string type;         // "size", "duration", "integer", "number", "boolean", "text", "list"
  std::string unit;
  std::string range;  // "1MiB to 64TiB"; empty where any value goes.
  std::string help;
  std::string default_value;
  std::string value;   // After Load; the default before.
  std::string source;  // "default", "--reactors", "CAIRN_REACTORS" or "node.yaml:7"
};

// Declare first, then Load once. One thread. The targets outlive it.
class ConfigSchema {
 public:
  // environment_prefix: of the variables that belong to this program; others are ignored.
  explicit ConfigSchema(std::string environment_prefix = "CAIRN_");
  ~ConfigSchema();
  ConfigSchema(const ConfigSchema&) = delete;
  ConfigSchema& operator=(const ConfigSchema&) = delete;

  // name: lower-case words joined by dots and underscores; no two options may have the same name or
  // environment variable. *target holds the default, which must lie in the range. Lists are comma
  // separated in flags and the environment, sequences in YAML.
  void Add(std::string_view name, std::string* target, std::string_view help);
  void Add(std::string_view name, std::vector<std::string>* target, std::string_view help);
  void Add(std::string_view name, bool* target, std::string_view help);
  void Add(std::string_view name, int64_t* target, ConfigRange<int64_t> range,
           std::string_view unit, std::string_view help);
  void Add(std::string_view name, double* target, ConfigRange<double> range, std::string_view unit,
           std::string_view help);
  // Texts as "250ms", "1.5s", "2h".
  void Add(std::string_view name, absl::Duration* target, ConfigRange<absl::Duration> range,
           std::string_view help);
  // Texts as "4GiB": see ParseByteSize.
  void AddBytes(std::string_view name, uint64_t* target, ConfigRange<uint64_t> range,
                std::string_view help);

  // A variable under the prefix that may be set without being an option here (CAIRN_CONFIG).
  void ReserveEnvironment(std::string_view variable);

  // Sets all targets, or none. kInvalidArgument: one line for each mistake, with name, value, place
  // and remedy; unknown names come with the nearest known one.
  absl::Status Load(const ConfigSources& sources);

  // In the order of declaration.
  std::vector<ConfigOption> Options() const;

 private:
  class Binding;
  template <typename Grammar>
  class TypedBinding;
  struct Loading;

  void AddBinding(std::string_view name, std::unique_ptr<Binding> binding);
  Binding* Find(std::string_view name) const;
  std::vector<std::string> Names() const;
  void StageFile(const ConfigFile& file, Loading& loading) const;
  void StageEnvironment(const std::map<std::string, std::string>& environment,
                        Loading& loading) const;
  void StageFlags(const std::map<std::string, std::string>& flags, Loading& loading) const;

  const std::string environment_prefix_;
  std::vector<std::unique_ptr<Binding>> bindings_;
  std::set<std::string> reserved_;
};

}  // namespace cairn

#endif  // CAIRN_BASE_CONFIG_H_
