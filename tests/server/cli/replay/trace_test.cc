#include "server/cli/replay/trace.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/status.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kGood[] =
    R"({"timestamp": 5, "input_length": 700, "output_length": 9, "hash_ids": [3, 4]})";

class TraceTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<TraceRequest>> Read(const std::string& text) {
    EXPECT_TRUE(RealDisk().WriteFileAtomically(path_, text, 0600).ok());
    return ReadTrace(path_);
  }
  // What is said of a file whose second line is `line`, behind its name and line number.
  std::string MistakeOf(const std::string& line) {
    const absl::Status status = Read(absl::StrCat(kGood, "\n", line, "\n")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string place = path_ + ":2: ";
    std::string message(Std(status.message()));
    EXPECT_THAT(message, testing::StartsWith(place));
    return message.substr(std::min(message.size(), place.size()));
  }

  ScratchFolder folder_ = *ScratchFolder::Create();
  const std::string path_ = folder_.File("trace.jsonl");
};

TEST_F(TraceTest, EveryLineIsARequestInTheOrderOfTheFile) {
  const auto trace = Read(
      absl::StrCat(kGood, "\n", R"({"timestamp": 6, "input_length": 0, "hash_ids": []})", "\n"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->size(), 2u);
  EXPECT_EQ((*trace)[0].timestamp_ms, 5);
  EXPECT_EQ((*trace)[0].input_tokens, 700u);
  EXPECT_THAT((*trace)[0].block_ids, ElementsAre(3, 4));
  EXPECT_THAT((*trace)[1].block_ids, IsEmpty());
}

TEST_F(TraceTest, EmptyLinesAndAMissingLastNewlineAreNoMistake) {
  const auto trace = Read(absl::StrCat("\n", kGood, "\n\n", kGood));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->size(), 2u);
}

TEST_F(TraceTest, ABadLineNamesFileLineAndField) {
  EXPECT_EQ(MistakeOf("{"), "not a JSON object");
  EXPECT_EQ(MistakeOf("[1]"), "not a JSON object");
  EXPECT_EQ(MistakeOf(R"({"input_length": 1, "hash_ids": []})"),
            "timestamp: must be a whole number");
  EXPECT_EQ(MistakeOf(R"({"timestamp": -1, "input_length": 1, "hash_ids": []})"),
            "timestamp: must be a whole number");
  EXPECT_EQ(MistakeOf(R"({"timestamp": 1, "input_length": 1.5, "hash_ids": []})"),
            "input_length: must be a whole number");
  EXPECT_EQ(MistakeOf(R"({"timestamp": 1, "input_length": 1})"),
            "hash_ids: must be a list of whole numbers");
  EXPECT_EQ(MistakeOf(R"({"timestamp": 1, "input_length": 1, "hash_ids": [1, "2"]})"),
            "hash_ids: must be a list of whole numbers");
}

TEST_F(TraceTest, ARequestOfMoreBlocksThanTheBoundIsRefused) {
  const std::vector<int> ids(kTraceBlocksMax + 1, 7);
  const auto line = [](const std::vector<int>& of) {
    return absl::StrCat(R"({"timestamp": 1, "input_length": 1, "hash_ids": [)",
                        absl::StrJoin(of, ","), "]}");
  };
  EXPECT_EQ(MistakeOf(line(ids)), "hash_ids: 4097 blocks; at most 4096");
  EXPECT_TRUE(Read(line({ids.begin() + 1, ids.end()})).ok());
}

TEST_F(TraceTest, AnEmptyFileIsNoTrace) {
  EXPECT_EQ(Read("\n").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TraceTest, AnAbsentFileIsAWrongFlag) {
  const absl::Status status = ReadTrace(folder_.File("absent")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Std(status.message())), testing::StartsWith("trace: "));
}

}  // namespace
}  // namespace cairn
