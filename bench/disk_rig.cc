#include "bench/disk_rig.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/disk.h"
#include "base/random.h"
#include "base/status.h"
#include "base/uring_queue.h"
#include "proto/checksum.h"
#include "server/cli/child_process.h"

namespace cairn::bench {
namespace {

using log_format::Entry;

constexpr uint64_t kSegmentBytes = 64u << 20;
constexpr size_t kReadBuffers = 64;
constexpr uint32_t kReadBytesMax = 4u << 20;
constexpr size_t kFreeSegmentsWanted = 3;
constexpr absl::Duration kWaitMax = absl::Milliseconds(1);

Entry EntryOf(uint64_t number, absl::Span<const std::byte> payload) {
  Entry entry;
  SeededRandom(number + 1).Fill(absl::MakeSpan(entry.key.bytes));
  entry.tenant = 1;
  entry.length = static_cast<uint32_t>(payload.size());
  if (!payload.empty()) entry.checksum = MakeChecksum(entry.key, entry.ns, payload);
  return entry;
}

}  // namespace

BenchFile::BenchFile(const std::string& name)
    : path_(std::filesystem::path(OwnProgramPath()).parent_path() /
            absl::StrCat(name, ".", getpid())) {}
BenchFile::~BenchFile() { unlink(path_.c_str()); }

absl::StatusOr<std::unique_ptr<DiskRig>> DiskRig::Start(const Options& options) {
  auto rig = std::unique_ptr<DiskRig>(new DiskRig());
  CAIRN_RETURN_IF_ERROR(rig->Open(options));
  return rig;
}

absl::Status DiskRig::Open(const Options& options) {
  LogOptions log;
  log.path = options.path;
  log.segment_bytes = kSegmentBytes;
  log.size_bytes = log_format::kFirstSegmentOffset + options.segments * kSegmentBytes;
  CAIRN_ASSIGN_OR_RETURN(queue_, CreateUringQueue());
  CAIRN_ASSIGN_OR_RETURN(log.device, queue_->Open({.path = options.path,
                                                   .size_bytes = log.size_bytes,
                                                   .preallocate = options.preallocate}));
  for (size_t i = 0; i < kReadBuffers; ++i) {
    CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(kReadBytesMax));
    buffers_.push_back(std::move(buffer));
    free_buffers_.push_back(i);
  }
  reading_.resize(kReadBuffers);
  io_ = std::make_unique<IoScheduler>(*queue_, RealClock());
  const Instant begun = RealClock().Now();
  CAIRN_ASSIGN_OR_RETURN(log_,
                         DiskLog::Create(log, *io_, RealClock(), RealRandom(), codec_, *this));
  std::vector<absl::Span<std::byte>> memory = log_->WriteMemory();
  for (const AlignedBuffer& buffer : buffers_) memory.push_back(buffer.bytes());
  queue_->RegisterMemory(memory);
  CAIRN_RETURN_IF_ERROR(RunUntil([&] {
    return log_->state() == DiskLog::State::kReady || log_->state() == DiskLog::State::kFailed;
  }));
  recovery_seconds_ = absl::ToDoubleSeconds(RealClock().Now() - begun);
  return log_->failure();
}

DiskRig::~DiskRig() { queue_.reset(); }

void DiskRig::Step() {
  const size_t events = io_->Poll() + log_->Poll();
  io_->Poll();
  if (events > 0 || !queue_->Arm()) return;
  pollfd wake{queue_->event_fd(), POLLIN, 0};
  poll(&wake, 1, static_cast<int>(absl::ToInt64Milliseconds(kWaitMax)));
}

template <typename Done>
absl::Status DiskRig::RunUntil(const Done& done) {
  while (!done()) {
    Step();
    if (error_number_ != 0) return FromErrno(error_number_, "the log's device");
  }
  return absl::OkStatus();
}

absl::StatusOr<double> DiskRig::Write(uint64_t count, uint32_t length) {
  std::vector<std::byte> payload(length);
  SeededRandom(7).Fill(absl::MakeSpan(payload));
  // The checksum is the client's work, and comes with the block.
  std::vector<Entry> entries;
  entries.reserve(count);
  for (uint64_t i = 0; i < count; ++i) entries.push_back(EntryOf(next_number_++, payload));
  const Instant begun = RealClock().Now();
  for (const Entry& entry : entries) {
    CAIRN_RETURN_IF_ERROR(RunUntil([&] {
      uint32_t oldest = 0;
      if (log_->free_segments() < kFreeSegmentsWanted && log_->OldestSealed(&oldest)) {
        log_->Free(oldest);
        std::erase_if(stored_, [&](const auto& record) { return record.place.segment == oldest; });
      }
      return log_->CanAppend(length);
    }));
    StoredRecord record;
    record.entry = entry;
    const absl::Span<std::byte> stored = log_->Append(record.entry, &record.place);
    std::memcpy(stored.data(), payload.data(), length);
    stored_.push_back(record);
    // A reactor polls between two puts.
    io_->Poll();
    log_->Poll();
  }
  log_->Finish();
  CAIRN_RETURN_IF_ERROR(RunUntil([&] { return log_->quiet(); }));
  const double seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
  return static_cast<double>(count) * length / seconds;
}

