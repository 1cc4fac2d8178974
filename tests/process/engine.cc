#include "tests/process/engine.h"

#include <poll.h>

#include <array>
#include <cmath>
#include <limits>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <httplib.h>

#include "base/check.h"
#include "base/status.h"
#include "proto/little_endian.h"
#include "server/cli/replay/payload.h"

namespace cairn::process {
namespace {

// P2: the fence begins before the deadline; what is left is a forced close and a busy machine.
constexpr absl::Duration kLateAllowance = absl::Milliseconds(250);
constexpr int kSleep_ms = 10;

}  // namespace

v1::Namespace EngineNamespace(uint32_t block_bytes) {
  v1::Namespace ns;
  ns.set_model("process-tests");
  ns.set_model_digest(std::string(32, 'p'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("opaque");
  ns.set_layers(1);
  ns.set_kv_heads(1);
  ns.set_head_size(1);
  ns.set_tokens_per_block(16);
  ns.set_hash_scheme("process-tests");
  ns.set_block_bytes(block_bytes);
  return ns;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Connect(const EngineOptions& options) {
  auto engine = std::unique_ptr<Engine>(new Engine(options));
  CAIRN_RETURN_IF_ERROR(engine->Build());
  return engine;
}

absl::Status Engine::Build() {
  CAIRN_ASSIGN_OR_RETURN(network_, CreateRealNetwork({.ucx = {}, .tls = options_.tls}));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network_};
  ClientOptions options;
  options.coordinators = {options_.coordinator};
  options.tenant = options_.tenant.name;
  options.secret = options_.tenant.secret;
  CAIRN_ASSIGN_OR_RETURN(client_,
                         Client::Connect(options, EngineNamespace(options_.block_bytes), runtime));
  memory_.resize(uint64_t{options_.block_bytes} * options_.blocks);
  CAIRN_ASSIGN_OR_RETURN(region_, client_->Register(absl::MakeSpan(memory_)));
  return absl::OkStatus();
}

absl::Span<std::byte> Engine::slot(size_t i) {
  return absl::MakeSpan(memory_).subspan(i * options_.block_bytes, options_.block_bytes);
}

std::vector<BlockKey> Engine::Keys(uint64_t salt, size_t count) const {
  std::vector<BlockKey> keys;
  for (size_t i = 0; i < count; ++i) {
    const U64Le encoded = salt << 32 | i;
    keys.push_back(client_->MakeKey({reinterpret_cast<const std::byte*>(&encoded), 8}));
  }
  return keys;
}

Outcome Engine::Put(const std::vector<BlockKey>& keys, absl::Duration timeout,
                    const std::function<void()>& meanwhile) {
  for (size_t i = 0; i < keys.size(); ++i) FillPayload(keys[i], slot(i));
  return Run(true, keys, timeout, meanwhile);
}

Outcome Engine::Get(const std::vector<BlockKey>& keys, absl::Duration timeout,
                    const std::function<void()>& meanwhile) {
  return Run(false, keys, timeout, meanwhile);
}

Outcome Engine::Run(bool put, const std::vector<BlockKey>& keys, absl::Duration timeout,
                    const std::function<void()>& meanwhile) {
  CAIRN_CHECK(keys.size() <= options_.blocks);
  std::vector<Extents> extents(keys.size());
  std::vector<Transfer> batch(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    extents[i] = {i * options_.block_bytes, 0, 1, options_.block_bytes};
    batch[i].key = batch[i].run_key = keys[i];
    batch[i].region = region_.get();
    batch[i].extents = {&extents[i], 1};
    batch[i].tag = i;
  }
  const Instant deadline = RealClock().Now() + timeout;
  const absl::Status submitted = put ? client_->Put(batch, PutHints{}, deadline)
                                     : client_->Get(batch, LeaseId::kNone, deadline);
  CAIRN_CHECK(submitted.ok());
  if (meanwhile) meanwhile();
  Outcome outcome;
  std::array<Completion, 64> completions;
  for (size_t left = keys.size(); left > 0;) {
    const size_t count = client_->Poll(absl::MakeSpan(completions));
    const bool late = RealClock().Now() > deadline + kLateAllowance;
    for (size_t i = 0; i < count; ++i) {
      outcome.late += late;
      if (completions[i].code != absl::StatusCode::kOk) {
        ++outcome.reasons[wire::MissReasonName(completions[i].reason)];
        outcome.data_loss += completions[i].code == absl::StatusCode::kDataLoss;
        continue;
      }
      ++outcome.ok;
      const size_t at = completions[i].tag;
      outcome.held.push_back(keys[at]);
      outcome.wrong_bytes += CountWrongBytes(keys[at], slot(at));
    }
    left -= count;
    if (count == 0 && client_->PrepareToSleep()) {
      pollfd waiting{client_->event_fd(), POLLIN, 0};
      poll(&waiting, 1, kSleep_ms);
    }
  }
  return outcome;
}

Completion Engine::Match(const std::vector<BlockKey>& keys, absl::Duration timeout) {
  CAIRN_CHECK(client_->Match(keys, 0, RealClock().Now() + timeout).ok());
  std::array<Completion, 1> completion;
  while (client_->Poll(absl::MakeSpan(completion)) == 0) {
    if (!client_->PrepareToSleep()) continue;
    pollfd waiting{client_->event_fd(), POLLIN, 0};
    poll(&waiting, 1, kSleep_ms);
  }
  return completion[0];
}

double Metric(const std::string& address, const std::string& name) {
  httplib::Client http("http://" + address);
  const auto answer = http.Get("/metrics");
  if (!answer || answer->status != 200) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const absl::string_view line : absl::StrSplit(answer->body, '\n')) {
    const size_t space = line.rfind(' ');
    if (space == absl::string_view::npos || !absl::StartsWith(line, name)) continue;
    const char after = line[name.size()];
    double value = 0;
    if ((after == ' ' || after == '{') && absl::SimpleAtod(line.substr(space + 1), &value)) {
      sum += value;
    }
  }
  return sum;
}

bool Eventually(absl::Duration timeout, const std::function<bool()>& holds) {
  const Instant end = RealClock().Now() + timeout;
  while (!holds()) {
    if (RealClock().Now() > end) return false;
    poll(nullptr, 0, kSleep_ms);
  }
  return true;
}

}  // namespace cairn::process
