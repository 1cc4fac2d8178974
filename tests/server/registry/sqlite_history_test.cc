#include "server/registry/sqlite_history.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

struct SqliteHistoryTest : ::testing::Test {
  SqliteHistoryTest() {
    folder = ::testing::TempDir() + "history_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    path = folder + "/history.db";
  }
  ~SqliteHistoryTest() override { std::filesystem::remove_all(folder); }
  std::vector<int64_t> Times(HistoryStore& store, HistoryStep step) {
    std::vector<int64_t> times;
    const std::vector<HistoryRow> rows = store.Read(step).value();
    for (const HistoryRow& row : rows) times.push_back(row.unix_s);
    return times;
  }

  std::string folder, path;
};

TEST_F(SqliteHistoryTest, RowsComeBackInOrderAfterAnother) {
  const std::string point("a\0b", 3);
  {
    const auto store = OpenSqliteHistory(path).value();
    ASSERT_TRUE(store->Append({HistoryStep::kFine, 20, "late"}, 100).ok());
    ASSERT_TRUE(store->Append({HistoryStep::kFine, 10, point}, 100).ok());
    ASSERT_TRUE(store->Append({HistoryStep::kCoarse, 15, ""}, 100).ok());
  }
  const auto store = OpenSqliteHistory(path).value();
  const auto rows = store->Read(HistoryStep::kFine).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].point, point);
  EXPECT_EQ(rows[1].point, "late");
  EXPECT_EQ(Times(*store, HistoryStep::kCoarse), std::vector<int64_t>{15});
}

TEST_F(SqliteHistoryTest, OldRowsOfTheSameStepGo) {
  const auto store = OpenSqliteHistory(path).value();
  for (int64_t at = 10; at <= 100; at += 10) {
    ASSERT_TRUE(store->Append({HistoryStep::kFine, at, "x"}, 30).ok());
  }
  ASSERT_TRUE(store->Append({HistoryStep::kCoarse, 5, "x"}, 30).ok());
  EXPECT_EQ(Times(*store, HistoryStep::kFine), (std::vector<int64_t>{80, 90, 100}));
  EXPECT_EQ(Times(*store, HistoryStep::kCoarse), std::vector<int64_t>{5});
}

TEST_F(SqliteHistoryTest, ARowOfTheSameTimeIsReplaced) {
  const auto store = OpenSqliteHistory(path).value();
  ASSERT_TRUE(store->Append({HistoryStep::kFine, 1, "a"}, 30).ok());
  ASSERT_TRUE(store->Append({HistoryStep::kFine, 1, "b"}, 30).ok());
  EXPECT_EQ(store->Read(HistoryStep::kFine).value().at(0).point, "b");
}

TEST_F(SqliteHistoryTest, AFileThatIsNoDatabaseIsRefusedWithARemedy) {
  std::ofstream(path) << std::string(4096, 'x');
  const absl::Status status = OpenSqliteHistory(path).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_THAT(std::string(status.message()), HasSubstr("remove the file to begin with no history"));
}

}  // namespace
}  // namespace cairn
