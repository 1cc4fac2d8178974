#include "cache/flash_tier.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/flash_drive.h"
#include "proto/checksum.h"

namespace cairn {

using RecordEntry = log_format::Entry;

FlashTier::FlashTier(const FlashTierOptions& options, Shard& shard, Runtime& runtime,
                     std::unique_ptr<BlockQueue> queue)
    : options_(options),
      shard_(shard),
      runtime_(runtime),
      codec_(options.key),
      admission_{ChainAdmission(*options.chains), {}, {}},
      queue_(std::move(queue)),
      scheduler_(*queue_, runtime.clock),
      loads_(kLoadsMax) {
  for (uint32_t i = kLoadsMax; i > 0; --i) free_loads_.push_back(i - 1);
}

absl::StatusOr<std::unique_ptr<FlashTier>> FlashTier::Create(const FlashTierOptions& options,
                                                             Shard& shard, Runtime& runtime) {
  CAIRN_CHECK(!options.drives.empty() && options.drives.size() <= kDevicesMax);
  CAIRN_CHECK(options.chains != nullptr);
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<BlockQueue> queue, runtime.disk.CreateBlockQueue());
  auto tier = std::unique_ptr<FlashTier>(new FlashTier(options, shard, runtime, std::move(queue)));
  CAIRN_RETURN_IF_ERROR(tier->Build());
  shard.SetVictimSink(tier.get());
  return tier;
}

absl::Status FlashTier::Build() {
  for (size_t i = 0; i < kStagingBuffers; ++i) {
    CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(options_.segment_bytes));
    staging_.push_back(std::move(buffer));
    free_staging_.push_back(i);
  }
  for (const FlashTierOptions::Drive& wanted : options_.drives) {
    CAIRN_ASSIGN_OR_RETURN(const DeviceId device,
                           queue_->Open({wanted.path, wanted.size_bytes, options_.preallocate}));
    LogOptions log;
    log.device = device;
    log.size_bytes = queue_->SizeBytes(device);
    log.segment_bytes = options_.segment_bytes;
    log.partition = options_.partition;
    log.partitions = options_.partitions;
    log.node = options_.node;
    log.incarnation = options_.incarnation;
    log.path = wanted.path;
    const uint64_t bytes_per_day =
        wanted.bytes_per_day > 0
            ? wanted.bytes_per_day
            : static_cast<uint64_t>(wanted.writes_per_day * static_cast<double>(log.size_bytes));
    auto drive = std::make_unique<Drive>(*this, static_cast<uint32_t>(drives_.size()), wanted.path,
                                         bytes_per_day);
    counters_.write_budget_bytes.Add(bytes_per_day);
    CAIRN_ASSIGN_OR_RETURN(drive->log, DiskLog::Create(log, scheduler_, runtime_.clock,
                                                       runtime_.random, codec_, *drive));
    counters_.capacity_bytes.Add(drive->log->geometry().segments * options_.segment_bytes);
    drives_.push_back(std::move(drive));
  }
  RegisterWriteMemory();
  return absl::OkStatus();
}

// Not the arena: all of it would be resident and locked from the start.
void FlashTier::RegisterWriteMemory() {
  std::vector<absl::Span<std::byte>> memory;
  for (const auto& drive : drives_) {
    const std::vector<absl::Span<std::byte>> pieces = drive->log->WriteMemory();
    memory.insert(memory.end(), pieces.begin(), pieces.end());
  }
  queue_->RegisterMemory(memory);
}

FlashTier::~FlashTier() {
  shard_.SetVictimSink(nullptr);
  queue_.reset();  // from here on no device touches any memory
}

FlashTier::Drive& FlashTier::DriveOf(const BlockKey& run_key) const {
  return *drives_[run_key.Word(1) % drives_.size()];
}

RecordEntry FlashTier::EntryOf(const FlashBlock& block, bool encrypted) const {
  RecordEntry entry;
  entry.key = block.key;
  entry.ns = block.ns;
  entry.checksum = block.checksum;
  entry.parent = block.parent;
  entry.tenant = block.tenant;
  entry.length = block.length_bytes;
  entry.position = block.position;
  entry.hints = HintBitsOf(block.hint);
  entry.cipher = encrypted ? log_format::kCipherAes256Gcm : log_format::kCipherNone;
  return entry;
}

