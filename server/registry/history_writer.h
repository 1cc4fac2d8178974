// Takes a history's rows at once and writes them by a thread of its own: a disk that is stuck
// delays nobody but its history.
#ifndef CAIRN_SERVER_REGISTRY_HISTORY_WRITER_H_
#define CAIRN_SERVER_REGISTRY_HISTORY_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/cond_var.h"
#include "base/mutex.h"
#include "server/registry/history_store.h"

namespace cairn {

class HistoryWriter final : public HistoryStore {
 public:
  // That wait for the disk: ten minutes of fine rows. A disk that is stuck longer is broken.
  static constexpr size_t kRowsMax = 64;
  static constexpr absl::Duration kEndPatience = absl::Seconds(5);

  explicit HistoryWriter(std::unique_ptr<HistoryStore> store,
                         absl::Duration end_patience = kEndPatience);
  // Writes what waits, for as long as that takes; what still waits after end_patience is logged as
  // what is lost if the process is ended for it.
  ~HistoryWriter() override;

  // Never blocks. kResourceExhausted: kRowsMax wait already, the oldest of them was dropped for
  // this one. What the disk says of a row is logged.
  absl::Status Append(const HistoryRow& row, int64_t keep_s) override;
  // Blocks on the disk; of what was written by now.
  absl::StatusOr<std::vector<HistoryRow>> Read(HistoryStep step) override {
    return store_->Read(step);
  }
  uint64_t lost_rows() const override;

 private:
  struct Waiting {
    HistoryRow row;
    int64_t keep_s = 0;
  };
  void WriteUntilStopped();
  void TellIfOverdue();
  // Waits for one; nullopt: none is left, and none will come.
  std::optional<Waiting> Next();

  const std::unique_ptr<HistoryStore> store_;
  const absl::Duration end_patience_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is written any more
  std::thread thread_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_HISTORY_WRITER_H_
