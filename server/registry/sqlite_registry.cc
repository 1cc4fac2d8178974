#include "server/registry/sqlite_registry.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/handle.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeout_ms = 5000;  // another process (the CLI) may hold the lock for a moment
constexpr uint64_t kInflightBytesDefault = 256u << 20;

using Database = Handle<sqlite3*, sqlite3_close_v2>;
using Statement = Handle<sqlite3_stmt*, sqlite3_finalize>;

absl::Status FromSqlite(sqlite3* database, int code, const std::string& path,
                        const std::string& what) {
  const std::string text =
      absl::StrCat("registry: ", path, ": ", what, ": ", sqlite3_errmsg(database));
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat(
          text, "; restore the file from a copy, or remove it to begin with no tenants"));
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

absl::Status CheckName(const std::string& name) {
  const bool fits =
      !name.empty() && name.size() <= 63 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tenant.name: \"", name, "\" must be 1 to 63 of a-z, 0-9, _ and -"));
}

class SqliteRegistry final : public Registry {
 public:
  SqliteRegistry(std::string path, Database database, Random& random)
      : path_(std::move(path)), random_(random), database_(std::move(database)) {}

  absl::Status Initialise() {
    MutexLock lock(mutex_);
    CAIRN_RETURN_IF_ERROR(Run("PRAGMA journal_mode=WAL"));
    CAIRN_RETURN_IF_ERROR(Run("PRAGMA synchronous=FULL"));
    CAIRN_ASSIGN_OR_RETURN(Statement version, Prepare("PRAGMA user_version"));
    if (const int code = sqlite3_step(version.get()); code != SQLITE_ROW) {
      return Error(code, "read the schema version");
    }
    const int found = sqlite3_column_int(version.get(), 0);
    version.Reset();
    if (found > kSchemaVersion) {
      return absl::FailedPreconditionError(absl::StrCat(
          "registry: ", path_, ": schema version ", found, " is newer than this program's ",
          kSchemaVersion, "; start the newer program"));
    }
    return Run(
        "BEGIN IMMEDIATE;"
        "CREATE TABLE IF NOT EXISTS cluster(one INTEGER PRIMARY KEY CHECK(one = 1), id BLOB);"
        "CREATE TABLE IF NOT EXISTS tenant(id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " name TEXT UNIQUE NOT NULL, secret BLOB NOT NULL, inflight_bytes_max INTEGER NOT NULL,"
        " weight INTEGER NOT NULL);"
        "PRAGMA user_version = 1;"
        "COMMIT");
  }

  absl::StatusOr<ClusterId> cluster_id() override {
    MutexLock lock(mutex_);
    ClusterId fresh;
    random_.Fill(absl::MakeSpan(fresh.bytes));
    CAIRN_ASSIGN_OR_RETURN(Statement insert,
                           Prepare("INSERT OR IGNORE INTO cluster(one, id) VALUES(1, ?)"));
    BindBytes(insert, 1, fresh.bytes);
    CAIRN_RETURN_IF_ERROR(Finish(insert, "make the cluster id"));
    CAIRN_ASSIGN_OR_RETURN(Statement select, Prepare("SELECT id FROM cluster"));
    if (const int code = sqlite3_step(select.get()); code != SQLITE_ROW) {
      return Error(code, "read the cluster id");
    }
    ClusterId id;
    CAIRN_RETURN_IF_ERROR(ReadBytes(select, 0, absl::MakeSpan(id.bytes)));
    return id;
  }

  absl::StatusOr<TenantRecord> AddTenant(const TenantRecord& record) override {
    CAIRN_RETURN_IF_ERROR(CheckName(record.name));
    if (record.weight > 1000) {
      return absl::InvalidArgumentError(
          absl::StrCat("tenant.weight: ", record.weight, " must be 1 to 1000"));
    }
    TenantRecord added = record;
    if (added.weight == 0) added.weight = 100;
    if (added.inflight_bytes_max == 0) added.inflight_bytes_max = kInflightBytesDefault;
    MutexLock lock(mutex_);
    if (added.secret == TenantSecret{}) random_.Fill(absl::MakeSpan(added.secret));
    CAIRN_ASSIGN_OR_RETURN(
        Statement insert,
        Prepare("INSERT INTO tenant(name, secret, inflight_bytes_max, weight) VALUES(?, ?, ?, ?)"));
    BindText(insert, 1, added.name);
    BindBytes(insert, 2, added.secret);
    sqlite3_bind_int64(insert.get(), 3, static_cast<int64_t>(added.inflight_bytes_max));
    sqlite3_bind_int64(insert.get(), 4, added.weight);
    const absl::Status status = Finish(insert, "add the tenant");
    if (absl::IsAlreadyExists(status)) {
      return absl::AlreadyExistsError(absl::StrCat("tenant.name: \"", record.name,
                                                   "\" exists; remove it first or choose another"));
    }
    CAIRN_RETURN_IF_ERROR(status);
    added.id = static_cast<TenantId>(sqlite3_last_insert_rowid(database_.get()));
    return added;
  }

