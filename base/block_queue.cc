#include "base/block_queue.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn {
namespace {

bool Aligned(uint64_t value) { return value % kSectorBytes == 0; }

void CheckRequest(const Io& io) {
  if (io.kind == IoKind::kFlush) {
    CAIRN_CHECK(io.memory.empty());
    return;
  }
  CAIRN_CHECK(!io.memory.empty() && io.memory.size() <= kIoBytesMax);
  CAIRN_CHECK(Aligned(io.offset_bytes) && Aligned(io.memory.size()));
  CAIRN_CHECK(Aligned(reinterpret_cast<uintptr_t>(io.memory.data())));
}

}  // namespace

absl::Status BlockQueue::Submit(absl::Span<const Io> requests) {
  for (const Io& io : requests) CheckRequest(io);
  if (in_flight_ + requests.size() > kIosInFlightMax) {
    return absl::ResourceExhaustedError(absl::StrCat(kIosInFlightMax, " requests are in flight"));
  }
  const absl::Status status = DoSubmit(requests);
  if (status.ok()) in_flight_ += requests.size();
  return status;
}

size_t BlockQueue::Poll(absl::Span<IoEnd> out) {
  const size_t ended = DoPoll(out);
  // A device that completes twice (a simulated one does) must not wrap the count.
  in_flight_ -= std::min(ended, in_flight_);
  return ended;
}

}  // namespace cairn
