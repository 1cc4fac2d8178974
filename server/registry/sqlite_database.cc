#include "server/registry/sqlite_database.h"

#include <sys/stat.h>

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

constexpr int kBusyTimeout_ms = 5000;  // another process (the CLI) may hold the lock for a moment
constexpr int kBusyPause_ms = 2;

}  // namespace

absl::StatusOr<SqliteDatabase> SqliteDatabase::Open(const std::string& path, Layout layout) {
  SqliteDatabase database(path, std::move(layout));
  CAIRN_RETURN_IF_ERROR(database.Connect());
  CAIRN_RETURN_IF_ERROR(database.Initialise());
  return database;
}

absl::Status SqliteDatabase::Connect() {
  sqlite3* raw = nullptr;
  // Secrets live in it, so nobody else may read it; SQLite makes its side files with the same mode.
  const mode_t old_mask = umask(0077);
  const int code = sqlite3_open_v2(
      path_.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  umask(old_mask);
  database_ = Handle<sqlite3*, sqlite3_close_v2>(raw);
  if (code != SQLITE_OK) return Error(code, "open");
  sqlite3_busy_timeout(raw, kBusyTimeout_ms);
  return absl::OkStatus();
}

absl::Status SqliteDatabase::Initialise() {
  CAIRN_RETURN_IF_ERROR(TurnToWal());
  CAIRN_RETURN_IF_ERROR(Run(absl::StrCat("PRAGMA synchronous=", layout_.synchronous)));
  CAIRN_ASSIGN_OR_RETURN(SqliteStatement version, Prepare("PRAGMA user_version"));
  if (const int code = sqlite3_step(version.get()); code != SQLITE_ROW) {
    return Error(code, "read the schema version");
  }
  const int found = sqlite3_column_int(version.get(), 0);
  version.Reset();
  if (found > layout_.version) {
    return absl::FailedPreconditionError(absl::StrCat(
        layout_.role, ": ", path_, ": schema version ", found, " is newer than this program's ",
        layout_.version, "; start the newer program"));
  }
  return Run(absl::StrCat("BEGIN IMMEDIATE;", layout_.statements,
                          "PRAGMA user_version = ", layout_.version, ";COMMIT"));
}

// SQLite's own timeout does not count where two that wait could wait for each other, as those do
// that turn one new file to WAL.
absl::Status SqliteDatabase::TurnToWal() {
  const std::string sql = "PRAGMA journal_mode=WAL";
  int code = SQLITE_BUSY;
  for (int waited_ms = 0; waited_ms < kBusyTimeout_ms; waited_ms += kBusyPause_ms) {
    code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if ((code & 0xff) != SQLITE_BUSY) break;
    sqlite3_sleep(kBusyPause_ms);
  }
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, sql);
}

absl::Status SqliteDatabase::Run(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, sql);
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr);
  if (code != SQLITE_OK) return Error(code, sql);
  return SqliteStatement(statement);
}

absl::Status SqliteDatabase::Finish(const SqliteStatement& statement, const char* what) {
  const int code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? absl::OkStatus() : Error(code, what);
}

absl::Status SqliteDatabase::Error(int code, const std::string& what) const {
  const std::string text =
      absl::StrCat(layout_.role, ": ", path_, ": ", what, ": ", sqlite3_errmsg(database_.get()));
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat(text, "; ", layout_.remedy));
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(text);
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(text);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return absl::PermissionDeniedError(
          absl::StrCat(text, "; its folder must exist, and we must be able to write both"));
    default:
      return absl::InternalError(text);
  }
}

void BindText(const SqliteStatement& statement, int index, const std::string& text) {
  sqlite3_bind_text(statement.get(), index, text.data(), static_cast<int>(text.size()),
                    SQLITE_TRANSIENT);
}

void BindBlob(const SqliteStatement& statement, int index, absl::Span<const std::byte> bytes) {
  sqlite3_bind_blob(statement.get(), index, bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_TRANSIENT);
}

std::string BlobOf(const SqliteStatement& row, int column) {
  const auto bytes = static_cast<size_t>(sqlite3_column_bytes(row.get(), column));
  return bytes == 0
             ? std::string()
             : std::string(static_cast<const char*>(sqlite3_column_blob(row.get(), column)), bytes);
}

}  // namespace cairn
