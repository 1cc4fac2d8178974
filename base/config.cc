#include "base/config.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <type_traits>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "base/byte_size.h"
#include "base/check.h"
#include "base/config_yaml.h"
#include "base/nearest_name.h"
#include "base/status.h"

namespace cairn {
namespace {

// A value as a source gave it, and where.
struct RawValue {
  std::vector<std::string> items;
  bool is_sequence = false;
  std::string source;
};

template <typename T>
std::optional<T> ParseNumber(const std::string& text) {
  T value;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

// A grammar is all that depends on an option's type: its name, what a text of it looks like, and
// how to read and write one.
struct TextGrammar {
  using Value = std::string;
  static constexpr char kType[] = "text";
  static constexpr char kForm[] = "";
  static std::optional<Value> Parse(const std::string& text) { return text; }
  static std::string Format(const Value& value) { return value; }
};

struct BooleanGrammar {
  using Value = bool;
  static constexpr char kType[] = "boolean";
  static constexpr char kForm[] = "true or false";
  static std::optional<Value> Parse(const std::string& text) {
    if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
    if (text == "false" || text == "no" || text == "off" || text == "0") return false;
    return std::nullopt;
  }
  static std::string Format(bool value) { return value ? "true" : "false"; }
};

struct IntegerGrammar {
  using Value = int64_t;
  static constexpr char kType[] = "integer";
  static constexpr char kForm[] = "a whole number such as 8";
  static std::optional<Value> Parse(const std::string& text) { return ParseNumber<Value>(text); }
  static std::string Format(Value value) { return absl::StrCat(value); }
};

struct NumberGrammar {
  using Value = double;
  static constexpr char kType[] = "number";
  static constexpr char kForm[] = "a number such as 0.5";
  static std::optional<Value> Parse(const std::string& text) { return ParseNumber<Value>(text); }
  static std::string Format(Value value) { return absl::StrCat(value); }
};

struct SizeGrammar {
  using Value = uint64_t;
  static constexpr char kType[] = "size";
  static constexpr char kForm[] = "a size such as 4GiB (B, KiB, MiB, GiB, TiB, KB, MB, GB, TB)";
  static std::optional<Value> Parse(const std::string& text) { return ParseByteSize(text); }
  static std::string Format(Value value) { return FormatByteSize(value); }
};

struct DurationGrammar {
  using Value = absl::Duration;
  static constexpr char kType[] = "duration";
  static constexpr char kForm[] = "a duration such as 250ms (ns, us, ms, s, m, h)";
  static std::optional<Value> Parse(const std::string& text) {
    absl::Duration value;
    if (!absl::ParseDuration(text, &value)) return std::nullopt;
    return value;
  }
  static std::string Format(Value value) { return absl::FormatDuration(value); }
};

struct ListGrammar {
  using Value = std::vector<std::string>;
  static constexpr char kType[] = "list";
  static constexpr char kForm[] = "a list such as a,b,c";
  static std::string Format(const Value& value) { return absl::StrJoin(value, ","); }
};

bool IsOptionName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
  });
}

std::string VariableOf(std::string_view prefix, std::string_view name) {
  std::string variable(prefix);
  for (const char c : name) {
    variable.push_back(c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c));
  }
  return variable;
}

// "; did you mean x?"
std::string Suggestion(const std::string& nearest) {
  return nearest.empty() ? "; --help lists the options"
                         : absl::StrCat("; did you mean ", nearest, "?");
}

// As the command line spells an option.
std::string FlagOf(std::string_view name) {
  std::string flag = absl::StrCat("--", Absl(name));
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

}  // namespace

// One declared option. Stage reads a text, Commit writes the staged value to its target.
class ConfigSchema::Binding {
 public:
  explicit Binding(ConfigOption option) : option_(std::move(option)) {}
  virtual ~Binding() = default;

  const ConfigOption& option() const { return option_; }
  void SetNames(std::string_view name, std::string variable) {
    option_.name = name;
    option_.environment = std::move(variable);
  }

  virtual absl::Status Stage(const RawValue& raw) = 0;
  virtual void Commit() = 0;

 protected:
  ConfigOption option_;
};

