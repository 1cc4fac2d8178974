#include "base/uring_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/status.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1u << 20;
constexpr absl::Duration kPatience = absl::Seconds(30);

// Sectors of memory, aligned as devices want it.
class Memory {
 public:
  explicit Memory(uint64_t bytes)
      : base_(static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, bytes))), bytes_(bytes) {
    std::memset(base_, 0, bytes);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { std::free(base_); }

  absl::Span<std::byte> all() { return {base_, bytes_}; }
  absl::Span<std::byte> part(uint64_t offset, uint64_t bytes) {
    return all().subspan(offset, bytes);
  }
  // Other bytes for other values.
  void Fill(uint64_t value) {
    for (uint64_t i = 0; i < bytes_; ++i) base_[i] = static_cast<std::byte>(value + i + i / 251);
  }

 private:
  std::byte* base_;
  uint64_t bytes_;
};

// On the file system of the build folder: that of /tmp may know no direct access.
class UringQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::current_path() / "uring_queue_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    queue_ = NewQueue();
  }
  void TearDown() override {
    queue_.reset();
    std::filesystem::remove_all(folder_);
  }

  static std::unique_ptr<BlockQueue> NewQueue() {
    auto queue = CreateUringQueue();
    EXPECT_EQ(queue.status(), absl::OkStatus());
    return queue.ok() ? *std::move(queue) : nullptr;
  }
  DeviceOptions Options(const std::string& name, uint64_t size_bytes = 0) const {
    return {.path = folder_ / name, .size_bytes = size_bytes, .lock_wait = absl::ZeroDuration()};
  }
  DeviceId Open(const std::string& name, uint64_t size_bytes) {
    auto device = queue_->Open(Options(name, size_bytes));
    EXPECT_EQ(device.status(), absl::OkStatus());
    return device.value_or(DeviceId{});
  }

  // Polls until `count` requests have ended; by tag.
  std::map<uint64_t, IoEnd> Await(size_t count) {
    std::map<uint64_t, IoEnd> ended;
    const Instant deadline = RealClock().Now() + kPatience;
    while (ended.size() < count && RealClock().Now() < deadline) {
      IoEnd ends[16];
      const size_t got = queue_->Poll(absl::MakeSpan(ends));
      for (size_t i = 0; i < got; ++i) ended[ends[i].tag] = ends[i];
    }
    EXPECT_EQ(ended.size(), count);
    return ended;
  }
  IoEnd Do(const Io& io) {
    EXPECT_EQ(queue_->Submit({&io, 1}), absl::OkStatus());
    return Await(1)[io.tag];
  }
  void ExpectWhole(const IoEnd& end, uint64_t bytes) {
    EXPECT_EQ(end.error_number, 0);
    EXPECT_EQ(end.bytes, bytes);
  }

  // As any other program sees the file.
  std::string Content(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat StatOf(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(::stat((folder_ / name).c_str(), &info), 0);
    return info;
  }

  std::filesystem::path folder_;
  std::unique_ptr<BlockQueue> queue_;
};

TEST_F(UringQueueTest, ReadsBackWhatItWroteWhereItWroteIt) {
  const DeviceId device = Open("log", 4 * kMiB);
  for (const uint64_t bytes : {kSectorBytes, 64 * kSectorBytes, kMiB}) {
    const uint64_t offset = kMiB + bytes;
    Memory written(bytes), read(bytes);
    written.Fill(bytes);
    ExpectWhole(Do({IoKind::kWrite, device, offset, written.all(), 1}), bytes);
    ExpectWhole(Do({IoKind::kFlush, device, 0, {}, 2}), 0);
    ExpectWhole(Do({IoKind::kRead, device, offset, read.all(), 3}), bytes);
    EXPECT_EQ(written.all(), read.all());
    const std::string content = Content("log");
    EXPECT_EQ(std::memcmp(content.data() + offset, written.all().data(), bytes), 0);
  }
}

