#include "base/status.h"

#include <cerrno>
#include <memory>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(FromErrno, TheCodeSaysWhatTheCallerDoes) {
  for (const int error : {ENOMEM, ENOSPC, EMFILE, EAGAIN}) {
    EXPECT_EQ(FromErrno(error, "x").code(), absl::StatusCode::kResourceExhausted) << error;
  }
  EXPECT_EQ(FromErrno(ENOENT, "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FromErrno(EACCES, "x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(FromErrno(EPERM, "x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(FromErrno(EEXIST, "x").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(FromErrno(EIO, "x").code(), absl::StatusCode::kInternal);
}

TEST(FromErrno, TheMessageIsTheCallAndTheReason) {
  EXPECT_EQ(FromErrno(ENOENT, "open /etc/cairn.yaml").message(),
            "open /etc/cairn.yaml: No such file or directory");
}

absl::StatusOr<std::unique_ptr<int>> Make(bool ok) {
  if (!ok) return absl::NotFoundError("none");
  return std::make_unique<int>(4);
}

absl::StatusOr<int> Double(bool ok) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Make(true));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<int> second, Make(ok));
  return *first + *second;
}

TEST(AssignOrReturn, MovesTheValueOrReturnsTheError) {
  EXPECT_EQ(*Double(true), 8);
  EXPECT_EQ(Double(false).status(), absl::NotFoundError("none"));
}

TEST(ReturnIfError, ReturnsOnlyErrors) {
  int reached = 0;
  const auto run = [&reached](const absl::Status& status) -> absl::Status {
    CAIRN_RETURN_IF_ERROR(status);
    ++reached;
    return absl::OkStatus();
  };
  EXPECT_TRUE(run(absl::OkStatus()).ok());
  EXPECT_EQ(run(absl::AbortedError("x")), absl::AbortedError("x"));
  EXPECT_EQ(reached, 1);
}

TEST(StringViews, ConvertBothWaysWithoutCopying) {
  const std::string_view text("a\0b", 3);
  EXPECT_EQ(Std(Absl(text)), text);
  EXPECT_EQ(Absl(text).data(), text.data());
}

}  // namespace
}  // namespace cairn
