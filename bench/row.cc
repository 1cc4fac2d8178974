#include "bench/row.h"

#include <algorithm>

#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cairn::bench {

double Median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  const size_t middle = samples.size() / 2;
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(middle),
                   samples.end());
  return samples[middle];
}

double Row::value() const { return Median(values); }
double Row::baseline() const { return Median(baselines); }
double Row::ratio() const { return baseline() == 0 ? value() : value() / baseline(); }
bool Row::pass() const { return better == Better::kHigher ? ratio() >= bar : ratio() <= bar; }

std::string Row::ToJson() const {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return nlohmann::ordered_json{{"name", name},
                                {"value", value()},
                                {"unit", unit},
                                {"baseline", baseline()},
                                {"ratio", ratio()},
                                {"bar", bar},
                                {"better", better == Better::kHigher ? "higher" : "lower"},
                                {"pass", pass()},
                                {"rounds", values.size()},
                                {"min", *least},
                                {"max", *most}}
      .dump();
}

std::string Row::ToText() const {
  return absl::StrFormat("%-20s %10.3f %-10s baseline %10.3f  ratio %6.2f  bar %s %-6g %s", name,
                         value(), unit, baseline(), ratio(),
                         better == Better::kHigher ? ">=" : "<=", bar, pass() ? "ok" : "MISSED");
}

absl::Status Interleave(size_t rounds, const Measure& value, const Measure& baseline, Row& row) {
  CAIRN_RETURN_IF_ERROR(value().status());
  CAIRN_RETURN_IF_ERROR(baseline().status());
  for (size_t i = 0; i < rounds; ++i) {
    CAIRN_ASSIGN_OR_RETURN(const double measured, value());
    CAIRN_ASSIGN_OR_RETURN(const double compared, baseline());
    row.values.push_back(measured);
    row.baselines.push_back(compared);
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
