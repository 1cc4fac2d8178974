#include "server/registry/history_writer.h"

#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/log.h"

namespace cairn {

HistoryWriter::HistoryWriter(std::unique_ptr<HistoryStore> store, absl::Duration end_patience)
    : store_(std::move(store)),
      end_patience_(end_patience),
      thread_([this] { WriteUntilStopped(); }) {}

HistoryWriter::~HistoryWriter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  TellIfOverdue();
  thread_.join();
}

void HistoryWriter::TellIfOverdue() {
  const Instant limit = RealClock().Now() + end_patience_;
  size_t waiting = 0;
  {
    const MutexLock lock(mutex_);
    while (!stopped_ && RealClock().Now() < limit) {
      wake_.WaitFor(mutex_, limit - RealClock().Now());
    }
    if (stopped_) return;
    waiting = waiting_.size() + 1;
  }
  Log(LogLevel::kWarning, "history_not_kept",
      {{"points", waiting}, {"why", "the disk does not answer; they are lost if we end now"}});
}

absl::Status HistoryWriter::Append(const HistoryRow& row, int64_t keep_s) {
  bool full = false;
  {
    const MutexLock lock(mutex_);
    full = waiting_.size() == kRowsMax;
    if (full) {
      waiting_.pop_front();
      ++dropped_;
    }
    waiting_.push_back({row, keep_s});
  }
  wake_.NotifyAll();
  if (!full) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "history: ", kRowsMax, " points wait for the disk, the oldest was dropped; is it stuck?"));
}

uint64_t HistoryWriter::lost_rows() const {
  const MutexLock lock(mutex_);
  return dropped_ + store_->lost_rows();
}

std::optional<HistoryWriter::Waiting> HistoryWriter::Next() {
  const MutexLock lock(mutex_);
  while (waiting_.empty() && !stopping_) wake_.Wait(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

void HistoryWriter::WriteUntilStopped() {
  while (const std::optional<Waiting> next = Next()) {
    const absl::Status status = store_->Append(next->row, next->keep_s);
    if (status.ok()) continue;
    Log(LogLevel::kWarning, "history_not_kept", {{"why", std::string(status.message())}});
  }
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  wake_.NotifyAll();
}

}  // namespace cairn
