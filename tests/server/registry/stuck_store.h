// A history store on a disk that does not answer.
#ifndef CAIRN_TESTS_SERVER_REGISTRY_STUCK_STORE_H_
#define CAIRN_TESTS_SERVER_REGISTRY_STUCK_STORE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "server/registry/history_store.h"
#include "tests/server/registry/stuck_disk.h"

namespace cairn::testing {

class StuckStore final : public HistoryStore {
 public:
  // What was written, by one thread, and whether it is refused instead.
  struct Content {
    std::vector<int64_t> written;
    std::atomic<bool> refuses = false;
  };
  // Both outlive the store. content: nullptr: nobody asks.
  explicit StuckStore(StuckDisk& disk, Content* content = nullptr)
      : disk_(disk), content_(content) {}

  absl::Status Append(const HistoryRow& row, int64_t) override {
    disk_.Wait();
    if (content_ == nullptr) return absl::OkStatus();
    if (content_->refuses) {
      ++lost_rows_;
      return absl::InternalError("refused");
    }
    content_->written.push_back(row.unix_s);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<HistoryRow>> Read(HistoryStep) override {
    return std::vector<HistoryRow>();
  }
  uint64_t lost_rows() const override { return lost_rows_; }

 private:
  StuckDisk& disk_;
  Content* const content_;
  std::atomic<uint64_t> lost_rows_ = 0;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_REGISTRY_STUCK_STORE_H_
