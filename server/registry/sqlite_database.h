// One SQLite file in WAL mode and its statements. Not thread-safe.
#ifndef CAIRN_SERVER_REGISTRY_SQLITE_DATABASE_H_
#define CAIRN_SERVER_REGISTRY_SQLITE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/handle.h"

namespace cairn {

using SqliteStatement = Handle<sqlite3_stmt*, sqlite3_finalize>;

class SqliteDatabase {
 public:
  struct Layout {
    std::string role;        // for messages: "registry"
    int version = 1;         // of the schema
    std::string statements;  // make what is missing
    std::string
        synchronous;     // FULL: no committed row is ever lost; NORMAL: none by a killed process
    std::string remedy;  // of a damaged file: "restore the file from a copy"
  };
  // path: made with mode 0600 if absent; ":memory:" keeps nothing. kFailedPrecondition: written by
  // a newer version. kDataLoss: not a database, or damaged. kPermissionDenied: no folder, or not
  // writable. Every message names the file and the remedy.
  static absl::StatusOr<SqliteDatabase> Open(const std::string& path, Layout layout);

  absl::Status Run(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql);
  // Of a statement that answers no rows. kAlreadyExists: a constraint.
  absl::Status Finish(const SqliteStatement& statement, const char* what);
  // kDataLoss, kResourceExhausted (full), kAlreadyExists, kPermissionDenied, kInternal.
  absl::Status Error(int code, const std::string& what) const;

  int64_t last_row() const { return sqlite3_last_insert_rowid(database_.get()); }
  int changes() const { return sqlite3_changes(database_.get()); }
  const std::string& path() const { return path_; }

 private:
  SqliteDatabase(std::string path, Layout layout)
      : path_(std::move(path)), layout_(std::move(layout)) {}
  absl::Status Connect();
  absl::Status Initialise();
  absl::Status TurnToWal();

  std::string path_;
  Layout layout_;
  Handle<sqlite3*, sqlite3_close_v2> database_;
};

// index: of the parameter, from 1. The bytes are copied.
void BindText(const SqliteStatement& statement, int index, const std::string& text);
void BindBlob(const SqliteStatement& statement, int index, absl::Span<const std::byte> bytes);
inline absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
// column: from 0.
std::string BlobOf(const SqliteStatement& row, int column);

}  // namespace cairn

#endif  // CAIRN_SERVER_REGISTRY_SQLITE_DATABASE_H_
