#include "server/cli/scratch_folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "base/disk.h"

namespace cairn {
namespace {

TEST(ScratchFolder, GoesWithAllThatIsInIt) {
  std::optional<ScratchFolder> folder = *ScratchFolder::Create();
  const std::string path = folder->path();
  ASSERT_TRUE(RealDisk().WriteFileAtomically(folder->File("file"), "x", 0600).ok());
  std::filesystem::create_directories(folder->File("a/b"));
  folder.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScratchFolder, IsForItsOwnerAlone) {
  const ScratchFolder folder = *ScratchFolder::Create();
  struct stat facts{};
  ASSERT_EQ(stat(folder.path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
}

TEST(ScratchFolder, MovedFromItRemovesNothing) {
  std::optional<ScratchFolder> folder = *ScratchFolder::Create();
  const ScratchFolder owner = *std::move(folder);
  folder.reset();
  EXPECT_TRUE(std::filesystem::exists(owner.path()));
}

TEST(ScratchFolder, NoTwoAreTheSame) {
  EXPECT_NE(ScratchFolder::Create()->path(), ScratchFolder::Create()->path());
}

}  // namespace
}  // namespace cairn
