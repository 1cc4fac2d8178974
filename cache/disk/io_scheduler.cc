#include "cache/disk/io_scheduler.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn {
namespace {

constexpr size_t kReapBatch = 64;

// A tag names an operation, a life of its record and one of its chunks, so that a completion that
// comes twice or late is known as such.
constexpr int kChunkBits = 8;
constexpr int kIndexBits = 16;
static_assert(kOperationsMax <= 1u << kIndexBits);

uint64_t TagOf(uint32_t generation, uint32_t index, uint32_t chunk) {
  return uint64_t{generation} << (kIndexBits + kChunkBits) | uint64_t{index} << kChunkBits | chunk;
}

}  // namespace

IoScheduler::IoScheduler(BlockQueue& queue, Clock& clock)
    : queue_(queue), clock_(clock), operations_(kOperationsMax) {
  free_.reserve(kOperationsMax);
  for (uint32_t i = kOperationsMax; i > 0; --i) free_.push_back(i - 1);
}

absl::Status IoScheduler::Read(DeviceId device, uint64_t offset_bytes, absl::Span<std::byte> memory,
                               IoClient& client, uint64_t cookie) {
  Operation operation;
  operation.client = &client;
  operation.cookie = cookie;
  operation.device = device;
  operation.offset_bytes = offset_bytes;
  operation.memory = memory;
  return Begin(operation);
}

absl::Status IoScheduler::Write(DeviceId device, uint64_t offset_bytes,
                                absl::Span<std::byte> memory, IoClient& client, uint64_t cookie) {
  Operation operation;
  operation.client = &client;
  operation.cookie = cookie;
  operation.kind = IoKind::kWrite;
  operation.device = device;
  operation.offset_bytes = offset_bytes;
  operation.memory = memory;
  return Begin(operation);
}

absl::Status IoScheduler::Flush(DeviceId device, IoClient& client, uint64_t cookie) {
  Operation operation;
  operation.client = &client;
  operation.cookie = cookie;
  operation.kind = IoKind::kFlush;
  operation.device = device;
  return Begin(operation);
}

absl::Status IoScheduler::Begin(Operation operation) {
  CAIRN_CHECK(operation.kind == IoKind::kFlush || !operation.memory.empty());
  CAIRN_CHECK(operation.memory.size() <= kIoBytesMax);
  CAIRN_CHECK(static_cast<size_t>(operation.device) < kDevicesMax);
  if (free_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat(kOperationsMax, " transfers are under way"));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  operation.generation = operations_[index].generation + 1;
  operation.unsent_bytes = operation.memory.size();
  operation.begun = clock_.Now();
  operations_[index] = operation;
  Device& device = DeviceOf(operation);
  const bool read = operation.kind == IoKind::kRead;
  if (read) {
    ++device.reads_pending;
    ++reads_pending_;
  }
  Line& line = read ? device.reads : device.writes;
  (line.first == kNone ? line.first : operations_[line.last].next) = index;
  line.last = index;
  return absl::OkStatus();
}

uint64_t IoScheduler::ChunkBytesOf(const Operation& operation, uint32_t chunk) const {
  return std::min<uint64_t>(kChunkBytes, operation.memory.size() - chunk * kChunkBytes);
}

bool IoScheduler::StageChunk(Line& line) {
  if (batch_size_ == kBatchMax) SubmitBatch();
  if (queue_.in_flight() + batch_size_ >= kIosInFlightMax) return false;
  const uint32_t index = line.first;
  Operation& operation = operations_[index];
  const uint64_t sent = operation.memory.size() - operation.unsent_bytes;
  const auto chunk = static_cast<uint32_t>(sent / kChunkBytes);
  const uint64_t bytes = operation.kind == IoKind::kFlush ? 0 : ChunkBytesOf(operation, chunk);
  batch_[batch_size_++] = {operation.kind, operation.device, operation.offset_bytes + sent,
                           operation.memory.subspan(sent, bytes),
                           TagOf(operation.generation, index, chunk)};
  operation.chunks_in_flight |= uint64_t{1} << chunk;
  operation.unsent_bytes -= bytes;
  if (operation.unsent_bytes == 0) line.first = operation.next;
  return true;
}

