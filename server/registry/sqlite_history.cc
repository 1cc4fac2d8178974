#include "server/registry/sqlite_history.h"

#include <atomic>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "server/registry/sqlite_database.h"

namespace cairn {
namespace {

constexpr int kSchemaVersion = 1;
constexpr char kTables[] =
    "CREATE TABLE IF NOT EXISTS point(step INTEGER NOT NULL, unix_s INTEGER NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY(step, unix_s)) WITHOUT ROWID;";

class SqliteHistory final : public HistoryStore {
 public:
  explicit SqliteHistory(SqliteDatabase database) : database_(std::move(database)) {}

  absl::Status Append(const HistoryRow& row, int64_t keep_s) override {
    absl::Status status = Insert(row);
    if (status.ok()) return Trim(row, keep_s);
    lost_rows_.fetch_add(1);
    return status;
  }
  uint64_t lost_rows() const override { return lost_rows_.load(); }

  absl::StatusOr<std::vector<HistoryRow>> Read(HistoryStep step) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(
        SqliteStatement select,
        database_.Prepare("SELECT unix_s, body FROM point WHERE step = ? ORDER BY unix_s"));
    sqlite3_bind_int(select.get(), 1, static_cast<int>(step));
    std::vector<HistoryRow> rows;
    int code;
    while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
      rows.push_back({step, sqlite3_column_int64(select.get(), 0), BlobOf(select, 1)});
    }
    if (code != SQLITE_DONE) return database_.Error(code, "read the points");
    return rows;
  }

 private:
  absl::Status Insert(const HistoryRow& row) {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        database_.Prepare("INSERT OR REPLACE INTO point(step, unix_s, body) VALUES(?, ?, ?)"));
    sqlite3_bind_int(insert.get(), 1, static_cast<int>(row.step));
    sqlite3_bind_int64(insert.get(), 2, row.unix_s);
    BindBlob(insert, 3, BytesOf(row.point));
    return database_.Finish(insert, "add a point");
  }

  absl::Status Trim(const HistoryRow& newest, int64_t keep_s) {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement trim,
                           database_.Prepare("DELETE FROM point WHERE step = ? AND unix_s <= ?"));
    sqlite3_bind_int(trim.get(), 1, static_cast<int>(newest.step));
    sqlite3_bind_int64(trim.get(), 2, newest.unix_s - keep_s);
    return database_.Finish(trim, "remove old points");
  }

  std::atomic<uint64_t> lost_rows_ = 0;
  Mutex mutex_;
  SqliteDatabase database_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<HistoryStore>> OpenSqliteHistory(const std::string& path) {
  CAIRN_ASSIGN_OR_RETURN(SqliteDatabase database,
                         SqliteDatabase::Open(path, {"history", kSchemaVersion, kTables, "NORMAL",
                                                     "remove the file to begin with no history"}));
  return std::make_unique<SqliteHistory>(std::move(database));
}

}  // namespace cairn