absl::StatusOr<double> DiskRig::Read(uint64_t count, size_t depth) {
  SeededRandom random(next_number_);
  uint64_t asked = 0, bytes = 0;
  reads_good_ = 0;
  const Instant begun = RealClock().Now();
  CAIRN_RETURN_IF_ERROR(RunUntil([&] {
    while (asked < count && free_buffers_.size() > kReadBuffers - depth) {
      const size_t buffer = free_buffers_.back();
      reading_[buffer] = stored_[random.Below(stored_.size())];
      const uint64_t stored = reading_[buffer].entry.stored_bytes();
      const auto memory = buffers_[buffer].bytes().first(RoundUpToSector(stored));
      if (!log_->Read(reading_[buffer].place, memory, buffer).ok()) break;
      free_buffers_.pop_back();
      bytes += stored;
      ++asked;
    }
    return asked == count && free_buffers_.size() == kReadBuffers;
  }));
  const double seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
  if (reads_good_ != count) return absl::DataLossError("a record did not read");
  return static_cast<double>(bytes) / seconds;
}

void DiskRig::OnRead(uint64_t cookie, const IoResult& result) {
  const StoredRecord& record = reading_[cookie];
  const bool good =
      result.ok() && codec_.Verify(record.entry, log_->geometry(),
                                   log_->GenerationOf(record.place.segment), record.place.segment,
                                   buffers_[cookie].bytes().first(record.entry.stored_bytes()));
  reads_good_ += good ? 1 : 0;
  free_buffers_.push_back(cookie);
}

absl::Status DiskRig::WriteFooters() {
  class Client final : public IoClient {
   public:
    void OnIoEnd(uint64_t, const IoResult& result) override {
      ended = true;
      ok = result.ok();
    }
    bool ended = false, ok = false;
  };
  CAIRN_RETURN_IF_ERROR(RunUntil([&] { return log_->CanAppend(1); }));
  const LogGeometry& geometry = log_->geometry();
  CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(kSegmentBytes / 16));
  for (uint32_t segment = 0; segment < geometry.segments; ++segment) {
    // As a writer packs them: a header for each group.
    std::vector<Entry> entries;
    for (uint64_t sector = 0;; ++sector) {
      if (entries.size() % log_format::kGroupEntriesMax == 0) ++sector;
      const uint64_t end = sector + 1 + log_format::FooterSectors(entries.size() + 1);
      if (end > geometry.sectors()) break;
      entries.push_back(EntryOf(next_number_++, {}));
      entries.back().length = static_cast<uint32_t>(kSectorBytes);
      entries.back().sector = static_cast<uint32_t>(sector);
    }
    const uint64_t sectors = log_format::FooterSectors(entries.size());
    const auto bytes = buffer.bytes().first(sectors * kSectorBytes);
    const uint64_t generation = (uint64_t{1} << 40) + segment;
    log_format::EncodeFooterSectors(geometry.NameOf(segment, generation), entries, bytes);
    Client client;
    const auto first = static_cast<uint32_t>(geometry.sectors() - sectors);
    CAIRN_RETURN_IF_ERROR(
        io_->Write(geometry.device, geometry.OffsetOf({segment, first}), bytes, client, 0));
    CAIRN_RETURN_IF_ERROR(RunUntil([&] { return client.ended; }));
    if (!client.ok) return absl::InternalError("cannot write a footer");
  }
  return absl::OkStatus();
}

void DiskRig::OnRecovered(const Entry& entry, Place place) {
  ++recovered_;
  recovered_keys_ += entry.key.Word(0) + place.sector;
}

void DiskRig::OnSegmentLost(uint32_t, absl::Span<const Entry>, int error_number) {
  error_number_ = error_number;
}

absl::StatusOr<double> RunFio(const std::string& path, const std::string& rw, uint64_t file_bytes,
                              uint64_t moved_bytes, size_t depth) {
  const std::string report = path + ".json";
  CAIRN_ASSIGN_OR_RETURN(
      ChildProcess fio,
      ChildProcess::Start(
          {.arguments = {"/usr/bin/env", "fio", "--name=bench", "--filename=" + path, "--rw=" + rw,
                         "--direct=1", "--eta=never", "--thread", "--bs=1M", "--ioengine=io_uring",
                         "--fixedbufs", "--registerfiles", "--end_fsync=1",
                         absl::StrCat("--iodepth=", depth), absl::StrCat("--size=", file_bytes),
                         absl::StrCat("--io_size=", moved_bytes), "--output-format=json",
                         "--output=" + report},
           .log_path = path + ".err"}));
  while (fio.running()) absl::SleepFor(absl::Milliseconds(2));
  const std::string text = RealDisk().ReadFile(report).value_or("");
  unlink(report.c_str());
  unlink((path + ".err").c_str());
  const auto parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return absl::NotFoundError("fio printed no report; install it: apt-get install fio");
  }
  const auto& job = parsed["jobs"][0][rw == "write" ? "write" : "read"];
  return job["bw_bytes"].get<double>();
}

}  // namespace cairn::bench
