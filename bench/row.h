// One line of the benchmark's answer: a figure beside its baseline, both of the same run.
#ifndef CAIRN_BENCH_ROW_H_
#define CAIRN_BENCH_ROW_H_

#include <functional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace cairn::bench {

enum class Better { kHigher, kLower };

struct Row {
  std::string name;
  std::string unit;
  Better better = Better::kHigher;
  double bar = 0;  // of the ratio
  // Of each round; a baseline that is a constant has one entry.
  std::vector<double> values;
  std::vector<double> baselines;

  double value() const;     // median
  double baseline() const;  // median
  // value / baseline; with a baseline of 0 the value itself.
  double ratio() const;
  bool pass() const;
  std::string ToJson() const;
  std::string ToText() const;
};

using Measure = std::function<absl::StatusOr<double>()>;

// Fills both lists: value, baseline, value, baseline, ... after one unmeasured round of each.
absl::Status Interleave(size_t rounds, const Measure& value, const Measure& baseline, Row& row);

double Median(std::vector<double> samples);

}  // namespace cairn::bench

#endif  // CAIRN_BENCH_ROW_H_