bool FlashTier::Append(Drive& drive, const FlashBlock& block, absl::Span<const std::byte> bytes,
                       FlashPlace* place) {
  RecordEntry entry = EntryOf(block, codec_.cipher() != log_format::kCipherNone);
  const uint64_t record_bytes = entry.sectors() * kSectorBytes;
  if (!drive.log->CanAppend(entry.stored_bytes())) return false;
  if (!drive.budget.Allows(record_bytes)) return false;
  drive.budget.Append(record_bytes);
  Place at;
  const absl::Span<std::byte> stored = drive.log->Append(entry, &at);
  entry.sector = at.sector;
  codec_.Encode(entry, {drive.log->geometry().log, drive.log->GenerationOf(at.segment), at.sector},
                bytes, stored);
  *place = drive.PlaceAt(at, entry.cipher != log_format::kCipherNone);
  return true;
}

LoadStart FlashTier::Load(BlockRef block, Instant deadline) {
  CAIRN_CHECK(!shard_.InDram(block));
  if (shard_.Loading(block)) return LoadStart::kStarted;
  if (free_loads_.empty()) return LoadStart::kOverload;
  LoadOperation operation;
  operation.block = block;
  operation.place = shard_.PlaceOf(block);
  operation.described = shard_.Describe(block);
  const Drive& drive = *drives_[operation.place.log];
  const Instant now = runtime_.clock.Now();
  if (drive.breaker.open(now)) return LoadStart::kDrive;
  if (now + drive.breaker.typical() >= deadline) return LoadStart::kDeadline;
  const auto slot = shard_.BeginLoad(block);
  if (!slot.has_value()) return LoadStart::kCapacity;
  operation.slot = *slot;
  const uint32_t index = free_loads_.back();
  free_loads_.pop_back();
  shard_.PinAgain(block);
  loads_[index] = operation;
  if (operation.place.encrypted) {
    unstaged_.push_back(index);
    StartStagedReads();
  } else if (!StartRead(index)) {
    DropLoad(index, /*good=*/false);
    shard_.Unpin(block);
    return LoadStart::kOverload;
  }
  return LoadStart::kStarted;
}

// Those that wait for a staging buffer, in their order.
void FlashTier::StartStagedReads() {
  while (!unstaged_.empty()) {
    const uint32_t index = unstaged_.front();
    LoadOperation& load = loads_[index];
    const FlashBlock& block = load.described;
    // Its segment may have gone meanwhile.
    if (shard_.FindAt(block.tenant, block.ns, block.key, load.place) != load.block) {
      unstaged_.pop_front();
      EndLoad(index, LoadEnd::kGone);
      continue;
    }
    const std::optional<size_t> staging = TakeStaging();
    if (!staging.has_value()) return;
    load.staging = *staging;
    if (!StartRead(index)) {
      load.staging = kStagingBuffers;
      return free_staging_.push_back(*staging);
    }
    unstaged_.pop_front();
  }
}

// False: too many reads are under way.
bool FlashTier::StartRead(uint32_t index) {
  if (CopyBuffered(index)) return true;
  const LoadOperation& load = loads_[index];
  const uint64_t stored = EntryOf(load.described, load.place.encrypted).stored_bytes();
  const absl::Span<std::byte> memory =
      load.place.encrypted ? staging_[load.staging].bytes().first(RoundUpToSector(stored))
                           : load.slot;
  return drives_[load.place.log]->log->Read(load.place.at, memory, index).ok();
}

// A record that is being written still is read from the writer's memory: the read ends at once.
bool FlashTier::CopyBuffered(uint32_t index) {
  const LoadOperation& operation = loads_[index];
  DiskLog& log = *drives_[operation.place.log]->log;
  const uint64_t stored = EntryOf(operation.described, operation.place.encrypted).stored_bytes();
  const absl::Span<const std::byte> buffered = log.Buffered(operation.place.at, stored);
  if (buffered.empty()) return false;
  std::byte* const memory = operation.place.encrypted ? staging_[operation.staging].bytes().data()
                                                      : operation.slot.data();
  std::memcpy(memory, buffered.data(), stored);
  IoResult result;
  result.whole = true;
  drives_[operation.place.log]->OnRead(index, result);
  return true;
}

bool FlashTier::Verified(const FlashBlock& block, const FlashPlace& place,
                         absl::Span<std::byte> stored) {
  RecordEntry entry = EntryOf(block, place.encrypted);
  entry.sector = place.at.sector;
  const DiskLog& log = *drives_[place.log]->log;
  return codec_.Verify(entry, log.geometry(), log.GenerationOf(place.at.segment), place.at.segment,
                       stored.first(entry.stored_bytes()));
}

