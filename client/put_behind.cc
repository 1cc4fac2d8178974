// Puts of copies: the engine goes on while its blocks leave.
#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "client/client_impl.h"
#include "client/extents.h"

namespace cairn {

absl::Status ClientImpl::PutBehind(absl::Span<const Transfer> batch, const PutHints& hints,
                                   Instant deadline) {
  CAIRN_RETURN_IF_ERROR(CheckPuts(batch));
  staging_.clear();
  for (const Transfer& transfer : batch) {
    if (Stage(transfer)) continue;
    for (size_t i = 0; i < staging_.size(); ++i) {
      const uint32_t length = LengthOf(batch[i].extents);
      bounce_->Free(staging_[i], length);
      staged_bytes_ -= length;
    }
    return absl::ResourceExhaustedError(
        absl::StrCat("write-behind: ", staged_bytes_, " of at most ", kStagedBytesMax,
                     " bytes are under way; Poll and retry, or Put"));
  }
  SubmitPuts(batch, staging_, hints, deadline);
  return absl::OkStatus();
}

// Copies the block into the bounce pool and notes where. False: no room now.
bool ClientImpl::Stage(const Transfer& transfer) {
  const uint32_t length = LengthOf(transfer.extents);
  if (staged_bytes_ + length > kStagedBytesMax) return false;
  const std::optional<uint64_t> offset = bounce_->Allocate(length);
  if (!offset.has_value()) return false;
  const ClientRegion& region = RegionOf(*transfer.region);
  staged_extents_.assign(transfer.extents.begin(), transfer.extents.end());
  region.Rebase(absl::MakeSpan(staged_extents_));
  Gather(staged_extents_, region.origin(), {bounce_->region().base() + *offset, length});
  staging_.push_back(*offset);
  staged_bytes_ += length;
  return true;
}

}  // namespace cairn
