#include "tests/cache/disk/log_rig.h"

#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/status.h"
#include "tests/cache/disk/log_records.h"

namespace cairn {

using log_format::Entry;

LogRig::LogRig(const Options& options)
    : scheduler_(options.seed),
      random_(options.seed),
      storage_(scheduler_, [this] { ++wakes_; }),
      codec_(options.key) {
  log_options_.segment_bytes = options.segment_bytes;
  log_options_.size_bytes = kMiB + options.segments * options.segment_bytes;
  log_options_.node.bytes.fill(std::byte{5});
  log_options_.incarnation = 0;
  log_options_.path = kPath;
}

LogRig::~LogRig() {
  if (queue_ != nullptr) Kill();
}

void LogRig::Boot() {
  CAIRN_CHECK(queue_ == nullptr);
  told.clear();
  sealed_segments.clear();
  lost_errors.clear();
  outcomes.clear();
  ++log_options_.incarnation;
  queue_ = storage_.CreateQueue();
  const DeviceOptions device{.path = kPath,
                             .size_bytes = log_options_.offset_bytes + log_options_.size_bytes};
  log_options_.device = queue_->Open(device).value();
  io_ = std::make_unique<IoScheduler>(*queue_, scheduler_);
  log_ = DiskLog::Create(log_options_, *io_, scheduler_, random_, codec_, *this).value();
}

bool LogRig::Start() {
  Boot();
  EXPECT_TRUE(RunUntil([&] {
    return log_->state() == DiskLog::State::kReady || log_->state() == DiskLog::State::kFailed;
  }));
  return log_->state() == DiskLog::State::kReady;
}

void LogRig::Kill() {
  queue_.reset();
  log_.reset();
  io_.reset();
  reads_.clear();
  entries_.reset();
}

void LogRig::CutPower() {
  Kill();
  storage_.CutPower();
}

void LogRig::Step() {
  io_->Poll();
  log_->Poll();
  io_->Poll();
  const int wakes = wakes_;
  scheduler_.RunUntilTrue([&] { return wakes_ != wakes; }, absl::Milliseconds(1));
}

bool LogRig::RunUntil(const std::function<bool()>& done) {
  const Instant limit = scheduler_.Now() + absl::Minutes(1);
  while (!done()) {
    if (scheduler_.Now() >= limit) return false;
    Step();
  }
  return true;
}

void LogRig::RunFor(absl::Duration duration) {
  const Instant end = scheduler_.Now() + duration;
  while (scheduler_.Now() < end) Step();
}

bool LogRig::TryAppend(uint64_t number, uint32_t length) {
  const uint64_t tag_bytes = codec_.cipher() == 0 ? 0 : log_format::kCipherTagBytes;
  if (!log_->CanAppend(length + tag_bytes)) return false;
  Entry entry = EntryOf(number, length, codec_.cipher());
  LogRecord record;
  const absl::Span<std::byte> stored = log_->Append(entry, &record.place);
  entry.sector = record.place.sector;
  record.entry = entry;
  record.generation = log_->GenerationOf(record.place.segment);
  codec_.Encode(entry, {log_->geometry().log, record.generation, entry.sector},
                PayloadOf(entry.key, length), stored);
  for (LogRecord& other : appended_) {
    other.overwritten |=
        other.place.segment == record.place.segment && other.generation != record.generation;
  }
  const auto key = std::tuple(record.place.segment, record.generation, record.place.sector);
  EXPECT_TRUE(index_.emplace(key, appended_.size()).second) << "a place was used twice";
  appended_.push_back(record);
  return true;
}

Place LogRig::Append(uint64_t number, uint32_t length) {
  EXPECT_TRUE(RunUntil([&] { return TryAppend(number, length); }));
  return appended_.back().place;
}

void LogRig::Seal() {
  log_->Finish();
  EXPECT_TRUE(RunUntil([&] { return log_->quiet(); }));
}

void LogRig::Free(uint32_t segment) {
  const uint64_t generation = log_->GenerationOf(segment);
  for (LogRecord& record : appended_) {
    record.freed |= record.place.segment == segment && record.generation == generation;
  }
  log_->Free(segment);
}

void LogRig::StartRead(const LogRecord& record) {
  const uint64_t stored_bytes = record.entry.stored_bytes();
  auto memory =
      std::make_unique<AlignedBuffer>(AlignedBuffer::Create(RoundUpToSector(stored_bytes)).value());
  const absl::Span<std::byte> bytes = memory->bytes();
  const auto buffered = log_->Buffered(record.place, stored_bytes);
  if (!buffered.empty()) {
    std::memcpy(bytes.data(), buffered.data(), stored_bytes);
    outcomes.push_back(Judge(record, bytes));
    return;
  }
  const uint64_t cookie = next_cookie_++;
  reads_[cookie] = {record, std::move(memory)};
  ASSERT_EQ(log_->Read(record.place, bytes, cookie), absl::OkStatus());
}

ReadOutcome LogRig::Read(const LogRecord& record) {
  const size_t before = outcomes.size();
  StartRead(record);
  EXPECT_TRUE(RunUntil([&] { return outcomes.size() > before; }));
  return outcomes.size() > before ? outcomes.back() : ReadOutcome::kError;
}

void LogRig::OnRead(uint64_t cookie, const IoResult& result) {
  auto read = reads_.extract(cookie);
  ASSERT_FALSE(read.empty()) << "a read ended twice";
  const LogRecord& record = read.mapped().record;
  EXPECT_EQ(log_->GenerationOf(record.place.segment), record.generation);
  if (result.error_number != 0) return outcomes.push_back(ReadOutcome::kError);
  outcomes.push_back(result.whole ? Judge(record, read.mapped().memory->bytes())
                                  : ReadOutcome::kDamaged);
}

// What an owner does before anybody sees the bytes; then, whether it was right to trust them (P1).
ReadOutcome LogRig::Judge(const LogRecord& record, absl::Span<std::byte> stored) {
  const Entry& entry = record.entry;
  if (!codec_.Verify(entry, log_->geometry(), record.generation, record.place.segment,
                     stored.first(entry.stored_bytes()))) {
    return ReadOutcome::kDamaged;
  }
  const std::vector<std::byte> payload = PayloadOf(entry.key, entry.length);
  EXPECT_EQ(std::memcmp(stored.data(), payload.data(), payload.size()), 0) << "wrong bytes";
  return ReadOutcome::kGood;
}

std::vector<Entry> LogRig::ReadEntries(uint32_t segment) {
  entries_.reset();
  EXPECT_EQ(log_->ReadEntries(segment), absl::OkStatus());
  EXPECT_TRUE(RunUntil([&] { return entries_.has_value(); }));
  return entries_.value_or(std::vector<Entry>());
}

void LogRig::OnEntries(uint32_t, absl::StatusOr<absl::Span<const Entry>> entries) {
  entries_.emplace();
  if (entries.ok()) entries_->assign(entries->begin(), entries->end());
}

LogRecord* LogRig::Find(Place place, uint64_t generation) {
  const auto found = index_.find(std::tuple(place.segment, generation, place.sector));
  return found == index_.end() ? nullptr : &appended_[found->second];
}

std::vector<LogRecord> LogRig::LiveRecords() const {
  std::vector<LogRecord> live;
  for (const LogRecord& record : appended_) {
    if (record.sealed && !record.freed && !record.overwritten) live.push_back(record);
  }
  return live;
}

void LogRig::ForgetUntold() {
  for (LogRecord& record : appended_) record.freed = true;
  for (const LogRecord& record : told) {
    if (LogRecord* known = Find(record.place, record.generation)) known->freed = false;
  }
}

std::string LogRig::Describe(const LogRecord& record) const {
  return absl::StrCat("segment ", record.place.segment, " generation ", record.generation >> 32,
                      "+", record.generation & UINT32_MAX, " sector ", record.place.sector,
                      " bytes ", uint32_t{record.entry.length}, " sealed ", record.sealed,
                      " freed ", record.freed, " overwritten ", record.overwritten);
}

void LogRig::OnRecovered(const Entry& entry, Place place) {
  const uint64_t generation = log_->GenerationOf(place.segment);
  ASSERT_NE(generation, 0u);
  if (LogRecord* record = Find(place, generation); record != nullptr) record->freed = false;
  LogRecord record;
  record.entry = entry;
  record.place = place;
  record.generation = generation;
  told.push_back(record);
  if (on_told) on_told(record);
}

void LogRig::OnSegmentLost(uint32_t segment, absl::Span<const Entry> entries, int error_number) {
  lost_errors.push_back(error_number);
  for (const Entry& entry : entries) {
    const LogRecord* record = Find({segment, entry.sector}, log_->GenerationOf(segment));
    ASSERT_NE(record, nullptr);
    EXPECT_FALSE(record->sealed);
  }
}

void LogRig::OnSegmentSealed(uint32_t segment) {
  sealed_segments.push_back(segment);
  for (LogRecord& record : appended_) {
    const bool here =
        record.place.segment == segment && record.generation == log_->GenerationOf(segment);
    record.sealed |= here;
  }
}

}  // namespace cairn