TEST_F(UringQueueTest, MemoryMayBeRegisteredOrNotOrPartly) {
  const DeviceId device = Open("log", 4 * kMiB);
  Memory registered(kMiB), other(kMiB);
  // Two neighbours: what straddles them lies in neither.
  queue_->RegisterMemory({registered.part(0, kMiB / 2), registered.part(kMiB / 2, kMiB / 2)});
  registered.Fill(5);
  for (const auto memory : {registered.part(0, kMiB / 2), registered.part(kMiB / 2, kMiB / 2),
                            registered.part(kMiB / 4, kMiB / 2)}) {
    ExpectWhole(Do({IoKind::kWrite, device, kMiB, memory, 1}), kMiB / 2);
    ExpectWhole(Do({IoKind::kRead, device, kMiB, other.part(0, kMiB / 2), 2}), kMiB / 2);
    EXPECT_EQ(other.part(0, kMiB / 2), memory);
  }
  ExpectWhole(Do({IoKind::kWrite, device, 0, other.all(), 3}), kMiB);
  ExpectWhole(Do({IoKind::kRead, device, 0, registered.all(), 4}), kMiB);
  EXPECT_EQ(registered.all(), other.all());
}

TEST_F(UringQueueTest, DevicesDoNotMixAndAreBounded) {
  Memory memory(kSectorBytes), read(kSectorBytes);
  std::vector<DeviceId> devices;
  for (size_t i = 0; i < kDevicesMax; ++i) {
    devices.push_back(Open(std::to_string(i), 16 * kSectorBytes));
    memory.Fill(i);
    ExpectWhole(Do({IoKind::kWrite, devices[i], 0, memory.all(), i}), kSectorBytes);
  }
  for (size_t i = 0; i < kDevicesMax; ++i) {
    memory.Fill(i);
    ExpectWhole(Do({IoKind::kRead, devices[i], 0, read.all(), i}), kSectorBytes);
    EXPECT_EQ(read.all(), memory.all()) << i;
  }
  const absl::Status status = queue_->Open(Options("one more", kMiB)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("one more"));
}

TEST_F(UringQueueTest, ADeviceIsOneProcesssAloneAndTheRefusalSaysWhatToDo) {
  Open("log", kMiB);
  auto second = NewQueue();
  const absl::Status status = second->Open(Options("log", kMiB)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("log is in use"));
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("a device of its own"));
  queue_.reset();
  // At once, though the kernel takes its time to take the first ring down.
  EXPECT_EQ(second->Open(Options("log", kMiB)).status(), absl::OkStatus());
}

