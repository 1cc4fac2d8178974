#include "base/disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace cairn {
namespace {

class RealDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "cairn_disk_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  size_t FileCount() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(RealDiskTest, ReadsBackWhatItWrote) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(RealDisk().WriteFileAtomically(Path("id"), content, 0600).ok());
  EXPECT_EQ(*RealDisk().ReadFile(Path("id")), content);
}

TEST_F(RealDiskTest, SetsTheModeWhateverTheUmask) {
  const mode_t old_umask = ::umask(0077);
  ASSERT_TRUE(RealDisk().WriteFileAtomically(Path("public"), "x", 0644).ok());
  ::umask(old_umask);
  struct stat info;
  ASSERT_EQ(::stat(Path("public").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644u);
}

TEST_F(RealDiskTest, ReplacesAFileAndLeavesNothingElseBehind) {
  ASSERT_TRUE(RealDisk().WriteFileAtomically(Path("id"), "old", 0600).ok());
  ASSERT_TRUE(RealDisk().WriteFileAtomically(Path("id"), "new", 0600).ok());
  EXPECT_EQ(*RealDisk().ReadFile(Path("id")), "new");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(RealDiskTest, AFailedWriteKeepsTheOldAndLeavesNoTemporaryFile) {
  ASSERT_TRUE(std::filesystem::create_directories(Path("taken/inner")));
  const absl::Status status = RealDisk().WriteFileAtomically(Path("taken"), "x", 0600);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("taken/inner")));
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(RealDiskTest, MakesMissingParentsForTheOwnerAlone) {
  ASSERT_TRUE(RealDisk().WriteFileAtomically(Path("a/b/c"), "x", 0600).ok());
  struct stat info;
  ASSERT_EQ(::stat(Path("a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(RealDiskTest, AMissingFileIsNotFoundAndNamed) {
  const absl::Status status = RealDisk().ReadFile(Path("absent")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.ToString().find("absent"), std::string::npos);
}

TEST_F(RealDiskTest, AFileBeyondTheBoundIsRefused) {
  std::ofstream(Path("big")) << 'x';
  std::filesystem::resize_file(Path("big"), (size_t{16} << 20) + 1);
  EXPECT_EQ(RealDisk().ReadFile(Path("big")).status().code(), absl::StatusCode::kResourceExhausted);
  std::filesystem::resize_file(Path("big"), size_t{16} << 20);
  EXPECT_TRUE(RealDisk().ReadFile(Path("big")).ok());
}

}  // namespace
}  // namespace cairn
