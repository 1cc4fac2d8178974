// A shard's memory from one life to the next.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "cache/shard_impl.h"
#include "proto/checksum.h"

namespace cairn {

absl::StatusOr<WarmShard> ShardImpl::HandOver(WarmHeader identity) const {
  std::vector<WarmRecord> records;
  records.reserve(counters_.dram_blocks.value());
  ForEachSealed([&](EntryId id) {
    if (!HasBytes(id)) return;
    const Entry& entry = entries_[id];
    const Scope& scope = scopes_[entry.scope];
    WarmRecord record;
    record.key = entry.key;
    record.ns = scope.ns;
    record.checksum = entry.checksum;
    if (entry.parent != kNoEntry) record.parent = entries_[entry.parent].key;
    record.offset = pool_.OffsetOf(static_cast<SlotId>(entry.slot));
    record.tenant = scope.tenant;
    record.length = static_cast<uint32_t>(entry.length_bytes);
    // Any position with this place in its run: beyond the first 32 all runs are alike.
    record.position = has_flash() ? static_cast<uint32_t>(Link(id).position)
                                  : static_cast<uint32_t>(entry.run_offset) + kRunBlocksMax;
    records.push_back(record);
  });
  // Heads before tails, so that each finds its parent.
  const auto order = [](const WarmRecord& record) {
    return std::pair(record.position - RunStart(record.position), uint64_t{record.offset});
  };
  std::sort(records.begin(), records.end(),
            [&order](const WarmRecord& a, const WarmRecord& b) { return order(a) < order(b); });
  identity.arena_bytes = arena_.bytes().size();
  identity.slab_bytes = pool_.slab_bytes();
  WarmShard warm;
  warm.arena.Reset(fcntl(arena_.descriptor(), F_DUPFD_CLOEXEC, 0));
  if (!warm.arena) return FromErrno(errno, "duplicate the arena's descriptor");
  warm.image = EncodeWarmImage(identity, records);
  return warm;
}

absl::Status ShardImpl::AdoptWarm(const std::string& bytes) {
  CAIRN_CHECK(entries_used_ == 0);
  CAIRN_ASSIGN_OR_RETURN(
      const WarmImage image,
      DecodeWarmImage({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}));
  if (image.header.arena_bytes != arena_.bytes().size() ||
      image.header.slab_bytes != pool_.slab_bytes()) {
    return absl::InvalidArgumentError("the handed-over memory is cut into other slabs");
  }
  for (const WarmRecord& record : image.records) {
    if (AdoptRecord(record)) counters_.adopted_blocks_total.Add(1);
  }
  return absl::OkStatus();
}

// False: in doubt, so it is left out.
bool ShardImpl::AdoptRecord(const WarmRecord& record) {
  const auto scope = InternScope(record.tenant, record.ns);
  if (!scope.ok() || Find(*scope, record.key) != kNoEntry) return false;
  const uint32_t run_offset = record.position - RunStart(record.position);
  EntryId parent;
  if (!FindParent(*scope, record.parent, run_offset, &parent)) return false;
  const SizeClass size_class = pool_.ClassOf(record.length);
  SlotId slot = kNoSlot;
  if (size_class == kNoSizeClass || !pool_.Claim(record.offset, size_class, &slot)) return false;
  const EntryId id = TakeEntry();
  if (id == kNoEntry) {
    pool_.Free(slot);
    return false;
  }
  Entry& entry = entries_[id];
  entry.key = record.key;
  entry.checksum = record.checksum;
  entry.slot = slot;
  entry.run_offset = run_offset;
  entry.depth = DepthOf(record.position);
  entry.length_bytes = record.length;
  entry.scope = static_cast<uint16_t>(*scope);
  entry.unverified = 1;
  if (has_flash()) Link(id).position = record.position;
  counters_.used_bytes.Add(record.length);
  Show(id, parent);
  EnterDram(id, parent);
  return true;
}

bool ShardImpl::Verify(BlockRef block) {
  Entry& entry = entries_[Id(block)];
  CAIRN_CHECK(entry.pins > 0);
  if (!entry.unverified || !HasBytes(Id(block))) return true;
  const NamespaceId& ns = scopes_[entry.scope].ns;
  if (MakeChecksum(entry.key, ns, SlotBytes(Id(block))) == entry.checksum) {
    entry.unverified = 0;
    return true;
  }
  Quarantine(block);
  return false;
}

}  // namespace cairn
