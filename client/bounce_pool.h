// Registered memory for blocks whose extents the lane cannot reach directly: they land here, are
// verified, and are copied out (or are gathered here before they leave). Bounded; a full pool makes
// operations wait.
#ifndef CAIRN_CLIENT_BOUNCE_POOL_H_
#define CAIRN_CLIENT_BOUNCE_POOL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include <absl/status/statusor.h>

#include "transport/transport.h"

namespace cairn {

// One thread. First fit over a map of the free ranges, which are at most as many as operations.
class BouncePool {
 public:
  // Maps and registers at first use. kResourceExhausted: memory or memlock.
  BouncePool(Worker& worker, uint64_t size_bytes) : worker_(worker), size_bytes_(size_bytes) {}
  ~BouncePool();
  BouncePool(const BouncePool&) = delete;
  BouncePool& operator=(const BouncePool&) = delete;

  // An offset of region(); nullopt: no room now (or ever, beyond size_bytes).
  std::optional<uint64_t> Allocate(uint64_t bytes);
  void Free(uint64_t offset, uint64_t bytes);
  const Region& region() const { return *region_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  bool EnsureMapped();
  static uint64_t Rounded(uint64_t bytes);

  Worker& worker_;
  const uint64_t size_bytes_;
  std::byte* base_ = nullptr;
  std::unique_ptr<Region> region_;
  std::map<uint64_t, uint64_t> free_;  // offset -> bytes, coalesced
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_BOUNCE_POOL_H_
