#include "server/registry/sqlite_registry.h"

#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/mutex.h"
#include "base/status.h"
#include "server/registry/given_name.h"
#include "server/registry/sqlite_database.h"

namespace cairn {
namespace {

constexpr int kSchemaVersion = 2;  // 2: objectives
constexpr char kTables[] =
    "CREATE TABLE IF NOT EXISTS cluster(one INTEGER PRIMARY KEY CHECK(one = 1), id BLOB);"
    "CREATE TABLE IF NOT EXISTS tenant(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT UNIQUE NOT NULL, secret BLOB NOT NULL, inflight_bytes_max INTEGER NOT NULL,"
    " weight INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS objective(name TEXT PRIMARY KEY, body BLOB NOT NULL);";
constexpr uint64_t kInflightBytesDefault = 256u << 20;

class SqliteRegistry final : public Registry {
 public:
  SqliteRegistry(SqliteDatabase database, Random& random)
      : random_(random), database_(std::move(database)) {}

  absl::StatusOr<ClusterId> cluster_id() override {
    MutexLock lock(mutex_);
    ClusterId fresh;
    random_.Fill(absl::MakeSpan(fresh.bytes));
    CAIRN_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        database_.Prepare("INSERT OR IGNORE INTO cluster(one, id) VALUES(1, ?)"));
    BindBlob(insert, 1, fresh.bytes);
    CAIRN_RETURN_IF_ERROR(database_.Finish(insert, "make the cluster id"));
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement select, database_.Prepare("SELECT id FROM cluster"));
    if (const int code = sqlite3_step(select.get()); code != SQLITE_ROW) {
      return database_.Error(code, "read the cluster id");
    }
    ClusterId id;
    CAIRN_RETURN_IF_ERROR(ReadBytes(select, 0, absl::MakeSpan(id.bytes)));
    return id;
  }

  absl::StatusOr<TenantRecord> AddTenant(const TenantRecord& record) override {
    CAIRN_RETURN_IF_ERROR(CheckGivenName("tenant.name", record.name));
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
        SqliteStatement insert,
        database_.Prepare(
            "INSERT INTO tenant(name, secret, inflight_bytes_max, weight) VALUES(?, ?, ?, ?)"));
    BindText(insert, 1, added.name);
    BindBlob(insert, 2, added.secret);
    sqlite3_bind_int64(insert.get(), 3, static_cast<int64_t>(added.inflight_bytes_max));
    sqlite3_bind_int64(insert.get(), 4, added.weight);
    const absl::Status status = database_.Finish(insert, "add the tenant");
    if (absl::IsAlreadyExists(status)) {
      return absl::AlreadyExistsError(absl::StrCat("tenant.name: \"", record.name,
                                                   "\" exists; remove it first or choose another"));
    }
    CAIRN_RETURN_IF_ERROR(status);
    added.id = static_cast<TenantId>(database_.last_row());
    return added;
  }

  absl::StatusOr<TenantRecord> FindTenant(const std::string& name) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement select,
                           database_.Prepare(absl::StrCat(kSelect, " WHERE name = ?")));
    BindText(select, 1, name);
    const int code = sqlite3_step(select.get());
    if (code == SQLITE_DONE) return absl::NotFoundError(absl::StrCat("no tenant \"", name, "\""));
    if (code != SQLITE_ROW) return database_.Error(code, "find the tenant");
    return ReadTenant(select);
  }

  absl::Status RemoveTenant(const std::string& name) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement remove,
                           database_.Prepare("DELETE FROM tenant WHERE name = ?"));
    BindText(remove, 1, name);
    CAIRN_RETURN_IF_ERROR(database_.Finish(remove, "remove the tenant"));
    if (database_.changes() == 0) {
      return absl::NotFoundError(absl::StrCat("no tenant \"", name, "\""));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TenantRecord>> ListTenants() override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement select,
                           database_.Prepare(absl::StrCat(kSelect, " ORDER BY id")));
    std::vector<TenantRecord> tenants;
    int code;
    while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
      CAIRN_ASSIGN_OR_RETURN(TenantRecord tenant, ReadTenant(select));
      tenants.push_back(std::move(tenant));
    }
    if (code != SQLITE_DONE) return database_.Error(code, "list the tenants");
    return tenants;
  }

  absl::Status SetObjective(const ObjectiveRecord& record) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        database_.Prepare("INSERT OR REPLACE INTO objective(name, body) VALUES(?, ?)"));
    BindText(insert, 1, record.name);
    BindBlob(insert, 2, BytesOf(record.body));
    return database_.Finish(insert, "set the objective");
  }

  absl::Status RemoveObjective(const std::string& name) override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement remove,
                           database_.Prepare("DELETE FROM objective WHERE name = ?"));
    BindText(remove, 1, name);
    CAIRN_RETURN_IF_ERROR(database_.Finish(remove, "remove the objective"));
    if (database_.changes() > 0) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat("no objective \"", name, "\""));
  }

  absl::StatusOr<std::vector<ObjectiveRecord>> ListObjectives() override {
    MutexLock lock(mutex_);
    CAIRN_ASSIGN_OR_RETURN(SqliteStatement select,
                           database_.Prepare("SELECT name, body FROM objective ORDER BY name"));
    std::vector<ObjectiveRecord> records;
    int code;
    while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
      records.push_back(
          {reinterpret_cast<const char*>(sqlite3_column_text(select.get(), 0)), BlobOf(select, 1)});
    }
    if (code != SQLITE_DONE) return database_.Error(code, "list the objectives");
    return records;
  }

 private:
  static constexpr char kSelect[] =
      "SELECT name, id, secret, inflight_bytes_max, weight FROM tenant";

  absl::Status ReadBytes(const SqliteStatement& statement, int column,
                         absl::Span<std::byte> out) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int size = sqlite3_column_bytes(statement.get(), column);
    if (static_cast<size_t>(size) != out.size()) {
      return absl::DataLossError(
          absl::StrCat("registry: ", database_.path(), ": an identity or secret of ", size,
                       " bytes instead of ", out.size(), "; restore the file from a copy"));
    }
    std::memcpy(out.data(), sqlite3_column_blob(statement.get(), column), out.size());
    return absl::OkStatus();
  }

  absl::StatusOr<TenantRecord> ReadTenant(const SqliteStatement& row) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    TenantRecord tenant;
    tenant.name = reinterpret_cast<const char*>(sqlite3_column_text(row.get(), 0));
    tenant.id = static_cast<TenantId>(sqlite3_column_int64(row.get(), 1));
    CAIRN_RETURN_IF_ERROR(ReadBytes(row, 2, absl::MakeSpan(tenant.secret)));
    tenant.inflight_bytes_max = static_cast<uint64_t>(sqlite3_column_int64(row.get(), 3));
    tenant.weight = static_cast<uint32_t>(sqlite3_column_int64(row.get(), 4));
    return tenant;
  }

  Mutex mutex_;
  Random& random_ ABSL_GUARDED_BY(mutex_);
  SqliteDatabase database_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> OpenSqliteRegistry(const std::string& path,
                                                             Random& random) {
  CAIRN_ASSIGN_OR_RETURN(
      SqliteDatabase database,
      SqliteDatabase::Open(path, {"registry", kSchemaVersion, kTables, "FULL",
                                  "restore the file from a copy, or remove it to begin with no "
                                  "tenants"}));
  return std::make_unique<SqliteRegistry>(std::move(database), random);
}

}  // namespace cairn
