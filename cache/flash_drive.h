// One drive of a FlashTier: its log, its health, and what is being kept of a segment that goes. For
// flash_*.cc.
#ifndef CAIRN_CACHE_FLASH_DRIVE_H_
#define CAIRN_CACHE_FLASH_DRIVE_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/admission/drive_budget.h"
#include "cache/flash_tier.h"

namespace cairn {

// A DiskLog's cookies: what a read was for.
inline constexpr uint64_t kRewriteCookie = uint64_t{1} << 32;

class FlashTier::Drive final : public LogOwner {
 public:
  Drive(FlashTier& tier, uint32_t index, std::string path, uint64_t bytes_per_day)
      : budget(bytes_per_day, tier.runtime_.clock),
        tier_(tier),
        index_(index),
        path_(std::move(path)) {}

  void OnRecovered(const log_format::Entry& entry, Place at) override {
    if (!Adopt(entry, at)) orphans_.emplace_back(entry, at);
  }
  void OnSegmentLost(uint32_t segment, absl::Span<const log_format::Entry> entries,
                     int error_number) override;
  void OnSegmentSealed(uint32_t) override {}
  void OnRead(uint64_t cookie, const IoResult& result) override;
  void OnEntries(uint32_t segment,
                 absl::StatusOr<absl::Span<const log_format::Entry>> entries) override {
    tier_.TakeEntries(*this, segment, std::move(entries));
  }

  // A block whose head was told after it (it was rewritten since) is adopted once all are known.
  void AdoptOrphans();

  FlashPlace PlaceAt(Place at, bool encrypted) const { return {index_, at, encrypted}; }

  uint32_t index() const { return index_; }
  const std::string& path() const { return path_; }

  std::unique_ptr<DiskLog> log;
  DeviceBreaker breaker;
  DriveBudget budget;
  // The segment that is being given back.
  bool reclaiming = false;
  uint32_t reclaimed_segment = 0;
  bool entries_known = false;
  std::deque<Rewrite> to_rewrite;  // not begun; at most the records of a segment
  std::vector<std::optional<Rewrite>> rewrites{kStagingBuffers};

 private:
  bool Adopt(const log_format::Entry& entry, Place at);

  FlashTier& tier_;
  const uint32_t index_;
  const std::string path_;
  std::vector<std::pair<log_format::Entry, Place>> orphans_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_FLASH_DRIVE_H_