template <typename Grammar>
class ConfigSchema::TypedBinding final : public Binding {
 public:
  using Value = typename Grammar::Value;

  TypedBinding(Value* target, std::optional<ConfigRange<Value>> range, std::string_view unit,
               std::string_view help)
      : Binding({.type = Grammar::kType,
                 .unit = std::string(unit),
                 .help = std::string(help),
                 .default_value = Grammar::Format(*target),
                 .value = Grammar::Format(*target),
                 .source = "default"}),
        target_(target),
        range_(std::move(range)) {
    if (!range_.has_value()) return;
    CAIRN_CHECK(InRange(*target));
    option_.range =
        absl::StrCat(Grammar::Format(range_->min), " to ", Grammar::Format(range_->max));
  }

  absl::Status Stage(const RawValue& raw) override {
    std::optional<Value> value = Parse(raw);
    if (!value.has_value()) {
      return Wrong(raw, absl::StrCat("\"", absl::StrJoin(raw.items, ","), "\""),
                   absl::StrCat("is not ", Form()));
    }
    if (!InRange(*value)) {
      return Wrong(raw, Grammar::Format(*value),
                   absl::StrCat("is out of range; choose ", Bounds()));
    }
    staged_ = std::move(value);
    staged_source_ = raw.source;
    return absl::OkStatus();
  }

  void Commit() override {
    if (!staged_.has_value()) return;
    *target_ = *std::exchange(staged_, std::nullopt);
    option_.value = Grammar::Format(*target_);
    option_.source = std::move(staged_source_);
  }

 private:
  static std::optional<Value> Parse(const RawValue& raw) {
    if constexpr (std::is_same_v<Grammar, ListGrammar>) {
      if (raw.is_sequence) return raw.items;
      return Value(absl::StrSplit(raw.items.front(), ',', absl::SkipEmpty()));
    } else {
      if (raw.is_sequence) return std::nullopt;
      return Grammar::Parse(raw.items.front());
    }
  }

  static std::string Form() {
    return *Grammar::kForm == '\0' ? "one value but a list" : Grammar::kForm;
  }

  bool InRange(const Value& value) const {
    if constexpr (std::is_arithmetic_v<Value> || std::is_same_v<Value, absl::Duration>) {
      // Written so that NaN is outside.
      return !range_.has_value() || (value >= range_->min && value <= range_->max);
    } else {
      return true;
    }
  }

  std::string Bounds() const {
    return absl::StrCat(option_.range, option_.unit.empty() ? "" : " ", option_.unit);
  }

  absl::Status Wrong(const RawValue& raw, const std::string& value, const std::string& why) const {
    return absl::InvalidArgumentError(
        absl::StrCat(option_.name, ": ", value, " (from ", raw.source, ") ", why));
  }

  Value* const target_;
  const std::optional<ConfigRange<Value>> range_;
  std::optional<Value> staged_;
  std::string staged_source_;
};

// Mistakes gathered so far: a person wants to see all of them at once.
struct ConfigSchema::Loading {
  std::vector<std::string> mistakes;

  void Note(const absl::Status& status) {
    if (!status.ok()) mistakes.emplace_back(Std(status.message()));
  }
};

ConfigSchema::ConfigSchema(std::string environment_prefix)
    : environment_prefix_(std::move(environment_prefix)) {}

ConfigSchema::~ConfigSchema() = default;

void ConfigSchema::Add(std::string_view name, std::string* target, std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<TextGrammar>>(target, std::nullopt, "", help));
}

void ConfigSchema::Add(std::string_view name, std::vector<std::string>* target,
                       std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<ListGrammar>>(target, std::nullopt, "", help));
}

void ConfigSchema::Add(std::string_view name, bool* target, std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<BooleanGrammar>>(target, std::nullopt, "", help));
}

void ConfigSchema::Add(std::string_view name, int64_t* target, ConfigRange<int64_t> range,
                       std::string_view unit, std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<IntegerGrammar>>(target, range, unit, help));
}

void ConfigSchema::Add(std::string_view name, double* target, ConfigRange<double> range,
                       std::string_view unit, std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<NumberGrammar>>(target, range, unit, help));
}