// The kernel lets go of a killed process's device when its last write has ended, some 50 ms later.
TEST_F(UringQueueTest, ADeviceOfAKilledProcessIsWaitedFor) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  queue_.reset();
  const pid_t child = ::fork();
  if (child == 0) {
    auto queue = CreateUringQueue();
    const bool opened = queue.ok() && (*queue)->Open(Options("log", 64 * kMiB)).ok();
    Memory memory(64 * kMiB);
    for (uint64_t i = 0; opened && i < 64; ++i) {
      const Io io{IoKind::kWrite, DeviceId{0}, i * kMiB, memory.part(i * kMiB, kMiB), i};
      (*queue)->Submit({&io, 1}).IgnoreError();
    }
    [[maybe_unused]] const ssize_t told = ::write(ready[1], opened ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char opened = 0;
  ASSERT_EQ(::read(ready[0], &opened, 1), 1);
  EXPECT_EQ(opened, 'y');
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
  queue_ = NewQueue();
  DeviceOptions options = Options("log", 64 * kMiB);
  options.lock_wait = kPatience;
  EXPECT_EQ(queue_->Open(options).status(), absl::OkStatus());
}

TEST_F(UringQueueTest, AFileGrowsToItsSizeAndIsNeverCut) {
  EXPECT_EQ(queue_->SizeBytes(Open("log", kMiB + 100)), kMiB);  // whole sectors
  EXPECT_EQ(std::filesystem::file_size(folder_ / "log"), kMiB + 100);
  const uint64_t sizes[][2] = {{2 * kMiB, 2 * kMiB}, {kMiB, 2 * kMiB}, {0, 2 * kMiB}};
  for (const auto& [asked, length] : sizes) {
    queue_ = NewQueue();
    EXPECT_EQ(queue_->SizeBytes(Open("log", asked)), asked == 0 ? length : asked);
    EXPECT_EQ(std::filesystem::file_size(folder_ / "log"), length) << asked;
  }
}

TEST_F(UringQueueTest, SpaceIsTakenAtOpenUnlessToldOtherwise) {
  DeviceOptions sparse = Options("sparse", 8 * kMiB);
  sparse.preallocate = false;
  ASSERT_EQ(queue_->Open(sparse).status(), absl::OkStatus());
  Open("taken", 8 * kMiB);
  EXPECT_EQ(StatOf("sparse").st_blocks, 0);
  EXPECT_GE(StatOf("taken").st_blocks * 512, static_cast<int64_t>(8 * kMiB));
}

TEST_F(UringQueueTest, WhatIsNoDeviceIsRefusedByName) {
  EXPECT_EQ(queue_->Open(Options("absent")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "absent"));  // no file in place of a drive
  EXPECT_EQ(queue_->Open(Options("no/folder", kMiB)).status().code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const absl::Status status = queue_->Open(Options("pipe", kMiB)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("pipe is neither"));
}

TEST_F(UringQueueTest, AReadBeyondTheEndMovesWhatThereIsWithoutAnError) {
  const DeviceId device = Open("log", 2 * kSectorBytes);
  Memory memory(4 * kSectorBytes);
  ExpectWhole(Do({IoKind::kRead, device, kSectorBytes, memory.all(), 1}), kSectorBytes);
  ExpectWhole(Do({IoKind::kRead, device, kMiB, memory.all(), 2}), 0);
}

TEST_F(UringQueueTest, TheDescriptorWakesWhoArmedIt) {
  const DeviceId device = Open("log", kMiB);
  Memory memory(kSectorBytes);
  const auto readable = [&](int timeout_ms) {
    pollfd look{queue_->event_fd(), POLLIN, 0};
    return ::poll(&look, 1, timeout_ms) == 1;
  };
  ASSERT_TRUE(queue_->Arm());
  EXPECT_FALSE(readable(0));
  const Io io{IoKind::kWrite, device, 0, memory.all(), 1};
  ASSERT_EQ(queue_->Submit({&io, 1}), absl::OkStatus());
  EXPECT_TRUE(readable(static_cast<int>(absl::ToInt64Milliseconds(kPatience))));
  EXPECT_FALSE(queue_->Arm());  // its completion waits
  Await(1);
  EXPECT_TRUE(queue_->Arm());
  EXPECT_FALSE(readable(0));
}

TEST_F(UringQueueTest, EndsWhatIsUnderWayBeforeItDies) {
  constexpr uint64_t kWrites = 32;
  const DeviceId device = Open("log", kWrites * kMiB);
  auto memory = std::make_unique<Memory>(kWrites * kMiB);
  memory->Fill(9);
  const std::string expected(reinterpret_cast<char*>(memory->all().data()), kWrites * kMiB);
  for (uint64_t i = 0; i < kWrites; ++i) {
    const Io io{IoKind::kWrite, device, i * kMiB, memory->part(i * kMiB, kMiB), i};
    ASSERT_EQ(queue_->Submit({&io, 1}), absl::OkStatus());
  }
  queue_.reset();
  memory.reset();
  EXPECT_TRUE(Content("log") == expected);
}

TEST_F(UringQueueTest, NothingLandsInMemoryOnceItIsDead) {
  constexpr uint64_t kReads = 64;
  const DeviceId device = Open("log", kReads * kMiB);
  Memory memory(kReads * kMiB);
  memory.Fill(1);
  for (uint64_t i = 0; i < kReads; ++i) {
    Do({IoKind::kWrite, device, i * kMiB, memory.part(i * kMiB, kMiB), i});
  }
  for (uint64_t i = 0; i < kReads; ++i) {
    const Io io{IoKind::kRead, device, i * kMiB, memory.part(i * kMiB, kMiB), i};
    ASSERT_EQ(queue_->Submit({&io, 1}), absl::OkStatus());
  }
  queue_.reset();
  std::memset(memory.all().data(), 0x77, memory.all().size());
  const Instant end = RealClock().Now() + absl::Milliseconds(100);
  do {
    const auto all = memory.all();
    ASSERT_TRUE(
        std::all_of(all.begin(), all.end(), [](auto byte) { return byte == std::byte{0x77}; }));
  } while (RealClock().Now() < end);
}

TEST_F(UringQueueTest, AFullQueueRefusesAndStartsNothing) {
  const DeviceId device = Open("log", kMiB);
  Memory memory(kSectorBytes);
  const std::vector<Io> many(kIosInFlightMax - 1, Io{IoKind::kRead, device, 0, memory.all(), 7});
  ASSERT_EQ(queue_->Submit(many), absl::OkStatus());
  EXPECT_EQ(queue_->in_flight(), many.size());
  const std::vector<Io> two(2, Io{IoKind::kRead, device, 0, memory.all(), 8});
  EXPECT_EQ(queue_->Submit(two).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_EQ(queue_->Submit(absl::MakeSpan(two).first(1)), absl::OkStatus());
  size_t sevens = 0, eights = 0;
  const Instant deadline = RealClock().Now() + kPatience;
  while (queue_->in_flight() > 0 && RealClock().Now() < deadline) {
    std::vector<IoEnd> ends(100);
    ends.resize(queue_->Poll(absl::MakeSpan(ends)));
    for (const IoEnd& end : ends) ++(end.tag == 7 ? sevens : eights);
  }
  EXPECT_EQ(sevens, many.size());
  EXPECT_EQ(eights, 1u);
  EXPECT_EQ(queue_->Submit(many), absl::OkStatus());
}

TEST_F(UringQueueTest, AMisalignedRequestIsABug) {
  const DeviceId device = Open("log", kMiB);
  Memory memory(2 * kSectorBytes);
  const auto submit = [&](uint64_t offset, absl::Span<std::byte> part) {
    const Io io{IoKind::kRead, device, offset, part, 1};
    queue_->Submit({&io, 1}).IgnoreError();
  };
  EXPECT_DEATH(submit(512, memory.part(0, kSectorBytes)), "Aligned");
  EXPECT_DEATH(submit(0, memory.part(0, 512)), "Aligned");
  EXPECT_DEATH(submit(0, memory.part(512, kSectorBytes)), "Aligned");
  EXPECT_DEATH(submit(0, {}), "empty");
}

// A file system of 16 MiB: tmpfs, or ext4 in a file, which keeps what a failed fallocate(2) got.
class FullFileSystemTest : public UringQueueTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    UringQueueTest::SetUp();
    mount_point_ = folder_ / "mounted";
    std::filesystem::create_directory(mount_point_);
    // NOLINTNEXTLINE(bugprone-command-processor): mkfs and mount have no other face.
    mounted_ = std::system(MountCommand().c_str()) == 0;
    if (!mounted_) GTEST_SKIP() << "this user or machine cannot mount a small " << GetParam();
  }
  void TearDown() override {
    queue_.reset();
    if (mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
    UringQueueTest::TearDown();
  }
  std::string MountCommand() const {
    const std::string there = mount_point_.string();
    if (GetParam() == std::string("tmpfs")) {
      return absl::StrCat("mount -t tmpfs -o size=16m none '", there, "' 2>/dev/null");
    }
    const std::string image = (folder_ / "image").string();
    return absl::StrCat("exec 2>/dev/null; truncate -s 16M '", image, "' && mkfs.ext4 -q -F '",
                        image, "' && mount -o loop '", image, "' '", there, "'");
  }

  std::filesystem::path mount_point_;
  bool mounted_ = false;
};
INSTANTIATE_TEST_SUITE_P(Small, FullFileSystemTest, testing::Values("tmpfs", "ext4"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(FullFileSystemTest, LacksTheSpaceAtOpenAndGivesBackWhatItGot) {
  const absl::Status status = queue_->Open(Options("mounted/log", 64 * kMiB)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("log (smaller size"));
  EXPECT_EQ(StatOf("mounted/log").st_size, 0);
  EXPECT_EQ(StatOf("mounted/log").st_blocks, 0);
  EXPECT_EQ(queue_->Open(Options("mounted/log", 4 * kMiB)).status(), absl::OkStatus());
}

TEST_P(FullFileSystemTest, AWriteIntoAHoleSaysThatTheSpaceIsGone) {
  DeviceOptions options = Options("mounted/log", 64 * kMiB);
  options.preallocate = false;
  ASSERT_EQ(queue_->Open(options).status(), absl::OkStatus());
  Memory memory(kMiB);
  IoEnd end;
  for (uint64_t i = 0; i < 32 && end.error_number == 0; ++i) {
    end = Do({IoKind::kWrite, DeviceId{0}, i * kMiB, memory.all(), i});
    if (end.bytes < kMiB) break;  // the last pages that there were
  }
  const bool full = end.error_number == ENOSPC || (end.error_number == 0 && end.bytes < kMiB);
  EXPECT_TRUE(full) << end.error_number << " " << end.bytes;
}

}  // namespace
}  // namespace cairn