void IoScheduler::SubmitBatch() {
  if (batch_size_ == 0) return;
  // Room was made sure of as each was staged.
  CAIRN_CHECK(queue_.Submit(absl::MakeConstSpan(batch_).first(batch_size_)).ok());
  batch_size_ = 0;
}

bool IoScheduler::MayWrite(const Device& device) const {
  if (device.writes.first == kNone) return false;
  const uint32_t most = device.reads_pending > 0 ? kWriteChunksBesideReadsMax : kWriteChunksMax;
  const bool flush = operations_[device.writes.first].kind == IoKind::kFlush;
  return device.write_chunks < most && !(flush && device.flushing);
}

void IoScheduler::Send(Device& device) {
  while (device.reads.first != kNone && device.read_chunks < kReadChunksMax) {
    if (!StageChunk(device.reads)) return;
    ++device.read_chunks;
  }
  while (MayWrite(device)) {
    device.flushing |= operations_[device.writes.first].kind == IoKind::kFlush;
    if (!StageChunk(device.writes)) return;
    ++device.write_chunks;
  }
}

void IoScheduler::SendAll() {
  for (Device& device : devices_) Send(device);
  SubmitBatch();
}

// Sends before it takes what has ended: the device works while the clients check their bytes.
size_t IoScheduler::Poll() {
  SendAll();
  ended_ = 0;
  std::array<IoEnd, kReapBatch> ends;
  while (const size_t count = queue_.Poll(absl::MakeSpan(ends))) {
    for (size_t i = 0; i < count; ++i) TakeEnd(ends[i]);
  }
  SendAll();
  return ended_;
}

void IoScheduler::TakeEnd(const IoEnd& end) {
  const auto index = static_cast<uint32_t>(end.tag >> kChunkBits) % (1u << kIndexBits);
  const auto chunk = static_cast<uint32_t>(end.tag % (1u << kChunkBits));
  const auto generation = static_cast<uint32_t>(end.tag >> (kChunkBits + kIndexBits));
  const bool known = index < kOperationsMax && operations_[index].client != nullptr &&
                     operations_[index].generation == generation && chunk < 64 &&
                     (operations_[index].chunks_in_flight >> chunk & 1) != 0;
  if (!known) {
    ++counters_.strange_ends;
    return;
  }
  Operation& operation = operations_[index];
  operation.chunks_in_flight &= ~(uint64_t{1} << chunk);
  Device& device = DeviceOf(operation);
  --(operation.kind == IoKind::kRead ? device.read_chunks : device.write_chunks);
  const uint64_t asked = operation.kind == IoKind::kFlush ? 0 : ChunkBytesOf(operation, chunk);
  if (operation.kind == IoKind::kRead) counters_.read_bytes += asked;
  if (operation.kind == IoKind::kWrite) {
    counters_.written_bytes += asked;
    device.written_bytes += asked;
  }
  if (end.error_number != 0) {
    operation.error_number = end.error_number;
  } else if (end.bytes != asked) {
    operation.short_transfer = true;
  }
  if (operation.chunks_in_flight == 0 && operation.unsent_bytes == 0) Finish(index);
}

void IoScheduler::Finish(uint32_t index) {
  Operation& operation = operations_[index];
  const IoResult result{operation.error_number, !operation.short_transfer,
                        clock_.Now() - operation.begun};
  if (result.error_number != 0) ++counters_.errors;
  if (operation.short_transfer) ++counters_.short_transfers;
  Device& device = DeviceOf(operation);
  if (operation.kind == IoKind::kRead) {
    --reads_pending_;
    --device.reads_pending;
  } else if (operation.kind == IoKind::kFlush) {
    device.flushing = false;
    if (!result.ok()) ++device.failed_flushes;
  }
  IoClient* client = std::exchange(operation.client, nullptr);
  const uint64_t cookie = operation.cookie;
  free_.push_back(index);
  ++ended_;
  client->OnIoEnd(cookie, result);
}

}  // namespace cairn