void ConfigSchema::Add(std::string_view name, absl::Duration* target,
                       ConfigRange<absl::Duration> range, std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<DurationGrammar>>(target, range, "", help));
}

void ConfigSchema::AddBytes(std::string_view name, uint64_t* target, ConfigRange<uint64_t> range,
                            std::string_view help) {
  AddBinding(name, std::make_unique<TypedBinding<SizeGrammar>>(target, range, "", help));
}

void ConfigSchema::AddBinding(std::string_view name, std::unique_ptr<Binding> binding) {
  CAIRN_CHECK(IsOptionName(name));
  binding->SetNames(name, VariableOf(environment_prefix_, name));
  for (const auto& other : bindings_) {
    CAIRN_CHECK(other->option().environment != binding->option().environment);
  }
  bindings_.push_back(std::move(binding));
}

void ConfigSchema::ReserveEnvironment(std::string_view variable) { reserved_.emplace(variable); }

absl::Status ConfigSchema::Load(const ConfigSources& sources) {
  Loading loading;
  // Weakest first: a later source stages over an earlier one.
  if (sources.file.has_value()) StageFile(*sources.file, loading);
  StageEnvironment(sources.environment, loading);
  StageFlags(sources.flags, loading);
  if (!loading.mistakes.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(loading.mistakes, "\n"));
  }
  for (const auto& binding : bindings_) binding->Commit();
  return absl::OkStatus();
}

void ConfigSchema::StageFile(const ConfigFile& file, Loading& loading) const {
  absl::StatusOr<std::vector<YamlEntry>> entries = FlattenYaml(file);
  if (!entries.ok()) {
    loading.Note(entries.status());
    return;
  }
  for (YamlEntry& entry : *entries) {
    const std::string place = absl::StrCat(file.path, ":", entry.line);
    if (Binding* binding = Find(entry.key)) {
      loading.Note(binding->Stage({std::move(entry.items), entry.is_sequence, place}));
    } else {
      loading.mistakes.push_back(absl::StrCat(place, ": unknown key ", entry.key,
                                              Suggestion(NearestName(entry.key, Names()))));
    }
  }
}

void ConfigSchema::StageEnvironment(const std::map<std::string, std::string>& environment,
                                    Loading& loading) const {
  for (auto it = environment.lower_bound(environment_prefix_);
       it != environment.end() && it->first.starts_with(environment_prefix_); ++it) {
    const auto& [variable, text] = *it;
    const auto match = std::find_if(
        bindings_.begin(), bindings_.end(),
        [&variable = variable](const auto& b) { return b->option().environment == variable; });
    if (match != bindings_.end()) {
      loading.Note((*match)->Stage({{text}, false, variable}));
      continue;
    }
    if (reserved_.contains(variable)) continue;
    std::string name = variable.substr(environment_prefix_.size());
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    std::string nearest = NearestName(name, Names());
    if (!nearest.empty()) nearest = VariableOf(environment_prefix_, nearest);
    loading.mistakes.push_back(
        absl::StrCat(variable, ": unknown environment variable", Suggestion(nearest)));
  }
}

void ConfigSchema::StageFlags(const std::map<std::string, std::string>& flags,
                              Loading& loading) const {
  for (const auto& [name, text] : flags) {
    if (Binding* binding = Find(name)) {
      loading.Note(binding->Stage({{text}, false, FlagOf(name)}));
    } else {
      loading.mistakes.push_back(
          absl::StrCat(FlagOf(name), ": unknown option", Suggestion(NearestName(name, Names()))));
    }
  }
}

std::vector<ConfigOption> ConfigSchema::Options() const {
  std::vector<ConfigOption> options;
  options.reserve(bindings_.size());
  for (const auto& binding : bindings_) options.push_back(binding->option());
  return options;
}

ConfigSchema::Binding* ConfigSchema::Find(std::string_view name) const {
  for (const auto& binding : bindings_) {
    if (binding->option().name == name) return binding.get();
  }
  return nullptr;
}

std::vector<std::string> ConfigSchema::Names() const {
  std::vector<std::string> names;
  names.reserve(bindings_.size());
  for (const auto& binding : bindings_) names.push_back(binding->option().name);
  return names;
}

}  // namespace cairn
