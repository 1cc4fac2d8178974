// A reader's doubt about a block: our copy is read again and dropped only if it is wrong.
#include "proto/checksum.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

// A check costs about as much as a fetch of the block; a session cannot keep us busy with them.
constexpr absl::Duration kSuspectInterval = absl::Milliseconds(10);

}  // namespace

void Reactor::TakeSuspect(Session& session, absl::Span<const std::byte> message) {
  const auto suspect = wire::DecodeSuspect(message);
  if (!suspect.ok()) return channel_.counters.bad_messages.Add(1);
  if ((*suspect)->incarnation != incarnation_ || now_ < session.next_suspect) return;
  session.next_suspect = now_ + kSuspectInterval;
  const absl::StatusOr<ScopeId> scope = shard_->InternScope(session.tenant, (*suspect)->ns);
  if (!scope.ok()) return;
  const BlockRef block = shard_->Pin(*scope, (*suspect)->key);
  if (block == BlockRef::kNone) return;
  // Only on NVMe: it is compared with its checksum when it is read.
  if (!shard_->InDram(block)) return shard_->Unpin(block);
  const BlockInfo info = shard_->Info(block);
  const auto bytes = shard_->arena().subspan(info.offset_bytes, info.length_bytes);
  if (MakeChecksum((*suspect)->key, (*suspect)->ns, bytes) != info.checksum) {
    shard_->Quarantine(block);
  }
  shard_->Unpin(block);
}

}  // namespace cairn