  absl::StatusOr<TenantRecord> FindTenant(const std::string& name) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(Statement select, Prepare(absl::StrCat(kSelect, " WHERE name = ?")));
    BindText(select, 1, name);
    const int code = sqlite3_step(select.get());
    if (code == SQLITE_DONE) return absl::NotFoundError(absl::StrCat("no tenant \"", name, "\""));
    if (code != SQLITE_ROW) return Error(code, "find the tenant");
    return ReadTenant(select);
  }

  absl::Status RemoveTenant(const std::string& name) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(Statement remove, Prepare("DELETE FROM tenant WHERE name = ?"));
    BindText(remove, 1, name);
    CAIRN_RETURN_IF_ERROR(Finish(remove, "remove the tenant"));
    if (sqlite3_changes(database_.get()) == 0) {
      return absl::NotFoundError(absl::StrCat("no tenant \"", name, "\""));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TenantRecord>> ListTenants() override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(Statement select, Prepare(absl::StrCat(kSelect, " ORDER BY id")));
    std::vector<TenantRecord> tenants;
    int code;
    while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
      CAIRN_ASSIGN_OR_RETURN(TenantRecord tenant, ReadTenant(select));
      tenants.push_back(std::move(tenant));
    }
    if (code != SQLITE_DONE) return Error(code, "list the tenants");
    return tenants;
  }

 private:
  static constexpr char kSelect[] =
      "SELECT name, id, secret, inflight_bytes_max, weight FROM tenant";

  absl::Status Error(int code, const std::string& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return FromSqlite(database_.get(), code, path_, what);
  }

  absl::Status Run(const char* sql) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Error(code, sql);
  }

  absl::StatusOr<Statement> Prepare(const std::string& sql) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr);
    if (code != SQLITE_OK) return Error(code, sql);
    return Statement(statement);
  }

  absl::Status Finish(const Statement& statement, const char* what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int code = sqlite3_step(statement.get());
    return code == SQLITE_DONE ? absl::OkStatus() : Error(code, what);
  }

  static void BindText(const Statement& statement, int index, const std::string& text) {
    sqlite3_bind_text(statement.get(), index, text.data(), static_cast<int>(text.size()),
                      SQLITE_TRANSIENT);
  }

  static void BindBytes(const Statement& statement, int index, absl::Span<const std::byte> bytes) {
    sqlite3_bind_blob(statement.get(), index, bytes.data(), static_cast<int>(bytes.size()),
                      SQLITE_TRANSIENT);
  }

  absl::Status ReadBytes(const Statement& statement, int column, absl::Span<std::byte> out) const {
    const int size = sqlite3_column_bytes(statement.get(), column);
    if (static_cast<size_t>(size) != out.size()) {
      return absl::DataLossError(absl::StrCat("registry: ", path_, ": an identity or secret of ",
                                              size, " bytes instead of ", out.size(),
                                              "; restore the file from a copy"));
    }
    std::memcpy(out.data(), sqlite3_column_blob(statement.get(), column), out.size());
    return absl::OkStatus();
  }

  absl::StatusOr<TenantRecord> ReadTenant(const Statement& row) const {
    TenantRecord tenant;
    tenant.name = reinterpret_cast<const char*>(sqlite3_column_text(row.get(), 0));
    tenant.id = static_cast<TenantId>(sqlite3_column_int64(row.get(), 1));
    CAIRN_RETURN_IF_ERROR(ReadBytes(row, 2, absl::MakeSpan(tenant.secret)));
    tenant.inflight_bytes_max = static_cast<uint64_t>(sqlite3_column_int64(row.get(), 3));
    tenant.weight = static_cast<uint32_t>(sqlite3_column_int64(row.get(), 4));
    return tenant;
  }

  const std::string path_;
  Mutex mutex_;
  Random& random_ ABSL_GUARDED_BY(mutex_);
  const Database database_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> OpenSqliteRegistry(const std::string& path,
                                                             Random& random) {
  sqlite3* raw = nullptr;
  // Secrets live in it, so nobody else may read it; SQLite makes its side files with the same mode.
  const mode_t old_mask = umask(0077);
  const int code = sqlite3_open_v2(
      path.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(raw);
  umask(old_mask);
  if (code != SQLITE_OK) return FromSqlite(raw, code, path, "open");
  sqlite3_busy_timeout(raw, kBusyTimeout_ms);
  auto registry = std::make_unique<SqliteRegistry>(path, std::move(database), random);
  CAIRN_RETURN_IF_ERROR(registry->Initialise());
  return registry;
}

}  // namespace cairn
