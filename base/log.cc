#include "base/log.h"

#include <cmath>
#include <memory>
#include <type_traits>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/status.h"

namespace cairn {
namespace {

constexpr char kKeyValuePattern[] = "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::off;
}

// The one logger and how its lines look.
class Output {
 public:
  Output() : logger_("cairn", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.flush_on(spdlog::level::debug);
    Set(LogLevel::kInfo, LogFormat::kKeyValue);
  }

  void Set(LogLevel lowest, LogFormat format) {
    json_.store(format == LogFormat::kJson, std::memory_order_relaxed);
    logger_.set_level(ToSpdlog(lowest));
    logger_.set_pattern(format == LogFormat::kJson ? kJsonPattern : kKeyValuePattern,
                        spdlog::pattern_time_type::utc);
  }

  bool json() const { return json_.load(std::memory_order_relaxed); }
  spdlog::logger& logger() { return logger_; }

 private:
  spdlog::logger logger_;
  std::atomic<bool> json_ = false;
};

// Never destroyed: threads may log while the process ends.
Output& TheOutput() {
  static Output& output = *std::make_unique<Output>().release();
  return output;
}

// Control bytes and quotes as JSON wants them; what log readers know as well. Bytes above 127 pass:
// text is UTF-8.
void AppendQuoted(std::string_view text, std::string& line) {
  line.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line.push_back('\\');
      line.push_back(c);
    } else if (c == '\n') {
      line.append("\\n");
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&line, "\\u%04x", byte);
    } else {
      line.push_back(c);
    }
  }
  line.push_back('"');
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '\\' || c == '=') return true;
  }
  return false;
}

template <typename T>
void AppendScalar(T value, std::string& line) {
  if constexpr (std::is_same_v<T, bool>) {
    line.append(value ? "true" : "false");
  } else {
    absl::StrAppend(&line, value);
  }
}

}  // namespace

void LogField::AppendKeyValueTo(std::string& line) const {
  absl::StrAppend(&line, Absl(name_), "=");
  std::visit(
      [&line](auto value) {
        if constexpr (!std::is_same_v<decltype(value), std::string_view>) {
          AppendScalar(value, line);
        } else if (NeedsQuotes(value)) {
          AppendQuoted(value, line);
        } else {
          line.append(value);
        }
      },
      value_);
}

void LogField::AppendJsonTo(std::string& line) const {
  absl::StrAppend(&line, "\"", Absl(name_), "\":");
  std::visit(
      [&line](auto value) {
        if constexpr (std::is_same_v<decltype(value), std::string_view>) {
          AppendQuoted(value, line);
        } else if constexpr (std::is_same_v<decltype(value), double>) {
          // JSON has no infinity and no NaN.
          if (std::isfinite(value)) {
            AppendScalar(value, line);
          } else {
            line.append("null");
          }
        } else {
          AppendScalar(value, line);
        }
      },
      value_);
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  Output& output = TheOutput();
  const spdlog::level::level_enum spdlog_level = ToSpdlog(level);
  if (!output.logger().should_log(spdlog_level)) return;
  const bool json = output.json();
  std::string line;
  const LogField event_field("event", event);
  json ? event_field.AppendJsonTo(line) : event_field.AppendKeyValueTo(line);
  for (const LogField& field : fields) {
    line.push_back(json ? ',' : ' ');
    json ? field.AppendJsonTo(line) : field.AppendKeyValueTo(line);
  }
  output.logger().log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

void SetLog(LogLevel lowest, LogFormat format) { TheOutput().Set(lowest, format); }

std::optional<uint64_t> LogRateLimit::Admit() {
  const Instant now = clock_.Now();
  int64_t next_ns = next_ns_.load(std::memory_order_relaxed);
  const bool due = now.ns >= next_ns;
  // Of several threads that are due at once one wins; the others count as held back.
  if (!due ||
      !next_ns_.compare_exchange_strong(next_ns, (now + interval_).ns, std::memory_order_relaxed)) {
    held_back_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return held_back_.exchange(0, std::memory_order_relaxed);
}

}  // namespace cairn
