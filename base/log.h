// One line per change of state, on standard error:
//   time=2026-01-31T12:00:00.123Z level=info event=node_joined node=n3 incarnation=7
// or the same as one JSON object per line. Nothing is logged per request. Only log.cc includes the
// library behind it, which costs seconds of compile time in each file that sees it.
#ifndef CAIRN_BASE_LOG_H_
#define CAIRN_BASE_LOG_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include "base/clock.h"

namespace cairn {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kKeyValue, kJson };

// A name and a borrowed value; lives as long as the call of Log. name: letters, digits,
// underscores; units last (`took_ms`).
class LogField {
 public:
  LogField(std::string_view name, std::string_view value) : name_(name), value_(value) {}
  LogField(std::string_view name, absl::string_view value)
      : name_(name), value_(std::string_view(value.data(), value.size())) {}
  LogField(std::string_view name, const std::string& value)
      : name_(name), value_(std::string_view(value)) {}
  LogField(std::string_view name, const char* value)
      : name_(name), value_(std::string_view(value)) {}
  LogField(std::string_view name, bool value) : name_(name), value_(value) {}
  LogField(std::string_view name, double value) : name_(name), value_(value) {}
  template <std::signed_integral T>
  LogField(std::string_view name, T value) : name_(name), value_(int64_t{value}) {}
  template <std::unsigned_integral T>
  LogField(std::string_view name, T value) : name_(name), value_(uint64_t{value}) {}

  void AppendKeyValueTo(std::string& line) const;
  void AppendJsonTo(std::string& line) const;

 private:
  std::string_view name_;
  std::variant<std::string_view, bool, double, int64_t, uint64_t> value_;
};

// Thread-safe. event: one word such as `node_joined`. Below the level of SetLog the call costs one
// load.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// For the whole process; starts as kInfo, kKeyValue. Thread-safe.
void SetLog(LogLevel lowest, LogFormat format);

// Keeps an error that repeats from filling the disk: one line per interval and call site.
//   if (std::optional<uint64_t> held_back = limit_.Admit()) {
//     Log(LogLevel::kWarning, "report_failed", {{"held_back", *held_back}});
//   }
// Thread-safe.
class LogRateLimit {
 public:
  LogRateLimit(Clock& clock, absl::Duration interval) : clock_(clock), interval_(interval) {}

  // How many lines were held back since the last one; nullopt: stay silent now.
  std::optional<uint64_t> Admit();

 private:
  Clock& clock_;
  const absl::Duration interval_;
  std::atomic<int64_t> next_ns_ = INT64_MIN;
  std::atomic<uint64_t> held_back_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_BASE_LOG_H_