void FlashTier::Drive::OnRead(uint64_t cookie, const IoResult& result) {
  breaker.Record(result.ok(), result.taken, tier_.runtime_.clock.Now());
  if (cookie >= kRewriteCookie) return tier_.EndRewrite(*this, cookie - kRewriteCookie, result);
  const LoadOperation& load = tier_.loads_[cookie];
  LoadEnd end = LoadEnd::kLoaded;
  if (result.error_number != 0) {
    tier_.counters_.drive_errors.Add(1);
    end = LoadEnd::kDrive;
  } else {
    absl::Span<std::byte> stored = load.slot;
    if (load.place.encrypted) stored = tier_.staging_[load.staging].bytes();
    const bool good = result.whole && tier_.Verified(load.described, load.place, stored);
    if (!good) end = LoadEnd::kChecksum;
    if (good && load.place.encrypted) {
      std::memcpy(load.slot.data(), stored.data(), load.described.length_bytes);
    }
  }
  tier_.EndLoad(cookie, end);
}

void FlashTier::EndLoad(size_t index, LoadEnd end) {
  const BlockRef block = DropLoad(index, end == LoadEnd::kLoaded);
  if (end == LoadEnd::kChecksum) {
    counters_.damaged_records.Add(1);
    shard_.DropCopy(block);
  }
  done_.push_back({block, end});
}

// Its slot is the shard's again, its buffer and its record are free. Its pin stays.
BlockRef FlashTier::DropLoad(size_t index, bool good) {
  const LoadOperation load = std::exchange(loads_[index], LoadOperation{});
  free_loads_.push_back(static_cast<uint32_t>(index));
  if (load.staging < kStagingBuffers) free_staging_.push_back(load.staging);
  shard_.EndLoad(load.block, good);
  return load.block;
}

std::optional<size_t> FlashTier::TakeStaging() {
  if (free_staging_.empty()) return std::nullopt;
  const size_t staging = free_staging_.back();
  free_staging_.pop_back();
  return staging;
}

size_t FlashTier::Poll(LoadListener& listener) {
  size_t events = scheduler_.Poll();
  for (const auto& drive : drives_) {
    const bool recovering = drive->log->state() == DiskLog::State::kRecovering;
    events += drive->log->Poll();
    if (recovering && drive->log->state() == DiskLog::State::kReady) drive->AdoptOrphans();
    if (drive->log->state() == DiskLog::State::kReady) Reclaim(*drive);
  }
  StartStagedReads();
  // Those that it ends itself, by asking for more, are told in the next round.
  for (size_t count = done_.size(); count > 0; --count) {
    const Done done = done_.front();
    done_.pop_front();
    listener.OnLoaded(done.block, done.end);
    shard_.Unpin(done.block);
    ++events;
  }
  // What the logs and the listener asked for goes out now.
  if (events > 0) scheduler_.Poll();
  UpdateCounters();
  return events;
}

void FlashTier::UpdateCounters() {
  counters_.written_bytes.Set(scheduler_.counters().written_bytes);
  counters_.read_bytes.Set(scheduler_.counters().read_bytes);
  uint64_t failed = 0;
  const Instant now = runtime_.clock.Now();
  for (const auto& drive : drives_) {
    failed += drive->log->state() == DiskLog::State::kFailed || drive->breaker.open(now) ? 1 : 0;
  }
  counters_.drives_failed.Set(failed);
  UpdateBudgets();
}

bool FlashTier::opened() const {
  return std::none_of(drives_.begin(), drives_.end(), [](const auto& drive) {
    return drive->log->state() == DiskLog::State::kOpening;
  });
}

bool FlashTier::recovered() const {
  return std::all_of(drives_.begin(), drives_.end(), [](const auto& drive) {
    return drive->log->state() == DiskLog::State::kReady ||
           drive->log->state() == DiskLog::State::kFailed;
  });
}

void FlashTier::Finish() {
  for (const auto& drive : drives_) drive->log->Finish();
}

bool FlashTier::sealed() const {
  return std::all_of(drives_.begin(), drives_.end(),
                     [](const auto& drive) { return drive->log->quiet(); });
}

ClusterId FlashTier::cluster() const {
  for (const auto& drive : drives_) {
    if (drive->log->cluster() != ClusterId{}) return drive->log->cluster();
  }
  return ClusterId{};
}

void FlashTier::SetCluster(const ClusterId& cluster) {
  for (const auto& drive : drives_) {
    const DiskLog::State state = drive->log->state();
    const bool open = state == DiskLog::State::kRecovering || state == DiskLog::State::kReady;
    if (open) drive->log->SetCluster(cluster);
  }
}

absl::Status FlashTier::failure() const {
  for (const auto& drive : drives_) {
    if (drive->log->state() == DiskLog::State::kFailed) return drive->log->failure();
  }
  return absl::OkStatus();
}

}  // namespace cairn
