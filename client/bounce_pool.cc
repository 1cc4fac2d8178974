#include "client/bounce_pool.h"

#include <sys/mman.h>

#include <iterator>

namespace cairn {
namespace {

constexpr uint64_t kGranularityBytes = 4096;

}  // namespace

BouncePool::~BouncePool() {
  region_.reset();
  if (base_ != nullptr) munmap(base_, size_bytes_);
}

uint64_t BouncePool::Rounded(uint64_t bytes) {
  return (bytes + kGranularityBytes - 1) / kGranularityBytes * kGranularityBytes;
}

bool BouncePool::EnsureMapped() {
  if (region_ != nullptr) return true;
  if (base_ == nullptr) {
    void* mapped =
        mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return false;
    base_ = static_cast<std::byte*>(mapped);
  }
  absl::StatusOr<std::unique_ptr<Region>> region = worker_.Register({base_, size_bytes_});
  if (!region.ok()) return false;
  region_ = *std::move(region);
  free_[0] = size_bytes_;
  return true;
}

std::optional<uint64_t> BouncePool::Allocate(uint64_t bytes) {
  if (!EnsureMapped()) return std::nullopt;
  const uint64_t wanted = Rounded(bytes);
  for (auto range = free_.begin(); range != free_.end(); ++range) {
    if (range->second < wanted) continue;
    const uint64_t offset = range->first;
    const uint64_t left = range->second - wanted;
    free_.erase(range);
    if (left > 0) free_[offset + wanted] = left;
    return offset;
  }
  return std::nullopt;
}

void BouncePool::Free(uint64_t offset, uint64_t bytes) {
  auto range = free_.emplace(offset, Rounded(bytes)).first;
  const auto next = std::next(range);
  if (next != free_.end() && range->first + range->second == next->first) {
    range->second += next->second;
    free_.erase(next);
  }
  if (range == free_.begin()) return;
  const auto previous = std::prev(range);
  if (previous->first + previous->second == range->first) {
    previous->second += range->second;
    free_.erase(range);
  }
}

}  // namespace cairn
