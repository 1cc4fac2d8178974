#include "server/cli/terminal.h"

#include <unistd.h>

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

std::string Value(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

}  // namespace

bool IsTerminal(int descriptor, const Environment& environment) {
  return isatty(descriptor) == 1 && Value(environment, "TERM") != "dumb";
}

Palette Palette::For(int descriptor, const Environment& environment) {
  if (!Value(environment, "NO_COLOR").empty()) return Palette(false);
  const std::string force = Value(environment, "CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return Palette(true);
  return Palette(Value(environment, "CLICOLOR") != "0" && IsTerminal(descriptor, environment));
}

std::string Palette::Paint(const char* code, const std::string& text) const {
  return on_ ? absl::StrCat("\x1b[", code, "m", text, "\x1b[0m") : text;
}

}  // namespace cairn
